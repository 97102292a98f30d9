"""The betting side of an e-process: start mass, boosting and the cap per tick, over any known finite null law.

Capital starts at 1. Under the null its expectation never grows, so that it exceeds ``1/alpha`` at any time with
probability at most ``alpha`` (Ville). This module knows no distribution: callers bring the null law of the tick.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Sums of floats that should equal the threshold may miss it by rounding.
REACHED_TOLERANCE = 1e-9
_NEWTON_STEPS = 60
_LARGEST_LOG = 200.0
_LARGEST_BOOST = 1e200


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
        return self.value >= threshold - REACHED_TOLERANCE


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
    """Move start mass from cash to the parts, by the mixture's shares (shape (alternatives,), sum 1)."""
    mass = min(start, capital.cash)
    parts = np.asarray(capital.parts) + mass * shares
    return Capital(parts=tuple(map(float, parts)), cash=capital.cash - mass)


def settle(capital: Capital, shares: Floats, law: Law, seen: Floats, cap: float) -> Capital:
    """Multiply capital by what was seen, boosted so that nothing is lost to the cap, then capped.

    The boost ``b >= 1`` solves ``E0[min(b C(x), cap)] = capital before`` (Fischer & Ramdas, arXiv 2410.16076): exact,
    because the null law is known. Newton's steps approach it from below, so stopping early is valid too.

    Args:
        capital: after ``bet``.
        shares: of the mixture, shape (alternatives,).
        law: null law of this tick.
        seen: log likelihood ratios of what was seen, shape (alternatives,); any finite size.
        cap: from ``cap_per_tick``.
    """
    parts = np.asarray(capital.parts)
    boost = _boost(parts, capital, law, cap)
    room = cap - capital.cash
    with np.errstate(divide="ignore"):
        logs = np.log(parts) + seen + np.log(boost)
    largest = max(float(np.max(logs)), 0.0)
    scaled = np.exp(logs - largest) + capital.cash * (boost - 1.0) * shares * np.exp(-largest)
    total = float(scaled.sum())
    if total <= 0.0:
        grown = np.zeros_like(parts)
    elif largest + np.log(total) > np.log(room):
        grown = scaled * (room / total)
    else:
        grown = scaled * np.exp(largest)
    return Capital(parts=tuple(map(float, grown)), cash=capital.cash)


def _boost(parts: Floats, capital: Capital, law: Law, cap: float) -> float:
    before = capital.value
    outcome = parts @ np.exp(np.minimum(law.log_ratios, _LARGEST_LOG)) + capital.cash
    weighted = law.probabilities * outcome
    boost = 1.0
    for _ in range(_NEWTON_STEPS):
        live = boost * outcome < cap
        slope = float(weighted[live].sum())
        reached = boost * slope + cap * float(law.probabilities[~live].sum())
        gap = before - reached
        if gap <= 1e-12 * before or gap >= _LARGEST_BOOST * slope:
            break
        boost = min(boost + gap / slope, _LARGEST_BOOST)
    return boost
