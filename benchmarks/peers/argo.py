"""Argo Rollouts: an AnalysisRun that counts failed measurements.

Source: argoproj/argo-rollouts 9f8d111d8, ``analysis/analysis.go`` (``assessMetricStatus``) and the page "Analysis".
Successful, failed and inconclusive measurements count; erroneous ones do not, but too many in a row are an error. A
metric has failed when more than ``failureLimit`` measurements failed since the start, whatever came between.

Simplified: one metric; the retry ten seconds after an error is the next measurement. ``A95`` and ``A98`` measure the
share over five minutes at each tick, which is kinder than the documentation's ``irate`` each five minutes (at least
twenty minutes to fail). In whole rollouts: each five minutes, and five minutes' pause at each of the cell's weights.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import nan

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.policy import CANARY_BAD, CANARY_TOTAL, Conditions, Outcome, TickData
from benchmarks.peers.windows import first_tick, ticks_of, trailing

WINDOW_SECONDS = 300.0
PAUSE_SECONDS = 300.0


class Phase(StrEnum):
    """Of a measurement or of a metric."""

    RUNNING = "Running"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """The limits of one metric, with Argo's defaults."""

    count: int | None = None
    failure_limit: int = 0
    inconclusive_limit: int = 0
    consecutive_error_limit: int = 4
    consecutive_success_limit: int | None = None


def assess(metric: Metric, measurements: Sequence[Phase]) -> Phase:
    """Return the phase of a metric after its measurements; later checks override earlier ones, as in the source."""
    if not measurements:
        return Phase.RUNNING
    broken = _broken(metric, measurements)
    if broken is not None:
        return broken
    successes, wanted = _streak(measurements, Phase.SUCCESSFUL), metric.consecutive_success_limit
    if wanted is not None and successes >= wanted:
        return Phase.SUCCESSFUL
    counted = len(measurements) - measurements.count(Phase.ERROR)
    if metric.count is not None and counted >= metric.count:
        return Phase.SUCCESSFUL if wanted is None else Phase.INCONCLUSIVE
    return Phase.RUNNING


def _broken(metric: Metric, measurements: Sequence[Phase]) -> Phase | None:
    phase = None
    if measurements.count(Phase.FAILED) > metric.failure_limit:
        phase = Phase.FAILED
    if measurements.count(Phase.INCONCLUSIVE) > metric.inconclusive_limit:
        phase = Phase.INCONCLUSIVE
    if _streak(measurements, Phase.ERROR) > metric.consecutive_error_limit:
        phase = Phase.ERROR
    return phase


def _streak(measurements: Sequence[Phase], phase: Phase) -> int:
    """Return how many of the newest measurements in a row have this phase."""
    length = 0
    for each in reversed(measurements):
        if each is not phase:
            break
        length += 1
    return length


def measure(value: float | None, minimum: float, maximum_failing: float | None = None) -> Phase:
    """Return the phase of one measurement.

    Args:
        value: success rate; NaN compares as false; None is an empty answer, on which ``result[0]`` errs.
        minimum: ``successCondition: result[0] >= minimum``.
        maximum_failing: ``failureCondition: result[0] < maximum_failing``; None: there is no such condition.
    """
    if value is None:
        return Phase.ERROR
    if maximum_failing is not None and value < maximum_failing:
        return Phase.FAILED
    if value >= minimum:
        return Phase.SUCCESSFUL
    return Phase.FAILED if maximum_failing is None else Phase.INCONCLUSIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Argo:
    """A background analysis that asks for a success rate of at least ``minimum`` (a share)."""

    name: str
    minimum: float
    metric: Metric = field(default_factory=lambda: Metric(failure_limit=3))

    def start(self, conditions: Conditions) -> "ArgoRun":
        """Begin a rollout over the cell's weights below 100 %, or at its only one."""
        return ArgoRun(rule=self, conditions=conditions)

    def first_rollbacks(self, counts: NDArray[np.int64], conditions: Conditions) -> NDArray[np.int64]:
        """Return the tick of each replicate's rollback; see ``BatchPolicy``."""
        window = trailing(counts, ticks_of(WINDOW_SECONDS, conditions.interval_seconds))
        total, bad = window[..., CANARY_TOTAL], window[..., CANARY_BAD]
        # Without a request the ratio is NaN, and NaN >= minimum is false: failed.
        failed = (total == 0) | (1.0 - bad / np.maximum(total, 1) < self.minimum)
        return first_tick(np.cumsum(failed, axis=1) > self.metric.failure_limit)


@dataclass(slots=True, kw_only=True)
class ArgoRun:
    """One rollout: the measurements so far and the step in force."""

    rule: Argo
    conditions: Conditions
    measurements: list[Phase] = field(default_factory=list)
    _window: "deque[tuple[int, int]]" = field(init=False)
    _weights: tuple[int, ...] = field(init=False)
    _step: int = 0
    _pause: int = field(init=False)

    def __post_init__(self) -> None:
        seconds = self.conditions.interval_seconds
        self._window = deque(maxlen=ticks_of(WINDOW_SECONDS, seconds))
        self._weights = tuple(each for each in self.conditions.steps if each < 100)
        self._pause = ticks_of(PAUSE_SECONDS, seconds) if self._ramps else 1

    @property
    def _ramps(self) -> bool:
        return len(self.conditions.steps) > 1

    @property
    def weight(self) -> int:
        """Percent of traffic in force."""
        return self._weights[min(self._step, len(self._weights) - 1)]

    def on_tick(self, tick: TickData) -> Outcome | None:
        """Take in a tick; measure and step on when that is due."""
        total, bad, _, _ = tick.counts
        self._window.append((total, bad))
        if tick.number % self._pause:
            return None
        self.measurements.append(measure(self._success_rate(), self.rule.minimum))
        phase = assess(self.rule.metric, self.measurements)
        if phase in (Phase.FAILED, Phase.ERROR):
            return Outcome.ROLLBACK
        if phase is Phase.INCONCLUSIVE:
            return Outcome.PAUSE
        self._step += 1
        return Outcome.PROMOTE if self._ramps and self._step >= len(self._weights) else None

    def _success_rate(self) -> float:
        total, bad = (sum(column) for column in zip(*self._window, strict=True))
        return 1.0 - bad / total if total else nan


A95 = Argo(name="A95", minimum=0.95)
A98 = Argo(name="A98", minimum=0.98)
