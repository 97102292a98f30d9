"""Kayenta's NetflixACAJudge: a Mann-Whitney location test on points per minute, judged each ten minutes.

Source: spinnaker/kayenta a69573be, ``kayenta-judge`` and ``kayenta-mannwhitney`` (itself after R's ``wilcox.test``).
A metric is High if the lower end of the 98 % interval of the location shift lies above a quarter of the estimated
shift, and the ratio of means is at least the allowed increase. A critical metric that is High ends the canary.

The interval's ends are roots found by Brent's method with an *absolute* tolerance of 1e-4, so that verdicts depend on
the unit: points are percentages here, as its guide suggests. With many zeros the test statistic jumps at a shift of 0,
and what is compared are the solver's last digits; the port follows R's ``zeroin`` step by step for that reason.

Simplified: one metric, direction "increase", critical, outliers kept, empty minutes dropped (``nanStrategy: remove``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import copysign, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from benchmarks.decisions.policy import (
    CANARY_BAD,
    CANARY_TOTAL,
    NEVER,
    STABLE_BAD,
    STABLE_TOTAL,
    Conditions,
    Outcome,
    TickData,
)
from benchmarks.peers.windows import ticks_of

Floats = NDArray[np.float64]

TOLERANCE = 1e-4
EFFECT_SHARE = 0.25
CONFIDENCE = 0.98
ALLOWED_INCREASE = 1.0
MARGINAL_SCORE = 75.0
POINT_SECONDS = 60.0
JUDGEMENT_SECONDS = 600.0
NOISE = 1e-5

_MOST_STEPS = 1000
_EPSILON = float(np.finfo(np.float64).eps)


class Label(StrEnum):
    """What becomes of a metric."""

    PASS = "Pass"
    HIGH = "High"
    NO_DATA = "Nodata"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """By how much the canary's points lie above the baseline's, in their unit."""

    low: float
    high: float
    estimate: float


def brent(function: Callable[[float], float], low: float, high: float, tolerance: float = TOLERANCE) -> float:
    """Return a root of ``function`` between ``low`` and ``high``, whose values there must differ in sign.

    Brent, "Algorithms for minimization without derivatives" (1973), in the form of R's ``zeroin``: bisection,
    secant or inverse quadratic steps, none smaller than ``2 eps |b| + tolerance / 2``.
    """
    a, b, c = low, high, low
    f_a, f_b = function(a), function(b)
    f_c = f_a
    if f_a == 0.0:
        return a
    for _ in range(_MOST_STEPS):
        previous = b - a
        if abs(f_c) < abs(f_b):
            a, b, c = b, c, b
            f_a, f_b, f_c = f_b, f_c, f_b
        smallest = 2.0 * _EPSILON * abs(b) + tolerance / 2.0
        step = (c - b) / 2.0
        if abs(step) <= smallest or f_b == 0.0:
            break
        if abs(previous) >= smallest and abs(f_a) > abs(f_b):
            step = _interpolated(a, b, c, (f_a, f_b, f_c), step, previous, smallest)
        a, f_a = b, f_b
        b += step if abs(step) >= smallest else copysign(smallest, step)
        f_b = function(b)
        if (f_b > 0.0) == (f_c > 0.0) and f_b != 0.0 and f_c != 0.0:
            c, f_c = a, f_a
    return b


def _interpolated(
    a: float, b: float, c: float, values: tuple[float, float, float], half: float, previous: float, smallest: float
) -> float:
    """Return the secant or inverse quadratic step if it is small enough, else half of the bracket."""
    f_a, f_b, f_c = values
    width = c - b
    if a == c:
        ratio = f_b / f_a
        p, q = width * ratio, 1.0 - ratio
    else:
        q, first, second = f_a / f_c, f_b / f_c, f_b / f_a
        p = second * (width * q * (q - first) - (b - a) * (first - 1.0))
        q = (q - 1.0) * (first - 1.0) * (second - 1.0)
    q = -q if p > 0.0 else q
    p = abs(p)
    if p < 0.75 * width * q - abs(smallest * q) / 2.0 and p < abs(previous * q / 2.0):
        return p / q
    return half


def standardised(shift: float, canary: Floats, baseline: Floats) -> float:
    """Return the Mann-Whitney statistic after the canary's points were lowered by ``shift``.

    With continuity correction and with the variance corrected for ties, as R does for a two-sided test.
    """
    n, m = len(canary), len(baseline)
    pooled = np.concatenate((canary - shift, baseline))
    ordered = np.sort(pooled)
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    ties = np.diff(ends, prepend=-1).astype(np.float64)
    middles = ends - (ties - 1.0) / 2.0 + 1.0
    ranks = middles[np.searchsorted(ordered[ends], pooled[:n])]
    excess = float(ranks.sum()) - n * (n + 1) / 2.0 - n * m / 2.0
    tied = float((ties**3 - ties).sum()) / ((n + m) * (n + m - 1.0))
    sigma = sqrt(n * m / 12.0 * (n + m + 1.0 - tied))
    return (excess - (copysign(0.5, excess) if excess else 0.0)) / sigma


def location_shift(canary: Floats, baseline: Floats, confidence: float = CONFIDENCE) -> Shift:
    """Return the shift between two samples (shapes (n,), (m,), not both constant) with its confidence interval."""
    bounds, quantile = _bounds(canary, baseline), _quantile(confidence)
    return Shift(
        low=_root(canary, baseline, quantile, bounds),
        high=_root(canary, baseline, -quantile, bounds),
        estimate=_root(canary, baseline, 0.0, bounds),
    )


def _bounds(canary: Floats, baseline: Floats) -> tuple[float, float]:
    return float(canary.min() - baseline.max()), float(canary.max() - baseline.min())


def _quantile(confidence: float) -> float:
    return float(ndtri((1.0 + confidence) / 2.0))


def _root(canary: Floats, baseline: Floats, quantile: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    if standardised(low, canary, baseline) - quantile <= 0.0:
        return low
    if standardised(high, canary, baseline) - quantile >= 0.0:
        return high
    return brent(lambda shift: standardised(shift, canary, baseline) - quantile, low, high)


def classify(canary: Floats, baseline: Floats) -> Label:
    """Return the label of one metric with direction "increase"; empty points are dropped before."""
    if not len(canary) or not len(baseline):
        return Label.NO_DATA
    if np.array_equal(np.sort(canary), np.sort(baseline)) or np.ptp(np.concatenate((canary, baseline))) == 0.0:
        return Label.PASS
    if _constant(canary, baseline):
        canary, baseline = _noisy(canary, 1), _noisy(baseline, 2)
    # With one point on each side the original fails; here it passes.
    if _constant(canary, baseline) or _cannot_be_high(canary, baseline):
        return Label.PASS
    if not _clearly_shifted(canary, baseline):
        return Label.PASS
    mean = float(baseline.mean())
    # Without errors in the baseline the ratio is infinite, or 0/0, which its check lets through.
    large = mean == 0.0 or float(canary.mean()) / mean >= ALLOWED_INCREASE
    return Label.HIGH if large else Label.PASS


def _clearly_shifted(canary: Floats, baseline: Floats) -> bool:
    """Tell whether the lower end is above a quarter of the estimate, looking for no root that cannot matter."""
    bounds = _bounds(canary, baseline)
    low = _root(canary, baseline, _quantile(CONFIDENCE), bounds)
    return low > 0.0 and low > EFFECT_SHARE * abs(_root(canary, baseline, 0.0, bounds))


def _constant(canary: Floats, baseline: Floats) -> bool:
    return bool(np.ptp(canary) == 0.0 and np.ptp(baseline) == 0.0)


def _cannot_be_high(canary: Floats, baseline: Floats) -> bool:
    """Tell that the lower end is negative whatever the solver's last digits are: saves most of the time."""
    if _bounds(canary, baseline)[0] >= -2.0 * TOLERANCE:
        return False
    return standardised(-2.0 * TOLERANCE, canary, baseline) < _quantile(CONFIDENCE)


def _noisy(points: Floats, seed: int) -> Floats:
    noise = np.random.Generator(np.random.PCG64(seed)).normal(size=len(points))
    return np.asarray(points + NOISE * np.abs(points) * noise)


def score(labels: list[Label], critical: list[bool]) -> float:
    """Return the score of a group of metrics, 0 to 100: the share that passes, 0 if a critical one does not."""
    if any(each is not Label.PASS and crucial for each, crucial in zip(labels, critical, strict=True)):
        return 0.0
    if 2 * labels.count(Label.NO_DATA) >= len(labels):
        return 0.0
    known = [each for each in labels if each is not Label.NO_DATA]
    return 100.0 * known.count(Label.PASS) / len(known)


def percent_per_point(total: NDArray[np.int64], bad: NDArray[np.int64]) -> Floats:
    """Return bad requests in percent per point, without points that had no request; shapes (points,)."""
    seen = total > 0
    return np.asarray(100.0 * bad[seen] / total[seen])


@dataclass(frozen=True, slots=True, kw_only=True)
class Kayenta:
    """Its judgements each ten minutes over a growing window; below the marginal score the canary is rolled back."""

    name: str = "K10"

    def start(self, conditions: Conditions) -> "KayentaRun":
        """Begin a rollout at the cell's first weight: Kayenta itself moves no traffic and promotes nothing here."""
        return KayentaRun(conditions=conditions, weight=conditions.steps[0], rows=[])

    def first_rollbacks(self, counts: NDArray[np.int64], conditions: Conditions) -> NDArray[np.int64]:
        """Return the tick of each replicate's rollback; see ``BatchPolicy``."""
        return np.array([self._first(each, conditions) for each in counts], dtype=np.int64)

    def _first(self, counts: NDArray[np.int64], conditions: Conditions) -> int:
        every = ticks_of(JUDGEMENT_SECONDS, conditions.interval_seconds)
        for ticks in range(every, len(counts) + 1, every):
            if fails(counts[:ticks], conditions.interval_seconds):
                return ticks
        return NEVER


def fails(counts: NDArray[np.int64], interval_seconds: float) -> bool:
    """Tell whether a judgement over these ticks (shape (ticks, 4)) ends the canary."""
    point = ticks_of(POINT_SECONDS, interval_seconds)
    points = np.add.reduceat(counts, np.arange(0, len(counts), point), axis=0)
    canary = percent_per_point(points[:, CANARY_TOTAL], points[:, CANARY_BAD])
    baseline = percent_per_point(points[:, STABLE_TOTAL], points[:, STABLE_BAD])
    return score([classify(canary, baseline)], [True]) <= MARGINAL_SCORE


@dataclass(slots=True, kw_only=True)
class KayentaRun:
    """One canary: all points so far."""

    conditions: Conditions
    weight: int
    rows: list[tuple[int, int, int, int]]

    def on_tick(self, tick: TickData) -> Outcome | None:
        """Take in a tick; judge if ten minutes have passed."""
        self.rows.append(tick.counts)
        if tick.number % ticks_of(JUDGEMENT_SECONDS, self.conditions.interval_seconds):
            return None
        counts = np.array(self.rows, dtype=np.int64)
        return Outcome.ROLLBACK if fails(counts, self.conditions.interval_seconds) else None


K10 = Kayenta()
