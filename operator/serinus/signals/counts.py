"""Turn samples of counters into integer increments per pod over a block, each increment counted exactly once.

A block is what lies between the sample times of two ticks. Blocks telescope: the value at a block's end is the value at
the next one's start, so nothing is estimated, extrapolated or stored. Knows counters; must not know what they count,
whose pods they are, or how samples are fetched.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, pairwise

from serinus.signals.grid import LOOK_BACK
from serinus.signals.samples import (
    NAME_LABEL,
    PROCESS_START,
    UP,
    Sample,
    SeriesKey,
    Target,
    Track,
    series_key,
    target_of,
)

_START_JITTER_SECONDS = 1.0  # some servers compute their start time from an uptime at every scrape
_CLOCK_SKEW_SECONDS = 5.0  # between a node, which tells start times, and Prometheus, which tells samples' times

NO_NUMBER = "its counters are not numbers at or above zero"
AGE_UNKNOWN = "it was first seen in this block and may be older: counting begins with the next"
BAD_ABOVE_TOTAL = "it counted more bad requests than requests"
WITHOUT_TOTAL = "it has no counter of all requests"
ILLEGIBLE = "its counters do not say which requests failed"
NOT_CUMULATIVE = "a bucket of its histogram counted less than a smaller one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What was known about scrape targets at one instant."""

    known: frozenset[Target] = frozenset()
    """Prometheus scrapes, or tries to."""
    scraped: frozenset[Target] = frozenset()
    """Their newest scrape succeeded, or one within the look-back did."""
    started: Mapping[Target, float] = field(default_factory=dict)
    """Start of the process, seconds since the epoch, where it is exported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The time between two ticks' sample times, and what is known about the targets at its ends."""

    start: datetime
    end: datetime
    before: Targets
    after: Targets
    restarted: frozenset[Target] = frozenset()
    """Another process answered in the block or in the look-back before it: a series that is older may begin again
    in the block, above its old value."""
    created: Mapping[str, datetime] = field(default_factory=dict)
    """Creation of the pods that still exist, by name."""

    @property
    def length(self) -> timedelta:
        """Return how long the block is."""
        return self.end - self.start

    def counts_from_zero(self, target: Target) -> bool:
        """Return whether a series that is absent at the start had counted nothing that an earlier block has counted.

        True if the target was scraped by then without it; or if its process or pod is so young that, had it been
        scraped, the sample would lie within the look-back.
        """
        oldest = self.start - LOOK_BACK
        created, started = self.created.get(target.pod), self.after.started.get(target)
        return (
            target in self.before.scraped
            or (created is not None and created > oldest)
            or (started is not None and started > oldest.timestamp())
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What was read of one counter."""

    before: Sequence[Sample] = ()
    """Newest values at the block's start."""
    after: Sequence[Sample] = ()
    """Newest values at its end."""
    resets: Sequence[Sample] = ()
    """Series that were reset in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walks:
    """The raw samples of counters that were reset, and of their processes' start times."""

    counters: Mapping[SeriesKey, Track] = field(default_factory=dict)
    starts: Mapping[Target, Track] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Increments of one counter, summed over each pod's series."""

    by_pod: Mapping[str, int]
    left_out: Mapping[str, str]
    """Pods that deliver nothing in this block, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Requests and bad requests of a block."""

    by_pod: Mapping[str, tuple[int, int]]
    """Total and bad, total >= bad >= 0."""
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """Requests of a block by bucket or category."""

    by_pod: Mapping[str, tuple[int, ...]]
    """One count per bucket, not cumulative; all pods have as many."""
    left_out: Mapping[str, str]


def read_targets(samples: Iterable[Sample]) -> Targets:
    """Read the answer to ``queries.targets``."""
    ups: dict[Target, float] = {}
    started: dict[Target, float] = {}
    for sample in samples:
        name, target = sample.labels.get(NAME_LABEL), target_of(sample.labels)
        if name == UP:
            ups[target] = sample.value
        elif name == PROCESS_START and math.isfinite(sample.value):
            started[target] = sample.value
    return Targets(
        known=frozenset(ups) | frozenset(started),
        scraped=frozenset(target for target, value in ups.items() if value == 1) | frozenset(started),
        started=started,
    )


def pods_to_walk(block: Block, readings: Readings) -> frozenset[str]:
    """Return the pods whose counter has to be walked sample by sample, because its end points hide a reset."""
    before = {series_key(each.labels): each.value for each in readings.before}
    return frozenset(
        target_of(each.labels).pod
        for each in readings.after
        if target_of(each.labels) in block.restarted or each.value < before.get(series_key(each.labels), 0.0)
    ) | frozenset(target_of(each.labels).pod for each in readings.resets)


def counted_targets(*readings: Readings, started: Mapping[Target, float] | None = None) -> frozenset[Target]:
    """Return the targets to count: one job, the first by name, for each port of a pod that several jobs scrape.

    One process of a pod that is scraped at two ports, such as through a mesh that merges its metrics with its own, is
    counted at one of them: it tells the same start time at both.

    Args:
        readings: of the counters that are compared.
        started: start of the process behind a target, seconds since the epoch, where it is known.
    """
    found = first_jobs(target_of(each.labels) for one in readings for each in chain(one.before, one.after))
    processes: dict[tuple[str, object], Target] = {}
    for target in sorted(found):
        processes.setdefault((target.pod, (started or {}).get(target, target)), target)
    return frozenset(processes.values())


def first_jobs(targets: Iterable[Target]) -> frozenset[Target]:
    """Return one target for each port of a pod: that of the first job by name."""
    first: dict[tuple[str, str], Target] = {}
    for target in sorted(set(targets)):
        first.setdefault((target.pod, target.instance), target)
    return frozenset(first.values())


def count(block: Block, readings: Readings, counted: frozenset[Target], walks: Walks | None = None) -> Counted:
    """Count the increments of one counter in a block.

    A series that is gone at the end adds nothing. A pod with a series whose beginning is unknown, or with a value that
    is no count, is left out as a whole.

    Args:
        block: the block; ``block.before.scraped`` should have all targets of which any counter was seen by then.
        readings: the counter's samples at both ends.
        counted: the targets to count, from ``counted_targets``.
        walks: raw samples of the pods that ``pods_to_walk`` named.
    """
    walks = walks or Walks()
    before = {series_key(each.labels): each.value for each in readings.before}
    by_pod: dict[str, int] = {}
    left_out: dict[str, str] = {}
    for sample in readings.after:
        key, target = series_key(sample.labels), target_of(sample.labels)
        if target not in counted:
            continue
        origin = before.get(key)
        if not _is_count(sample.value) or (origin is not None and not _is_count(origin)):
            left_out[target.pod] = NO_NUMBER
        elif origin is None and not block.counts_from_zero(target):
            left_out.setdefault(target.pod, AGE_UNKNOWN)
        else:
            increment = _increment(block, origin, sample.value, walks.counters.get(key), walks.starts.get(target))
            by_pod[target.pod] = by_pod.get(target.pod, 0) + increment
    return Counted(by_pod={pod: n for pod, n in by_pod.items() if pod not in left_out}, left_out=left_out)


def added(parts: Sequence[Counted]) -> Counted:
    """Add counters of disjoint sets of cases; a pod that one of them left out is left out."""
    left_out = {pod: why for each in reversed(parts) for pod, why in each.left_out.items()}
    pods = {pod for each in parts for pod in each.by_pod} - left_out.keys()
    return Counted(by_pod={pod: sum(each.by_pod.get(pod, 0) for each in parts) for pod in pods}, left_out=left_out)


def pair(total: Counted, bad: Counted, *, bad_counts_more: bool = False) -> Rates:
    """Join a counter of all requests and one of the bad ones. A pod without bad ones has none.

    Args:
        total: of all.
        bad: of the bad ones.
        bad_counts_more: it also counts cases that are not in ``total``, so that of a block at most all are taken for
            bad; else a pod with more bad ones than there are is left out, because its counters do not belong together.
    """
    by_pod: dict[str, tuple[int, int]] = {}
    left_out = {**bad.left_out, **total.left_out}
    for pod in sorted((total.by_pod.keys() | bad.by_pod.keys()) - left_out.keys()):
        if bad_counts_more:
            whole = total.by_pod.get(pod, 0)
            by_pod[pod] = (whole, min(whole, bad.by_pod.get(pod, 0)))
        elif pod not in total.by_pod:
            left_out[pod] = WITHOUT_TOTAL
        elif bad.by_pod.get(pod, 0) > total.by_pod[pod]:
            left_out[pod] = BAD_ABOVE_TOTAL
        else:
            by_pod[pod] = (total.by_pod[pod], bad.by_pod.get(pod, 0))
    return Rates(by_pod=by_pod, left_out=left_out)


def failures(total: Counted, good: Counted) -> Rates:
    """Join a counter of all requests and one of those that went well; a pod without such ones has none.

    Both counters have to count what is over, so that they move together: the good ones of a preset are counted in the
    same breath as the total. A case that a scrape finds in between is bad in this block, and one good case too many,
    which is left aside, in the next: that many per scrape are charged for good. A total that counts when a request
    begins must not be given here, because all that is being answered would lie in between.
    """
    left_out = {**good.left_out, **total.left_out}
    left_out |= dict.fromkeys(good.by_pod.keys() - total.by_pod.keys() - left_out.keys(), WITHOUT_TOTAL)
    by_pod = {pod: (n, max(0, n - good.by_pod.get(pod, 0))) for pod, n in total.by_pod.items() if pod not in left_out}
    return Rates(by_pod=by_pod, left_out=left_out)


def with_lost(rates: Rates, lost: Mapping[str, int]) -> Rates:
    """Add cases that ended before any counter of what is over could see them, to all and to the bad ones.

    A pod of which nothing else is known has counted these alone.
    """
    more = {pod: n for pod, n in lost.items() if n > 0 and pod not in rates.left_out}
    known = {pod: rates.by_pod.get(pod, (0, 0)) for pod in sorted(rates.by_pod.keys() | more.keys())}
    return replace(
        rates, by_pod={pod: (n + more.get(pod, 0), bad + more.get(pod, 0)) for pod, (n, bad) in known.items()}
    )


def withheld(rates: Rates, pods: Iterable[str], why: str) -> Rates:
    """Return the rates without some pods, which are left out for a reason that goes before any other."""
    left_out = {**rates.left_out, **dict.fromkeys(pods, why)}
    return Rates(by_pod={pod: n for pod, n in rates.by_pod.items() if pod not in left_out}, left_out=left_out)


def complement(total: Counted, good: Counted) -> Rates:
    """Join the buckets of a histogram for all requests and for the good ones, which every pod has both."""
    bad = {pod: n - good.by_pod[pod] for pod, n in total.by_pod.items() if pod in good.by_pod}
    negative = {pod: BAD_ABOVE_TOTAL for pod, n in bad.items() if n < 0}
    missing = dict.fromkeys(total.by_pod.keys() ^ good.by_pod.keys(), WITHOUT_TOTAL)
    left_out = {**missing, **negative, **good.left_out, **total.left_out}
    return Rates(
        by_pod={pod: (total.by_pod[pod], n) for pod, n in bad.items() if pod not in left_out}, left_out=left_out
    )


def by_bucket(cumulative: Sequence[Counted]) -> Tallies:
    """Turn the counters of a histogram's buckets, each of all that is at or below its edge, into counts per bucket.

    Args:
        cumulative: by ascending edge; the last is that of all requests.
    """
    left_out = {pod: why for each in reversed(cumulative) for pod, why in each.left_out.items()}
    by_pod: dict[str, tuple[int, ...]] = {}
    for pod in sorted({pod for each in cumulative for pod in each.by_pod} - left_out.keys()):
        row = _steps([each.by_pod.get(pod) for each in cumulative])
        if row is None:
            left_out[pod] = WITHOUT_TOTAL if pod not in cumulative[-1].by_pod else NOT_CUMULATIVE
        else:
            by_pod[pod] = row
    return Tallies(by_pod=by_pod, left_out=left_out)


def by_category(counted: Sequence[Counted]) -> Tallies:
    """Put the counters of all categories side by side; a pod without one of them has counted none there."""
    left_out = {pod: why for each in reversed(counted) for pod, why in each.left_out.items()}
    pods = sorted({pod for each in counted for pod in each.by_pod} - left_out.keys())
    return Tallies(by_pod={pod: tuple(each.by_pod.get(pod, 0) for each in counted) for pod in pods}, left_out=left_out)


def steps_of(cumulative: Sequence[int]) -> tuple[int, ...] | None:
    """Return the differences of cumulative counts, None if one is negative."""
    row = tuple(upper - lower for lower, upper in pairwise((0, *cumulative)))
    return row if min(row, default=0) >= 0 else None


def _steps(cumulative: Sequence[int | None]) -> tuple[int, ...] | None:
    known = [each for each in cumulative if each is not None]
    return steps_of(known) if len(known) == len(cumulative) else None


def _increment(block: Block, origin: float | None, latest: float, track: Track | None, starts: Track | None) -> int:
    # Floors telescope; the floor of a difference would lose a fraction in every block.
    base = math.floor(origin or 0.0)
    if track is None:
        return math.floor(latest) - base if math.floor(latest) >= base else math.floor(latest)
    last_at = max((at for at, _ in track.points if at <= block.start), default=None)
    increment, previous = 0, base
    for at, value in track.points:
        if not block.start < at <= block.end or not _is_count(value):
            continue
        began_anew = math.floor(value) < previous or _is_replaced(starts, last_at, at)
        increment += math.floor(value) - (0 if began_anew else previous)
        previous, last_at = math.floor(value), at
    return increment


def _is_replaced(starts: Track | None, earlier: datetime | None, later: datetime) -> bool:
    """Tell whether two samples come from two processes, by the start times that were scraped with them.

    The later process must have started after the earlier sample, too: a clock that is set moves the start time of a
    process that lives on, and to take it for a new one would count all its requests again.
    """
    before, after = _start_at(starts, earlier), _start_at(starts, later)
    if earlier is None or before is None or after is None or abs(after - before) <= _START_JITTER_SECONDS:
        return False
    return after > earlier.timestamp() - _CLOCK_SKEW_SECONDS


def _start_at(starts: Track | None, at: datetime | None) -> float | None:
    if starts is None or at is None:
        return None
    index = bisect_right(starts.points, at, key=lambda point: point[0])
    return starts.points[index - 1][1] if index else None


def _is_count(value: float) -> bool:
    return math.isfinite(value) and value >= 0
