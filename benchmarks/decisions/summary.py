"""Sum up the replicates of a cell: shares with exact intervals, times with quantiles."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import betaincinv

from benchmarks.decisions.cells import Cell
from benchmarks.decisions.policy import NEVER
from benchmarks.decisions.replicate import Result

THREE_SIGMA = 0.00135
"""One-sided chance of three standard errors: exact bounds are taken there, for there are a hundred null cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share of replicates."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """Return the share; NaN of nothing."""
        return self.hits / self.of if self.of else float("nan")

    @property
    def standard_error(self) -> float:
        """Return the Monte-Carlo standard error."""
        return float(np.sqrt(self.value * (1.0 - self.value) / self.of)) if self.of else float("nan")

    def lower(self, chance: float = THREE_SIGMA) -> float:
        """Return the exact (Clopper-Pearson) lower bound that the true share misses with this chance."""
        return float(betaincinv(self.hits, self.of - self.hits + 1, chance)) if self.hits else 0.0

    def upper(self, chance: float = THREE_SIGMA) -> float:
        """Return the exact upper bound that the true share misses with this chance."""
        return float(betaincinv(self.hits + 1, self.of - self.hits, 1.0 - chance)) if self.hits < self.of else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A cell under one policy."""

    rolled_back: Share
    """After the onset, where there is one."""
    early: Share
    """Before it: falsely."""
    median_seconds: float
    """From the onset to the rollback, over all replicates; infinite where fewer than half are rolled back."""
    median_lower: float
    """The true median is shorter only by a chance of three standard errors: an order statistic, exact."""
    p90_seconds: float
    within_minute: Share
    reasons: tuple[tuple[str, int], ...]
    """Of rollbacks, with their number."""
    last_words: tuple[tuple[str, int], ...]
    """What was said last of those that were not rolled back."""
    promoted: Share
    held: Share


def summarise(cell: Cell, results: Sequence[Result]) -> Summary:
    """Sum up Serinus' results."""
    ticks = np.array([each.rollback for each in results], dtype=np.int64)
    times = times_of(ticks, cell)
    size = len(results)
    return Summary(
        rolled_back=Share(hits=int(np.isfinite(times).sum()), of=size),
        early=Share(hits=int(((ticks != NEVER) & (ticks <= cell.onset_tick)).sum()), of=size),
        median_seconds=quantile(times, 0.5),
        median_lower=median_lower(times),
        p90_seconds=quantile(times, 0.9),
        within_minute=Share(hits=int((times <= 60.0).sum()), of=size),
        reasons=tuple(Counter(each.reason for each in results if each.rollback != NEVER).most_common()),
        last_words=tuple(Counter(each.reason for each in results if each.rollback == NEVER).most_common()),
        promoted=Share(hits=sum(each.promote != NEVER for each in results), of=size),
        held=Share(hits=sum(each.held != NEVER for each in results), of=size),
    )


def times_of(ticks: np.ndarray, cell: Cell) -> np.ndarray:
    """Return seconds from the onset to the rollback, infinite for none and for one before the onset."""
    after = (ticks != NEVER) & (ticks > cell.onset_tick)
    return np.where(after, (ticks - cell.onset_tick) * cell.conditions.interval_seconds, np.inf)


def quantile(times: np.ndarray, chance: float) -> float:
    """Return the smallest time that at least this share of the replicates keeps."""
    return float(np.quantile(times, chance, method="inverted_cdf")) if times.size else float("inf")


def median_lower(times: np.ndarray, chance: float = THREE_SIGMA) -> float:
    """Return the exact lower bound of the true median that is too high with at most this chance; 0 if there is none."""
    place = int(stats.binom.ppf(chance, times.size, 0.5)) - 1  # type: ignore[attr-defined]
    return float(np.sort(times)[place]) if place >= 0 else 0.0
