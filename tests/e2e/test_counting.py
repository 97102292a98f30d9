"""Requests are counted exactly, through a real Prometheus, and what a dying process takes with it is bounded."""

import time
from collections.abc import Iterator

import pytest

from e2e.api_server import ApiServer, Object
from e2e.counting import COUNTED_WITHIN, Totals, answered, judged, settled_evidence, wait_for_same_counts
from e2e.manifests import model_spec, pod_template
from e2e.model import Model, is_true
from e2e.operator_process import OperatorProcess
from e2e.place import Place
from e2e.waiting import eventually

RATE = 20.0
FAULTY = {"ERROR_SHARE": "0.05"}
LOSS_SECONDS = 1.5
"""A process takes with it what it answered since its last scrape: one scrape interval, and the scrape's own time."""
SPEC = {
    "steps": [{"weight": 50}, {"approval": {}}],
    # So strict that nothing is decided while the tests look: they are about counts.
    "analysis": {
        "interval": "5s",
        "falseRollbackRate": 0.000001,
        "falsePromotionRate": 0.000001,
        "signals": [{"name": "errors", "kind": "Errors", "margin": "0.1%", "unacceptable": "0.2%"}],
    },
}


@pytest.fixture(scope="module")
def held(api: ApiServer, namespace: str, started_operator: OperatorProcess) -> Iterator[Model]:
    """Return a ModelDeployment whose canary stays at its first step, one pod on each side."""
    model = Model(api, namespace, "counted")
    model.apply(model_spec(replicas=1, template=pod_template(env=FAULTY), **SPEC))
    first = model.wait_ready()
    model.apply(model_spec(replicas=1, template=pod_template(env={**FAULTY, "VERSION": "2"}), **SPEC))
    second = model.wait_canary(after=first)["revision"]
    model.wait_assessed(second, lambda _: True, what="a first tick", within=40)
    yield model
    model.delete()


@pytest.fixture
def sides(held: Model, operator: OperatorProcess) -> dict[str, str]:
    """Return which side each revision is on."""
    status = held.seen()["status"]
    return {status["stable"]["revision"]: "stable", status["canary"]["revision"]: "canary"}


def canary_in(sides: dict[str, str]) -> str:
    return next(revision for revision, side in sides.items() if side == "canary")


def test_every_request_is_counted_once_the_first_ones_too(held: Model, sides: dict[str, str]) -> None:
    before = settled_evidence(held, canary_in(sides))
    with held.load(new_per_second=RATE) as load:
        load.wait_for(lambda counts: counts.new.good + counts.new.bad >= 300, 60)
    wait_for_same_counts(held, sides, load.counts(), since=before)
    settled = time.monotonic()
    eventually("two more ticks", lambda: time.monotonic() > settled + 11, within=20)
    wait_for_same_counts(held, sides, load.counts(), since=before)


def test_restarted_container_takes_little_with_it(held: Model, sides: dict[str, str], place: Place) -> None:
    canary = canary_in(sides)
    pod = held.pods(canary)[0]["metadata"]["name"]
    before = settled_evidence(held, canary)
    with held.load(new_per_second=RATE) as load:
        load.wait_for(lambda counts: counts.answers_of(canary) >= 60, 60)
        place.kubectl.run("exec", "-n", held.namespace, pod, "--", "sh", "-c", "kill 1")
        eventually("the container runs again", lambda: restarts(held, canary) == 1, within=30)
        answers = load.counts().answers_of(canary)
        load.wait_for(lambda counts: counts.answers_of(canary) >= answers + 60, 30)
    counts = load.counts()
    stable = next(revision for revision in sides if revision != canary)
    assert_little_is_lost(held, canary, "canary", answered(counts, canary), before)
    assert_little_is_lost(held, canary, "stable", answered(counts, stable), before, allowed=0)


def test_replaced_pod_takes_little_with_it(held: Model, sides: dict[str, str]) -> None:
    canary = canary_in(sides)
    stable = next(revision for revision in sides if revision != canary)
    gone = held.pods(stable)[0]["metadata"]
    before = settled_evidence(held, canary)
    with held.load(new_per_second=RATE) as load:
        load.wait_for(lambda counts: counts.answers_of(stable) >= 60, 60)
        held.api.delete("Pod", held.namespace, gone["name"])
        held.wait("another pod serves", lambda _: is_served_by_another(held, stable, gone["uid"]), within=40)
        answers = load.counts().answers_of(stable)
        load.wait_for(lambda counts: counts.answers_of(stable) >= answers + 60, 30)
    counts = load.counts()
    assert_little_is_lost(held, canary, "stable", answered(counts, stable), before)
    assert_little_is_lost(held, canary, "canary", answered(counts, canary), before, allowed=0)
    assert is_true(held.seen(), "Available")


def restarts(model: Model, revision: str) -> int:
    """Return how often the ready container of a revision's only pod was started again."""
    statuses = [status for pod in model.pods(revision) for status in pod["status"]["containerStatuses"]]
    return sum(status["restartCount"] for status in statuses if status["ready"])


def is_served_by_another(model: Model, revision: str, uid: str) -> bool:
    """Tell whether a pod other than one is ready."""
    return any(
        status["ready"] and pod["metadata"]["uid"] != uid
        for pod in model.pods(revision)
        for status in pod["status"].get("containerStatuses", [])
    )


def assert_little_is_lost(
    model: Model, canary: str, side: str, truth: Totals, before: Object, *, allowed: float = RATE * LOSS_SECONDS
) -> None:
    """Wait until all but ``allowed`` requests of a side are counted, and never more than there were."""
    seen = Totals(total=0, bad=0)

    def counted() -> bool:
        nonlocal seen
        seen = judged(model.evidence(canary), side) - judged(before, side)
        assert seen.total <= truth.total, f"counted {seen} of {truth}"
        assert seen.bad <= truth.bad, f"counted {seen} of {truth}"
        return truth.total - seen.total <= allowed and truth.bad - seen.bad <= allowed

    try:
        eventually(f"all but {allowed:g} requests of {side} are counted", counted, within=COUNTED_WITHIN)
    except AssertionError as error:
        msg = f"{side}: counted {seen} of {truth}"
        raise AssertionError(msg) from error
