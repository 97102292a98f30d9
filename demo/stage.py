"""What is known of the demo at a moment, and how it is shown: the live tree on a terminal, a line per change elsewhere.

Reads the cluster, decides nothing.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from kubernetes.client import Configuration
from kubernetes.config import load_kube_config
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from cluster.errors import HarnessError
from demo.counts import Counts
from demo.installation import LOAD_REPORT, NAME, NAMESPACE
from demo.place import Place
from serinus import contract
from serinus.cli.tree import make_tree, say_reason
from serinus.cluster.client import Cluster, connect
from serinus.cluster.kinds import MODEL_DEPLOYMENT, POD, ROLLOUT_REPORT, Manifest
from serinus.errors import ClusterUnavailable

LOOK_SECONDS = 1.0
ABSENT: Manifest = {"metadata": {"name": NAME, "namespace": NAMESPACE, "generation": 0}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One look at the demo."""

    model_deployment: Manifest
    reports: tuple[Manifest, ...]
    pods: tuple[Manifest, ...]
    counts: Counts | None
    """None before the load runs."""
    at: datetime

    @property
    def status(self) -> dict[str, Any]:
        """Return the ModelDeployment's status."""
        status: dict[str, Any] = self.model_deployment.get("status") or {}
        return status

    def is_settled(self) -> bool:
        """Tell whether the operator has seen the present spec."""
        return bool(self.status.get("observedGeneration") == self.model_deployment["metadata"]["generation"])


class Stage:
    """Shows the demo while it runs; a context manager."""

    def __init__(self, place: Place, console: Console) -> None:
        """Prepare to look at a cluster; nothing is asked yet."""
        configuration = Configuration()
        load_kube_config(config_file=str(place.kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
        self._cluster = Cluster(connect("serinus-demo", configuration))
        self._place, self._console = place, console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._act, self._line = "", ""
        self._counts: Counts | None = None
        self.has_load = False
        self.frames: dict[str, RenderableType] = {}
        """Pictures for a recording, by caption, in order."""

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last picture on the screen."""
        if self._live:
            self._live.stop()

    def say(self, act: str) -> None:
        """Announce what happens now."""
        self._act = act
        self._console.print(f"{datetime.now(UTC):%H:%M:%S}  {act}", style="bold", markup=False, soft_wrap=True)

    def watch(self, reached: Callable[[Scene], bool], *, timeout_seconds: float) -> Scene:
        """Look and draw once a second until a scene is what is waited for.

        Raises:
            TimeoutError: It never was.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            scene = self.look()
            self.draw(scene)
            if reached(scene):
                return scene
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {timeout_seconds:.0f} s: {self._act}")
            time.sleep(LOOK_SECONDS)

    def look(self) -> Scene:
        """Return what is there now; waits for an API server that does not answer."""
        while True:
            try:
                found = self._cluster.get(MODEL_DEPLOYMENT, NAMESPACE, NAME) or {
                    "metadata": {"name": NAME, "generation": 0}
                }
                labels = {contract.LABEL_MODEL_DEPLOYMENT: NAME}
                return Scene(
                    model_deployment=found,
                    reports=tuple(self._cluster.list(ROLLOUT_REPORT, NAMESPACE, labels)),
                    pods=tuple(self._cluster.list(POD, NAMESPACE, labels)),
                    counts=self._fetch_counts(),
                    at=datetime.now(UTC),
                )
            except ClusterUnavailable as error:
                self._console.print(f"waiting for the API server: {error.message}")
                time.sleep(LOOK_SECONDS)

    def draw(self, scene: Scene) -> None:
        """Show a scene: redraw the tree, or print a line if something changed."""
        if self._live:
            self._live.update(self.picture(scene), refresh=True)
        elif (line := say_scene(scene)) != self._line:
            self._line = line
            self._console.print(f"{scene.at:%H:%M:%S}  {line}", markup=False, soft_wrap=True)

    def picture(self, scene: Scene) -> RenderableType:
        """Return the tree with the load's counts below it."""
        tree = make_tree(scene.model_deployment, scene.reports, scene.pods, scene.at)
        return Group(tree, say_load(scene.counts)) if scene.counts else tree

    def keep(self, caption: str, scene: Scene) -> None:
        """Keep a picture for the recording, in place of an earlier one of that caption."""
        self.frames[caption] = self.picture(scene)

    def _fetch_counts(self) -> Counts | None:
        if self.has_load:
            try:
                self._counts = Counts.from_wire(json.loads(self._place.kubectl("get", "--raw", LOAD_REPORT)))
            except HarnessError:
                # The proxy to the pod may fail once; the next look has newer counts.
                return self._counts
        return self._counts


def say_load(counts: Counts) -> Text:
    """Say in one line what the clients have met."""
    parts = []
    for name, tally in (("new connections", counts.new), ("kept-alive", counts.kept)):
        parts.append(f"{name}: {tally.sent:,} sent, {tally.bad:,} answered 5xx, {tally.failed:,} failed in transport")
    return Text("load  " + "; ".join(parts), style="bright_black")


def say_scene(scene: Scene) -> str:
    """Say in one line what a log wants: where the rollout stands, and the reason in words."""
    status = scene.status
    canary = status.get("canary") or {}
    parts = [str(status.get("phase") or "no status yet")]
    if canary:
        parts.append(f"revision {canary['revision']} at step {int(canary.get('step') or 0) + 1}, {canary.get('state')}")
        parts.append(f"weight {canary.get('weight')} % asked, {canary.get('actualWeight', 0)} % actual")
    reason, message = say_reason(status)
    return ", ".join(parts) + (f": {reason} {message}" if reason else "")
