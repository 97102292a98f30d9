"""Drift by counts at each edge: no other tool's rule, but the method that Serinus' learnt two-sample bet replaced.

It stands beside ours so that each cell shows what the replacement gained or lost. Only the evidence differs: alpha,
start masses, confirm ticks and the effect that is asked for (the corrected population stability index less its standard
error, of all ticks or of the recent ones) are ours.

Evidence: at each edge between two buckets the values above it, and likewise those up to it, are the "bad" ones of our
count process (``serinus.stats.count_process``, with its mixture of odds), so that it looks both ways; each category is
counted against all others, both ways too. Each of these K processes runs to ``K / alpha``, and their mean is the
evidence, which is stopped at ``1 / alpha``, as ours is. Histograms with more than 20 % above the last edge are refused.

Simplified: every category has its processes from the start, seen or not; a process without a bad one keeps its money,
so that only K is larger. Stable's past from before the rollout tells a comparison within a tick nothing, and is not
given; whether a histogram is refused is decided by all of stable's ticks in its place. No dispersion is looked for: the
values of these cells are independent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.policy import NEVER, Conditions
from serinus.judge.states import Matched
from serinus.rollout.types import RolloutPlan
from serinus.stats import count_process
from serinus.stats.capital import Capital, reaches
from serinus.stats.counts import Counts
from serinus.stats.population_stability import LARGEST_OVERFLOW, groups, merge, stability
from serinus.stats.starts import start_mass
from serinus.stats.two_samples import HALF_LIFE_TICKS

Increments = NDArray[np.int64]

_DECAY = 0.5 ** (1.0 / HALF_LIFE_TICKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Both sides' values per bucket over ticks in which both had some, with earlier ticks discounted by ``decay``."""

    decay: float = 1.0
    canary: tuple[float, ...] = ()
    stable: Matched = field(default_factory=Matched)

    def plus(self, canary: tuple[int, ...], stable: tuple[int, ...]) -> "Sides":
        """Add a tick."""
        past = self.canary or (0.0,) * len(canary)
        return replace(
            self,
            canary=tuple(self.decay * old + new for old, new in zip(past, canary, strict=True)),
            stable=self.stable.plus(sum(canary), stable, self.decay),
        )

    def apart(self, *, ordered: bool) -> float:
        """Return the PSI less its standard error, small neighbours of a number taken together as the judge does."""
        pooled = [ours + theirs for ours, theirs in zip(self.canary, self.stable.counts, strict=True)]
        runs = groups(pooled) if ordered else tuple((place, place + 1) for place in range(len(pooled)))
        found = stability(merge(self.canary, runs), merge(self.stable.observations, runs))
        return -np.inf if found is None else found.lower


def contests(canary: tuple[int, ...], stable: tuple[int, ...], *, ordered: bool) -> Iterator[Counts]:
    """Yield what each process counts in a tick.

    Args:
        canary: values per bucket or category.
        stable: as canary.
        ordered: buckets of a number: two processes per edge between them; False: two per category.
    """
    ours, theirs = (np.cumsum(each[:-1]).tolist() if ordered else each for each in (canary, stable))
    n, size = sum(canary), sum(stable)
    for x, y in zip(ours, theirs, strict=True):
        yield Counts(canary_total=n, canary_bad=x, stable_total=size, stable_bad=y)
        yield Counts(canary_total=n, canary_bad=n - x, stable_total=size, stable_bad=size - y)


@dataclass(slots=True, kw_only=True)
class Comparison:
    """One rollout of one signal."""

    plan: RolloutPlan
    """Says alpha, confirm ticks and over how many ticks bets are spread."""
    ordered: bool
    processes: tuple[Capital, ...] = ()
    ticks: int = 0
    """In which both sides had values."""

    @property
    def evidence(self) -> float:
        """Return the mean e-value."""
        return sum(each.value for each in self.processes) / len(self.processes) if self.processes else 1.0

    @property
    def convincing(self) -> bool:
        """Tell whether the evidence is there; it stays."""
        return self.ticks >= self.plan.confirm_ticks and reaches(self.evidence, 1.0 / self.plan.false_rollback_rate)

    def on_tick(self, canary: tuple[int, ...], stable: tuple[int, ...]) -> None:
        """Take in a tick in which both sides had values."""
        if self.convincing:
            return
        rows = list(contests(canary, stable, ordered=self.ordered))
        start = start_mass(
            ticks_before=self.ticks, new_step=self.ticks == 0, steps=1, planned_ticks=self.plan.planned_ticks
        )
        self.processes = tuple(
            count_process.advance(
                capital,
                counts,
                start=start,
                threshold=len(rows) / self.plan.false_rollback_rate,
                confirm_ticks=self.plan.confirm_ticks,
            )
            for capital, counts in zip(self.processes or [count_process.fresh()] * len(rows), rows, strict=True)
        )
        self.ticks += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PerEdge:
    """Flags drift at the first tick at which evidence and effect both are there."""

    name: str = "CBE/edge"

    def first_flags(self, canary: Increments, stable: Increments, conditions: Conditions) -> Increments:
        """Return the first tick at which each replicate is called drifted; see ``ValuesPolicy``."""
        return np.array(
            [self._first(ours, theirs, conditions) for ours, theirs in zip(canary, stable, strict=True)], dtype=np.int64
        )

    def _first(self, canary: Increments, stable: Increments, conditions: Conditions) -> int:
        ordered = len(conditions.edges) > 0
        plan = RolloutPlan(steps=(), signals=(), false_rollback_rate=conditions.alpha)
        comparison, overall, recent = Comparison(plan=plan, ordered=ordered), Sides(), Sides(decay=_DECAY)
        if ordered and stable[:, -1].sum() > LARGEST_OVERFLOW * stable.sum():
            return NEVER
        for number, (ours, theirs) in enumerate(zip(canary, stable, strict=True), 1):
            if not (ours.any() and theirs.any()):
                continue
            tick = tuple(ours.tolist()), tuple(theirs.tolist())
            comparison.on_tick(*tick)
            overall, recent = overall.plus(*tick), recent.plus(*tick)
            if not comparison.convincing:
                continue
            if max(each.apart(ordered=ordered) for each in (overall, recent)) >= conditions.margin:
                return number
        return NEVER


CBE_EDGE = PerEdge()
