"""Histograms for tests of mathematics."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import norm


def ways(total: int, size: int) -> Iterator[tuple[int, ...]]:
    """Yield all counts of so many buckets with that sum."""
    if size == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in ways(total - first, size - 1):
            yield (first, *rest)


def shifted(distance: float, buckets: int = 10) -> list[float]:
    """Return shares of a normal value, shifted by so many deviations, in buckets that are equal without the shift."""
    return [float(each) for each in np.diff(norm.cdf(norm.ppf(np.linspace(0, 1, buckets + 1)) - distance))]
