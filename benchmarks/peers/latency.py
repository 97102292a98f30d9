"""Flagger and Kayenta on the 99th percentile of latencies, as their documentation sets it up.

Source: as in ``flagger`` and ``kayenta``. The percentile is Prometheus's ``histogram_quantile``: linear inside the
bucket that holds it, the last finite edge if it lies in the overflow, NaN without requests.

Simplified: cumulative counts of the window instead of extrapolated rates, which changes no quantile.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.policy import NEVER, Conditions
from benchmarks.peers.kayenta import JUDGEMENT_SECONDS, MARGINAL_SCORE, POINT_SECONDS, classify, score
from benchmarks.peers.windows import ticks_of, trailing

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

QUANTILE = 0.99
MOST_SECONDS = 0.5
FAILED_CHECKS = 5
WINDOW_SECONDS = 60.0


def histogram_quantile(quantile: float, counts: Counts, edges: tuple[float, ...]) -> Floats:
    """Return the quantile of counts per bucket (..., buckets), one bucket more than edges; NaN without counts."""
    running = np.cumsum(counts, axis=-1).astype(np.float64)
    total = running[..., -1]
    rank = quantile * total
    bucket = np.minimum((running < rank[..., None]).sum(axis=-1), len(edges))
    lower = np.array((0.0, *edges))[np.minimum(bucket, len(edges) - 1)]
    upper = np.array(edges)[np.minimum(bucket, len(edges) - 1)]
    inside = np.take_along_axis(counts, bucket[..., None], axis=-1)[..., 0]
    below = np.take_along_axis(running, bucket[..., None], axis=-1)[..., 0] - inside
    share = (rank - below) / np.maximum(inside, 1)
    found = np.where(bucket == len(edges), edges[-1], lower + (upper - lower) * share)
    return np.where(total > 0, found, np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlaggerLatency:
    """The canary's percentile over a minute is above the bound, or unknown, at five ticks: rolled back at the next."""

    name: str = "F p99"
    most_seconds: float = MOST_SECONDS
    threshold: int = FAILED_CHECKS

    def first_flags(self, canary: Counts, stable: Counts, conditions: Conditions) -> Counts:  # noqa: ARG002
        """Return the tick of each replicate's rollback; see ``ValuesPolicy``."""
        window = trailing(canary, ticks_of(WINDOW_SECONDS, conditions.interval_seconds))
        value = histogram_quantile(QUANTILE, window, conditions.edges)
        reached = np.cumsum(~(value <= self.most_seconds), axis=1) >= self.threshold
        tick = reached.argmax(axis=1) + 2
        return np.where(reached.any(axis=1) & (tick <= canary.shape[1]), tick, NEVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class KayentaLatency:
    """The percentile per minute of both sides, in milliseconds, judged each ten minutes."""

    name: str = "K10 p99"

    def first_flags(self, canary: Counts, stable: Counts, conditions: Conditions) -> Counts:
        """Return the tick of each replicate's rollback; see ``ValuesPolicy``."""
        return np.array(
            [self._first(ours, theirs, conditions) for ours, theirs in zip(canary, stable, strict=True)], dtype=np.int64
        )

    def _first(self, canary: Counts, stable: Counts, conditions: Conditions) -> int:
        every = ticks_of(JUDGEMENT_SECONDS, conditions.interval_seconds)
        for ticks in range(every, len(canary) + 1, every):
            sides = (_points(each[:ticks], conditions) for each in (canary, stable))
            if score([classify(*sides)], [True]) <= MARGINAL_SCORE:
                return ticks
        return NEVER


def _points(counts: Counts, conditions: Conditions) -> Floats:
    size = ticks_of(POINT_SECONDS, conditions.interval_seconds)
    points = np.add.reduceat(counts, np.arange(0, len(counts), size), axis=0)
    values = 1000.0 * histogram_quantile(QUANTILE, points, conditions.edges)
    return np.asarray(values[~np.isnan(values)])


F_P99 = FlaggerLatency()
K_P99 = KayentaLatency()
