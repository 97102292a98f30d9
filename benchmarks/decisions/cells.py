"""One cell of the benchmark: a world, what is asked for, which signals judge it, and what has to come out.

A cell plays itself: given a source of chance it yields what is measured tick by tick, in the values that the judge
takes. Nothing here decides.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.histograms import ValueWorld
from benchmarks.decisions.policy import Conditions, TickData
from benchmarks.decisions.serinus import ERRORS, Measurements, errors_of, rates
from benchmarks.decisions.traffic import Scene, World, sums
from serinus.judge.measurements import HistogramMeasurement
from serinus.rollout.types import Signal

SEED = 20261122


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What happens in one replicate of a cell."""

    before: Sequence[Measurements]
    """Stable's ticks from before the rollout."""
    ticks: Iterator[Measurements]
    counts: NDArray[np.int64] | None = None
    """For peers: (ticks, 4) increments; None where errors are not what is judged."""
    values: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    """For peers: (ticks, buckets) increments of canary and stable."""


class Source(Protocol):
    """What makes the measurements of a cell."""

    def play(self, rng: np.random.Generator, cell: "Cell") -> Play:
        """Draw one replicate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell. Its name is the seed of its chance, so that it draws the same whatever else is run."""

    name: str
    scenario: str
    """S1 to S12, as the results group them."""
    source: Source
    conditions: Conditions
    signals: tuple[Signal, ...]
    null: bool
    """The canary is no worse: each rollback is false."""
    bar: float | None = None
    """Null: largest share of rollbacks that the cell may have. None: printed only."""
    most_seconds: float | None = None
    """Bad: largest median time to the rollback, counted from the onset."""
    least_share: float | None = None
    """Bad: smallest share of replicates that are rolled back."""
    onset_tick: int = 0
    weights: tuple[int, ...] = ()
    """Weight of each tick, where it changes on a schedule; its distinct values are the steps."""
    strict: bool = False
    compare: bool = False
    """Peers are run on it."""

    def rng(self, replicate: int) -> np.random.Generator:
        """Return the chance of one replicate."""
        seeds = np.random.SeedSequence([SEED, zlib.crc32(self.name.encode())], spawn_key=(replicate,))
        return np.random.Generator(np.random.PCG64(seeds))

    def weight_at(self, number: int) -> int:
        """Return the weight in force at a tick, numbered from 1."""
        return self.weights[number - 1] if self.weights else self.conditions.steps[0]

    def step_at(self, number: int) -> int:
        """Return the index of the step in force at a tick."""
        return self.conditions.steps.index(self.weight_at(number))

    def schedule(self) -> NDArray[np.float64]:
        """Return the weight of each tick."""
        return np.array([float(self.weight_at(n)) for n in range(1, self.conditions.ticks + 1)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Requests and errors of a world."""

    world: World
    with_history: bool = True

    def play(self, rng: np.random.Generator, cell: Cell) -> Play:
        """Draw one replicate."""
        scene = Scene(self.world, rng, cell.conditions.ticks)
        history = scene.history() if self.with_history else np.zeros((0, self.world.stable_pods, 2), dtype=np.int64)
        counts = scene.counts(cell.schedule())
        split = self.world.canary_pods
        return Play(
            before=[{ERRORS: rates((), each)} for each in history.tolist()],
            ticks=({ERRORS: rates(each[:split], each[split:])} for each in counts.tolist()),
            counts=sums(counts, split),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """Histograms of a world, for one signal."""

    world: ValueWorld
    signal: str
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    reference_size: int = 0
    """Values in the training reference, drawn anew for each replicate; 0: there is none."""
    reference_shares: tuple[float, ...] = ()
    bound: float | None = None
    """One of the edges: only requests and those above it are told, as for a signal with a bound."""
    unseen_before: int = 0
    """Categories at the end of the list that are absent from it until the canary first gives one."""

    def play(self, rng: np.random.Generator, cell: Cell) -> Play:
        """Draw one replicate."""
        reference = None
        if self.reference_size:
            shares = self.reference_shares or self.world.stable
            reference = tuple(rng.multinomial(self.reference_size, np.array(shares) / sum(shares)).tolist())
        history = self.world.draw_history(rng)
        canary, stable = self.world.draw(rng, cell.conditions.ticks)
        known = self._known(np.concatenate([canary.sum(axis=1), stable.sum(axis=1)], axis=1))
        return Play(
            before=[self._measured((), each, reference, self._usual) for each in history.tolist()],
            ticks=(
                self._measured(ours, theirs, reference, size)
                for ours, theirs, size in zip(canary.tolist(), stable.tolist(), known, strict=True)
            ),
            values=(canary.sum(axis=1), stable.sum(axis=1)),
        )

    @property
    def _usual(self) -> int:
        return len(self.world.stable) - self.unseen_before

    def _known(self, counts: NDArray[np.int64]) -> list[int]:
        """Return for each tick how many buckets or categories are in the list by then."""
        size = len(self.world.stable)
        if not self.unseen_before:
            return [size] * len(counts)
        unseen = counts.reshape(len(counts), 2, size)[:, :, self._usual :].sum(axis=(1, 2))
        return [size if seen else self._usual for seen in np.cumsum(unseen)]

    def _measured(
        self,
        canary: Sequence[Sequence[int]],
        stable: Sequence[Sequence[int]],
        reference: tuple[int, ...] | None,
        known: int,
    ) -> Measurements:
        if self.bound is not None:
            first = self.edges.index(self.bound) + 1
            split = [[(sum(row), sum(row[first:])) for row in side] for side in (canary, stable)]
            return {self.signal: rates(*split)}
        return {
            self.signal: HistogramMeasurement(
                canary={f"c{i}": tuple(row[:known]) for i, row in enumerate(canary)},
                stable={f"s{i}": tuple(row[:known]) for i, row in enumerate(stable)},
                edges=self.edges,
                categories=self.categories[:known],
                reference=None if reference is None else reference[:known],
            )
        }


def errors_cell(
    name: str,
    scenario: str,
    world: World,
    *,
    weights: tuple[int, ...] = (),
    weight: int = 10,
    alpha: float = 0.05,
    margin: float = 0.005,
    ticks: int = 120,
    bar: float | None = None,
    most_seconds: float | None = None,
    least_share: float | None = None,
    strict: bool = False,
    compare: bool = True,
) -> Cell:
    """Return a cell of error counts."""
    steps = tuple(dict.fromkeys(weights)) or (weight,)
    conditions = Conditions(
        interval_seconds=world.interval_seconds,
        ticks=ticks,
        alpha=alpha,
        margin=margin,
        unacceptable=max(2.0 * margin, 0.001),
        steps=steps,
    )
    return Cell(
        name=name,
        scenario=scenario,
        source=Errors(world=world),
        conditions=conditions,
        signals=errors_of(conditions),
        null=world.is_null,
        bar=bar,
        most_seconds=most_seconds,
        least_share=least_share,
        onset_tick=world.onset_tick,
        weights=weights,
        strict=strict,
        compare=compare,
    )


def ticks_of(counts: NDArray[np.int64], weight: int) -> Iterator[TickData]:
    """Turn sums of a replicate (ticks, 4) into ticks for a peer that goes tick by tick."""
    for number, (a, b, c, d) in enumerate(counts.tolist(), 1):
        yield TickData(number=number, weight=weight, canary=((a, b),), stable=((c, d),))
