"""Fisher's exact test on all counts so far, repeated at each tick; and the oracle boundary made of it.

``Fi05`` and ``Fi01`` are what people write who have heard of p-values: significant at 5 or 1 % means rollback. Looking
again and again makes the error larger than that. ``Poc*`` is the same rule with the constant threshold that errs in
just the share asked for, found by simulating the null of the very cell (Pocock, Biometrika 64 (1977) 191, with the
constant from simulation): nobody can know it in practice, so that it is the yardstick of speed and not a peer.
"""

from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

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

_NEGLIGIBLE = 1e-14


def upper_tail(drawn: Counts, marked: Counts, everything: Counts, found: Counts) -> Floats:
    """Return P(X >= found) for hypergeometric X: ``drawn`` of ``everything``, of which ``marked`` are marked.

    Any shape; one-sided p-value of Fisher's test with drawn = canary's requests, marked = bad ones of both sides,
    found = the canary's bad ones. Sums the shorter tail term by term, relative error about 1e-13.
    """
    n, m, size, seen = (np.ravel(each).astype(np.float64) for each in (drawn, marked, everything, found))
    above = seen * size > n * m
    # Below the mean the other tail, P(X <= found - 1), is the shorter one.
    x = np.where(above, seen, seen - 1.0)
    direction = np.where(above, 1.0, -1.0)
    live = np.flatnonzero((x >= np.maximum(0.0, m + n - size)) & (x <= np.minimum(m, n)))
    x, term = x[live], np.exp(_log_pmf(n[live], m[live], size[live], x[live]))
    sums = np.zeros_like(n)
    sums[live] = term
    while live.size:
        term, x = _next_term(term, x, direction[live], n[live], m[live], size[live])
        sums[live] += term
        going = term > _NEGLIGIBLE * sums[live]
        live, term, x = live[going], term[going], x[going]
    return np.asarray(np.clip(np.where(above, sums, 1.0 - sums), 0.0, 1.0))


def _log_pmf(drawn: Floats, marked: Floats, everything: Floats, x: Floats) -> Floats:
    def choose(n: Floats, k: Floats) -> Floats:
        return np.asarray(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0))

    return choose(marked, x) + choose(everything - marked, drawn - x) - choose(everything, drawn)


def _next_term(
    term: Floats, x: Floats, direction: Floats, drawn: Floats, marked: Floats, everything: Floats
) -> tuple[Floats, Floats]:
    up = direction > 0.0
    rest = everything - marked - drawn
    upwards = (marked - x) * (drawn - x) / ((x + 1.0) * np.maximum(rest + x + 1.0, 1.0))
    downwards = x * (rest + x) / ((marked - x + 1.0) * (drawn - x + 1.0))
    return term * np.where(up, upwards, downwards), x + direction


def p_values(counts: Counts) -> Floats:
    """Return the one-sided p-value of all counts up to each tick, shape (replicates, ticks).

    Args:
        counts: increments, shape (replicates, ticks, 4).
    """
    sums = np.cumsum(counts, axis=1)
    bad = sums[..., CANARY_BAD] + sums[..., STABLE_BAD]
    everything = sums[..., CANARY_TOTAL] + sums[..., STABLE_TOTAL]
    tails = upper_tail(sums[..., CANARY_TOTAL], bad, everything, sums[..., CANARY_BAD])
    return tails.reshape(bad.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fisher:
    """Rolls back at the first look with a p-value below ``level``."""

    name: str
    level: float

    def start(self, conditions: Conditions) -> "FisherRun":
        """Begin a rollout at the cell's first weight; never promotes."""
        return FisherRun(level=self.level, weight=conditions.steps[0])

    def first_rollbacks(self, counts: Counts, conditions: Conditions) -> Counts:  # noqa: ARG002
        """Return the tick of each replicate's rollback; see ``BatchPolicy``."""
        return first_tick(p_values(counts) < self.level)


@dataclass(slots=True, kw_only=True)
class FisherRun:
    """One rollout: all counts so far."""

    level: float
    weight: int
    counts: tuple[int, int, int, int] = (0, 0, 0, 0)

    def on_tick(self, tick: TickData) -> Outcome | None:
        """Take in a tick and test anew."""
        c_total, c_bad, s_total, s_bad = (old + new for old, new in zip(self.counts, tick.counts, strict=True))
        self.counts = c_total, c_bad, s_total, s_bad
        row = np.array([[self.counts]], dtype=np.int64)
        return Outcome.ROLLBACK if float(p_values(row)[0, 0]) < self.level else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleBoundary:
    """Fisher's test at the constant level that errs in a share of ``alpha`` of the null replicates it is shown."""

    name: str = "Poc*"

    def calibrated(self, null: Counts, conditions: Conditions) -> Fisher:
        """Return the rule that rolls back at most ``alpha`` of these replicates, and would more with any higher level.

        The level is an order statistic of the smallest p-values, so that the error of another null sample is alpha
        within ``sqrt(alpha (1 - alpha) / replicates)``.
        """
        smallest = np.sort(p_values(null).min(axis=1))
        allowed = floor(conditions.alpha * len(smallest))
        return Fisher(name=self.name, level=float(smallest[min(allowed, len(smallest) - 1)]))


FI05 = Fisher(name="Fi05", level=0.05)
FI01 = Fisher(name="Fi01", level=0.01)
POC = OracleBoundary()
