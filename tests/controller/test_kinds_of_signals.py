"""Every kind of signal from stored samples to its verdict: measured, learnt from, judged, read back from the report."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from serinus import contract
from serinus.controller.measure import measure
from serinus.judge.judge import assess, learn
from serinus.judge.running import Running
from serinus.rollout.assessment import Assessment
from serinus.rollout.types import Reference, RolloutPlan, Signal, SignalAction, SignalKind, Step, StepKind, Worse
from serinus.signals.scope import Scope, alike
from support.traffic import InProcess, moment
from support.tsdb import Tsdb

SCOPE = Scope(namespace="risk", canary="fraud-bcdfghjklm", stable="fraud-zzxxwwvvtt", model="fraud")
PODS = {
    "fraud-bcdfghjklm-5f7c9d-abcde": 30,
    "fraud-zzxxwwvvtt-66b9c-klmno": 60,
    "fraud-zzxxwwvvtt-66b9c-pqrst": 60,
}
CANARY = next(iter(PODS))
INTERVAL, TICKS, PAST = 10, 40, 20
REFERENCE = Reference(counts=(5000, 3000, 1500, 500), edges=(0.25, 0.5, 0.75))


def store(healthy: tuple[float, ...], canary: tuple[float, ...], *, stable: tuple[float, ...] | None = None) -> Tsdb:
    """Store, per pod, Poisson requests of four sorts with these chances: as counters, a histogram and a gauge.

    Stable's chances change with the canary's beginning, at 0, if ``stable`` is given.
    """
    tsdb, chance = Tsdb(), np.random.default_rng(20261122)
    for pod, requests in PODS.items():
        target = {"pod": pod, "namespace": "risk", "instance": f"{pod}:8080", "job": "pods"}
        sums = np.zeros(4)
        for at in range(-PAST * INTERVAL if pod != CANARY else 0, (TICKS + 1) * INTERVAL + 1, INTERVAL):
            now = canary if pod == CANARY else (stable or healthy) if at > 0 else healthy
            sums = sums + chance.poisson(np.array(now) * requests * INTERVAL)
            tsdb.add(moment(at), "up", 1, **target)
            tsdb.add(
                moment(at), "process_start_time_seconds", moment(-1 if pod == CANARY else -9999).timestamp(), **target
            )
            for i, sort in enumerate(("a", "b", "c", "d")):
                tsdb.add(moment(at), "said_total", sums[i], sort=sort, **target)
            for i, le in enumerate(("0.25", "0.5", "0.75", "+Inf")):
                tsdb.add(moment(at), "said_bucket", sums[: i + 1].sum(), le=le, **target)
            tsdb.add(moment(at), "level", 10 + 40 * now[3] + chance.normal(0, 0.3), **target)
    return tsdb


def judged(tsdb: Tsdb, signal: Signal) -> list[Assessment]:
    """Judge tick by tick, with what was remembered written and read each time, until the canary is rolled back."""
    plan = RolloutPlan(
        steps=(Step(kind=StepKind.WEIGHT, weight=20),), signals=(signal,), interval=timedelta(seconds=INTERVAL)
    )
    asks, running, answers = InProcess(tsdb), Running(), list[Assessment]()
    for tick in range(1, TICKS + 1):
        found = measure(
            plan=plan,
            declared=alike("generic"),
            scope=SCOPE,
            previous=running.at,
            ready_since=moment(0),
            step=0,
            next_weight=100,
            now=moment(tick * INTERVAL),
            delay=timedelta(0),
            prometheus=asks,
            begins=running == Running(),
        )
        assert found is not None
        assert found.measuring.available, found.measuring.message
        after, answer = assess(plan, learn(plan, running, found.past), found.tick)
        running = Running.from_wire(after.to_wire())
        answers.append(answer)
        if answer.rollback:
            break
    return answers


def signal(kind: SignalKind, **fields: object) -> Signal:
    given = {"margin": 0.01, "unacceptable": 0.03, "action": SignalAction.ROLLBACK} | fields
    return Signal(name="it", kind=kind, **given)


USUAL = (0.5, 0.3, 0.15, 0.05)
WORSE = (0.45, 0.25, 0.15, 0.15)
OTHER = (0.2, 0.2, 0.3, 0.3)
COUNTERS = {"total": "said_total", "bad": 'said_total{sort="d"}'}
PSI = {"margin": 0.1, "unacceptable": 0.0}
LEVEL = {"query": "max(level{$selector})", "unacceptable": 0.0}

KINDS = {
    "errors": (signal(SignalKind.ERRORS, **COUNTERS), WORSE, contract.REASON_ERRORS_WORSE),
    "client errors": (signal(SignalKind.CLIENT_ERRORS, **COUNTERS), WORSE, contract.REASON_CLIENT_ERRORS_WORSE),
    "implausible": (signal(SignalKind.IMPLAUSIBLE, **COUNTERS), WORSE, contract.REASON_IMPLAUSIBLE_WORSE),
    "accuracy": (signal(SignalKind.ACCURACY, **COUNTERS), WORSE, contract.REASON_ACCURACY_WORSE),
    "above a bound": (
        signal(SignalKind.LATENCY, buckets="said_bucket", bound_seconds=0.75),
        WORSE,
        contract.REASON_LATENCY_WORSE,
    ),
    "the whole latency": (signal(SignalKind.LATENCY, buckets="said_bucket"), WORSE, contract.REASON_LATENCY_WORSE),
    "drift of a histogram": (
        signal(SignalKind.PREDICTION_DRIFT, buckets="said_bucket", **PSI),
        OTHER,
        contract.REASON_PREDICTIONS_DRIFTED,
    ),
    "drift of categories": (
        signal(SignalKind.FEATURE_DRIFT, feature="sort", categories="said_total", label="sort", **PSI),
        OTHER,
        contract.REASON_FEATURES_DRIFTED,
    ),
    "a comparison": (signal(SignalKind.COMPARISON, **LEVEL | {"margin": 0.1}), WORSE, contract.REASON_COMPARISON_WORSE),
    "a query": (
        signal(SignalKind.QUERY, **LEVEL | {"margin": 0.0}, maximum=14.0),
        WORSE,
        contract.REASON_QUERY_OUT_OF_BOUNDS,
    ),
}


@pytest.mark.parametrize(("given", "worse", "reason"), KINDS.values(), ids=KINDS)
def test_harm_is_found_and_a_good_canary_is_left_in_peace(given: Signal, worse: tuple[float, ...], reason: str) -> None:
    *_, last = judged(store(USUAL, worse), given)
    assert (last.rollback, last.reason) == (True, reason), last.because
    good = judged(store(USUAL, USUAL), given)
    assert not any(each.rollback for each in good)
    assert any(each.promote for each in good), good[-1].because


def test_less_is_worse_if_it_is_said_so() -> None:
    given = signal(SignalKind.COMPARISON, **LEVEL | {"margin": 0.1}, worse=Worse.LOWER)
    assert not any(each.rollback for each in judged(store(USUAL, WORSE), given))
    assert judged(store(WORSE, USUAL), given)[-1].reason == contract.REASON_COMPARISON_WORSE


def test_a_missed_slo_needs_no_worse_canary() -> None:
    given = signal(SignalKind.ERRORS, **COUNTERS, slo=0.05)
    *_, last = judged(store(WORSE, WORSE), given)
    assert (last.rollback, last.reason) == (True, contract.REASON_SLO_MISSED), last.because


def test_a_world_that_changes_rolls_nothing_back_and_is_named() -> None:
    given = signal(SignalKind.PREDICTION_DRIFT, buckets="said_bucket", **PSI, reference=REFERENCE)
    *earlier, last = judged(store(USUAL, OTHER, stable=OTHER), given)
    assert not any(each.rollback for each in (*earlier, last))
    (evidence,) = last.signals
    assert evidence.reason == contract.REASON_WORLD_CHANGED, evidence.because
    assert min(evidence.canary_from_reference, evidence.stable_from_reference) > given.margin
    still = judged(store(USUAL, USUAL), given)[-1].signals[0]
    assert still.reason != contract.REASON_WORLD_CHANGED
    drifted = judged(store(USUAL, OTHER), replace(given))[-1]
    assert drifted.reason == contract.REASON_PREDICTIONS_DRIFTED
