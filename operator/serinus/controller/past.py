"""Read how stable fared before a rollout: what the judge learns scatter and rates from.

Knows which signals learn and how far back is worth asking. Must not know what is learnt from it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from serinus.errors import BadQuery
from serinus.judge.measurements import HistogramMeasurement, Measurement, PairMeasurement, RateMeasurement, Tick
from serinus.prometheus.reader import Reader
from serinus.rollout.types import RolloutPlan, Signal, SignalKind
from serinus.signals import queries
from serinus.signals.counts import steps_of
from serinus.signals.legibility import is_legible, ways_to_tell
from serinus.signals.past import Rows, increments
from serinus.signals.placeholders import tells_sides_apart
from serinus.signals.presets import Counters, Distribution, Histogram
from serinus.signals.samples import BUCKET_LABEL, NAME_LABEL, Track
from serinus.signals.scope import BySide, Side
from serinus.signals.selectors import Selector
from serinus.signals.views import DRIFT_KINDS, RATE_KINDS, Views, counters_of, distributions_of, histogram_of

LONGEST = timedelta(minutes=30)
MOST_STEPS = 120
MOST_PODS = 16
MOST_SERIES = 800
"""Roughly, of one counter: with many buckets fewer pods are asked for."""


def read_past(plan: RolloutPlan, views: Views, model: str, reader: Reader) -> tuple[Tick, ...]:
    """Return stable's ticks of before the first block of an attempt, oldest first, one per interval of the plan.

    Half an hour of them, or 120 if the interval is shorter than 15 s. A signal whose history cannot be had has none.

    Args:
        plan: the frozen plan of the attempt.
        views: the presets that the two sides are read by.
        model: the name that the server knows the model by.
        reader: of the attempt's first block.

    Raises:
        MetricsUnavailable: Prometheus gives no usable answer.
    """
    found: dict[datetime, dict[str, Measurement]] = {}
    for signal in plan.signals:
        try:
            for at, measurement in _past_of(signal, views, model, reader, plan.interval):
                found.setdefault(at, {})[signal.name] = measurement
        except BadQuery as error:
            # The tick itself says what is wrong with the signal; an answer too large for Prometheus is no fault.
            reader.remarks.add(f"{signal.name}: nothing is learnt from before the rollout: {error.message}")
    return tuple(Tick(at=at, step=0, next_weight=100, measurements=found[at]) for at in sorted(found))


def _past_of(signal: Signal, views: Views, model: str, reader: Reader, step: timedelta) -> "_Measured":
    if signal.kind is SignalKind.COMPARISON and signal.query is not None:
        return _numbers(reader.past_values(signal.query, Side.STABLE, min(LONGEST, step * MOST_STEPS), step))
    if signal.kind in RATE_KINDS:
        return _past_of_counters(counters_of(signal, views, model).stable, reader, step)
    if signal.kind is SignalKind.LATENCY:
        return _past_of_buckets(signal, histogram_of(signal, views, model), reader, step)
    if signal.kind in DRIFT_KINDS:
        return _past_of_distribution(signal, distributions_of(signal, views), reader, step)
    return []


_Measured = Iterable[tuple[datetime, Measurement]]


def _past_of_counters(counters: Counters, reader: Reader, step: timedelta) -> _Measured:
    pods = _pods(counters.total, reader, MOST_PODS)
    length = min(LONGEST, step * MOST_STEPS)
    both = [reader.past(each, pods, length, step) for each in (counters.total, counters.good or counters.bad)]
    ways = ways_to_tell(counters)
    if not all(is_legible(each.labels, way) for each in both[0] if (way := ways.get(each.labels.get(NAME_LABEL, "")))):
        return []
    rows = increments(both, step)
    if counters.bad_counts_more:
        rows = {at: {pod: (n, min(n, bad)) for pod, (n, bad) in row.items()} for at, row in rows.items()}
    if not counters.good:
        return _rates(rows)
    # A request that is being answered at an instant of the grid has begun and has not gone well yet.
    bad = {at: {pod: (n, max(0, n - good)) for pod, (n, good) in row.items()} for at, row in rows.items()}
    return _rates(bad)


def _past_of_distribution(
    signal: Signal, choices: Sequence[BySide[Distribution]], reader: Reader, step: timedelta
) -> _Measured:
    """Ask for the distribution that is compared in the block."""
    chosen = choices[0] if len(choices) == 1 else next((each for each in choices if reader.has(each)), None)
    if chosen is None:
        return []
    if chosen.stable.buckets is not None and chosen.canary.buckets is not None:
        both = [
            Histogram(buckets=(each,), seconds_per_unit=1.0) for each in (chosen.canary.buckets, chosen.stable.buckets)
        ]
        return _past_of_buckets(signal, BySide(canary=both[0], stable=both[1]), reader, step)
    if chosen.stable.categories is None or chosen.stable.label is None:
        return []
    selectors, label = (chosen.stable.categories,), chosen.stable.label
    tracks = reader.past(selectors, _pods(selectors, reader, MOST_PODS), min(LONGEST, step * MOST_STEPS), step)
    names = tuple(sorted({track.labels.get(label, "") for track in tracks}))
    rows = increments(_apart(tracks, label, [(name,) for name in names]), step)
    return [(at, HistogramMeasurement(canary={}, stable=rows[at], categories=names)) for at in rows if names]


def _past_of_buckets(signal: Signal, histograms: BySide[Histogram], reader: Reader, step: timedelta) -> _Measured:
    """Ask for the buckets that are counted in the block, so that both have the same edges."""
    edges = None if signal.bound_seconds is None else reader.edge(histograms, signal.bound_seconds)
    shared = reader.buckets(histograms) if signal.bound_seconds is None else None
    buckets = None if shared is None else shared.stable
    groups: Sequence[Sequence[str]] = buckets.labels if buckets is not None and buckets.edges else ()
    if edges is not None:
        groups = (edges.stable.labels, edges.stable.infinite)
    if not any(groups):
        return []
    histogram = histograms.stable
    pods = _pods(histogram.buckets, reader, max(2, min(MOST_PODS, MOST_SERIES // len(groups))))
    chosen = queries.buckets_at(histogram.buckets, (label for labels in groups for label in labels))
    tracks = reader.past(chosen, pods, min(LONGEST, step * MOST_STEPS), step)
    past = {
        at: {pod: row for pod, sums in rows.items() if (row := steps_of(sums)) is not None}
        for at, rows in increments(_apart(tracks, BUCKET_LABEL, groups), step).items()
    }
    if buckets is None:
        return _rates({at: {pod: (sum(row), row[1]) for pod, row in rows.items()} for at, rows in past.items()})
    return [(at, HistogramMeasurement(canary={}, stable=rows, edges=buckets.edges)) for at, rows in past.items()]


def _pods(selectors: Sequence[Selector], reader: Reader, most: int) -> tuple[str, ...]:
    """Return pods that export stable's series: its own, or any where labels say whose they are."""
    pods = reader.pods_before(Side.STABLE, most)
    if any(map(tells_sides_apart, selectors)):
        pods += reader.pods_before(Side.CANARY, most - len(pods))
    return pods


def _rates(past: Mapping[datetime, Rows]) -> _Measured:
    for at, rows in past.items():
        stable = {pod: (total, bad) for pod, (total, bad) in rows.items() if bad <= total}
        yield at, RateMeasurement(canary={}, stable=stable)


def _numbers(tracks: Sequence[Track]) -> _Measured:
    """Return the numbers of a query that gives one; one that gives several is told at the tick itself."""
    for at, value in tracks[0].points if len(tracks) == 1 else ():
        yield at, PairMeasurement(canary=math.nan, stable=value)


def _apart(tracks: Iterable[Track], label: str, groups: Sequence[Sequence[str]]) -> list[list[Track]]:
    """Group series by the values of a label; what is in no group is dropped."""
    index = {value: i for i, values in enumerate(groups) for value in values}
    found: list[list[Track]] = [[] for _ in groups]
    for track in tracks:
        if (group := index.get(track.labels.get(label, ""))) is not None:
            found[group].append(track)
    return found
