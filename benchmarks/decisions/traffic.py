"""Make counts of requests per tick, side and pod: what a service does to its counters, without their scraping.

A world says how a service behaves; drawing a ``Scene`` from it with a seed fixes everything that chance decides about
the service itself (outages, which pods are bad, which connections there are), and the scene then gives the counts of
any tick at any weight, so that a policy may choose the weights. Arrivals are Poisson and each request goes to the
canary with the probability of the weight, unless ``routing`` says otherwise; counts per tick are drawn directly, which
is the same in law as drawing each request.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
"""Shape (pods, 2): requests and bad requests."""

HISTORY_TICKS = 60
"""Ticks of stable alone from before the rollout: 30 minutes."""


class Routing(StrEnum):
    """What is sent to a side as one."""

    REQUESTS = "requests"
    SESSIONS = "sessions"
    """All requests of a user's visit, and they fail or succeed together."""
    CONNECTIONS = "connections"
    """All requests of a connection, for some ticks; clients differ in how often their requests fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """How a service behaves. Shares are in [0, 1]."""

    requests_per_second: float = 10.0
    base: float = 0.01
    """Share of bad requests of stable."""
    canary: float = 0.01
    """Share of bad requests of the canary, once it is bad."""
    onset_tick: int = 0
    """Ticks of the rollout in which the canary is still as good as stable."""
    canary_pods: int = 2
    stable_pods: int = 4
    interval_seconds: float = 30.0
    bursts: float = 1.0
    """Mean number of errors that come together on one pod (geometric); 1: they come alone."""
    pods_fail: float = 0.0
    """Chance that a pod fails alone for a tick: 30 percent of its requests."""
    outages: float = 0.0
    """Chance that all pods fail for a tick: 30 percent of their requests."""
    swing: float = 0.0
    """Traffic and share of bad requests swing by this relative amount within an hour, out of step."""
    trend: float = 1.0
    """Both sides' share of bad requests ends as this multiple of how it began, changing steadily."""
    pods_differ: float = 0.0
    """Standard deviation of the logarithm of a pod's own factor of its share of bad requests."""
    routing: Routing = Routing.REQUESTS
    connection_ticks: int = 2
    """How long a connection lasts."""

    @property
    def is_null(self) -> bool:
        """Tell whether the canary is no worse than stable."""
        return self.canary <= self.base


class Scene:
    """One service on one day: a world and what chance has decided about it."""

    def __init__(self, world: World, rng: np.random.Generator, ticks: int) -> None:
        """Fix what does not depend on the weight.

        Args:
            world: how the service behaves.
            rng: all chance, also of the counts drawn later.
            ticks: of the rollout; before them there are ``HISTORY_TICKS`` of stable alone.
        """
        pods = world.canary_pods + world.stable_pods
        number = np.arange(-HISTORY_TICKS, ticks)
        self._world, self._rng = world, rng
        day = 2.0 * np.pi * number * world.interval_seconds / 3600.0
        self._requests = world.requests_per_second * world.interval_seconds * (1.0 + world.swing * np.sin(day))
        factor = (1.0 + world.swing * np.sin(day + 1.0)) * world.trend ** np.clip(number / ticks, 0.0, 1.0)
        sickness = np.where(number < world.onset_tick, 0.0, world.canary - world.base)
        shares = np.repeat((world.base * factor)[:, None], pods, axis=1)
        shares[:, : world.canary_pods] += sickness[:, None]
        if world.pods_differ:
            shares *= np.exp(rng.normal(0.0, world.pods_differ, pods) - world.pods_differ**2 / 2.0)
        troubled = rng.random((number.size, 1)) < world.outages
        if world.pods_fail:
            troubled = troubled | (rng.random(shares.shape) < world.pods_fail)
        self._shares = np.clip(np.where(troubled, np.maximum(shares, 0.3), shares), 0.0, 1.0)
        self._clients = rng.gamma(0.25, 4.0, (number.size // world.connection_ticks + 1, CONNECTIONS))
        self._generation, self._pod = -1, np.zeros(CONNECTIONS, dtype=np.int64)

    def history(self) -> NDArray[np.int64]:
        """Return stable's counts from before the rollout, shape (ticks, pods, 2)."""
        first = self._world.canary_pods
        return self._counts(slice(0, HISTORY_TICKS), np.zeros(HISTORY_TICKS))[:, first:]

    def counts(self, weights: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the counts of the rollout's first ticks at these weights (percent), shape (ticks, pods, 2).

        The canary's pods come first.
        """
        return self._counts(slice(HISTORY_TICKS, HISTORY_TICKS + len(weights)), weights)

    def tick(self, number: int, weight: int) -> Counts:
        """Return the counts of one tick of the rollout, numbered from 1."""
        at = HISTORY_TICKS + number - 1
        return np.asarray(self._counts(slice(at, at + 1), np.array([float(weight)]))[0])

    def _counts(self, when: slice, weights: NDArray[np.float64]) -> NDArray[np.int64]:
        world = self._world
        parts = self._parts(weights / 100.0)
        mean, shares = self._requests[when, None] * parts, self._shares[when]
        if world.routing is Routing.CONNECTIONS:
            return self._by_connection(when, parts, shares)
        if world.routing is Routing.SESSIONS:
            return self._by_session(mean, shares)
        total = self._rng.poisson(mean)
        if world.bursts > 1.0:
            bad = np.minimum(_clustered(self._rng, total * shares / world.bursts, world.bursts), total)
        else:
            bad = self._rng.binomial(total, shares)
        return np.stack([total, bad], axis=2)

    def _parts(self, canary: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each pod's share of the traffic."""
        c, s = self._world.canary_pods, self._world.stable_pods
        ours = np.repeat(canary[:, None] / max(c, 1), c, axis=1)
        theirs = np.repeat((1.0 - canary)[:, None] / max(s, 1), s, axis=1)
        return np.concatenate([ours, theirs], axis=1)

    def _by_session(self, mean: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.int64]:
        bad = _clustered(self._rng, mean * shares / SESSION, SESSION)
        good = _clustered(self._rng, mean * (1.0 - shares) / SESSION, SESSION)
        return np.stack([good + bad, bad], axis=2)

    def _by_connection(self, when: slice, parts: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.int64]:
        counts = np.zeros((*shares.shape, 2), dtype=np.int64)
        for row, number in enumerate(range(when.start, when.stop)):
            generation = number // self._world.connection_ticks
            if generation != self._generation:
                self._generation = generation
                self._pod = self._rng.choice(parts.shape[1], size=CONNECTIONS, p=parts[row])
            pod = self._pod
            total = self._rng.poisson(self._requests[number] / CONNECTIONS, CONNECTIONS)
            bad = self._rng.binomial(total, np.minimum(shares[row][pod] * self._clients[generation], 1.0))
            np.add.at(counts[row], pod, np.stack([total, bad], axis=1))
        return counts


CONNECTIONS = 40
SESSION = 8.0
"""Mean requests of a visit."""


def sums(counts: NDArray[np.int64], canary_pods: int) -> NDArray[np.int64]:
    """Sum counts (ticks, pods, 2) over the pods of each side: (ticks, 4), columns as in ``policy``."""
    return np.concatenate([counts[:, :canary_pods].sum(axis=1), counts[:, canary_pods:].sum(axis=1)], axis=1)


def _clustered(rng: np.random.Generator, clusters: NDArray[np.float64], size: float) -> NDArray[np.int64]:
    """Draw a Poisson number of clusters, each of geometric size with that mean; return their sum."""
    number = rng.poisson(clusters)
    more = rng.negative_binomial(np.maximum(number, 1), 1.0 / size)
    return number + np.where(number > 0, more, 0)
