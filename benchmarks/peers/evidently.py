"""Evidently's default rules for drift of a column against a reference.

Source: evidentlyai/evidently a4aa4c2b3, ``calculations/stattests`` (``registry._get_default_stattest``). With at most
1,000 reference rows: Kolmogorov-Smirnov p < 0.05 for numbers with more than five distinct values, else chi-squared
p < 0.05 (a z-test of two shares where there are but two values). With more: Wasserstein distance over the reference's
standard deviation >= 0.1 for numbers, else Jensen-Shannon distance >= 0.1. There is no account of repeated looks, nor
of the size of the current data.

Simplified: Evidently reads rows, we have counts per bucket. Numbers stand at the middle of their bucket (the overflow
half a bucket above the last edge, the first half a bucket below the first), so that a test sees ties; the reference is
the canary's reference. The optional PSI rule (>= 0.1) bins into Sturges' bins of rows; here the buckets are the bins.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, kolmogorov, ndtr, xlogy

from benchmarks.decisions.policy import Conditions
from benchmarks.peers.windows import first_tick

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

SIGNIFICANT = 0.05
DISTANT = 0.1
SMALL_REFERENCE = 1_000
FEW_VALUES = 5
TWO_VALUES = 2
ZERO_SHARE = 1e-4


class Rule(StrEnum):
    """How a column is compared."""

    KOLMOGOROV_SMIRNOV = "KS"
    CHI_SQUARED = "chi2"
    TWO_SHARES = "z"
    WASSERSTEIN = "Wasserstein"
    JENSEN_SHANNON = "JS"
    PSI = "PSI"


def default_rule(reference: Counts, current: Counts, *, numeric: bool) -> Rule:
    """Return the rule that Evidently picks by itself; counts of shape (buckets,)."""
    values = int(np.count_nonzero(reference + current))
    many = numeric and values > FEW_VALUES
    if reference.sum() > SMALL_REFERENCE:
        return Rule.WASSERSTEIN if many else Rule.JENSEN_SHANNON
    if many:
        return Rule.KOLMOGOROV_SMIRNOV
    return Rule.CHI_SQUARED if values > TWO_VALUES else Rule.TWO_SHARES


def middles(edges: tuple[float, ...]) -> Floats:
    """Return the value that stands for each bucket, shape (len(edges) + 1,); at least two edges."""
    inner = np.array(edges)
    widths = np.diff(inner)
    return np.concatenate(
        ([inner[0] - widths[0] / 2.0], (inner[:-1] + inner[1:]) / 2.0, [inner[-1] + widths[-1] / 2.0])
    )


def kolmogorov_smirnov(reference: Counts, current: Counts) -> Floats:
    """Return the two-sided asymptotic p-value; reference (buckets,), current (..., buckets) with at least one value."""
    n, m = float(reference.sum()), current.sum(axis=-1).astype(np.float64)
    distance = np.abs(np.cumsum(reference) / n - np.cumsum(current, axis=-1) / m[..., None]).max(axis=-1)
    return np.asarray(kolmogorov(np.sqrt(n * m / (n + m)) * distance))


def chi_squared(reference: Counts, current: Counts) -> Floats:
    """Return the p-value of the current counts against the reference's shares, taken as exact (as Evidently does).

    A value that the reference never saw makes it 0. Shapes as in ``kolmogorov_smirnov``.
    """
    total = current.sum(axis=-1, keepdims=True)
    expected = total * (reference / reference.sum())
    seen = expected > 0.0
    square = np.where(seen, (current - expected) ** 2 / np.where(seen, expected, 1.0), 0.0).sum(axis=-1)
    freedom = np.count_nonzero((reference > 0) | (current > 0), axis=-1) - 1
    new = ((current > 0) & (reference == 0)).any(axis=-1)
    return np.where(new, 0.0, np.where(freedom > 0, chdtrc(np.maximum(freedom, 1), square), 1.0))


def two_shares(reference: Counts, current: Counts) -> Floats:
    """Return the two-sided p-value of a z-test with the pooled share, of the first value that was seen at all.

    Shapes as in ``kolmogorov_smirnov``; 1 where only one value was seen.
    """
    which = int(np.argmax(reference + current.reshape(-1, len(reference)).sum(axis=0) > 0))
    n, m = float(reference.sum()), current.sum(axis=-1).astype(np.float64)
    pool = (reference[which] + current[..., which]) / (n + m)
    variance = pool * (1.0 - pool) * (1.0 / n + 1.0 / m)
    difference = np.abs(reference[which] / n - current[..., which] / m)
    return np.asarray(2.0 * ndtr(-difference / np.sqrt(np.where(variance > 0.0, variance, 1.0))))


def wasserstein(reference: Counts, current: Counts, values: Floats) -> Floats:
    """Return the distance between the two laws over the reference's standard deviation; values of shape (buckets,)."""
    shares = reference / reference.sum()
    mean = shares @ values
    deviation = max(float(np.sqrt(shares @ (values - mean) ** 2)), 0.001)
    gaps = np.abs(np.cumsum(shares) - np.cumsum(current, axis=-1) / current.sum(axis=-1, keepdims=True))
    return np.asarray(gaps[..., :-1] @ np.diff(values) / deviation)


def jensen_shannon(reference: Counts, current: Counts) -> Floats:
    """Return the Jensen-Shannon distance (the root of the divergence, natural logarithm)."""
    p, q = reference / reference.sum(), current / current.sum(axis=-1, keepdims=True)
    middle = (p + q) / 2.0
    divergence = (xlogy(p, p) + xlogy(q, q)).sum(axis=-1) / 2.0 - xlogy(middle, middle).sum(axis=-1)
    return np.asarray(np.sqrt(np.maximum(divergence, 0.0)))


def psi(reference: Counts, current: Counts) -> Floats:
    """Return the population stability index with empty buckets filled by 1e-4, as it is."""
    p, q = reference / reference.sum(), current / current.sum(axis=-1, keepdims=True)
    p, q = np.where(p > 0.0, p, ZERO_SHARE), np.where(q > 0.0, q, ZERO_SHARE)
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=-1))


def drifted(rule: Rule, reference: Counts, current: Counts, values: Floats | None = None) -> NDArray[np.bool_]:
    """Tell where the rule calls drift; an empty side is none. ``values``: for Wasserstein.

    Args:
        rule: see ``default_rule``.
        reference: shape (buckets,).
        current: counts so far, shape (..., buckets).
        values: what each bucket stands for, shape (buckets,).
    """
    full = current.sum(axis=-1) > 0
    if not reference.sum() or not full.any():
        return np.zeros(full.shape, dtype=bool)
    filled = np.where(full[..., None], current, reference)
    if rule is Rule.KOLMOGOROV_SMIRNOV:
        flagged = kolmogorov_smirnov(reference, filled) < SIGNIFICANT
    elif rule is Rule.CHI_SQUARED:
        flagged = chi_squared(reference, filled) < SIGNIFICANT
    elif rule is Rule.TWO_SHARES:
        flagged = two_shares(reference, filled) < SIGNIFICANT
    elif rule is Rule.WASSERSTEIN and values is not None:
        flagged = wasserstein(reference, filled, values) >= DISTANT
    elif rule is Rule.PSI:
        flagged = psi(reference, filled) >= DISTANT
    else:
        flagged = jensen_shannon(reference, filled) >= DISTANT
    return np.asarray(flagged & full)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidently:
    """Looks at everything the canary has predicted so far, at each tick.

    Attributes:
        name: as the tables print it.
        rule: None: what Evidently picks by itself.
    """

    name: str
    rule: Rule | None = None

    def first_flags(self, canary: Counts, stable: Counts, conditions: Conditions) -> Counts:
        """Return the first tick at which each replicate is called drifted; see ``ValuesPolicy``."""
        return np.array(
            [self._first(ours, theirs, conditions) for ours, theirs in zip(canary, stable, strict=True)], dtype=np.int64
        )

    def _first(self, canary: Counts, stable: Counts, conditions: Conditions) -> int:
        current = np.cumsum(canary, axis=0)
        numeric = len(conditions.edges) > 1
        values = middles(conditions.edges) if numeric else None
        if conditions.reference is not None:
            reference = np.array(conditions.reference, dtype=np.int64)
            rule = self.rule or default_rule(reference, current[-1], numeric=numeric)
            return int(first_tick(drifted(rule, reference, current, values)[None])[0])
        flags = [
            bool(drifted(self.rule or default_rule(past, now, numeric=numeric), past, now, values))
            for past, now in zip(np.cumsum(stable, axis=0), current, strict=True)
        ]
        return int(first_tick(np.array([flags]))[0])


EVIDENTLY = Evidently(name="Evidently")
EVIDENTLY_PSI = Evidently(name="Evidently PSI", rule=Rule.PSI)
