"""What the judge is given at a tick: integer increments per pod, values, or the reason why there is nothing.

Knows nothing of where numbers come from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from serinus.errors import BrokenInvariant
from serinus.stats.counts import Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class RateMeasurement:
    """Requests of one tick, pod → (total, bad). An empty side has no pods; (0, 0) is a pod without requests."""

    canary: Mapping[str, tuple[int, int]]
    stable: Mapping[str, tuple[int, int]]

    def __post_init__(self) -> None:
        for pod, (total, bad) in (*self.canary.items(), *self.stable.items()):
            if not 0 <= bad <= total:
                raise BrokenInvariant(f"pod {pod}: {bad} bad requests of {total}")

    @property
    def counts(self) -> Counts:
        """Sum over the pods of each side."""
        return Counts(
            canary_total=sum(total for total, _ in self.canary.values()),
            canary_bad=sum(bad for _, bad in self.canary.values()),
            stable_total=sum(total for total, _ in self.stable.values()),
            stable_bad=sum(bad for _, bad in self.stable.values()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HistogramMeasurement:
    """Counts per bucket of one tick, pod → counts that are not cumulative. Both sides have the same buckets.

    Numeric: finite upper ``edges``, ascending, and one count more than edges (the last is the overflow). Categorical:
    ``categories``, as many counts; the list may grow from tick to tick. Exactly one of the two is not empty.
    """

    canary: Mapping[str, tuple[int, ...]]
    stable: Mapping[str, tuple[int, ...]]
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    reference: tuple[int, ...] | None = None
    """Counts of the training reference in the same buckets."""

    def __post_init__(self) -> None:
        if bool(self.edges) == bool(self.categories):
            raise BrokenInvariant("a histogram has either edges or categories")
        size = self.size
        rows = (*self.canary.values(), *self.stable.values(), *(() if self.reference is None else (self.reference,)))
        if any(len(row) != size or min(row) < 0 for row in rows):
            raise BrokenInvariant(f"a histogram needs {size} counts, none of them negative")

    @property
    def size(self) -> int:
        """Return the number of buckets."""
        return len(self.categories) or len(self.edges) + 1

    @property
    def canary_and_stable(self) -> list[int]:
        """Return the counts per bucket of all pods together."""
        rows = (*self.canary.values(), *self.stable.values())
        return [sum(column) for column in zip(*rows, strict=True)] if rows else [0] * self.size

    def above(self, edge: float) -> RateMeasurement:
        """Return the requests, and as bad ones those above one of the edges."""
        first = self.edges.index(edge) + 1
        return RateMeasurement(
            canary={pod: (sum(row), sum(row[first:])) for pod, row in self.canary.items()},
            stable={pod: (sum(row), sum(row[first:])) for pod, row in self.stable.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairMeasurement:
    """The number that a query gave for each side at this tick; NaN and infinities count as no data."""

    canary: float
    stable: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueMeasurement:
    """The number that a Query gave at this tick; NaN and infinities count as no data."""

    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """No data for a signal at this tick."""

    reason: str
    """One of contract's reasons, such as PrometheusUnavailable or NoSeries."""
    message: str
    """What is missing and what to do about it."""


Measurement = RateMeasurement | HistogramMeasurement | PairMeasurement | ValueMeasurement | Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedShare:
    """The share of requests that the canary should get now."""

    share: float
    """In (0, 1)."""
    promised: bool
    """True: each request is routed by weight, so that a wrong share holds the rollout. False: connections are, so that
    a wrong share is only reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """All measurements of one point of the common grid."""

    at: datetime
    """Aware; ticks not later than one that was already judged count for nothing."""
    step: int
    """Index into the plan's steps of the step in force."""
    next_weight: int
    """Percent of traffic that the canary would really get in the next step, 1 to 100; 100 for promotion."""
    measurements: Mapping[str, Measurement]
    """By signal name; an absent signal delivered nothing."""
    expected: ExpectedShare | None = None
    """None: unknown, so it is not checked."""
