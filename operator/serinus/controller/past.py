"""Read how stable fared before a rollout: what the judge learns scatter and rates from.

Knows which signals learn and how far back is worth asking. Must not know what is learnt from it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from serinus.controller.read_signal import RATE_KINDS, counters_of, histogram_of
from serinus.errors import BadQuery
from serinus.judge.measurements import HistogramMeasurement, Measurement, PairMeasurement, RateMeasurement, Tick
from serinus.prometheus.reader import Reader
from serinus.rollout.types import RolloutPlan, Signal, SignalKind
from serinus.signals import queries
from serinus.signals.counts import steps_of
from serinus.signals.past import Rows, increments
from serinus.signals.presets import Histogram, Preset
from serinus.signals.samples import BUCKET_LABEL, Track
from serinus.signals.scope import Side
from serinus.signals.selectors import parse_selector

LONGEST = timedelta(minutes=30)
MOST_STEPS = 120
MOST_PODS = 16
MOST_SERIES = 800
"""Roughly, of one counter: with many buckets fewer pods are asked for."""


def read_past(plan: RolloutPlan, preset: Preset, reader: Reader) -> tuple[Tick, ...]:
    """Return stable's ticks of before the first block of an attempt, oldest first, one per interval of the plan.

    Half an hour of them, or 120 if the interval is shorter than 15 s. A signal whose history cannot be had has none.

    Args:
        plan: the frozen plan of the attempt.
        preset: of the runtime, with the model's name filled in.
        reader: of the attempt's first block.

    Raises:
        MetricsUnavailable: Prometheus gives no usable answer.
    """
    found: dict[datetime, dict[str, Measurement]] = {}
    for signal in plan.signals:
        try:
            for at, measurement in _past_of(signal, preset, reader, plan.interval):
                found.setdefault(at, {})[signal.name] = measurement
        except BadQuery as error:
            # The tick itself says what is wrong with the signal; an answer too large for Prometheus is no fault.
            reader.remarks.add(f"{signal.name}: nothing is learnt from before the rollout: {error.message}")
    return tuple(Tick(at=at, step=0, next_weight=100, measurements=found[at]) for at in sorted(found))


def _past_of(signal: Signal, preset: Preset, reader: Reader, step: timedelta) -> "_Measured":
    length = min(LONGEST, step * MOST_STEPS)
    if signal.kind is SignalKind.COMPARISON and signal.query is not None:
        return _numbers(reader.past_values(signal.query, Side.STABLE, length, step))
    if signal.kind in RATE_KINDS:
        counters, pods = counters_of(signal, preset), reader.pods_before(Side.STABLE, MOST_PODS)
        both = [reader.past(each, pods, length, step) for each in (counters.total, counters.bad)]
        return _rates(increments(both, step))
    if signal.kind is SignalKind.LATENCY or signal.buckets is not None:
        return _past_of_buckets(signal, histogram_of(signal, preset), reader, step)
    if signal.categories is not None and signal.label is not None:
        pods = reader.pods_before(Side.STABLE, MOST_PODS)
        tracks = reader.past((parse_selector(signal.categories),), pods, length, step)
        names = tuple(sorted({track.labels.get(signal.label, "") for track in tracks}))
        rows = increments(_apart(tracks, signal.label, [(name,) for name in names]), step)
        return [(at, HistogramMeasurement(canary={}, stable=rows[at], categories=names)) for at in rows if names]
    return []


_Measured = Iterable[tuple[datetime, Measurement]]


def _past_of_buckets(signal: Signal, histogram: Histogram, reader: Reader, step: timedelta) -> _Measured:
    """Ask for the buckets that are counted in the block, so that both have the same edges."""
    edge = None if signal.bound_seconds is None else reader.edge(histogram, signal.bound_seconds)
    buckets = reader.buckets(histogram.buckets) if signal.bound_seconds is None else None
    groups: Sequence[Sequence[str]] = buckets.labels if buckets is not None and buckets.edges else ()
    if edge is not None:
        groups = (edge.labels, edge.infinite)
    if not groups:
        return []
    pods = reader.pods_before(Side.STABLE, max(2, min(MOST_PODS, MOST_SERIES // len(groups))))
    chosen = queries.buckets_at(histogram.buckets, (label for labels in groups for label in labels))
    tracks = reader.past(chosen, pods, min(LONGEST, step * MOST_STEPS), step)
    past = {
        at: {pod: row for pod, sums in rows.items() if (row := steps_of(sums)) is not None}
        for at, rows in increments(_apart(tracks, BUCKET_LABEL, groups), step).items()
    }
    if buckets is None:
        return _rates({at: {pod: (sum(row), row[1]) for pod, row in rows.items()} for at, rows in past.items()})
    edges = tuple(each * histogram.seconds_per_unit for each in buckets.edges)
    return [(at, HistogramMeasurement(canary={}, stable=rows, edges=edges)) for at, rows in past.items()]


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
