"""The betting side of an e-process: start mass, boosting and the cap per tick, over any known finite null law.

Capital starts at 1. Under the null its expectation never grows, so that it exceeds ``1/alpha`` at any time with
probability at most ``alpha`` (Ville). This module knows no distribution: callers bring the null law of the tick.
"""

from dataclasses import dataclass, field
from math import exp, inf, log

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Sums of floats that should equal the threshold may miss it by rounding; relative, for thresholds may be huge.
REACHED_TOLERANCE = 1e-9
_LARGEST_LOG = 200.0
_LARGEST_BOOST = 1e200
_SMALLEST = 1e-300


def reaches(value: float, threshold: float) -> bool:
    """Tell whether an e-value (at least 0) is at a threshold (above 0), but for rounding: 1e-9 of it may be missing."""
    return value >= threshold * (1.0 - REACHED_TOLERANCE)


def rounded(value: float, threshold: float) -> float:
    """Return an e-value, or the threshold itself where only rounding keeps the value below it."""
    return max(value, threshold) if reaches(value, threshold) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Capital:
    """Money on the table: one part per alternative of a mixture, and cash that is not bet yet."""

    parts: tuple[float, ...]
    cash: float = 1.0

    @property
    def value(self) -> float:
        """Return the e-value: parts and cash together."""
        return sum(self.parts) + self.cash

    def reached(self, threshold: float) -> bool:
        """Tell whether the e-value is at the threshold, but for rounding."""
        return reaches(self.value, threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """Everything that a tick could have shown under the null, and what each alternative says about it.

    ``probabilities`` has shape (outcomes,) and sums to 1; ``log_ratios`` has shape (alternatives, outcomes): log of
    the likelihood ratio of each alternative against the null. Outcomes are ordered so that ratios do not fall.
    """

    probabilities: Floats = field(repr=False)
    log_ratios: Floats = field(repr=False)


def cap_per_tick(before: float, threshold: float, confirm_ticks: int) -> float:
    """Return the most that capital may be after a tick.

    A tick multiplies capital by at most ``threshold ** (1 / confirm_ticks)`` (counted from 1 where it had fallen
    below), so that no fewer than ``confirm_ticks`` ticks reach the threshold; ``confirm_ticks=1`` caps nothing.

    Args:
        before: capital before the tick.
        threshold: ``1/alpha`` of this process, above 1.
        confirm_ticks: at least 1.
    """
    return min(threshold, max(1.0, before) * float(threshold ** (1.0 / confirm_ticks)))


def bet(capital: Capital, shares: Floats, start: float) -> Capital:
    """Move start mass from cash to the parts; value and expectation stay as they are.

    Args:
        capital: before the tick.
        shares: of the mixture, shape (alternatives,), sum 1.
        start: mass to move, at least 0; no more than the cash is.
    """
    mass = min(start, capital.cash)
    parts = tuple(part + mass * share for part, share in zip(capital.parts, shares.tolist(), strict=True))
    return Capital(parts=parts, cash=capital.cash - mass)


def settle(capital: Capital, shares: Floats, law: Law | None, seen: Floats, cap: float) -> Capital:
    """Multiply capital by what was seen, boosted so that nothing is lost to the cap, then capped.

    The boost ``b >= 1`` solves ``E0[min(b C(x), cap)] = capital before`` (Fischer & Ramdas, arXiv 2410.16076): exact,
    because the null law is known.

    Args:
        capital: after ``bet``.
        shares: of the mixture, shape (alternatives,).
        law: null law of this tick; None where it is not known: then nothing is boosted.
        seen: log likelihood ratios of what was seen, shape (alternatives,); any finite size.
        cap: from ``cap_per_tick``.
    """
    boost = 1.0 if law is None else _boost(capital, law, cap)
    extra = capital.cash * (boost - 1.0)
    room = cap - capital.cash
    log_boost = log(boost)
    logs = [
        log(part) + ratio + log_boost if part > 0.0 else -inf
        for part, ratio in zip(capital.parts, seen.tolist(), strict=True)
    ]
    largest = max(0.0, *logs)
    scale = exp(-largest)
    scaled = [exp(each - largest) + extra * share * scale for each, share in zip(logs, shares.tolist(), strict=True)]
    total = sum(scaled)
    if total <= 0.0:
        grown = (0.0,) * len(scaled)
    elif largest + log(total) > log(room):
        grown = tuple(each * (room / total) for each in scaled)
    else:
        size = exp(largest)
        grown = tuple(each * size for each in scaled)
    return Capital(parts=grown, cash=capital.cash)


def _boost(capital: Capital, law: Law, cap: float) -> float:
    """Return the boost: outcomes with ``C(x) >= cap / b`` end at the cap, those below grow by b.

    As C does not fall with x, the outcomes at the cap are the last ones, and b follows from how many they are: the
    expectation is tried at every b for which one outcome more just reaches the cap.
    """
    outcome = np.array(capital.parts) @ np.exp(np.minimum(law.log_ratios, _LARGEST_LOG)) + capital.cash
    if outcome[-1] <= cap:
        return 1.0
    before = capital.value
    weighted = law.probabilities * outcome
    below = np.cumsum(weighted) - weighted
    above = np.cumsum(law.probabilities[::-1])[::-1]
    # Falls with x: fewer outcomes at the cap mean a smaller b.
    reached = cap * (below / np.maximum(outcome, _SMALLEST) + above)
    first = int(np.searchsorted(-reached, -before))
    # Outcomes from ``first`` on are at the cap.
    if first == len(outcome):
        return 1.0
    slope = float(below[first])
    gap = before - cap * float(above[first])
    if gap >= _LARGEST_BOOST * slope:
        return _LARGEST_BOOST
    return max(gap / slope, 1.0)
