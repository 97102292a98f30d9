"""Make histograms per tick, side and pod: latencies and scores, numeric or by category."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from benchmarks.decisions.traffic import HISTORY_TICKS

Shares = NDArray[np.float64]

LATENCY_EDGES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Log-normal latencies, of which a share (the tail) takes two seconds instead."""

    median_seconds: float = 0.1
    sigma: float = 0.6
    tail: float = 0.0

    def shares(self, edges: tuple[float, ...] = LATENCY_EDGES) -> Shares:
        """Return the chance of each bucket; the last is the overflow."""
        below = ndtr(np.log(np.array(edges) / self.median_seconds) / self.sigma)
        slow = (np.array(edges) >= 2.0).astype(float)
        return np.diff((1.0 - self.tail) * below + self.tail * slow, prepend=0.0, append=1.0)

    def share_above(self, bound_seconds: float) -> float:
        """Return the chance that a request takes longer."""
        return float(self.shares((bound_seconds,))[1])


def normal_edges(buckets: int, *, overflow: float = 0.0) -> tuple[float, ...]:
    """Return edges that give a standard normal score equal shares; ``overflow``: the share above the last edge."""
    top = 1.0 - (overflow or 1.0 / buckets)
    return tuple(float(each) for each in ndtri(np.linspace(0.0, top, buckets)[1:]))


def normal_shares(edges: tuple[float, ...], shift: float = 0.0) -> Shares:
    """Return the chance of each bucket for a normal score that is shifted by so many standard deviations."""
    return np.diff(ndtr(np.array(edges) - shift), prepend=0.0, append=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueWorld:
    """Values of requests, the same law at every tick. Shares are of buckets."""

    canary: tuple[float, ...]
    stable: tuple[float, ...]
    canary_per_tick: float
    """Mean values of the canary in a tick."""
    stable_per_tick: float
    history_ticks: int = HISTORY_TICKS
    canary_pods: int = 2
    stable_pods: int = 4

    @property
    def is_null(self) -> bool:
        """Tell whether both sides have one law."""
        return self.canary == self.stable

    def draw(self, rng: np.random.Generator, ticks: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return counts of canary and stable, shapes (ticks, pods, buckets)."""
        return (
            _draw(rng, ticks, self.canary_pods, self.canary_per_tick, self.canary),
            _draw(rng, ticks, self.stable_pods, self.stable_per_tick, self.stable),
        )

    def draw_history(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return stable's counts from before the rollout, shape (ticks, pods, buckets)."""
        return _draw(rng, self.history_ticks, self.stable_pods, self.stable_per_tick, self.stable)


def _draw(
    rng: np.random.Generator, ticks: int, pods: int, per_tick: float, shares: tuple[float, ...]
) -> NDArray[np.int64]:
    mean = per_tick / max(pods, 1) * np.array(shares)
    return rng.poisson(mean, (ticks, pods, len(shares)))
