"""Where counting begins after a gate: with a scrape that holds all its requests, of every pod that was asked."""

from datetime import datetime, timedelta

import pytest

from serinus import contract
from serinus.controller.gated import BLIND, PATIENCE, Gated, gated, unscraped
from serinus.controller.measure import GATE_PATIENCE, Measured, measure
from serinus.judge.measurements import RateMeasurement
from serinus.rollout.smoke import Smoke
from serinus.rollout.types import (
    Canary,
    CanaryState,
    Observed,
    PodSeen,
    RolloutPlan,
    Signal,
    SignalAction,
    SignalKind,
    Step,
    StepKind,
)
from serinus.signals.scope import Scope, alike
from support.traffic import InProcess, Pod, Process, Request, moment
from support.tsdb import Tsdb

C1, S1 = "fraud-bcdfghjklm-5f7c9d-abcde", "fraud-zzxxwwvvtt-66b9c-klmno"
SCOPE = Scope(namespace="risk", canary="fraud-bcdfghjklm", stable="fraud-zzxxwwvvtt", model="fraud")
ERRORS = Signal(name="errors", kind=SignalKind.ERRORS, action=SignalAction.ROLLBACK, margin=0.005, unacceptable=0.01)
GATE = Gated(began=moment(-20), ended=moment(2), canary=frozenset({C1}), stable=frozenset({S1}))
PLAN = RolloutPlan(
    steps=(
        Step(kind=StepKind.SMOKE, weight=0, smoke=Smoke()),
        Step(kind=StepKind.WEIGHT, weight=25),
    ),
    signals=(ERRORS,),
    interval=timedelta(seconds=10),
)


def pod(name: str, start: float, requests: list[Request], every: int, until: int = 100) -> Pod:
    scrapes = [float(at) for at in range(int(start) + 1, until) if at % every == 0]
    return Pod(name=name, processes=[Process(start=start, end=9999, requests=requests)], scrapes=scrapes)


def users(start: float, end: float) -> list[Request]:
    return [Request(at=start + (i + 0.5) / 10, status=200, seconds=0.05) for i in range(int((end - start) * 10))]


def asked(count: int, status: int = 500) -> list[Request]:
    """Return the requests of a gate, all just before it ended."""
    return [Request(at=1 + i / 100, status=status, seconds=0.05) for i in range(count)]


def store(every: int, *, until: int = 100) -> Tsdb:
    tsdb = Tsdb()
    pod(C1, -3, asked(20) + users(2, 100), every, until).scrape_into(tsdb)
    pod(S1, -60, users(-60, 1) + asked(10) + users(2, 100), every).scrape_into(tsdb)
    return tsdb


def ask(tsdb: Tsdb, now: float, gate: Gated | None = GATE, *, begins: bool = False) -> Measured | None:
    return measure(
        plan=PLAN,
        declared=alike("generic"),
        scope=SCOPE,
        previous=None,
        ready_since=moment(2),
        step=1,
        next_weight=50,
        now=moment(now),
        delay=timedelta(seconds=5),
        prometheus=InProcess(tsdb),
        begins=begins,
        gate=gate,
    )


@pytest.mark.parametrize("every", [1, 4, 7, 15])
def test_the_first_block_begins_after_a_scrape_that_holds_the_gate(every: int) -> None:
    tsdb = store(every)
    found = next(each for now in range(3, 90) if (each := ask(tsdb, now)) is not None)
    measured = found.tick.measurements["errors"]
    assert isinstance(measured, RateMeasurement)
    assert [bad for _, bad in (measured.canary[C1], measured.stable[S1])] == [0, 0]
    assert measured.canary[C1][0] > 50 or every > 10, "a block shorter than the time between scrapes may be empty"


def test_without_a_gate_nothing_waits_and_they_would_be_counted() -> None:
    found = ask(store(1), 10, None)
    assert found is not None
    measured = found.tick.measurements["errors"]
    assert isinstance(measured, RateMeasurement)
    assert measured.canary[C1][1] == 20


def test_the_past_ends_before_the_gate_began() -> None:
    found = next(each for now in range(3, 90) if (each := ask(store(1), now, begins=True)) is not None)
    assert found.past
    assert max(tick.at for tick in found.past) <= moment(-20)


def test_pods_that_are_not_scraped_any_more_are_named_in_time() -> None:
    tsdb = store(1, until=2)
    waiting = 2 + int(GATE_PATIENCE.total_seconds())
    assert ask(tsdb, waiting) is None
    found = ask(tsdb, waiting + 15)
    assert found is not None
    assert not found.consumed
    assert found.measuring.reason == contract.REASON_NO_SERIES
    assert C1 in found.measuring.message
    assert S1 not in found.measuring.message


def at_once(tsdb: Tsdb, at: float, known: Gated = GATE) -> tuple[str, ...]:
    return unscraped(known, SCOPE, InProcess(tsdb), moment(at))


def test_which_pods_are_waited_for() -> None:
    tsdb = store(3)  # scraped at 0, 3, 6, …
    assert at_once(tsdb, 2) == (C1, S1)
    assert at_once(tsdb, 5) == (C1, S1), "a server may count a moment later than it answers"
    assert at_once(tsdb, 6) == ()


def test_a_target_that_is_down_counts_for_nothing() -> None:
    tsdb = Tsdb()
    for at, up in ((0, 1), (6, 0), (12, 1)):
        tsdb.add(moment(at), "up", up, pod=C1, namespace="risk", instance="a")
    alone = Gated(began=moment(0), ended=moment(2), canary=frozenset({C1}), stable=frozenset())
    assert [at_once(tsdb, at, alone) for at in (1, 7, 12)] == [(C1,), (C1,), ()]
    tsdb.add(moment(0), "up", 0, pod=C1, namespace="risk", instance="b")
    tsdb.add(moment(12), "up", 0, pod=C1, namespace="risk", instance="b")
    assert at_once(tsdb, 12, alone) == (), "another target of the pod that was never up"


def test_a_stable_pod_that_cannot_be_scraped_is_not_waited_for_for_ever() -> None:
    tsdb = Tsdb()
    late = 3 + int(PATIENCE.total_seconds())
    tsdb.add(moment(late - 10), "up", 1, pod=C1, namespace="risk", instance="a")
    tsdb.add(moment(late - 10), "up", 0, pod=S1, namespace="risk", instance="b")
    assert at_once(tsdb, late - 5) == (S1,)
    assert at_once(tsdb, late) == ()


def test_where_metrics_are_pushed_and_no_target_is_known_a_time_has_to_do() -> None:
    late = 3 + int(BLIND.total_seconds())
    assert at_once(Tsdb(), late - 5) == (C1, S1)
    assert at_once(Tsdb(), late) == ()


def seen(name: str, revision: str, started: datetime, *, ready: bool = True) -> PodSeen:
    return PodSeen(name=name, revision=revision, ready=ready, started=started)


def test_only_pods_that_may_have_been_asked_are_waited_for() -> None:
    canary = Canary(
        revision="new",
        attempt=1,
        step=1,
        weight=25,
        state=CanaryState.ANALYSING,
        since=moment(0),
        step_since=moment(9),
        ready_since=moment(10),
    )
    observed = Observed(
        pods=(
            seen("a", "new", moment(5)),
            seen("later", "new", moment(11)),
            seen("unready", "new", moment(5), ready=False),
            seen("s", "old", moment(-99)),
            seen("other", "third", moment(-99)),
        )
    )
    assert gated(PLAN, canary, "old", observed) == Gated(
        began=moment(0), ended=moment(10), canary=frozenset({"a"}), stable=frozenset({"s"})
    )
    assert gated(RolloutPlan(steps=PLAN.steps[1:], signals=()), canary, "old", observed) is None
