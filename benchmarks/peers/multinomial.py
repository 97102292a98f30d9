"""Lindon & Malek's multinomial test, as Netflix publishes it for canaries: where do the errors fall?

Source: "Anytime-valid inference for multinomial count data", NeurIPS 2022. If the canary is no worse, each error
falls on it with the probability of its share of traffic. A Dirichlet prior of concentration 100 around that share gives
the alternative; the ratio of the two likelihoods is an e-process, tested against 1/alpha at every look.

Simplified: two outcomes (error on the canary or on stable); the test is two-sided as published, but rolls back only
when the canary has more errors than its share. The share is that of the requests counted so far, which is kinder than
the weight that was set, for it forgives routing that is off. In cells whose weight changes it is that of each tick
alone: the prior moves with it and the errors counted so far stay, which keeps the test valid.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, xlogy

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

CONCENTRATION = 100.0


def log_evidence(counts: Counts, concentration: float = CONCENTRATION) -> Floats:
    """Return the log e-value after each tick at one weight, shape (replicates, ticks).

    ``log B(k q + x, k (1 - q) + y) - log B(k q, k (1 - q)) - x log q - y log(1 - q)`` with x and y the errors of
    canary and stable so far, q the canary's share of the requests so far and k the concentration.

    Args:
        counts: increments, shape (replicates, ticks, 4).
        concentration: of the prior, in errors.
    """
    sums = np.cumsum(counts, axis=1)
    share, compares = _share(sums)
    x = np.where(compares, sums[..., CANARY_BAD], 0)
    y = np.where(compares, sums[..., STABLE_BAD], 0)
    return _log_ratio(concentration * share, concentration * (1.0 - share), x, y, share)


def log_evidence_of_ramp(counts: Counts, concentration: float = CONCENTRATION) -> Floats:
    """Return the same where the weight changes: each tick is predicted from its own share and the errors before it."""
    share, compares = _share(counts)
    x = np.where(compares, counts[..., CANARY_BAD], 0)
    y = np.where(compares, counts[..., STABLE_BAD], 0)
    a = concentration * share + np.cumsum(x, axis=1) - x
    b = concentration * (1.0 - share) + np.cumsum(y, axis=1) - y
    return np.asarray(np.cumsum(_log_ratio(a, b, x, y, share), axis=1))


def _share(counts: Counts) -> tuple[Floats, NDArray[np.bool_]]:
    canary, stable = counts[..., CANARY_TOTAL], counts[..., STABLE_TOTAL]
    compares = (canary > 0) & (stable > 0)
    return np.where(compares, canary / np.maximum(canary + stable, 1), 0.5), compares


def _log_ratio(a: Floats, b: Floats, x: Counts, y: Counts, share: Floats) -> Floats:
    return np.asarray(betaln(a + x, b + y) - betaln(a, b) - xlogy(x, share) - xlogy(y, 1.0 - share))


def leaning(counts: Counts) -> NDArray[np.bool_]:
    """Tell after which ticks the canary's rate of errors is above stable's, all ticks so far; (replicates, ticks)."""
    sums = np.cumsum(counts, axis=1)
    worse: NDArray[np.bool_] = (
        sums[..., CANARY_BAD] * sums[..., STABLE_TOTAL] > sums[..., STABLE_BAD] * sums[..., CANARY_TOTAL]
    )
    return worse


@dataclass(frozen=True, slots=True, kw_only=True)
class LindonMalek:
    """Rolls back when the e-value reaches 1/alpha and the canary has more errors than its share."""

    name: str = "LM"
    concentration: float = CONCENTRATION

    def start(self, conditions: Conditions) -> "LindonMalekRun":
        """Begin a rollout at the cell's first weight; never promotes."""
        return LindonMalekRun(rule=self, conditions=conditions, weight=conditions.steps[0], rows=[])

    def first_rollbacks(self, counts: Counts, conditions: Conditions) -> Counts:
        """Return the tick of each replicate's rollback; see ``BatchPolicy``."""
        of = log_evidence if len(conditions.steps) == 1 else log_evidence_of_ramp
        return first_tick((of(counts, self.concentration) >= -np.log(conditions.alpha)) & leaning(counts))


@dataclass(slots=True, kw_only=True)
class LindonMalekRun:
    """One rollout: all ticks so far."""

    rule: LindonMalek
    conditions: Conditions
    weight: int
    rows: list[tuple[int, int, int, int]]

    def on_tick(self, tick: TickData) -> Outcome | None:
        """Take in a tick and test."""
        self.rows.append(tick.counts)
        first = self.rule.first_rollbacks(np.array([self.rows], dtype=np.int64), self.conditions)
        return Outcome.ROLLBACK if first[0] > 0 else None


LM = LindonMalek()
