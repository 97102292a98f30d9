"""How much more stable's counts scatter than chance allows: Pearson's statistic between pods within each tick.

Requests that fail together (a burst, a broken connection, one bad minute of a pod) carry less information than as
many that fail one by one. What pods of the same model show at the same time says by how much, and what all of them
share (an outage, the time of day) cancels. With one pod, adjacent ticks are compared instead. Errors that stay on a
pod for minutes (connections that are kept open) show in blocks of ticks of the past only. Knows no canary.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

# As if that many degrees of freedom had been seen that scatter as chance does.
PRIOR_FREEDOM = 8.0
# An estimate below this is taken as chance.
SMALLEST_FACTOR = 1.25
# Longer rows are summed in so many groups of neighbours: of one pod's last tick no more is remembered.
MAX_REMEMBERED = 12
# A burst of one tick must not slow down everything that comes after it.
HALF_LIFE_TICKS = 60.0
# Ticks per block in which the past is looked at once more.
BLOCKS = (2, 4, 8, 16)
# Of the estimates for blocks the largest counts, so each has to be this many standard deviations above chance.
_CLEAR = 2.0
_DECAY = 0.5 ** (1.0 / HALF_LIFE_TICKS)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispersion:
    """Sums over past ticks of stable that told something, discounted with a half-life of 60 of them."""

    statistic: float = 0.0
    """Pearson's X squared, weighted and summed over ticks."""
    freedom: float = 0.0
    """Its degrees of freedom, likewise."""
    weight: float = 0.0
    """Sum of the weights."""
    ticks: float = 0.0
    """Number of these ticks, likewise."""
    last: tuple[float, ...] = ()
    """Counts per outcome of the newest tick that had one pod only; empty after a tick with several."""
    floor: float = 1.0
    """What blocks of the past showed, at least 1; see ``learn``."""

    @property
    def estimate(self) -> float:
        """Return phi, the variance of counts over that of independent requests, shrunk towards 1.

        ``(sum w X^2 + 8 mean(w)) / (sum w df + 8 mean(w))`` with ``X^2 = sum_i sum_j (x_ij - n_i p_j)^2 / (n_i p_j)``
        over pods i and outcomes j, p the pool of the tick, ``df = (pods - 1) (outcomes seen - 1)``, and w the square
        root of the requests whose outcome was not the tick's most frequent. 1 before any tick.

        A tick with one bad request tells nothing of clusters, and its X squared is what chance expects. So equal
        weights find too little where requests are few; weights of w squared find the whole of E[s^2] / E[s] for
        clusters of size s, but of that the cap per tick takes a part off already.

        Pearson's estimate of overdispersion (McCullagh and Nelder, Generalized Linear Models, 1989, section 4.5);
        weights, prior and discount are our own, chosen by simulation. At least 0. Assumes that pods of stable
        are alike but for what comes and goes; those that differ for good raise it, too.
        """
        prior = PRIOR_FREEDOM * self.weight / self.ticks if self.ticks else PRIOR_FREEDOM
        return (self.statistic + prior) / (self.freedom + prior)

    @property
    def factor(self) -> float:
        """Return what evidence is tempered by from the next tick on: the estimate or the floor, 1 if below 1.25."""
        largest = max(self.estimate, self.floor)
        return largest if largest >= SMALLEST_FACTOR else 1.0

    def plus(self, rows: Iterable[Sequence[float]]) -> "Dispersion":
        """Add one tick.

        Predictable use is the caller's duty: what this tick tells may temper the next tick's evidence, never its own.

        Args:
            rows: one per stable pod, counts per outcome, all of the same length: (good, bad), or a histogram.
        """
        seen: list[Sequence[float]] = [row for row in rows if sum(row) > 0]
        if not seen:
            return self
        if len(seen) > 1:
            return self._with(seen, ())
        alone = grouped(seen[0])
        return self._with([self.last, alone], alone) if len(self.last) == len(alone) else replace(self, last=alone)

    def _with(self, rows: Sequence[Sequence[float]], last: tuple[float, ...]) -> "Dispersion":
        pool = [sum(column) for column in zip(*rows, strict=True)]
        weight = sqrt(sum(pool) - max(pool))
        if weight == 0.0:
            return replace(self, last=last)
        statistic, freedom = _pearson(rows, pool)
        return Dispersion(
            statistic=self.statistic * _DECAY + weight * statistic,
            freedom=self.freedom * _DECAY + weight * freedom,
            weight=self.weight * _DECAY + weight,
            ticks=self.ticks * _DECAY + 1.0,
            last=last,
            floor=self.floor,
        )

    def learn(self, ticks: Sequence[Mapping[str, Sequence[float]]]) -> "Dispersion":
        """Return this with the largest estimate over blocks of 2, 4, 8 and 16 ticks of the past as its floor.

        Errors that stay on a pod for several ticks hardly show within a tick, but the sums over ticks scatter with
        them. Pods that are never alike do so as well, without end as blocks grow: that is ``pod_spread``'s, and is
        taken out. Per pod and outcome, with excess d and expectation e of each block, ``(sum w d)^2 / sum w e`` is
        subtracted from ``sum w d^2 / e``: what remains is what changes from block to block. With one pod there is
        nothing to tell its own scatter from the world's.

        Args:
            ticks: in order; stable's pods by name, counts per outcome, all of the same length. They are not added to
                the sums of ``plus``.
        """
        names = {name: place for place, name in enumerate(sorted({name for tick in ticks for name in tick}))}
        kinds = max((len(row) for tick in ticks for row in tick.values()), default=0)
        if len(names) < 2 or kinds < 2:
            return self
        table = np.zeros((len(ticks), len(names), kinds))
        for time, tick in enumerate(ticks):
            for name, row in tick.items():
                table[time, names[name], : len(row)] = row
        return replace(self, floor=max(self.floor, *(_of_blocks(table, length) for length in BLOCKS)))


def _pearson(rows: Sequence[Sequence[float]], pool: Sequence[float]) -> tuple[float, float]:
    """Return X squared and its degrees of freedom for rows that are not empty, at least two kinds in their pool."""
    everything = sum(pool)
    kinds = sum(1 for each in pool if each > 0)
    statistic = 0.0
    for row in rows:
        part = sum(row) / everything
        statistic += sum(
            (cell - part * each) ** 2 / (part * each) for cell, each in zip(row, pool, strict=True) if each
        )
    # Given both margins the expectation of X squared is that much above its degrees of freedom.
    return statistic * (everything - 1.0) / everything, (len(rows) - 1.0) * (kinds - 1.0)


def _of_blocks(table: Floats, length: int) -> float:
    """Return phi over blocks of so many ticks, 1 if chance may have made it; table has shape (ticks, pods, kinds)."""
    count = len(table) // length
    if count < 2:
        return 1.0
    # The newest ticks are the ones that must not be left out.
    blocks = table[len(table) - count * length :].reshape(count, length, *table.shape[1:]).sum(axis=1)
    pool = blocks.sum(axis=1)
    requests = pool.sum(axis=1)
    weights = np.sqrt(requests - pool.max(axis=1))
    blocks, pool, requests, weights = (each[weights > 0.0] for each in (blocks, pool, requests, weights))
    if len(weights) < 2:
        return 1.0
    expected = blocks.sum(axis=2)[:, :, None] * pool[:, None, :] / requests[:, None, None]
    # Given the margins of a block the squares are expected to be that much smaller.
    excess = (blocks - expected) * np.sqrt((requests - 1.0) / requests)[:, None, None]
    weighed, seen = weights[:, None, None], expected > 0.0
    lasting = (weighed * excess).sum(axis=0), (weighed * expected).sum(axis=0)
    statistic = (weighed * np.divide(excess**2, expected, out=np.zeros_like(excess), where=seen)).sum()
    statistic -= np.divide(lasting[0] ** 2, lasting[1], out=np.zeros_like(lasting[0]), where=lasting[1] > 0.0).sum()
    freedoms = ((blocks.sum(axis=2) > 0.0).sum(axis=1) - 1.0) * ((pool > 0.0).sum(axis=1) - 1.0)
    freedom = (weights * freedoms).sum() - (weights**2 * freedoms).sum() / weights.sum()
    spread = sqrt(2.0 * float((weights**2 * freedoms).sum()))
    if statistic <= freedom + _CLEAR * spread:
        return 1.0
    prior = PRIOR_FREEDOM * float(weights.mean())
    return float((statistic + prior) / (freedom + prior))


def grouped(row: Sequence[float]) -> tuple[float, ...]:
    """Return the counts of a row in at most ``MAX_REMEMBERED`` groups of neighbouring outcomes."""
    groups = min(len(row), MAX_REMEMBERED)
    sums = [0.0] * groups
    for index, count in enumerate(row):
        sums[index * groups // len(row)] += count
    return tuple(sums)
