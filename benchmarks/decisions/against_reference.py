"""Drift from a training reference, by the operator's own functions: what the note of the bars measured.

In the operator this tells a changed world apart and rolls nothing back by itself; so it is played here, beside the
verdicts, and not through the judge.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.decisions.cells import Cell, Play
from benchmarks.decisions.histograms import normal_edges, normal_shares
from benchmarks.decisions.policy import Conditions
from benchmarks.decisions.replicate import Result
from benchmarks.decisions.scenarios import DRIFT, LOOKS
from serinus.stats import reference
from serinus.stats.population_stability import stability

BUCKETS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstReference:
    """Values in ten buckets against a reference of as many values as are said, drawn anew for each replicate."""

    values: int
    """All values of the canary, spread evenly over the looks."""
    shift: float
    reference_size: int = 10_000

    def play(self, rng: np.random.Generator, cell: Cell) -> Play:
        """Draw one replicate; for peers the reference stands in stable's first tick."""
        usual = normal_shares(normal_edges(BUCKETS))
        ticks = cell.conditions.ticks
        shares = normal_shares(normal_edges(BUCKETS), self.shift)
        canary = rng.multinomial(_evenly(self.values, ticks), shares)
        stable = np.zeros_like(canary)
        stable[0] = rng.multinomial(self.reference_size, usual)
        return Play(before=[], ticks=iter(()), values=(canary, stable))


def play_against_reference(cell: Cell, replicate: int) -> Result:
    """Return the first look at which the evidence and the effect speak for drift, as a rollback."""
    values = cell.source.play(cell.rng(replicate), cell).values
    assert values is not None
    canary, origin = np.cumsum(values[0], axis=0).tolist(), values[1][0].tolist()
    for look, counts in enumerate(canary, 1):
        effect = stability(counts, origin)
        if effect is None or effect.lower < cell.conditions.margin:
            continue
        if reference.evidence(counts, origin) >= 1.0 / cell.conditions.alpha:
            return Result(replicate=replicate, rollback=look, reason="FromReference")
    return Result(replicate=replicate)


def reference_cells() -> Iterator[Cell]:
    """S8, the published table: null and trifle not flagged, half a standard deviation found."""
    for size in (10_000, 1_000):
        for n in (50, 200, 1_000, 5_000, 50_000):
            for shift in (0.0, 0.05, 0.2, 0.3, 0.5, 1.0):
                yield _cell(n, shift, size)


def _cell(n: int, shift: float, size: int) -> Cell:
    published = size == 10_000
    least = {200: 0.85, 1_000: 0.99, 5_000: 0.99, 50_000: 0.99}.get(n) if published and shift == 0.5 else None
    return Cell(
        name=f"S8 reference of {size}, n {n} shift {shift:g}",
        scenario="S8",
        source=AgainstReference(values=n, shift=shift, reference_size=size),
        conditions=Conditions(ticks=LOOKS, margin=DRIFT.margin, edges=normal_edges(BUCKETS)),
        signals=(DRIFT,),
        null=shift <= 0.05,
        bar=0.01 if shift <= 0.05 else None,
        least_share=least,
        compare=published,
    )


def _evenly(values: int, ticks: int) -> np.ndarray:
    return np.diff(np.round(np.linspace(0.0, values, ticks + 1)).astype(np.int64))
