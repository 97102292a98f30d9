"""Fisher's noncentral hypergeometric law for counts of any size.

Given how many requests each side had and how many were bad together, it says how many of the bad ones fall on the
canary when its odds of failing are ``odds`` times stable's. The base rate cancels. Knows nothing of betting.

Weights of neighbouring outcomes have a simple ratio, so a running sum of logs gives all of them without a factorial;
where only windows of the support are looked at, the saddle point form ties the windows together.
"""

from dataclasses import dataclass
from math import ceil, lgamma, log, log1p, pi, sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Up to so many outcomes all are computed; beyond, only a window around each law's mode.
_WHOLE_SUPPORT = 1_024
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Laws:
    """The null law of a tick, and what turns an outcome into likelihood ratios.

    The log likelihood ratio of outcome x for the alternative ``j`` is ``log(odds_j) (x - origin) - normalisers[j]``.
    """

    outcomes: Floats
    """Those that have any mass under the null, ascending, shape (outcomes,)."""
    probabilities: Floats
    """Under the null, shape (outcomes,), sum 1."""
    origin: float
    """The most likely outcome under the null: ratios are computed from it, so that large counts lose no digits."""
    normalisers: Floats
    """Log of the expectation of ``odds_j ** (x - origin)`` under the null, shape (alternatives,)."""


def laws(margins: Margins, odds: tuple[float, ...], null_odds: float = 1.0) -> Laws:
    """Return the null law at ``null_odds`` and the normalisers of the alternatives ``null_odds * odds``.

    Source: P(x) is proportional to ``C(canary, x) C(stable, bad - x) odds^x`` (Fisher 1935).

    Args:
        margins: informative ones, counts up to 1e9 and beyond.
        odds: alternatives as multiples of the null's odds ratio, above 0.
        null_odds: odds ratio canary to stable of the null, above 0.
    """
    logs_of_odds = np.log(np.array(odds))
    log_null = log(null_odds)
    if margins.highest - margins.lowest < _WHOLE_SUPPORT:
        outcomes = np.arange(margins.lowest, margins.highest + 1, dtype=np.float64)
        logs = _steps(margins, outcomes) + log_null * (outcomes - outcomes[0])
        origin_at = int(logs.argmax())
        weights = np.exp(logs - logs[origin_at])
        total = float(weights.sum())
        tilted = logs - logs[origin_at] + logs_of_odds[:, None] * (outcomes - outcomes[origin_at])
        largest = tilted.max(axis=1)
        sums = largest + np.log(np.exp(tilted - largest[:, None]).sum(axis=1)) - log(total)
        return Laws(
            outcomes=outcomes, probabilities=weights / total, origin=float(outcomes[origin_at]), normalisers=sums
        )
    outcomes, logs = _windowed(margins, null_odds)
    origin_at = int((logs + log_null * outcomes).argmax())
    origin = float(outcomes[origin_at])
    logs = logs + log_null * (outcomes - origin)
    largest = float(logs[origin_at])
    weights = np.exp(logs - largest)
    total = float(weights.sum())
    whole = np.array([_log_sum(margins, null_odds * each, log_null + log(each), origin) for each in odds])
    return Laws(
        outcomes=outcomes,
        probabilities=weights / total,
        origin=origin,
        normalisers=whole - (largest + log(total)),
    )


def mode(margins: Margins, odds: float) -> int:
    """Return the most likely outcome at the given odds ratio (above 0), within the support.

    The whole part of the root at which neighbouring weights are equal, by the form of the quadratic formula that does
    not cancel (Liao and Rosen, The American Statistician 55 (2001) 366). Assumes informative margins.
    """
    product = (margins.canary + 1.0) * (margins.bad + 1.0) * odds
    linear = margins.bad - margins.stable - (margins.canary + margins.bad + 2.0) * odds
    root = sqrt(max(linear * linear - 4.0 * (odds - 1.0) * product, 0.0))
    return min(max(int(-2.0 * product / (linear - root)), margins.lowest), margins.highest)


def window(margins: Margins, odds: float) -> tuple[int, int]:
    """Return first and last outcome between which all but a negligible mass lies at the given odds ratio (above 0).

    Ten standard deviations and 40 counts to both sides of the mode, the variance taken as one over the sum of the
    inverse cells of the table at the mode (Cornfield 1956), half a count added to each. Assumes informative margins.
    """
    centre = mode(margins, odds)
    cells = (centre, margins.canary - centre, margins.bad - centre, margins.stable - margins.bad + centre)
    deviation = 1.0 / sqrt(sum(1.0 / (cell + 0.5) for cell in cells))
    reach = ceil(_WINDOW_DEVIATIONS * deviation) + _WINDOW_COUNTS
    return max(margins.lowest, centre - reach), min(margins.highest, centre + reach)


def log_weight(margins: Margins, outcome: int) -> float:
    """Return log of ``C(canary, x) C(stable, bad - x)`` but for a constant.

    Saddle point form (Loader 2000): differences of log factorials would lose all digits near 1e9 requests. Needs an
    outcome inside the support of informative margins.
    """
    everything = margins.canary + margins.stable
    result = 0.0
    for size, bad in ((margins.canary, outcome), (margins.stable, margins.bad - outcome)):
        for cell, share in ((bad, margins.bad), (size - bad, everything - margins.bad)):
            expected = size * share / everything
            excess = (cell - expected) / expected
            growth = (1.0 + excess) * log1p(excess) if cell > 0 else 0.0
            result -= expected * (growth - excess) + _stirling_error(cell)
    return result


def _steps(margins: Margins, outcomes: Floats) -> Floats:
    """Return the log weights of consecutive outcomes, less the first one's."""
    here = outcomes[:-1]
    up = (margins.canary - here) * (margins.bad - here)
    down = (here + 1.0) * (margins.stable - margins.bad + 1.0 + here)
    result = np.empty_like(outcomes)
    result[0] = 0.0
    np.cumsum(np.log(up / down), out=result[1:])
    return result


def _windowed(margins: Margins, odds: float) -> tuple[Floats, Floats]:
    """Return the outcomes around the mode at the given odds ratio, and their log weights at odds ratio 1."""
    first, last = window(margins, odds)
    outcomes = np.arange(first, last + 1, dtype=np.float64)
    logs = _steps(margins, outcomes)
    centre = (first + last) // 2
    return outcomes, logs + (log_weight(margins, centre) - float(logs[centre - first]))


def _log_sum(margins: Margins, odds: float, log_odds: float, origin: float) -> float:
    outcomes, logs = _windowed(margins, odds)
    tilted = logs + log_odds * (outcomes - origin)
    largest = float(tilted.max())
    return largest + log(float(np.exp(tilted - largest).sum()))


def _stirling_error(count: float) -> float:
    """Return ``log(n!) - (n log n - n)``, without cancellation for large n."""
    if count < _STIRLING_FROM:
        return lgamma(count + 1.0) - (count * log(count) if count > 0 else 0.0) + count
    square = float(count) * count
    series = (1.0 - (1.0 / 30.0 - (1.0 / 105.0 - 1.0 / (140.0 * square)) / square) / square) / (12.0 * count)
    return 0.5 * log(2.0 * pi * count) + series
