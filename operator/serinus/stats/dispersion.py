"""How much more stable's counts scatter than chance allows: Pearson's statistic between pods within each tick.

Requests that fail together (a burst, a broken connection, one bad minute of a pod) carry less information than as
many that fail one by one. What pods of the same model show at the same time says by how much, and what all of them
share (an outage, the time of day) cancels. With one pod, adjacent ticks are compared instead. Knows no canary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

# As if that many degrees of freedom had been seen that scatter as chance does.
PRIOR_FREEDOM = 8.0
# An estimate below this is taken as chance.
SMALLEST_FACTOR = 1.25
# Of one pod's last tick at most so many outcomes are remembered; longer rows are summed in groups of neighbours.
MAX_REMEMBERED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispersion:
    """Sums over past ticks of stable."""

    statistic: float = 0.0
    """Pearson's X squared, weighted and summed over ticks."""
    freedom: float = 0.0
    """Its degrees of freedom, likewise."""
    weight: float = 0.0
    """Sum of the weights."""
    ticks: int = 0
    """Ticks that told something."""
    last: tuple[float, ...] = ()
    """Counts per outcome of the newest tick that had one pod only; empty after a tick with several."""

    @property
    def estimate(self) -> float:
        """Return phi, the variance of counts over that of independent requests, shrunk towards 1.

        ``(sum w X^2 + 8 mean(w)) / (sum w df + 8 mean(w))`` with ``X^2 = sum_i sum_j (x_ij - n_i p_j)^2 / (n_i p_j)``
        over pods i and outcomes j, p the pool of the tick, ``df = (pods - 1) (outcomes seen - 1)``, and w the square
        root of the requests whose outcome was not the tick's most frequent. 1 before any tick.

        A tick with one bad request tells nothing of clusters, and its X squared is what chance expects. So equal
        weights find too little where requests are few; weights of w squared find the whole of E[s^2] / E[s] for
        clusters of size s, but of that the cap per tick takes a part off already.
        """
        prior = PRIOR_FREEDOM * self.weight / self.ticks if self.ticks else PRIOR_FREEDOM
        return (self.statistic + prior) / (self.freedom + prior)

    @property
    def factor(self) -> float:
        """Return what evidence is tempered by from the next tick on: the estimate, or 1 if that is below 1.25."""
        return self.estimate if self.estimate >= SMALLEST_FACTOR else 1.0

    def plus(self, rows: Sequence[Sequence[int]]) -> "Dispersion":
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
        alone = _grouped(seen[0])
        return self._with([self.last, alone], alone) if len(self.last) == len(alone) else replace(self, last=alone)

    def _with(self, rows: Sequence[Sequence[float]], last: tuple[float, ...]) -> "Dispersion":
        pool = [sum(column) for column in zip(*rows, strict=True)]
        weight = sqrt(sum(pool) - max(pool))
        if weight == 0.0:
            return replace(self, last=last)
        statistic, freedom = _pearson(rows, pool)
        return Dispersion(
            statistic=self.statistic + weight * statistic,
            freedom=self.freedom + weight * freedom,
            weight=self.weight + weight,
            ticks=self.ticks + 1,
            last=last,
        )

    def numbers(self) -> tuple[float, ...]:
        """Return all that there is, for ``from_numbers``; at most 16 numbers."""
        return (self.statistic, self.freedom, self.weight, self.ticks, *self.last)

    @staticmethod
    def from_numbers(numbers: Sequence[float]) -> "Dispersion":
        """Read what ``numbers`` gave.

        Raises:
            ValueError: fewer than four numbers.
        """
        statistic, freedom, weight, ticks, *last = map(float, numbers)
        return Dispersion(statistic=statistic, freedom=freedom, weight=weight, ticks=int(ticks), last=tuple(last))


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


def _grouped(row: Sequence[float]) -> tuple[float, ...]:
    groups = min(len(row), MAX_REMEMBERED)
    sums = [0.0] * groups
    for index, count in enumerate(row):
        sums[index * groups // len(row)] += count
    return tuple(sums)
