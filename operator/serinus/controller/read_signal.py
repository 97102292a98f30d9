"""Read one signal at a tick: which metrics it counts, what came back, and why there is nothing where there is nothing.

Knows presets, scopes and what the judge takes. Must not know ticks, evidence or the cluster.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from serinus import contract
from serinus.errors import BadQuery, BrokenInvariant, NoMetrics
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
from serinus.signals.counts import ILLEGIBLE, NO_NUMBER, Rates, Targets
from serinus.signals.legibility import why_illegible
from serinus.signals.naming import divide_alike, in_groups
from serinus.signals.placeholders import tells_sides_apart
from serinus.signals.presets import Distribution, Histogram, Preset
from serinus.signals.scope import BySide, Scope, Side
from serinus.signals.selectors import Selector
from serinus.signals.training import Trained, fitted, read_training
from serinus.signals.views import (
    DRIFT_KINDS,
    RATE_KINDS,
    Views,
    counters_of,
    described_by,
    distributions_of,
    histogram_of,
)

CLOCKS_DIFFER = timedelta(minutes=1)
"""So far may the clock of what computes a value be ahead of Prometheus'."""

Row = TypeVar("Row", tuple[int, int], tuple[int, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalReading:
    """What was learnt about one signal."""

    measurement: Measurement
    note: str = ""
    """Belongs into the condition: it stays true from tick to tick."""
    left_out: Mapping[str, str]
    unseen: str = ""
    """What the canary's pods do not export although stable's do; empty if both do."""


def read_signal(signal: Signal, views: Views, scope: Scope, reader: Reader) -> SignalReading:
    """Read one signal.

    Args:
        signal: of the frozen plan.
        views: the presets that the two sides are read by.
        scope: the pods of both sides.
        reader: of the block.

    Raises:
        MetricsUnavailable: Prometheus gives no usable answer.
        BrokenInvariant: the signal lacks what its kind needs.
    """
    try:
        if signal.kind in RATE_KINDS:
            return _read_rate(signal, views, scope, reader)
        if signal.kind in DRIFT_KINDS:
            return _read_drift(signal, views, scope, reader)
        if signal.kind is SignalKind.LATENCY:
            return _read_latency(signal, views, scope, reader)
        if signal.kind is SignalKind.COMPARISON:
            return _read_comparison(signal, reader)
        return _read_query(signal, reader)
    except NoMetrics as error:
        return missing(contract.REASON_NO_SERIES, error.message)
    except BadQuery as error:
        return missing(contract.REASON_BAD_QUERY, error.message)


def missing(reason: str, message: str) -> SignalReading:
    """Return that a signal delivers nothing, and why."""
    return SignalReading(measurement=Missing(reason=reason, message=message), left_out={})


def _read_rate(signal: Signal, views: Views, scope: Scope, reader: Reader) -> SignalReading:
    counters = counters_of(signal, views, scope.model)
    around = _around(counters.mapped(lambda of: of.total[0]), _described(signal, views, scope), scope, reader)
    rates = reader.rates(counters)
    for side in Side:
        if ILLEGIBLE in rates.of(side).left_out.values():
            why = f"the pods of {side} {why_illegible(counters.of(side))}"
            out = {**rates.stable.left_out, **rates.canary.left_out}
            return replace(missing(contract.REASON_SIGNAL_IMPOSSIBLE, why), left_out=out)
    return _compare_rates(rates, around)


def _read_latency(signal: Signal, views: Views, scope: Scope, reader: Reader) -> SignalReading:
    histograms = histogram_of(signal, views, scope.model)
    around = _around(histograms.mapped(lambda of: of.buckets[0]), _described(signal, views, scope), scope, reader)
    if signal.bound_seconds is None:
        return _read_histogram(Trained(), histograms, around, reader)
    rates, edge = reader.slow(histograms, signal.bound_seconds)
    return _compare_rates(rates, around, edge.note if edge else "")


def _read_drift(signal: Signal, views: Views, scope: Scope, reader: Reader) -> SignalReading:
    choices = distributions_of(signal, views)
    if not choices:
        return missing(
            contract.REASON_BUCKET_MISMATCH,
            "canary and stable are read by servers that export this in two forms, which cannot be compared: "
            "give the signal metrics that both export",
        )
    chosen = choices[0] if len(choices) == 1 else next((each for each in choices if reader.has(each)), choices[0])
    around = _around(chosen.mapped(_selector), views.mapped(lambda of: of.server), scope, reader)
    trained = _trained(signal, chosen.stable, reader)
    if chosen.canary.buckets is None:
        return _read_categories(trained, chosen, around, reader)
    histograms = chosen.mapped(lambda of: Histogram(buckets=(_selector(of),), seconds_per_unit=1.0))
    return _read_histogram(trained, histograms, around, reader)


def _trained(signal: Signal, stable: Distribution, reader: Reader) -> Trained:
    if signal.reference is not None or stable.training is None:
        return Trained(reference=signal.reference, given=signal.reference is not None)
    return read_training(reader.training(stable.training), stable.label)


def _selector(distribution: Distribution) -> Selector:
    selector = distribution.buckets or distribution.categories
    if selector is None:
        raise BrokenInvariant("a distribution has neither buckets nor categories")
    return selector


def _read_histogram(
    trained: Trained, histograms: BySide[Histogram], around: "_Around", reader: Reader
) -> SignalReading:
    tallies, buckets = reader.histogram(histograms)
    metric = around.metric.canary
    if buckets is not None and not buckets.edges:
        return missing(
            contract.REASON_BUCKET_MISMATCH,
            f"the histograms {metric} of canary and stable have too few buckets in common: give both the same buckets",
        )
    reference, note = None, trained.note
    if trained.reference is not None and buckets is not None:
        reference, note = fitted(trained, trained.reference, buckets.edges)
        if reference is None and trained.given:
            return missing(
                contract.REASON_BUCKET_MISMATCH,
                f"the histogram {metric} has buckets with other edges than the training reference: "
                "make the reference with the edges that the pods export",
            )
    nothing = (0,) * (len(buckets.edges) + 1 if buckets else 0)
    counts = tallies.mapped(lambda of: (of.by_pod, of.left_out))
    sides = _sides(counts, around, nothing)
    if isinstance(sides, SignalReading) or buckets is None:
        return sides if isinstance(sides, SignalReading) else _no_series(around)
    measurement = HistogramMeasurement(
        canary=sides.canary,
        stable=sides.stable,
        edges=buckets.edges,
        reference=None if reference is None else tuple(reference),
    )
    return SignalReading(
        measurement=measurement,
        note=note,
        left_out=_left_out(counts),
        unseen=_unseen(counts.canary[0], around),
    )


def _read_categories(
    trained: Trained, wanted: BySide[Distribution], around: "_Around", reader: Reader
) -> SignalReading:
    reference = trained.reference
    if reference is not None and reference.edges:
        return missing(
            contract.REASON_BUCKET_MISMATCH,
            f"the training reference has edges, but {around.metric.canary} counts categories: "
            "make the reference with categories",
        )
    tallies, names, named = reader.categories(wanted)
    if not divide_alike(named):
        whose = "canary" if in_groups(named.canary) else "stable"
        return missing(
            contract.REASON_BUCKET_MISMATCH,
            f"the pods of {whose} count {around.metric.canary} in groups, because nothing is declared there, and the "
            "other side by name, which cannot be compared: give both the same training profile, or let this signal "
            "only observe in this rollout",
        )
    if reference is not None and in_groups(names) and not in_groups(reference.categories):
        return missing(
            contract.REASON_BUCKET_MISMATCH,
            f"the training reference has names, but {around.metric.canary} counts in groups: "
            "give the servers the profile that the reference is made of",
        )
    counts = tallies.mapped(lambda of: (of.by_pod, of.left_out))
    sides = _sides(counts, around, (0,) * len(names))
    if isinstance(sides, SignalReading) or not names:
        return sides if isinstance(sides, SignalReading) else _no_series(around)
    learnt = dict(zip(reference.categories, reference.counts, strict=True)) if reference else {}
    categories = tuple(sorted({*names, *learnt}))
    place = {name: i for i, name in enumerate(names)}

    def spread(row: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(row[place[name]] if name in place else 0 for name in categories)

    measurement = HistogramMeasurement(
        canary={pod: spread(row) for pod, row in sides.canary.items()},
        stable={pod: spread(row) for pod, row in sides.stable.items()},
        categories=categories,
        reference=tuple(learnt.get(name, 0) for name in categories) if reference else None,
    )
    return SignalReading(
        measurement=measurement,
        note=trained.note,
        left_out=_left_out(counts),
        unseen=_unseen(counts.canary[0], around),
    )


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
    return _too_old(signal, reader, side, whose) or values[0]


def _too_old(signal: Signal, reader: Reader, side: Side, whose: str) -> SignalReading | None:
    """Return what to say of a value that nobody computed lately: detectors keep their last one for ever."""
    if signal.max_age_seconds is None:
        return None
    age, longest = reader.age(signal, side), f"maxAge is {signal.max_age_seconds:g} s"
    if age is None:
        why = "nobody can tell when the value was computed" if signal.updated else "its newest sample is older"
        return missing(contract.REASON_STALE_VALUE, f"for {whose} {why}; {longest}: check what computes it")
    if age < -max(CLOCKS_DIFFER, timedelta(seconds=signal.max_age_seconds)):
        ahead = "lies in the future: let updated give seconds (divide milliseconds by 1000), or set the clock"
        return missing(contract.REASON_STALE_VALUE, f"the time at which the value for {whose} was computed {ahead}")
    if age.total_seconds() > signal.max_age_seconds:
        told = f"the value for {whose} was computed {age.total_seconds():.0f} s ago; {longest}: check what computes it"
        return missing(contract.REASON_STALE_VALUE, told)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """What it takes to say why a side has no counts."""

    scope: Scope
    presets: BySide[Preset]
    metric: BySide[str]
    by_label: bool
    """The series say by their labels whose they are, and pods of both sides may export them."""
    is_pinned: bool
    """The canary's series are those of one model in the server."""
    targets: Targets


def _described(signal: Signal, views: Views, scope: Scope) -> BySide[Preset]:
    return views.mapped(lambda of: described_by(signal, of, scope.model))


def _around(selectors: BySide[Selector], presets: BySide[Preset], scope: Scope, reader: Reader) -> _Around:
    return _Around(
        scope=scope,
        presets=presets,
        metric=selectors.mapped(lambda of: of.metric),
        by_label=tells_sides_apart(selectors.canary),
        is_pinned=any(each.value == scope.model for each in selectors.canary.matchers),
        targets=reader.targets,
    )


_Counts = tuple[Mapping[str, Row], Mapping[str, str]]


def _left_out(found: BySide[_Counts[Row]]) -> Mapping[str, str]:
    return {**found.stable[1], **found.canary[1]}


def _compare_rates(rates: BySide[Rates], around: _Around, note: str = "") -> SignalReading:
    counts = rates.mapped(lambda of: (of.by_pod, of.left_out))
    sides = _sides(counts, around, (0, 0))
    if isinstance(sides, SignalReading):
        return sides
    measurement = RateMeasurement(canary=sides.canary, stable=sides.stable)
    return SignalReading(
        measurement=measurement, note=note, left_out=_left_out(counts), unseen=_unseen(counts.canary[0], around)
    )


def _sides(found: BySide[_Counts[Row]], around: _Around, nothing: Row) -> BySide[Mapping[str, Row]] | SignalReading:
    """Return the counts of both sides; a side without any is explained, or has had no request."""
    sides: dict[Side, Mapping[str, Row]] = {}
    anybody = bool(found.canary[0] or found.stable[0])
    same = around.metric.canary == around.metric.stable
    for side in Side:
        counted, out = found.of(side)
        scraped = {target.pod for target in around.targets.scraped if _may_export(target.pod, side, around)}
        if not counted and out:
            return replace(_nothing_countable(side, out), left_out=_left_out(found))
        # What the other side exports under another name proves nothing about this one's.
        if not counted and not (scraped and anybody and same):
            return missing(contract.REASON_NO_SERIES, _why_no_series(side, around))
        # A scraped pod without the metric, while others have it, has had no request yet.
        sides[side] = {**dict.fromkeys(sorted(scraped - out.keys()), nothing), **counted}
    return BySide(canary=sides[Side.CANARY], stable=sides[Side.STABLE])


def _unseen(counted: Mapping[str, object], around: _Around) -> str:
    """Return the canary's metric if none of its pods has it."""
    whose = f" of the model {around.scope.model}" if around.is_pinned else ""
    return "" if counted else f"{around.metric.canary}{whose}"


def _may_export(pod: str, side: Side, around: _Around) -> bool:
    whose = around.scope.side_of(pod)
    return whose is not None and (around.by_label or whose is side)


def _no_series(around: _Around) -> SignalReading:
    return missing(contract.REASON_NO_SERIES, _why_no_series(Side.CANARY, around))


def _nothing_countable(side: Side, left_out: Mapping[str, str]) -> SignalReading:
    pod, why = sorted(left_out.items())[0]
    reason = contract.REASON_NOT_A_NUMBER if why == NO_NUMBER else contract.REASON_NO_BASELINE
    return missing(reason, f"no pod of {side} could be counted in this block; {pod}: {why}")


def _why_no_series(side: Side, around: _Around) -> str:
    scope, metric, known = around.scope, around.metric.of(side), around.presets.of(side)
    deployment = scope.canary if side is Side.CANARY else scope.stable
    pods = f"the pods of {side} ({scope.namespace}/{deployment})"
    where = "their metrics port"
    if known.metrics is not None:
        where = f"port {known.metrics.port}, path {known.metrics.path}"
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
