"""Fisher's noncentral hypergeometric law for counts of any size.

Given how many requests each side had and how many were bad together, it says how many of the bad ones fall on the
canary when its odds of failing are ``odds`` times stable's. The base rate cancels. Knows nothing of betting.
"""

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp, xlog1py, xlogy

Floats = NDArray[np.float64]

# Up to so many outcomes all are computed; beyond, only a window around each law's mode.
_WHOLE_SUPPORT = 2_048
# What lies outside 10 standard deviations and 40 counts of the mode has less than 1e-20 of the mass.
_WINDOW_DEVIATIONS = 10.0
_WINDOW_COUNTS = 40
_STIRLING_FROM = 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """What is given: requests of the canary, of stable, and bad ones of both together."""

    canary: int
    stable: int
    bad: int

    @property
    def lowest(self) -> int:
        """Fewest bad requests that the canary can have."""
        return max(0, self.bad - self.stable)

    @property
    def highest(self) -> int:
        """Most bad requests that the canary can have."""
        return min(self.bad, self.canary)

    @property
    def informative(self) -> bool:
        """Tell whether more than one outcome is possible."""
        return self.highest > self.lowest


def log_weights(margins: Margins, outcomes: Floats) -> Floats:
    """Return log of ``C(canary, x) C(stable, bad - x)`` but for a constant, shape of ``outcomes``.

    Saddle point form (Loader 2000): differences of log factorials would lose all digits near 1e9 requests.
    Needs informative margins and outcomes inside the support.
    """
    everything = margins.canary + margins.stable
    result = np.zeros_like(outcomes)
    for size, sign, offset in ((margins.canary, 1.0, 0.0), (margins.stable, -1.0, float(margins.bad))):
        bad = offset + sign * outcomes
        for cell, share in ((bad, margins.bad), (size - bad, everything - margins.bad)):
            expected = size * share / everything
            excess = (cell - expected) / expected
            result -= expected * (xlog1py(1.0 + excess, excess) - excess) + _stirling_error(cell)
    return result


def mode(margins: Margins, odds: float) -> int:
    """Return the most likely outcome at the given odds ratio (>= 1)."""
    product = (margins.canary + 1.0) * (margins.bad + 1.0) * odds
    linear = margins.bad - margins.stable - (margins.canary + margins.bad + 2.0) * odds
    root = sqrt(max(linear * linear - 4.0 * (odds - 1.0) * product, 0.0))
    return min(max(int(-2.0 * product / (linear - root)), margins.lowest), margins.highest)


def window(margins: Margins, odds: float) -> tuple[int, int]:
    """Return first and last outcome between which all but a negligible mass lies at the given odds ratio."""
    if margins.highest - margins.lowest < _WHOLE_SUPPORT:
        return margins.lowest, margins.highest
    centre = mode(margins, odds)
    cells = (centre, margins.canary - centre, margins.bad - centre, margins.stable - margins.bad + centre)
    deviation = 1.0 / sqrt(sum(1.0 / (cell + 0.5) for cell in cells))
    reach = ceil(_WINDOW_DEVIATIONS * deviation) + _WINDOW_COUNTS
    return max(margins.lowest, centre - reach), min(margins.highest, centre + reach)


def null_law(margins: Margins) -> tuple[Floats, Floats]:
    """Return outcomes and their probabilities at odds ratio 1, both of shape (outcomes,)."""
    first, last = window(margins, 1.0)
    outcomes = np.arange(first, last + 1, dtype=np.float64)
    logs = log_weights(margins, outcomes)
    weights = np.exp(logs - logs.max())
    return outcomes, weights / weights.sum()


def log_normalisers(margins: Margins, odds: tuple[float, ...], origin: float) -> Floats:
    """Return ``log sum_x w(x) odds^(x - origin)`` for each odds ratio, minus the same at odds ratio 1.

    ``(x - origin) log(odds)`` less this is the log likelihood ratio of outcome x against equal odds.
    """
    whole = margins.highest - margins.lowest < _WHOLE_SUPPORT
    logs_of_odds = np.log(np.array((1.0, *odds)))
    if whole:
        outcomes = np.arange(margins.lowest, margins.highest + 1, dtype=np.float64)
        tilted = log_weights(margins, outcomes) + logs_of_odds[:, None] * (outcomes - origin)
        sums = np.asarray(logsumexp(tilted, axis=1))
    else:
        sums = np.array([_normaliser(margins, float(each), origin) for each in logs_of_odds])
    return np.asarray(sums[1:] - sums[0], dtype=np.float64)


def _normaliser(margins: Margins, log_odds: float, origin: float) -> float:
    first, last = window(margins, float(np.exp(log_odds)))
    outcomes = np.arange(first, last + 1, dtype=np.float64)
    return float(logsumexp(log_weights(margins, outcomes) + log_odds * (outcomes - origin)))


def _stirling_error(count: Floats) -> Floats:
    """Return ``log(n!) - (n log n - n)``, without cancellation for large n."""
    small = np.minimum(count, _STIRLING_FROM)
    exact = gammaln(small + 1.0) - xlogy(small, small) + small
    large = np.maximum(count, _STIRLING_FROM)
    square = large * large
    series = (1.0 - (1.0 / 30.0 - (1.0 / 105.0 - 1.0 / (140.0 * square)) / square) / square) / (12.0 * large)
    return np.asarray(np.where(count < _STIRLING_FROM, exact, 0.5 * np.log(2.0 * np.pi * large) + series))
