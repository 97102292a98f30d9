"""Ticks measured through the real adapter over HTTP, from a stored log of what happened."""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from serinus import contract
from serinus.controller.measure import GAP, NO_ADDRESS, Measured, due_tick, measure
from serinus.errors import BadQuery, MetricsUnavailable
from serinus.judge.measurements import (
    ExpectedShare,
    HistogramMeasurement,
    Measurement,
    Missing,
    PairMeasurement,
    RateMeasurement,
    ValueMeasurement,
)
from serinus.prometheus.answers import Matrix, Vector
from serinus.prometheus.client import Prometheus
from serinus.rollout.types import Reference, RolloutPlan, Signal, SignalAction, SignalKind, Step, StepKind
from serinus.signals.scope import Scope, alike
from support.traffic import InProcess, Pod, Process, Request, moment
from support.tsdb import Range, Tsdb, served

C1, C2 = "fraud-bcdfghjklm-5f7c9d-abcde", "fraud-bcdfghjklm-5f7c9d-fghij"
S1 = "fraud-zzxxwwvvtt-66b9c-klmno"
SCOPE = Scope(namespace="risk", canary="fraud-bcdfghjklm", stable="fraud-zzxxwwvvtt", model="fraud")
ERRORS = Signal(name="errors", kind=SignalKind.ERRORS, action=SignalAction.ROLLBACK, margin=0.005, unacceptable=0.01)
SLOW = replace(ERRORS, name="slow", kind=SignalKind.LATENCY, bound_seconds=0.25)
GPU = Signal(name="gpu", kind=SignalKind.QUERY, action=SignalAction.ROLLBACK, query="max(temp{$selector})", maximum=85)
DELAY = timedelta(seconds=5)
READY = moment(2)


def plan(*signals: Signal, interval: int = 10) -> RolloutPlan:
    steps = (Step(kind=StepKind.WEIGHT, weight=25),)
    return RolloutPlan(steps=steps, signals=signals, interval=timedelta(seconds=interval))


def busy(start: float, end: float, bad_every: int = 10**9, seconds: float = 0.05) -> list[Request]:
    n = int((end - start) * 10)
    status = [500 if i % bad_every == bad_every - 1 else 200 for i in range(n)]
    return [Request(at=start + (i + 0.5) / 10, status=each, seconds=seconds) for i, each in enumerate(status)]


def pod(name: str, start: float, requests: list[Request], *, until: int = 100) -> Pod:
    scrapes = [float(at) for at in range(int(start) + 1, until)]
    return Pod(name=name, processes=[Process(start=start, end=9999, requests=requests)], scrapes=scrapes)


CANARY = pod(C1, -3, busy(2, 100, bad_every=5))
STABLE = pod(S1, -60, busy(-60, 100))


def store(*pods: Pod) -> Tsdb:
    tsdb = Tsdb()
    for each in pods:
        each.scrape_into(tsdb)
    return tsdb


def ask(
    prometheus, *signals: Signal, now: float, previous: float | None = None, runtime: str = "generic", **more
) -> Measured | None:
    return measure(
        plan=plan(*signals),
        declared=alike(runtime),
        scope=SCOPE,
        previous=None if previous is None else moment(previous),
        ready_since=READY,
        step=1,
        next_weight=50,
        now=moment(now),
        delay=DELAY,
        prometheus=prometheus,
        **more,
    )


def measured(prometheus, *signals: Signal, now: float, previous: float | None = None, **more) -> Measured:
    found = ask(prometheus, *signals, now=now, previous=previous, **more)
    assert found is not None
    return found


@pytest.fixture
def over_http(request: pytest.FixtureRequest) -> Iterator[Prometheus]:
    with served(store(CANARY, STABLE)) as url, Prometheus(url) as prometheus:
        yield prometheus


DUE = {
    "before the first tick": (None, 9.9, None),
    "the first tick": (None, 10, (0, 10)),
    "late": (None, 19, (0, 10)),
    "ticks were missed": (None, 45, (0, 40)),
    "already measured": (40, 49.9, None),
    "the next one": (40, 50, (40, 50)),
    "after a long time": (40, 720, (710, 720)),
    "just in time": (40, 650, (40, 650)),
    "a clock that went back": (40, 15, None),
}


@pytest.mark.parametrize(("previous", "now", "block"), DUE.values(), ids=DUE)
def test_due_ticks(previous: float | None, now: float, block: tuple[int, int] | None) -> None:
    found = due_tick(plan(), None if previous is None else moment(previous), READY, moment(now), DELAY)
    assert found == (block and tuple(map(moment, block)))


def test_nothing_is_asked_before_a_tick_is_due() -> None:
    asks = InProcess(store(CANARY, STABLE))
    assert ask(asks, ERRORS, now=9) is None
    assert asks.asked == []


def test_the_first_block_counts_from_before_the_canary_was_ready(over_http: Prometheus) -> None:
    found = measured(over_http, ERRORS, now=12)
    assert found.tick.at == moment(10)
    assert (found.tick.step, found.tick.next_weight) == (1, 50)
    # Sample times are -5 and 5: the canary answers since 2, stable for ever.
    assert found.tick.measurements == {"errors": RateMeasurement(canary={C1: (30, 6)}, stable={S1: (100, 0)})}
    assert found.consumed
    assert found.measuring.available is True
    assert found.measuring.reason == contract.REASON_METRICS_AVAILABLE


def test_blocks_join_and_asking_again_changes_nothing(over_http: Prometheus) -> None:
    blocks = [measured(over_http, ERRORS, now=end, previous=start) for start, end in [(10, 20), (20, 50), (50, 60)]]
    whole = measured(over_http, ERRORS, now=63, previous=10).tick.measurements["errors"]
    again = measured(over_http, ERRORS, now=69, previous=10).tick.measurements["errors"]
    parts = [block.tick.measurements["errors"] for block in blocks]
    assert whole == again == RateMeasurement(canary={C1: (500, 100)}, stable={S1: (500, 0)})
    assert [part.canary[C1] for part in parts] == [(100, 20), (300, 60), (100, 20)]


def test_all_kinds_at_one_instant() -> None:
    tsdb = store(CANARY, STABLE)
    for at in range(100):
        tsdb.add(moment(at), "temp", 60 + at, pod=C1, namespace="risk", gpu="0")
        tsdb.add(moment(at), "temp", 999, pod=S1, namespace="risk", gpu="0")
    asks = InProcess(tsdb)
    found = measured(asks, ERRORS, SLOW, GPU, now=30, previous=20)
    assert found.tick.measurements == {
        "errors": RateMeasurement(canary={C1: (100, 20)}, stable={S1: (100, 0)}),
        "slow": RateMeasurement(canary={C1: (100, 0)}, stable={S1: (100, 0)}),
        "gpu": ValueMeasurement(value=85.0),
    }
    assert {at for _, at in asks.asked} == {moment(15), moment(25)}
    assert found.measuring.message == "all signals are measured"


def test_a_users_own_counters_get_our_pods() -> None:
    tsdb = store(CANARY, STABLE)
    for at in range(-20, 40):
        for name, factor in ((C1, 2), (S1, 3), ("other-66b9c-klmno", 100)):
            labels = {"pod": name, "namespace": "risk", "instance": f"{name}:8080", "job": "pods"}
            tsdb.add(moment(at), "my_total", (at + 20) * factor, **labels)
            tsdb.add(moment(at), "my_bad", at + 20, kind="x", **labels)
            tsdb.add(moment(at), "my_bad", at + 20, kind="y", **labels)
    own = replace(ERRORS, total="my_total", bad='my_bad{kind="x"}')
    found = measured(InProcess(tsdb), own, now=30, previous=20)
    assert found.tick.measurements["errors"] == RateMeasurement(canary={C1: (20, 10)}, stable={S1: (30, 10)})


def test_mlserver_counts_its_model_alone() -> None:
    tsdb = Tsdb()
    for at in range(-20, 40):
        for name in (C1, S1):
            labels = {"pod": name, "namespace": "risk", "instance": f"{name}:8082", "job": "pods", "version": "None"}
            for model, factor in (("fraud", 2), ("nosuch", 7)):
                tsdb.add(moment(at), "model_infer_request_duration_count", (at + 20) * factor, model=model, **labels)
                tsdb.add(moment(at), "model_infer_request_failure_total", at + 20, model=model, **labels)
    found = measured(InProcess(tsdb), ERRORS, now=30, previous=20, runtime="mlserver")
    assert found.tick.measurements["errors"] == RateMeasurement(canary={C1: (20, 10)}, stable={S1: (20, 10)})


class Down:
    """A Prometheus that is not there; the adapter's own failures are in ``tests/prometheus``."""

    def instant(self, query: str, at: datetime) -> Vector:
        raise MetricsUnavailable("Prometheus at http://p:9090 cannot be reached")

    matrix = instant  # type: ignore[assignment]


@pytest.mark.parametrize(("prometheus", "message"), [(Down(), "cannot be reached"), (None, NO_ADDRESS)])
def test_without_prometheus_nothing_is_consumed_and_nothing_is_lost(prometheus, message: str) -> None:
    down = measured(prometheus, ERRORS, GPU, now=30, previous=20)
    assert not down.consumed
    assert {type(each) for each in down.tick.measurements.values()} == {Missing}
    assert down.tick.measurements["gpu"].reason == contract.REASON_PROMETHEUS_UNAVAILABLE
    assert (down.measuring.available, down.measuring.reason) == (False, contract.REASON_PROMETHEUS_UNAVAILABLE)
    assert message in down.measuring.message
    after = measured(InProcess(store(CANARY, STABLE)), ERRORS, now=90, previous=20)
    assert after.tick.measurements["errors"].canary == {C1: (700, 140)}


def missing(signal: Signal, *pods: Pod, tsdb: Tsdb | None = None, now: float = 30) -> Missing:
    found = measured(InProcess(tsdb or store(*pods)), signal, now=now, previous=20)
    answer = found.tick.measurements[signal.name]
    assert isinstance(answer, Missing)
    assert found.consumed
    assert found.measuring.available is False
    assert found.measuring.reason == answer.reason
    assert answer.message in found.measuring.message
    return answer


def test_pods_that_are_not_scraped() -> None:
    found = missing(ERRORS, STABLE)
    assert found.reason == contract.REASON_NO_SERIES
    assert "http_requests_total of the pods of canary (risk/fraud-bcdfghjklm)" in found.message
    assert "does not scrape them" in found.message
    assert "port 8080, path /metrics" in found.message


def test_pods_whose_scrapes_fail() -> None:
    never_up = Pod(name=C1, processes=[], scrapes=[float(at) for at in range(40)])
    assert (
        "tries to scrape the pods of canary (risk/fraud-bcdfghjklm) and fails"
        in missing(ERRORS, never_up, STABLE).message
    )


def test_stable_without_series() -> None:
    assert "the pods of stable (risk/fraud-zzxxwwvvtt)" in missing(ERRORS, CANARY).message


def test_nobody_exports_the_metric() -> None:
    found = missing(ERRORS, pod(C1, -3, []), pod(S1, -60, []))
    assert found.reason == contract.REASON_NO_SERIES
    assert "export no http_requests_total" in found.message


def test_a_canary_without_a_request_yet_has_zero() -> None:
    found = measured(InProcess(store(pod(C1, -3, []), STABLE)), ERRORS, SLOW, now=30, previous=20)
    expected = RateMeasurement(canary={C1: (0, 0)}, stable={S1: (100, 0)})
    assert found.tick.measurements == {"errors": expected, "slow": expected}
    assert found.measuring.available is True


def test_a_pod_that_cannot_be_counted_is_left_out_and_told() -> None:
    old = replace(pod(C2, -5000, busy(-1000, 100)), scrapes=[float(at) for at in range(22, 60)])
    found = measured(InProcess(store(CANARY, old, STABLE)), ERRORS, now=30, previous=20)
    assert found.tick.measurements["errors"].canary == {C1: (100, 20)}
    assert [note.split(" left out")[0] for note in found.notes] == [C2]
    only = missing(ERRORS, old, STABLE)
    assert only.reason == contract.REASON_NO_BASELINE
    assert C2 in only.message


def test_a_counter_that_is_no_number() -> None:
    tsdb = store(STABLE)
    target = {"pod": C1, "namespace": "risk", "instance": "i", "job": "pods"}
    for at in range(10, 40):
        tsdb.add(moment(at), "up", 1, **target)
        tsdb.add(moment(at), "http_requests_total", float("nan"), status="200", **target)
    assert missing(ERRORS, tsdb=tsdb).reason == contract.REASON_NOT_A_NUMBER


def test_a_bound_above_the_histogram() -> None:
    found = missing(replace(SLOW, bound_seconds=3), CANARY, STABLE)
    assert found.reason == contract.REASON_BAD_QUERY
    assert "largest finite bucket" in found.message


def test_a_bound_between_edges_is_told_in_the_condition() -> None:
    found = measured(InProcess(store(CANARY, STABLE)), replace(SLOW, bound_seconds=0.2), now=30, previous=20)
    assert found.measuring.available is True
    assert "slow: counts requests slower than 0.1 s" in found.measuring.message


def gpu_store(*values: float) -> Tsdb:
    tsdb = Tsdb()
    for i, value in enumerate(values):
        tsdb.add(moment(24), "temp", value, pod=C1, namespace="risk", gpu=str(i))
    return tsdb


QUERIES = {
    "nothing": ("max(temp{$selector})", (), contract.REASON_NO_SERIES, "gives nothing"),
    "several series": ("temp{$selector}", (1, 2), contract.REASON_BAD_QUERY, "several series"),
    "not a number": ("max(temp{$selector})", (float("nan"),), contract.REASON_NOT_A_NUMBER, "nan"),
    "infinity": ("max(temp{$selector})", (float("inf"),), contract.REASON_NOT_A_NUMBER, "inf"),
    "a range": ("temp{$selector}[5m]", (1,), contract.REASON_BAD_QUERY, "matrix"),
    "no PromQL": ("max(temp{$selector}", (1,), contract.REASON_BAD_QUERY, "expected"),
}


@pytest.mark.parametrize(("query", "values", "reason", "why"), QUERIES.values(), ids=QUERIES)
def test_a_query_that_gives_no_number(query: str, values: tuple[float, ...], reason: str, why: str) -> None:
    with served(gpu_store(*values)) as url, Prometheus(url) as prometheus:
        found = measured(prometheus, replace(GPU, query=query), now=30, previous=20)
    answer = found.tick.measurements["gpu"]
    assert (answer.reason, why in answer.message) == (reason, True)


def test_one_bad_signal_does_not_hide_another() -> None:
    found = measured(InProcess(store(CANARY, STABLE)), replace(GPU, query="sum("), ERRORS, now=30, previous=20)
    assert isinstance(found.tick.measurements["errors"], RateMeasurement)
    assert found.consumed
    assert (found.measuring.available, found.measuring.reason) == (False, contract.REASON_BAD_QUERY)
    assert found.measuring.message.startswith("gpu: ")


def test_after_a_gap_counting_begins_anew_and_the_condition_says_so() -> None:
    found = measured(InProcess(store(CANARY, STABLE)), ERRORS, now=90, previous=-600)
    assert found.tick.measurements["errors"].canary == {C1: (100, 20)}
    assert GAP in found.measuring.message


def test_no_signals_no_questions() -> None:
    found = measured(Down(), now=30, previous=20)
    assert found.tick.measurements == {}
    assert (found.measuring.available, found.measuring.reason) == (None, contract.REASON_NOT_MEASURED)
    assert found.consumed


def score_store(until: int = 40, *, canary_edges: str = "1 2 +Inf", stable_edges: str = "1 2 +Inf") -> Tsdb:
    """Store a histogram of scores and a counter of outcomes: the canary says 2 a second, stable 3."""
    tsdb = store(CANARY, STABLE)
    for at in range(-200, until):
        for name, factor, edges in ((C1, 2, canary_edges), (S1, 3, stable_edges)):
            labels = {"pod": name, "namespace": "risk", "instance": f"{name}:8080", "job": "pods"}
            for i, le in enumerate(edges.split()):
                tsdb.add(moment(at), "score_bucket", (at + 200) * factor * (i + 1), le=le, **labels)
            tsdb.add(moment(at), "outcome_total", (at + 200) * factor, outcome="yes", **labels)
            if name == C1 and at >= 20:
                tsdb.add(moment(at), "outcome_total", at - 20, outcome="maybe", **labels)
            tsdb.add(moment(at), "size", factor * 1.5, shard="0", **labels)
    return tsdb


DRIFT = Signal(
    name="score", kind=SignalKind.PREDICTION_DRIFT, action=SignalAction.HOLD, margin=0.1, buckets="score_bucket"
)
OUTCOMES = replace(DRIFT, name="outcomes", buckets=None, categories="outcome_total", label="outcome")
SIZE = Signal(
    name="size", kind=SignalKind.COMPARISON, action=SignalAction.HOLD, margin=0.1, query="max(size{$selector})"
)
REFERENCE = Reference(counts=(7, 2, 1), edges=(1.0, 2.0))
TRAINED = Reference(counts=(90, 10), categories=("no", "yes"))

KINDS = {
    "client errors": (
        replace(ERRORS, kind=SignalKind.CLIENT_ERRORS),
        RateMeasurement(canary={C1: (100, 0)}, stable={S1: (100, 0)}),
    ),
    "implausible": (
        replace(ERRORS, kind=SignalKind.IMPLAUSIBLE, total="outcome_total", bad='outcome_total{outcome="maybe"}'),
        RateMeasurement(canary={C1: (25, 5)}, stable={S1: (30, 0)}),
    ),
    "accuracy": (
        replace(ERRORS, kind=SignalKind.ACCURACY, total="outcome_total", bad='outcome_total{outcome="yes"}'),
        RateMeasurement(canary={C1: (25, 20)}, stable={S1: (30, 30)}),
    ),
    "the whole latency of a preset": (
        replace(SLOW, bound_seconds=None),
        HistogramMeasurement(canary={C1: (100, 0, 0)}, stable={S1: (100, 0, 0)}, edges=(0.1, 0.25)),
    ),
    "the whole latency of an own histogram": (
        replace(SLOW, bound_seconds=None, buckets="score_bucket"),
        HistogramMeasurement(canary={C1: (20, 20, 20)}, stable={S1: (30, 30, 30)}, edges=(1.0, 2.0)),
    ),
    "a bound of an own histogram": (
        replace(SLOW, bound_seconds=1.0, buckets="score_bucket"),
        RateMeasurement(canary={C1: (60, 40)}, stable={S1: (90, 60)}),
    ),
    "drift": (
        DRIFT,
        HistogramMeasurement(canary={C1: (20, 20, 20)}, stable={S1: (30, 30, 30)}, edges=(1.0, 2.0)),
    ),
    "drift of a feature from a reference": (
        replace(DRIFT, kind=SignalKind.FEATURE_DRIFT, feature="age", reference=REFERENCE),
        HistogramMeasurement(
            canary={C1: (20, 20, 20)}, stable={S1: (30, 30, 30)}, edges=(1.0, 2.0), reference=(7, 2, 1)
        ),
    ),
    "categories": (
        OUTCOMES,
        HistogramMeasurement(canary={C1: (5, 20)}, stable={S1: (0, 30)}, categories=("maybe", "yes")),
    ),
    "categories from a reference": (
        replace(OUTCOMES, reference=TRAINED),
        HistogramMeasurement(
            canary={C1: (5, 0, 20)},
            stable={S1: (0, 0, 30)},
            categories=("maybe", "no", "yes"),
            reference=(0, 90, 10),
        ),
    ),
    "a comparison": (SIZE, PairMeasurement(canary=3.0, stable=4.5)),
}


@pytest.mark.parametrize(("signal", "expected"), KINDS.values(), ids=KINDS)
def test_every_kind_of_signal(signal: Signal, expected: Measurement) -> None:
    found = measured(InProcess(score_store()), signal, now=30, previous=20)
    assert found.tick.measurements == {signal.name: expected}
    assert found.measuring.available is True


def test_histograms_that_do_not_fit() -> None:
    apart = missing(DRIFT, tsdb=score_store(stable_edges="3 4 +Inf"))
    assert (apart.reason, "too few buckets in common" in apart.message) == (contract.REASON_BUCKET_MISMATCH, True)
    other = missing(replace(DRIFT, reference=replace(REFERENCE, edges=(1.0, 5.0))), tsdb=score_store())
    assert (other.reason, "than the training reference" in other.message) == (contract.REASON_BUCKET_MISMATCH, True)


def test_histograms_that_nobody_exports() -> None:
    for signal in (DRIFT, OUTCOMES):
        assert missing(signal, CANARY, STABLE).reason == contract.REASON_NO_SERIES


def test_a_runtime_without_the_counters() -> None:
    signal = replace(ERRORS, kind=SignalKind.IMPLAUSIBLE)
    found = missing(signal, CANARY, STABLE)
    assert (found.reason, "give the signal its own metrics" in found.message) == (contract.REASON_NO_SERIES, True)


def test_a_comparison_needs_both_sides() -> None:
    tsdb = score_store()
    tsdb.series = Range({key: points for key, points in tsdb.series.items() if dict(key).get("pod") != S1})
    assert "gives nothing for stable's pods" in missing(SIZE, tsdb=tsdb).message


def test_the_past_of_stable_is_read_when_the_judge_knows_nothing() -> None:
    asks = InProcess(score_store(until=20))
    signals = (ERRORS, SLOW, replace(SLOW, name="whole", bound_seconds=None), DRIFT, OUTCOMES, SIZE)
    assert measured(asks, *signals, now=12).past == ()
    past = measured(asks, *signals, now=12, begins=True).past
    # The first block begins at the sample time -5; stable has been scraped since -59, scores since -200.
    assert [tick.at for tick in past] == [moment(at) for at in range(-200, -9, 10)]
    newest = past[-1].measurements
    assert newest["errors"] == RateMeasurement(canary={}, stable={S1: (100, 0)})
    assert newest["slow"] == RateMeasurement(canary={}, stable={S1: (100, 0)})
    assert newest["whole"] == HistogramMeasurement(canary={}, stable={S1: (100, 0, 0)}, edges=(0.1, 0.25))
    assert newest["score"] == HistogramMeasurement(canary={}, stable={S1: (30, 30, 30)}, edges=(1.0, 2.0))
    assert newest["outcomes"] == HistogramMeasurement(canary={}, stable={S1: (30,)}, categories=("yes",))
    assert newest["size"].stable == 4.5
    assert math.isnan(newest["size"].canary)
    assert sum("errors" in tick.measurements for tick in past) == 4


def test_the_past_is_not_asked_of_a_prometheus_that_is_down() -> None:
    down = measured(Down(), ERRORS, now=12, begins=True)
    assert (down.consumed, down.past) == (False, ())


class Refusing(InProcess):
    """Refuses subqueries, as Prometheus does when they would load too many samples."""

    def matrix(self, query: str, at: datetime) -> Matrix:
        if query.startswith("("):
            raise BadQuery("query processing would load too many samples into memory")
        return super().matrix(query, at)


def test_a_past_that_is_refused_is_done_without() -> None:
    found = measured(Refusing(store(CANARY, STABLE)), ERRORS, now=12, begins=True)
    assert (found.consumed, found.past) == (True, ())
    assert isinstance(found.tick.measurements["errors"], RateMeasurement)
    assert any("nothing is learnt from before the rollout" in note for note in found.notes)


class Slow(InProcess):
    """Answers about an instant, and never in time about the past."""

    def matrix(self, query: str, at: datetime) -> Matrix:
        raise MetricsUnavailable("Prometheus at http://p:9090 did not answer in time")


@pytest.mark.parametrize(("now", "consumed"), [(12, False), (300, False), (310, True), (590, True)])
def test_a_past_that_never_comes_does_not_hold_a_rollout_for_ever(now: float, consumed: bool) -> None:
    served = [replace(each, scrapes=[at for at in each.scrapes if at % 10 == 0]) for each in (CANARY, STABLE)]
    later = [replace(each, scrapes=[*each.scrapes, *map(float, range(100, 600, 50))]) for each in served]
    found = measured(Slow(store(*later)), ERRORS, now=now, begins=True)
    assert (found.consumed, found.past) == (consumed, ())


SHARE = ExpectedShare(share=0.2, promised=False)


@pytest.mark.parametrize(("steady_since", "expected"), [(10, SHARE), (10.1, None), (19, None), (None, None)])
def test_a_share_is_expected_of_blocks_in_which_no_pod_came(
    steady_since: float | None, expected: ExpectedShare | None
) -> None:
    # The block's first sample lies at 15, and routes have 5 seconds to settle.
    since = None if steady_since is None else moment(steady_since)
    found = measured(InProcess(store(CANARY, STABLE)), ERRORS, now=30, previous=20, expected=SHARE, steady_since=since)
    assert found.tick.expected == expected
