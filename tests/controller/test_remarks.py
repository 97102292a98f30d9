"""What is reported and decides nothing: one Event where it begins, and a sentence in MetricsAvailable."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from serinus import contract
from serinus.controller.remarks import expected_share, notes_of, steady_since, with_remarks
from serinus.judge.measurements import ExpectedShare
from serinus.rollout.assessment import Assessment, Measuring, SignalEvidence, TrafficShare, Verdict
from serinus.rollout.types import Canary, CanaryState, Observed, PodSeen, SignalAction, SignalKind

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FINE = TrafficShare(expected=0.2, observed=0.19, evidence=0.5, off=False)
OFF = TrafficShare(expected=0.2, observed=0.05, evidence=30.0, off=True, because="5 % of 20 %")
SCORE = SignalEvidence(
    name="score", kind=SignalKind.PREDICTION_DRIFT, action=SignalAction.HOLD, verdict=Verdict.INCONCLUSIVE
)
CHANGED = replace(SCORE, reason=contract.REASON_WORLD_CHANGED)
AGE = replace(CHANGED, name="age")
MEASURING = Measuring(available=True, reason=contract.REASON_METRICS_AVAILABLE, message="all signals are measured")


def answer(*signals: SignalEvidence, traffic: TrafficShare | None = None, step: int = 0) -> Assessment:
    return Assessment(
        at=NOW,
        step=step,
        verdict=Verdict.INCONCLUSIVE,
        rollback=False,
        promote=False,
        calm=True,
        evidence=1.0,
        threshold=20.0,
        reason="",
        because="",
        signals=signals,
        traffic=traffic,
    )


TOLD = {
    "nothing": (None, answer(), []),
    "a share as it should be": (None, answer(traffic=FINE), []),
    "a share that is off": (answer(traffic=FINE), answer(traffic=OFF), ["TrafficShareOff"]),
    "off at the first tick": (None, answer(traffic=OFF), ["TrafficShareOff"]),
    "still off": (answer(traffic=OFF), answer(traffic=OFF), []),
    "off in the next step": (answer(traffic=OFF), answer(traffic=OFF, step=1), ["TrafficShareOff"]),
    "a changed world": (answer(SCORE), answer(CHANGED), ["WorldChanged"]),
    "changed before": (answer(CHANGED), answer(CHANGED), []),
    "changed for another signal": (answer(CHANGED), answer(CHANGED, AGE), ["WorldChanged"]),
    "both": (None, answer(CHANGED, traffic=OFF), ["TrafficShareOff", "WorldChanged"]),
}


@pytest.mark.parametrize(("before", "after", "reasons"), TOLD.values(), ids=TOLD)
def test_an_event_where_something_begins(before: Assessment | None, after: Assessment, reasons: list[str]) -> None:
    notes = notes_of(before, after)
    assert [each.reason for each in notes] == reasons
    assert all(each.warning and each.message for each in notes)


def test_the_event_has_the_figures_and_names_the_signals() -> None:
    assert notes_of(None, answer(traffic=OFF))[0].message.startswith("5 % of 20 %; clients that keep connections")
    assert notes_of(answer(CHANGED), answer(CHANGED, AGE))[0].message.startswith("age: ")


def test_the_condition_says_it_without_a_figure_that_moves() -> None:
    assert with_remarks(MEASURING, answer(SCORE, traffic=FINE)) == MEASURING
    said = with_remarks(MEASURING, answer(CHANGED, AGE, traffic=OFF))
    assert (said.available, said.reason) == (True, contract.REASON_METRICS_AVAILABLE)
    assert said.message.startswith("all signals are measured; the canary does not get the share of requests")
    assert "score, age: canary and stable both moved away from the training reference" in said.message
    again = with_remarks(MEASURING, answer(CHANGED, AGE, traffic=replace(OFF, observed=0.06, because="6 % of 20 %")))
    assert again == said


def pod(name: str, revision: str, *, ready: bool = True, changed: int | None = 0) -> PodSeen:
    at = None if changed is None else NOW + timedelta(seconds=changed)
    return PodSeen(name=name, revision=revision, ready=ready, started=NOW - timedelta(minutes=9), changed=at)


CANARY = Canary(
    revision="new",
    attempt=1,
    step=0,
    weight=25,
    state=CanaryState.ANALYSING,
    since=NOW - timedelta(hours=1),
    step_since=NOW - timedelta(hours=1),
    ready_since=NOW - timedelta(minutes=5),
)
SHARES = {
    "one of four": ([pod("a", "new"), *(pod(name, "old") for name in "bcd")], 0.25),
    "only what is ready": ([pod("a", "new"), pod("b", "new", ready=False), pod("c", "old")], 0.5),
    "no canary pod is ready": ([pod("a", "new", ready=False), pod("c", "old")], None),
    "stable is down": ([pod("a", "new")], None),
    "strangers": ([pod("a", "new"), pod("b", "old"), pod("c", "older")], 0.5),
}


@pytest.mark.parametrize(("pods", "share"), SHARES.values(), ids=SHARES)
def test_the_share_that_ready_pods_give(pods: list[PodSeen], share: float | None) -> None:
    expected = None if share is None else ExpectedShare(share=share, promised=False)
    assert expected_share(Observed(pods=tuple(pods)), "new", "old") == expected


def test_pods_are_steady_since_the_last_of_them_changed() -> None:
    pods = (pod("a", "new", changed=-60), pod("b", "old", changed=-900), pod("c", "older", changed=-1))
    assert steady_since(Observed(pods=pods), CANARY, "old") == NOW - timedelta(seconds=60)
    calm = (pod("a", "new", changed=-900), pod("b", "old", changed=None))
    assert steady_since(Observed(pods=calm), CANARY, "old") == CANARY.ready_since
    waiting = replace(CANARY, state=CanaryState.WAITING, ready_since=None)
    assert steady_since(Observed(pods=pods), waiting, "old") is None
