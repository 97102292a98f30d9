"""One ModelDeployment as its user sees it: apply it, order it about, look at its parts, wait for what it becomes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from demo.load import Load

from e2e.api_server import ApiServer, Object, Recording
from e2e.manifests import model_deployment
from e2e.waiting import eventually

OWNED_KINDS = ("Deployment", "Service", "ControllerRevision", "ConfigMap", "RolloutReport")
POD_SECONDS = 60
"""Until pods of the toy server are ready, on a slow machine."""
ROLLOUT_SECONDS = 150
"""Until a rollout with load is decided, on a slow machine."""

Predicate = Callable[[Object], Any]


def parse_time(text: str) -> datetime:
    """Read a time of the wire."""
    return datetime.fromisoformat(text)


def condition(obj: Object, type_: str) -> Object:
    """Return a condition, empty if it is not there."""
    found = [each for each in obj.get("status", {}).get("conditions", []) if each["type"] == type_]
    return found[0] if found else {}


def is_true(obj: Object, type_: str) -> bool:
    """Tell whether a condition is True for the object's present generation."""
    found = condition(obj, type_)
    return found.get("status") == "True" and found.get("observedGeneration") == obj["metadata"]["generation"]


def canary_of(obj: Object) -> Object:
    """Return the attempt under way, empty if there is none."""
    return obj.get("status", {}).get("canary") or {}


def stable_of(obj: Object) -> Object:
    """Return what serves, empty before the first revision."""
    return obj.get("status", {}).get("stable") or {}


def rejections_of(obj: Object) -> list[Object]:
    """Return the remembered rejections, oldest first."""
    return obj.get("status", {}).get("rejected") or []


def is_ready_at(obj: Object, revision: str) -> bool:
    """Tell whether a revision is stable and nothing is under way."""
    return is_true(obj, "Ready") and stable_of(obj).get("revision") == revision and not canary_of(obj)


class Model:
    """One ModelDeployment of the test's namespace."""

    def __init__(self, api: ApiServer, namespace: str, name: str) -> None:
        self.api = api
        self.namespace = namespace
        self.name = name

    # What a user does.

    def apply(self, spec: dict[str, Any]) -> Object:
        """Apply a spec as a whole and return the object."""
        return self.api.apply(model_deployment(self.namespace, self.name, spec))

    def order(self, command: str, value: str) -> None:
        """Set a command's annotation."""
        change = {"metadata": {"annotations": {f"serinus.dev/{command}": value}}}
        self.api.patch("ModelDeployment", self.namespace, self.name, change)

    def delete(self, *, propagation: str = "Background") -> None:
        """Delete it."""
        self.api.delete("ModelDeployment", self.namespace, self.name, propagation=propagation)

    def load(
        self,
        *,
        new_per_second: float = 20.0,
        kept_per_second: float = 0.0,
        path: str = "/predict",
        bodies: Sequence[bytes] = (b"{}",),
        limit: int | None = None,
    ) -> Load:
        """Return a load on the Service that clients use, to be entered as a context."""
        return Load(
            f"http://{self.service()['spec']['clusterIP']}{path}",
            new_per_second=new_per_second,
            kept_per_second=kept_per_second,
            kept_connections=4,
            bodies=bodies,
            limit=limit,
        )

    # What a user sees.

    def seen(self) -> Object:
        """Return the object as it is now."""
        found = self.api.get("ModelDeployment", self.namespace, self.name)
        assert found is not None, f"{self.name} does not exist"
        return found

    def child(self, kind: str, name: str) -> Object:
        """Return an object that the operator made."""
        found = self.api.get(kind, self.namespace, name)
        assert found is not None, f"{kind} {name} does not exist"
        return found

    def service(self, suffix: str = "") -> Object:
        """Return the Service that clients use, or the one with a suffix."""
        return self.child("Service", self.name + suffix)

    def served_revision(self) -> str | None:
        """Return the revision that the clients' Service selects; None: all of them."""
        revision: str | None = self.service()["spec"]["selector"].get("serinus.dev/revision")
        return revision

    def deployment(self, revision: str) -> Object:
        """Return a revision's Deployment."""
        return self.child("Deployment", f"{self.name}-{revision}")

    def owned(self, kind: str) -> list[Object]:
        """Return all objects of a kind that carry our label."""
        return self.api.list(kind, self.namespace, {"serinus.dev/model-deployment": self.name})

    def versions(self) -> dict[str, str]:
        """Return the resourceVersion of everything that the operator made."""
        objects = [obj for kind in OWNED_KINDS for obj in self.owned(kind)]
        return {f"{obj['kind']}/{obj['metadata']['name']}": obj["metadata"]["resourceVersion"] for obj in objects}

    def pods(self, revision: str) -> list[Object]:
        """Return a revision's pods that are not on their way out."""
        labels = {"serinus.dev/model-deployment": self.name, "serinus.dev/revision": revision}
        pods = self.api.list("Pod", self.namespace, labels)
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def pod_uids(self, revision: str) -> set[str]:
        """Return the UIDs of a revision's pods that are not on their way out."""
        return {pod["metadata"]["uid"] for pod in self.pods(revision)}

    def report(self, revision: str, attempt: int = 1) -> Object:
        """Return an attempt's report."""
        return self.child("RolloutReport", f"{self.name}-{revision}-{attempt}")

    def assessment(self, revision: str, attempt: int = 1) -> Object:
        """Return the judge's last answer about an attempt, empty if it gave none."""
        return self.report(revision, attempt).get("status", {}).get("assessment") or {}

    def evidence(self, revision: str, signal: str = "errors", attempt: int = 1) -> Object:
        """Return what is known about one signal, empty if nothing."""
        signals = self.assessment(revision, attempt).get("signals", [])
        found: list[Object] = [each for each in signals if each["name"] == signal]
        return found[0] if found else {}

    def events(self) -> list[Object]:
        """Return the Kubernetes Events about the object."""
        events = self.api.list("Event", self.namespace)
        return [event for event in events if event["involvedObject"].get("name") == self.name]

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        """Record every version of the object."""
        with self.api.recording("ModelDeployment", self.namespace, name=self.name) as recording:
            yield recording

    # What a user waits for.

    def wait(self, what: str, predicate: Predicate, *, within: float, never: Predicate | None = None) -> Object:
        """Wait until the object satisfies a predicate, and return it.

        Args:
            what: what is awaited, for the failure's message.
            predicate: true once the wait is over.
            within: seconds.
            never: what must not be true meanwhile; ends the wait at once.
        """

        def look() -> Object | None:
            seen = self.seen()
            assert not (never and never(seen)), f"while waiting for: {what}: {seen.get('status')}"
            return seen if predicate(seen) else None

        return eventually(f"{self.name}: {what}", look, within=within)

    def wait_ready(self, *, within: float = POD_SECONDS) -> str:
        """Wait until what the spec asks for serves, and return its revision."""
        ready = self.wait(
            "Ready for the present generation", lambda obj: is_true(obj, "Ready"), within=within, never=rejections_of
        )
        return str(stable_of(ready)["revision"])

    def wait_canary(self, *, after: str = "", step: int = 0, within: float = POD_SECONDS) -> Object:
        """Wait until a canary other than the revision ``after`` is analysed at a step; return ``status.canary``."""

        def analysed(obj: Object) -> bool:
            canary = canary_of(obj)
            return (
                canary.get("revision", after) != after
                and canary.get("state") == "Analysing"
                and canary.get("step") == step
            )

        return canary_of(self.wait(f"a canary analysed at step {step}", analysed, within=within, never=rejections_of))

    def wait_waiting(self) -> Object:
        """Wait until a canary waits for its pods, and return ``status.canary``."""
        return canary_of(
            self.wait("a canary waits for pods", lambda obj: canary_of(obj).get("state") == "WaitingForPods", within=20)
        )

    def wait_promoted(self, revision: str, *, within: float = ROLLOUT_SECONDS) -> Object:
        """Wait until a revision has become stable."""
        return self.wait(
            f"{revision} promoted", lambda obj: is_ready_at(obj, revision), within=within, never=rejections_of
        )

    def wait_rejected(self, *, within: float = ROLLOUT_SECONDS, attempt: int = 1) -> Object:
        """Wait until an attempt has been rolled back, and return its rejection."""

        def rejected(obj: Object) -> bool:
            return any(each["attempt"] == attempt for each in rejections_of(obj)) and not canary_of(obj)

        return rejections_of(self.wait("rolled back", rejected, within=within))[-1]

    def wait_assessed(
        self, revision: str, predicate: Predicate, *, what: str, within: float, attempt: int = 1
    ) -> Object:
        """Wait until the judge's last answer about an attempt satisfies a predicate, and return it."""

        def look() -> Object | None:
            assessment = self.assessment(revision, attempt)
            return assessment if assessment and predicate(assessment) else None

        return eventually(f"{self.name}: {what}", look, within=within)

    def wait_gone(self, revision: str, *, within: float = POD_SECONDS) -> None:
        """Wait until a revision has no pods, not even ending ones."""
        labels = {"serinus.dev/model-deployment": self.name, "serinus.dev/revision": revision}
        eventually(
            f"{self.name}: no pod of {revision} is left",
            lambda: not self.api.list("Pod", self.namespace, labels),
            within=within,
        )

    def wait_event(self, reason: str, *, containing: str = "", within: float = 15) -> Object:
        """Wait for an Event about the object and return it."""

        def look() -> Object | None:
            found = [each for each in self.events() if each.get("reason") == reason and containing in each["message"]]
            return found[0] if found else None

        return eventually(f"{self.name}: an Event {reason} with {containing!r}", look, within=within)


class Models:
    """The ModelDeployments of one test, made by name."""

    def __init__(self, api: ApiServer, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self.made: list[Model] = []

    def __call__(self, name: str) -> Model:
        """Return a ModelDeployment that is not applied yet."""
        return self.take(Model(self._api, self._namespace, name))

    def take(self, model: Model) -> Model:
        """Make a ModelDeployment one of this test's own: shown when it fails, deleted when it ends."""
        self.made.append(model)
        return model


class Beacon:
    """Tell when the operator has seen everything that was written before.

    Its ModelDeployment asks for what is not built, so that it never has a pod; each touch is a new generation,
    which the operator has to acknowledge.
    """

    def __init__(self, api: ApiServer, namespace: str) -> None:
        self._model = Model(api, namespace, "beacon")
        self._touches = 0

    def settle(self, *, within: float = 30) -> None:
        """Have the operator acknowledge two writes.

        The second one is queued when the first has been worked off, and so behind all that was queued before it, the
        first look after a start included.
        """
        for _ in range(2):
            self._touch(within)

    def _touch(self, within: float) -> None:
        self._touches += 1
        spec = {
            "template": {"spec": {"containers": [{"name": "none", "image": "none"}]}},
            "rollout": {"bake": {"for": "1h"}, "historyLimit": 1 + self._touches % 2},
        }
        generation = self._model.apply(spec)["metadata"]["generation"]
        self._model.wait(
            "the operator acknowledges the beacon",
            lambda obj: (
                obj.get("status", {}).get("observedGeneration") == generation
                and condition(obj, "Stalled").get("reason") == "NotSupportedYet"
            ),
            within=within,
        )
