"""The Gaussian mixture sequential probability ratio test of experimentation platforms (Optimizely, Uber).

Source: Johari, Pekelis & Walsh, "Always valid inference", arXiv 1512.04922, eq. for binary outcomes. The difference of
the pooled rates is taken as normal with the variance of the pooled rate; the alternative is normal around 0 with
standard deviation ``tau``. Valid for large counts and rates that do not change; neither is checked.

Simplified: unequal sides enter through ``1/n_c + 1/n_s``; two-sided as published, but only a canary that is worse is
rolled back.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.policy import (
    CANARY_BAD,
    CANARY_TOTAL,
    STABLE_BAD,
    STABLE_TOTAL,
    Conditions,
    Outcome,
    TickData,
)
from benchmarks.peers.windows import first_tick

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

TAU = 0.01


def log_ratio(counts: Counts, tau: float = TAU) -> tuple[Floats, Floats]:
    """Return the log mixture likelihood ratio and the difference of rates after each tick, (replicates, ticks) both.

    ``log Lambda = log(V / (V + tau^2)) / 2 + tau^2 d^2 / (2 V (V + tau^2))``, 0 while the variance V is unknown.

    Args:
        counts: increments, shape (replicates, ticks, 4).
        tau: standard deviation of the alternative, a difference of shares.
    """
    sums = np.cumsum(counts, axis=1).astype(np.float64)
    n_c, n_s = sums[..., CANARY_TOTAL], sums[..., STABLE_TOTAL]
    both = (n_c > 0) & (n_s > 0)
    safe_c, safe_s = np.maximum(n_c, 1.0), np.maximum(n_s, 1.0)
    difference = np.where(both, sums[..., CANARY_BAD] / safe_c - sums[..., STABLE_BAD] / safe_s, 0.0)
    pooled = (sums[..., CANARY_BAD] + sums[..., STABLE_BAD]) / (safe_c + safe_s)
    variance = pooled * (1.0 - pooled) * (1.0 / safe_c + 1.0 / safe_s)
    known = both & (variance > 0.0)
    return np.where(known, log_mixture(difference, np.where(known, variance, 1.0), tau), 0.0), difference


def log_mixture(difference: Floats, variance: Floats, tau: float) -> Floats:
    """Return log of N(0, tau^2)-mixture over null likelihood of a normal estimate with this variance (> 0)."""
    square = tau * tau
    quadratic = square * difference**2 / (2.0 * variance * (variance + square))
    return np.asarray(0.5 * np.log(variance / (variance + square)) + quadratic)


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureSprt:
    """Rolls back when the ratio reaches 1/alpha and the canary's rate is the higher one."""

    name: str = "mSP"
    tau: float = TAU

    def start(self, conditions: Conditions) -> "MixtureSprtRun":
        """Begin a rollout at the cell's first weight; never promotes."""
        return MixtureSprtRun(rule=self, conditions=conditions, weight=conditions.steps[0])

    def first_rollbacks(self, counts: Counts, conditions: Conditions) -> Counts:
        """Return the tick of each replicate's rollback; see ``BatchPolicy``."""
        ratio, difference = log_ratio(counts, self.tau)
        return first_tick((ratio >= -np.log(conditions.alpha)) & (difference > 0.0))


@dataclass(slots=True, kw_only=True)
class MixtureSprtRun:
    """One rollout: all counts so far."""

    rule: MixtureSprt
    conditions: Conditions
    weight: int
    counts: tuple[int, int, int, int] = (0, 0, 0, 0)

    def on_tick(self, tick: TickData) -> Outcome | None:
        """Take in a tick and test."""
        c_total, c_bad, s_total, s_bad = (old + new for old, new in zip(self.counts, tick.counts, strict=True))
        self.counts = c_total, c_bad, s_total, s_bad
        row = np.array([[self.counts]], dtype=np.int64)
        return Outcome.ROLLBACK if self.rule.first_rollbacks(row, self.conditions)[0] > 0 else None


MSP = MixtureSprt()
