"""How far back is worth asking, of whom, and what of it is believed."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from serinus.controller.past import read_past
from serinus.judge.measurements import RateMeasurement
from serinus.prometheus.answers import Matrix
from serinus.prometheus.reader import Reader
from serinus.rollout.types import RolloutPlan, Signal, SignalAction, SignalKind
from serinus.signals.presets import preset
from serinus.signals.scope import Scope, alike
from serinus.signals.views import View
from support.traffic import InProcess, moment
from support.tsdb import Tsdb

SCOPE = Scope(namespace="risk", canary="fraud-bcdfghjklm", stable="fraud-zzxxwwvvtt", model="fraud")
GENERIC = alike(View(server=preset("generic").bound_to("fraud")))
OWN = Signal(
    name="own", kind=SignalKind.ERRORS, action=SignalAction.ROLLBACK, total="requests_total", bad="failures_total"
)
SCORE = replace(OWN, kind=SignalKind.PREDICTION_DRIFT, total=None, bad=None, buckets="score_bucket")


class Watched(InProcess):
    """Remembers the subqueries."""

    def __init__(self, tsdb: Tsdb) -> None:
        super().__init__(tsdb)
        self.pasts: list[str] = []

    def matrix(self, query: str, at: datetime) -> Matrix:
        self.pasts.append(query)
        return super().matrix(query, at)


def past_of(tsdb: Tsdb, signal: Signal, interval: timedelta) -> tuple[Watched, list[object]]:
    asks = Watched(tsdb)
    plan = RolloutPlan(steps=(), signals=(signal,), interval=interval)
    ticks = read_past(plan, GENERIC, "fraud", Reader(asks, SCOPE, moment(0), moment(10)))
    return asks, [tick.measurements[signal.name] for tick in ticks]


def pods(count: int, *, bad: int = 1, edges: int = 2) -> Tsdb:
    """Store stable pods: 10 requests and some failures a second, one in each bucket."""
    tsdb = Tsdb()
    for at in range(-40, 11, 10):
        for i in range(count):
            target = {"pod": f"fraud-zzxxwwvvtt-66b9c-aaaa{chr(97 + i)}", "namespace": "risk", "instance": str(i)}
            tsdb.add(moment(at), "up", 1, **target)
            tsdb.add(moment(at), "requests_total", (at + 40) * 10, **target)
            tsdb.add(moment(at), "failures_total", (at + 40) * bad, **target)
            for edge in range(edges):
                tsdb.add(moment(at), "score_bucket", (at + 40) * (edge + 1), le=str(edge), **target)
            tsdb.add(moment(at), "score_bucket", (at + 40) * (edges + 1), le="+Inf", **target)
    return tsdb


@pytest.mark.parametrize(
    ("interval", "asked"),
    [
        (timedelta(seconds=30), "[1800s:30s]"),
        (timedelta(seconds=15), "[1800s:15s]"),
        (timedelta(seconds=10), "[1200s:10s]"),
        (timedelta(seconds=1), "[120s:1s]"),
        (timedelta(milliseconds=1500), "[180s:1500ms]"),
        (timedelta(minutes=5), "[1800s:300s]"),
    ],
)
def test_half_an_hour_or_120_steps(interval: timedelta, asked: str) -> None:
    for signal in (OWN, SCORE):
        asks, _ = past_of(pods(1), signal, interval)
        assert asks.pasts
        assert all(query.endswith(asked) for query in asks.pasts)


@pytest.mark.parametrize(("signal", "edges", "most"), [(OWN, 2, 16), (SCORE, 2, 16), (SCORE, 79, 10), (SCORE, 199, 4)])
def test_at_most_16_pods_and_fewer_with_many_buckets(signal: Signal, edges: int, most: int) -> None:
    _, measured = past_of(pods(most + 2, edges=edges), signal, timedelta(seconds=10))
    assert {len(each.stable) for each in measured} == {most}


def test_a_pod_that_counts_more_failures_than_requests_is_not_believed() -> None:
    _, measured = past_of(pods(1, bad=11), OWN, timedelta(seconds=10))
    assert set(map(str, measured)) == {str(RateMeasurement(canary={}, stable={}))}


def test_without_stable_pods_nothing_is_asked() -> None:
    for signal in (OWN, SCORE, replace(SCORE, buckets=None, categories="requests_total", label="outcome")):
        asks, measured = past_of(Tsdb(), signal, timedelta(seconds=10))
        assert (asks.pasts, measured) == ([], [])
