"""Further sources of measurements: many signals at once, values that a query gives, late labels, silence."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.cells import Cell, Play
from benchmarks.decisions.serinus import ERRORS, Measurements, rates
from benchmarks.decisions.traffic import HISTORY_TICKS, Scene, World
from serinus import contract
from serinus.judge.measurements import Missing, PairMeasurement, ValueMeasurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """Several independent signals of error counts; all good but perhaps the first."""

    worlds: tuple[World, ...]

    def play(self, rng: np.random.Generator, cell: Cell) -> Play:
        """Draw one replicate."""
        scenes = {
            signal.name: Scene(world, rng, cell.conditions.ticks)
            for signal, world in zip(cell.signals, self.worlds, strict=True)
        }
        before = {name: scene.history().tolist() for name, scene in scenes.items()}
        counts = {name: scene.counts(cell.schedule()).tolist() for name, scene in scenes.items()}
        split = self.worlds[0].canary_pods
        return Play(
            before=[{name: rates((), each[tick]) for name, each in before.items()} for tick in range(HISTORY_TICKS)],
            ticks=(
                {name: rates(each[tick][:split], each[tick][split:]) for name, each in counts.items()}
                for tick in range(cell.conditions.ticks)
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """A gauge of each side around 100 that wanders (AR(1)), compared; or the canary's alone, against bounds."""

    signal: str
    autocorrelation: float
    deviation: float = 10.0
    canary_mean: float = 100.0
    compared: bool = True

    def play(self, rng: np.random.Generator, cell: Cell) -> Play:
        """Draw one replicate."""
        length = HISTORY_TICKS + cell.conditions.ticks
        canary = self.canary_mean + self.deviation * wandering(rng, length, self.autocorrelation)
        stable = 100.0 + self.deviation * wandering(rng, length, self.autocorrelation)
        measured = [self._measured(float(c), float(s)) for c, s in zip(canary, stable, strict=True)]
        history = [self._measured(float("nan"), float(s)) for s in stable[:HISTORY_TICKS]] if self.compared else []
        return Play(before=history, ticks=iter(measured[HISTORY_TICKS:]))

    def _measured(self, canary: float, stable: float) -> Measurements:
        if self.compared:
            return {self.signal: PairMeasurement(canary=canary, stable=stable)}
        return {self.signal: ValueMeasurement(value=canary)}


def wandering(rng: np.random.Generator, length: int, autocorrelation: float) -> NDArray[np.float64]:
    """Draw a stationary AR(1) series of variance 1."""
    noise = rng.normal(0.0, np.sqrt(1.0 - autocorrelation**2), length)
    series = np.empty(length)
    now = rng.normal()
    for index, each in enumerate(noise):
        now = autocorrelation * now + each
        series[index] = now
    return series


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Predictions whose labels come 5 to 60 minutes later; what is counted at a tick are labels that arrived in it."""

    signal: str
    per_second: float = 10.0
    wrong: float = 0.1
    canary_wrong: float = 0.1
    early_if_wrong: bool = False
    """Labels of wrong predictions come within half of the time. Stable has old predictions with late labels, the
    canary has none yet: its labels are the early ones, mostly of wrong predictions. Nothing can see that from counts
    alone."""

    def play(self, rng: np.random.Generator, cell: Cell) -> Play:
        """Draw one replicate."""
        ticks = cell.conditions.ticks
        share = cell.conditions.steps[0] / 100.0
        mean = self.per_second * cell.conditions.interval_seconds
        canary = self._arrivals(rng, ticks, mean * share, self.canary_wrong, begin=0)
        stable = self._arrivals(rng, ticks, mean * (1.0 - share), self.wrong, begin=-_LONGEST)
        return Play(before=[], ticks=self._ticks(canary.tolist(), stable.tolist()))

    def _ticks(self, canary: list[list[int]], stable: list[list[int]]) -> Iterator[Measurements]:
        for ours, theirs in zip(canary, stable, strict=True):
            yield {self.signal: rates([ours], [theirs])}

    def _arrivals(
        self, rng: np.random.Generator, ticks: int, mean: float, wrong: float, *, begin: int
    ) -> NDArray[np.int64]:
        arrived = np.zeros((ticks, 2), dtype=np.int64)
        for made in range(begin, ticks):
            total = rng.poisson(mean)
            bad = rng.random(total) < wrong
            longest = np.where(bad & self.early_if_wrong, _LONGEST // 2, _LONGEST)
            when = made + np.ceil(rng.uniform(_SHORTEST, longest)).astype(np.int64)
            inside = (when >= 0) & (when < ticks)
            np.add.at(arrived, when[inside], np.stack([np.ones(total), bad], axis=1)[inside].astype(np.int64))
        return arrived


_SHORTEST, _LONGEST = 10, 120
"""Ticks of half a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A side without requests, or no data at all; what requests there are all fail."""

    canary: int = 0
    """Requests of the canary in a tick."""
    stable: int = 0
    down: bool = False
    """Prometheus gives no answer."""

    def play(self, rng: np.random.Generator, cell: Cell) -> Play:
        """Play: nothing is left to chance but which requests come."""
        gone = Missing(reason=contract.REASON_PROMETHEUS_UNAVAILABLE, message="no answer")
        ticks: Iterator[Measurements] = (
            {ERRORS: gone if self.down else rates([(n, n)], [(m, m)])}
            for n, m in zip(
                rng.poisson(self.canary, cell.conditions.ticks).tolist(),
                rng.poisson(self.stable, cell.conditions.ticks).tolist(),
                strict=True,
            )
        )
        return Play(before=[], ticks=ticks)
