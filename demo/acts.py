"""The demo's three acts: a first revision serves, a better one is promoted, a bad one is rolled back."""

from dataclasses import dataclass

from demo import installation
from demo.installation import apply_example
from demo.place import Place
from demo.result import find_rejection
from demo.stage import Scene, Stage
from serinus import contract
from serinus.cli.tree import condition
from serinus.rollout.types import CanaryState

SERVES_SECONDS = 180
PROMOTED_SECONDS = 240
REJECTED_SECONDS = 180
GONE_SECONDS = 90


class DemoFailed(Exception):
    """The demo took another course than it has to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What the demo was about."""

    good: str
    """Name of revision 2."""
    bad: str
    """Name of revision 3."""
    end: Scene


def play(place: Place, stage: Stage, accuracies: dict[str, float]) -> Course:
    """Play all three acts.

    Raises:
        DemoFailed: A revision met another fate than it has to.
        TimeoutError: Something never happened.
    """
    stage.say(
        f"revision 1 is applied: naive Bayes, accuracy {accuracies['first']:.1%}; it is the first, so it may serve"
    )
    apply_example(place, "revision-1.yaml")
    first = _stable_of(stage.watch(_serves, timeout_seconds=SERVES_SECONDS))
    stage.say("clients come: 15 requests a second on new connections, 5 on kept-alive ones")
    installation.start_load(place)
    stage.has_load = True
    stage.watch(lambda scene: bool(scene.counts and scene.counts.new.good >= 20), timeout_seconds=60)
    good = _promote(place, stage, accuracies["second"], first)
    return _reject(place, stage, good)


def _promote(place: Place, stage: Stage, accuracy: float, first: str) -> str:
    stage.say(f"revision 2 is applied: a support vector machine, accuracy {accuracy:.1%}; it has to prove itself")
    apply_example(place, "revision-2.yaml")
    good = _canary_of(stage.watch(lambda scene: _canary_of(scene) is not None, timeout_seconds=60))

    def is_promoted(scene: Scene) -> bool:
        if find_rejection(scene.status, str(good)):
            raise DemoFailed(f"revision 2 was rejected: {find_rejection(scene.status, str(good))}")
        canary = scene.status.get("canary") or {}
        if canary.get("step") == 1 and canary.get("state") == CanaryState.ANALYSING:
            stage.keep("revision 2 is under way", scene)
        return _serves(scene) and _stable_of(scene) == good != first

    stage.watch(is_promoted, timeout_seconds=PROMOTED_SECONDS)
    stage.say("revision 2 is promoted: the pods that were judged serve now, revision 1 drains")
    stage.watch(lambda scene: not scene.status.get("retiring"), timeout_seconds=GONE_SECONDS)
    return str(good)


def _reject(place: Place, stage: Stage, good: str) -> Course:
    stage.say("revision 3 is applied: one request in ten will answer 500")
    apply_example(place, "revision-3.yaml")
    bad = str(_canary_of(stage.watch(lambda scene: _canary_of(scene) not in {None, good}, timeout_seconds=60)))

    def is_rejected(scene: Scene) -> bool:
        if _stable_of(scene) == bad:
            raise DemoFailed("revision 3 was promoted")
        return find_rejection(scene.status, bad) is not None

    stage.watch(is_rejected, timeout_seconds=REJECTED_SECONDS)
    stage.say("revision 3 is rejected and its pods end")
    end = stage.watch(lambda scene: _is_gone(scene, bad), timeout_seconds=GONE_SECONDS)
    stage.keep("revision 3 was applied, and rolled back", end)
    return Course(good=good, bad=bad, end=end)


def _serves(scene: Scene) -> bool:
    """Tell whether the spec's revision serves: what ``kubectl wait --for=condition=Ready`` waits for."""
    return scene.is_settled() and condition(scene.status, contract.READY).get("status") == "True"


def _stable_of(scene: Scene) -> str:
    return str((scene.status.get("stable") or {}).get("revision"))


def _canary_of(scene: Scene) -> str | None:
    revision = (scene.status.get("canary") or {}).get("revision")
    return str(revision) if revision else None


def _is_gone(scene: Scene, revision: str) -> bool:
    return all((pod["metadata"].get("labels") or {}).get(contract.LABEL_REVISION) != revision for pod in scene.pods)
