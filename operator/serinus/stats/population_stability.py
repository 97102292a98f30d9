"""How far apart two histograms are: the population stability index, corrected for what chance alone gives.

Knows counts only. An effect, never evidence: a decision needs an e-value beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from serinus.errors import BrokenInvariant

Floats = NDArray[np.float64]
_Number = TypeVar("_Number", int, float)

SMOOTHING = 0.5
SMALLEST_SHARE = 0.02
LARGEST_OVERFLOW = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """A population stability index (PSI) without its bias, and its standard error.

    For a normal shift of d standard deviations PSI is about d squared: 0.1 is a shift of 0.32, 0.2 of 0.45.
    """

    estimate: float
    """Bias-corrected, so that it is below 0 about as often as above where nothing differs."""
    standard_error: float

    @property
    def lower(self) -> float:
        """Return the estimate less one standard error."""
        return self.estimate - self.standard_error


def stability(canary: Sequence[float], stable: Sequence[float]) -> Stability | None:
    """Return the PSI of two histograms over the same buckets; None if one of them is empty.

    ``PSI = sum_j (p_j - q_j) log(p_j / q_j)`` on shares with half a count added to each bucket. Chance alone gives
    ``(B - 1) (1/n + 1/N)`` for B buckets and n, N observations (Yurdakul 2018), which is subtracted; and
    ``SE^2 = 4 max(PSI, 0) (1/n + 1/N) + 2 (B - 1) (1/n + 1/N)^2`` with the corrected PSI. Buckets that are empty on
    both sides count for nothing.

    Args:
        canary: observations per bucket, not negative; need not be whole, if they were weighted and scaled to as many
            observations as they are worth.
        stable: as canary; buckets that only one of them has stand at the end, the other counts 0 there.
    """
    left, right = _aligned(canary, stable)
    n, size = float(left.sum()), float(right.sum())
    if n <= 0.0 or size <= 0.0:
        return None
    buckets = len(left)
    p = (left + SMOOTHING) / (n + SMOOTHING * buckets)
    q = (right + SMOOTHING) / (size + SMOOTHING * buckets)
    chance = 1.0 / n + 1.0 / size
    estimate = float(((p - q) * np.log(p / q)).sum()) - (buckets - 1) * chance
    variance = 4.0 * max(estimate, 0.0) * chance + 2.0 * (buckets - 1) * chance**2
    return Stability(estimate=estimate, standard_error=sqrt(variance))


def _aligned(canary: Sequence[float], stable: Sequence[float]) -> tuple[Floats, Floats]:
    size = max(len(canary), len(stable))
    both = np.zeros((2, size))
    both[0, : len(canary)] = canary
    both[1, : len(stable)] = stable
    shown = both[:, both.sum(axis=0) > 0.0]
    return shown[0], shown[1]


def groups(baseline: Sequence[float]) -> tuple[tuple[int, int], ...]:
    """Return runs of buckets, each with at least 2 % of the baseline: (first, one past the last), in order.

    From low to high; what is left at the top joins the last run. For buckets of a number only: categories are never
    merged, or a class that was never seen before would hide.

    Args:
        baseline: counts per bucket of the training reference, or of both sides together.
    """
    total = sum(baseline)
    if total == 0:
        return ((0, len(baseline)),) if baseline else ()
    runs: list[tuple[int, int]] = []
    first, mass = 0, 0.0
    for index, count in enumerate(baseline):
        mass += count
        if mass >= SMALLEST_SHARE * total:
            runs.append((first, index + 1))
            first, mass = index + 1, 0.0
    if first < len(baseline):
        runs[-1] = (runs[-1][0], len(baseline))
    return tuple(runs)


def merge(counts: Sequence[_Number], runs: Sequence[tuple[int, int]]) -> tuple[_Number, ...]:
    """Return the counts summed over runs of buckets from ``groups``.

    Raises:
        BrokenInvariant: the runs do not cover the buckets.
    """
    if runs and runs[-1][1] != len(counts):
        raise BrokenInvariant(f"{len(counts)} buckets, but the runs cover {runs[-1][1]}")
    return tuple(sum(counts[first:last]) for first, last in runs)
