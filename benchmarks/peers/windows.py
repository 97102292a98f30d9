"""Sums over trailing windows of ticks, for rules that look back a fixed time. Knows no rule."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.policy import NEVER

Counts = NDArray[np.int64]


def ticks_of(seconds: float, interval_seconds: float) -> int:
    """Return how many whole ticks a time lasts, at least one."""
    return max(1, round(seconds / interval_seconds))


def trailing(counts: Counts, ticks: int) -> Counts:
    """Return sums over the last ``ticks`` ticks (fewer at the start), axis 1; shape as given."""
    running = np.cumsum(counts, axis=1)
    earlier = np.zeros_like(running)
    earlier[:, ticks:] = running[:, :-ticks] if ticks < counts.shape[1] else 0
    return running - earlier


def first_tick(hits: NDArray[np.bool_]) -> Counts:
    """Return the first tick (counted from 1) with a hit per replicate, ``NEVER`` without; hits of shape (R, ticks)."""
    return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, NEVER)
