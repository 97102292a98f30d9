"""Read one signal at a tick: which metrics it counts, what came back, and why there is nothing where there is nothing.

Knows presets, scopes and what the judge takes. Must not know ticks, evidence or the cluster.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from serinus import contract
from serinus.errors import BadQuery, BrokenInvariant
from serinus.judge.measurements import (
    HistogramMeasurement,
    Measurement,
    Missing,
    PairMeasurement,
    RateMeasurement,
    ValueMeasurement,
)
from serinus.prometheus.reader import Reader
from serinus.rollout.types import Signal, SignalKind
from serinus.signals.counts import NO_NUMBER, Targets
from serinus.signals.histogram import in_buckets
from serinus.signals.presets import Counters, Histogram, Preset
from serinus.signals.scope import Scope, Side
from serinus.signals.selectors import parse_selector

RATE_KINDS = frozenset({SignalKind.ERRORS, SignalKind.CLIENT_ERRORS, SignalKind.IMPLAUSIBLE, SignalKind.ACCURACY})
DRIFT_KINDS = frozenset({SignalKind.PREDICTION_DRIFT, SignalKind.FEATURE_DRIFT})

Row = TypeVar("Row", tuple[int, int], tuple[int, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalReading:
    """What was learnt about one signal."""

    measurement: Measurement
    note: str = ""
    """Belongs into the condition: it stays true from tick to tick."""
    left_out: Mapping[str, str]


def read_signal(signal: Signal, preset: Preset, scope: Scope, reader: Reader) -> SignalReading:
    """Read one signal.

    Args:
        signal: of the frozen plan.
        preset: of the runtime, with the model's name filled in.
        scope: the pods of both sides.
        reader: of the block.

    Raises:
        MetricsUnavailable: Prometheus gives no usable answer.
        BrokenInvariant: the signal lacks what its kind needs.
    """
    try:
        if signal.kind in RATE_KINDS:
            return _read_rate(signal, preset, scope, reader)
        if signal.kind in DRIFT_KINDS:
            return _read_drift(signal, preset, scope, reader)
        if signal.kind is SignalKind.LATENCY:
            return _read_latency(signal, preset, scope, reader)
        if signal.kind is SignalKind.COMPARISON:
            return _read_comparison(signal, reader)
        return _read_query(signal, reader)
    except BadQuery as error:
        return missing(contract.REASON_BAD_QUERY, error.message)


def missing(reason: str, message: str) -> SignalReading:
    """Return that a signal delivers nothing, and why."""
    return SignalReading(measurement=Missing(reason=reason, message=message), left_out={})


def counters_of(signal: Signal, preset: Preset) -> Counters:
    """Return the counters of a signal that counts bad requests: the user's own, else the preset's.

    Raises:
        BadQuery: the runtime has none.
    """
    known = preset.errors if signal.kind is SignalKind.ERRORS else None
    if signal.kind is SignalKind.CLIENT_ERRORS:
        known = preset.client_errors
    if signal.total is not None and signal.bad is not None:
        return Counters(total=(parse_selector(signal.total),), bad=(parse_selector(signal.bad),))
    if known is None:
        raise BadQuery(
            f"the runtime {preset.runtime} has no counters for signals of kind {signal.kind}: "
            "give the signal its own metrics"
        )
    return known


def histogram_of(signal: Signal, preset: Preset) -> Histogram:
    """Return the histogram of a signal: the user's own (Latency: in seconds), else the preset's of durations.

    Raises:
        BadQuery: the runtime has none.
    """
    if signal.buckets is not None:
        return Histogram(buckets=(parse_selector(signal.buckets),), seconds_per_unit=1.0)
    if preset.latency is None:
        raise BadQuery(f"the runtime {preset.runtime} has no histogram of durations: give the signal its own metrics")
    return preset.latency


def _read_rate(signal: Signal, preset: Preset, scope: Scope, reader: Reader) -> SignalReading:
    counters = counters_of(signal, preset)
    rates = reader.rates(counters.total, counters.bad)
    around = _Around(scope=scope, preset=preset, metric=counters.total[0].metric, targets=reader.targets)
    return _compare_rates(rates.by_pod, rates.left_out, around)


def _read_latency(signal: Signal, preset: Preset, scope: Scope, reader: Reader) -> SignalReading:
    histogram = histogram_of(signal, preset)
    around = _Around(scope=scope, preset=preset, metric=histogram.buckets[0].metric, targets=reader.targets)
    if signal.bound_seconds is None:
        return _read_histogram(signal, histogram, around, reader)
    rates, edge = reader.slow(histogram, signal.bound_seconds)
    return _compare_rates(rates.by_pod, rates.left_out, around, edge.note if edge else "")


def _read_drift(signal: Signal, preset: Preset, scope: Scope, reader: Reader) -> SignalReading:
    if signal.categories is not None and signal.label is not None:
        return _read_categories(signal, preset, scope, reader)
    if signal.buckets is None:
        raise BrokenInvariant(f"signal {signal.name} of kind {signal.kind} has no metrics")
    histogram = histogram_of(signal, preset)
    around = _Around(scope=scope, preset=preset, metric=histogram.buckets[0].metric, targets=reader.targets)
    return _read_histogram(signal, histogram, around, reader)


def _read_histogram(signal: Signal, histogram: Histogram, around: "_Around", reader: Reader) -> SignalReading:
    tallies, buckets = reader.histogram(histogram.buckets)
    if buckets is not None and not buckets.edges:
        return missing(
            contract.REASON_BUCKET_MISMATCH,
            f"the histograms {around.metric} of canary and stable have too few buckets in common: "
            "give both the same buckets",
        )
    reference = None
    if signal.reference is not None and buckets is not None:
        reference = in_buckets(signal.reference.counts, signal.reference.edges, buckets.edges)
        if reference is None:
            return missing(
                contract.REASON_BUCKET_MISMATCH,
                f"the histogram {around.metric} has buckets with other edges than the training reference: "
                "make the reference with the edges that the pods export",
            )
    sides = _sides(tallies.by_pod, tallies.left_out, around, (0,) * (len(buckets.edges) + 1 if buckets else 0))
    if isinstance(sides, SignalReading) or buckets is None:
        return sides if isinstance(sides, SignalReading) else _no_series(around)
    measurement = HistogramMeasurement(
        canary=sides[Side.CANARY],
        stable=sides[Side.STABLE],
        edges=tuple(edge * histogram.seconds_per_unit for edge in buckets.edges),
        reference=None if reference is None else tuple(reference),
    )
    return SignalReading(measurement=measurement, left_out=tallies.left_out)


def _read_categories(signal: Signal, preset: Preset, scope: Scope, reader: Reader) -> SignalReading:
    selector = parse_selector(signal.categories or "")
    tallies, names = reader.categories(selector, signal.label or "")
    around = _Around(scope=scope, preset=preset, metric=selector.metric, targets=reader.targets)
    sides = _sides(tallies.by_pod, tallies.left_out, around, (0,) * len(names))
    if isinstance(sides, SignalReading) or not names:
        return sides if isinstance(sides, SignalReading) else _no_series(around)
    trained = dict(zip(signal.reference.categories, signal.reference.counts, strict=True)) if signal.reference else {}
    categories = tuple(sorted({*names, *trained}))
    place = {name: i for i, name in enumerate(names)}

    def spread(row: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(row[place[name]] if name in place else 0 for name in categories)

    measurement = HistogramMeasurement(
        canary={pod: spread(row) for pod, row in sides[Side.CANARY].items()},
        stable={pod: spread(row) for pod, row in sides[Side.STABLE].items()},
        categories=categories,
        reference=tuple(trained.get(name, 0) for name in categories) if signal.reference else None,
    )
    return SignalReading(measurement=measurement, left_out=tallies.left_out)


def _read_query(signal: Signal, reader: Reader) -> SignalReading:
    value = _one_value(signal, reader, Side.CANARY)
    if isinstance(value, SignalReading):
        return value
    return SignalReading(measurement=ValueMeasurement(value=value), left_out={})


def _read_comparison(signal: Signal, reader: Reader) -> SignalReading:
    values = [_one_value(signal, reader, side) for side in (Side.CANARY, Side.STABLE)]
    numbers = [each for each in values if not isinstance(each, SignalReading)]
    if len(numbers) == len(values):
        return SignalReading(measurement=PairMeasurement(canary=numbers[0], stable=numbers[1]), left_out={})
    return next(each for each in values if isinstance(each, SignalReading))


def _one_value(signal: Signal, reader: Reader, side: Side) -> float | SignalReading:
    if signal.query is None:
        raise BrokenInvariant(f"signal {signal.name} of kind {signal.kind} has no query")
    values = reader.values(signal.query, side)
    whose = "the canary's pods" if side is Side.CANARY else "stable's pods"
    if not values:
        return missing(
            contract.REASON_NO_SERIES,
            f"the query gives nothing for {whose}: check the metric's name and that these pods are scraped",
        )
    if len(values) > 1:
        return missing(
            contract.REASON_BAD_QUERY,
            "the query gives several series, but has to give one number: put max(…) or sum(…) around it",
        )
    if not math.isfinite(values[0]):
        return missing(
            contract.REASON_NOT_A_NUMBER, f"the query gives {values[0]} for {whose}, which cannot be compared"
        )
    return values[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """What it takes to say why a side has no counts."""

    scope: Scope
    preset: Preset
    metric: str
    targets: Targets


def _compare_rates(
    by_pod: Mapping[str, tuple[int, int]], left_out: Mapping[str, str], around: _Around, note: str = ""
) -> SignalReading:
    sides = _sides(by_pod, left_out, around, (0, 0))
    if isinstance(sides, SignalReading):
        return sides
    measurement = RateMeasurement(canary=sides[Side.CANARY], stable=sides[Side.STABLE])
    return SignalReading(measurement=measurement, note=note, left_out=left_out)


def _sides(
    by_pod: Mapping[str, Row], left_out: Mapping[str, str], around: _Around, nothing: Row
) -> Mapping[Side, Mapping[str, Row]] | SignalReading:
    """Split counts by side; a side without any is explained, or has had no request."""
    sides: dict[Side, Mapping[str, Row]] = {}
    scope = around.scope
    for side in Side:
        counted = {pod: counts for pod, counts in by_pod.items() if scope.side_of(pod) is side}
        out = {pod: why for pod, why in left_out.items() if scope.side_of(pod) is side}
        scraped = {target.pod for target in around.targets.scraped if scope.side_of(target.pod) is side}
        if not counted and out:
            return replace(_nothing_countable(side, out), left_out=left_out)
        if not counted and not (scraped and by_pod):
            return missing(contract.REASON_NO_SERIES, _why_no_series(side, around))
        # A scraped pod without the metric, while others have it, has had no request yet.
        sides[side] = {**dict.fromkeys(sorted(scraped - out.keys()), nothing), **counted}
    return sides


def _no_series(around: _Around) -> SignalReading:
    return missing(contract.REASON_NO_SERIES, _why_no_series(Side.CANARY, around))


def _nothing_countable(side: Side, left_out: Mapping[str, str]) -> SignalReading:
    pod, why = sorted(left_out.items())[0]
    reason = contract.REASON_NOT_A_NUMBER if why == NO_NUMBER else contract.REASON_NO_BASELINE
    return missing(reason, f"no pod of {side} could be counted in this block; {pod}: {why}")


def _why_no_series(side: Side, around: _Around) -> str:
    scope, preset, metric = around.scope, around.preset, around.metric
    deployment = scope.canary if side is Side.CANARY else scope.stable
    pods = f"the pods of {side} ({scope.namespace}/{deployment})"
    where = f"port {preset.metrics.port}, path {preset.metrics.path}" if preset.metrics else "where they show metrics"
    if not any(scope.side_of(target.pod) is side for target in around.targets.known):
        return (
            f"Prometheus knows no series {metric} of {pods} and does not scrape them: select them in its scrape "
            f"configuration ({where}), which has to set the labels namespace and pod"
        )
    if not any(scope.side_of(target.pod) is side for target in around.targets.scraped):
        return f"Prometheus tries to scrape {pods} and fails: check that they serve metrics on {where}"
    return (
        f"{pods} are scraped, but export no {metric}: either no request has come yet, "
        "or the server counts under another name, which the signal's metrics can give"
    )
