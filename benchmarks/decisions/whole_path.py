"""The whole way of a measurement: events, scrapes, Prometheus' API over HTTP, our client, our counting, our judge.

What the operator does at a tick is done here by the operator's own functions; only Kubernetes is missing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.cells import Cell, Errors, Play, Values
from benchmarks.decisions.replicate import Result
from benchmarks.decisions.scrapes import TICK, Faults, Fleet, moment
from benchmarks.decisions.serinus import plan_of
from benchmarks.decisions.traffic import HISTORY_TICKS, Scene
from serinus.controller.measure import Measured, measure
from serinus.judge.judge import assess, learn
from serinus.judge.running import Running
from serinus.prometheus.client import Prometheus
from serinus.rollout.types import RolloutPlan
from serinus.signals.scope import alike
from support.tsdb import Tsdb, Unavailable, served

DELAY = timedelta(seconds=10)
ERROR_KINDS = (("http_requests_total", "status", "200"), ("http_requests_total", "status", "500"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WholePath:
    """A source whose counts take the whole way."""

    of: Errors | Values
    faults: Faults = field(default_factory=Faults)

    def play(self, rng: np.random.Generator, cell: Cell) -> Play:
        """Draw what the short way would be given."""
        return self.of.play(rng, cell)

    def fleet(self, cell: Cell, replicate: int) -> Fleet:
        """Draw all events and the pods that count them."""
        rng = cell.rng(replicate)
        if isinstance(self.of, Errors):
            scene = Scene(self.of.world, rng, cell.conditions.ticks)
            counts, pods = _by_kind(_with_history(scene, cell, self.of.world.canary_pods)), self.of.world.canary_pods
        else:
            counts, pods = _histograms(self.of, rng, cell), self.of.world.canary_pods
        return Fleet(counts, -HISTORY_TICKS * TICK, pods, self.faults, rng)

    @property
    def kinds(self) -> tuple[tuple[str, str, str], ...]:
        """Metric, label and its value of each kind of event."""
        if isinstance(self.of, Errors):
            return ERROR_KINDS
        labels = (*(f"{edge:g}" for edge in self.of.edges), "+Inf")
        return tuple(("http_request_duration_seconds_bucket", "le", label) for label in labels)


class DownAtTimes(Tsdb):
    """A Prometheus that gives no answer while it is down."""

    down = False

    def query(self, text: str, at_seconds: float) -> tuple[str, object]:
        """Answer, or raise ``Unavailable``."""
        if self.down:
            raise Unavailable("starting up")
        return super().query(text, at_seconds)


def play_whole(
    cell: Cell,
    replicate: int,
    watch: Callable[[int, Measured], None] = lambda *_: None,
    delay: timedelta = DELAY,
) -> Result:
    """Judge one replicate the whole way until it is rolled back or the cell ends.

    Args:
        cell: with a ``WholePath`` as its source.
        replicate: number of the replicate.
        watch: is shown what was measured at each tick.
        delay: how far a sample time lies before its tick.
    """
    source = cell.source
    assert isinstance(source, WholePath)
    fleet, tsdb, plan = source.fleet(cell, replicate), DownAtTimes(), plan_of(cell.conditions, cell.signals)
    operator = _Operator(plan=plan, delay=delay)
    cumulative = isinstance(source.of, Values)
    with served(tsdb) as address, Prometheus(address) as prometheus:
        for number in range(1, cell.conditions.ticks + 1):
            now = number * TICK
            fleet.scrape_until(now + 1.0, tsdb, source.kinds, cumulative)
            tsdb.down = source.faults.is_prometheus_down(now)
            if source.faults.operator_down[0] <= now < source.faults.operator_down[1]:
                continue
            measured = operator.measured(fleet, prometheus, cell.step_at(number), now)
            if measured is not None:
                watch(number, measured)
                if reason := operator.judged(measured):
                    return Result(replicate=replicate, rollback=number, reason=reason)
    return Result(replicate=replicate, reason=operator.reason)


@dataclass(slots=True, kw_only=True)
class _Operator:
    """What the operator does with one rollout, and what it has written of it."""

    plan: RolloutPlan
    delay: timedelta
    written: dict[str, object] = field(default_factory=lambda: Running().to_wire())
    reason: str = ""

    def measured(self, fleet: Fleet, prometheus: Prometheus, step: int, now: float) -> Measured | None:
        running = Running.from_wire(self.written)
        return measure(
            plan=self.plan,
            declared=alike("generic"),
            scope=fleet.scope(now),
            previous=running.at,
            begins=running == Running(),
            ready_since=moment(0.0),
            step=step,
            next_weight=self.plan.steps[step + 1].weight if step + 1 < len(self.plan.steps) else 100,
            now=moment(now + 1.0),
            delay=self.delay,
            prometheus=prometheus,
        )

    def judged(self, measured: Measured) -> str:
        """Judge and write; return the reason of a rollback."""
        before = Running.from_wire(self.written)
        learnt = learn(self.plan, before, measured.past) if measured.past else before
        after, said = assess(self.plan, learnt, measured.tick)
        self.reason = said.reason
        if after != before:
            self.written = after.to_wire()
        return said.reason if said.rollback else ""


def _with_history(scene: Scene, cell: Cell, canary_pods: int) -> NDArray[np.int64]:
    history = scene.history()
    before = np.zeros((len(history), canary_pods, 2), dtype=np.int64)
    return np.concatenate([np.concatenate([before, history], axis=1), scene.counts(cell.schedule())])


def _by_kind(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn (total, bad) into (good, bad)."""
    return np.stack([counts[..., 0] - counts[..., 1], counts[..., 1]], axis=-1)


def _histograms(source: Values, rng: np.random.Generator, cell: Cell) -> NDArray[np.int64]:
    history = source.world.draw_history(rng)
    canary, stable = source.world.draw(rng, cell.conditions.ticks)
    before = np.zeros((len(history), source.world.canary_pods, history.shape[2]), dtype=np.int64)
    return np.concatenate([np.concatenate([before, history], axis=1), np.concatenate([canary, stable], axis=1)])
