"""Choose what a signal reads on each side: a person's own metrics, or those of the preset that describes the side.

Knows presets and kinds of signals. Must not know what is exported now, or how an answer is fetched.
"""

from dataclasses import dataclass

from serinus.errors import NoMetrics
from serinus.rollout.types import Signal, SignalKind
from serinus.signals.capabilities import data_source, obstacle
from serinus.signals.placeholders import FEATURE, filled
from serinus.signals.presets import Counters, Distribution, Histogram, Preset, preset, sources
from serinus.signals.scope import BySide
from serinus.signals.selectors import parse_selector

RATE_KINDS = frozenset({SignalKind.ERRORS, SignalKind.CLIENT_ERRORS, SignalKind.IMPLAUSIBLE, SignalKind.ACCURACY})
DRIFT_KINDS = frozenset({SignalKind.PREDICTION_DRIFT, SignalKind.FEATURE_DRIFT})


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The presets that one side is read by, with the model's name filled in."""

    server: Preset
    data: Preset | None = None
    """Of instrumentation beside the server's own metrics; None where none is seen."""


Views = BySide[View]


def counters_of(signal: Signal, views: Views, model: str) -> BySide[Counters]:
    """Return the counters of a signal that counts bad cases.

    Raises:
        NoMetrics: a side has none.
    """
    if signal.total is not None and signal.bad is not None:
        total = parse_selector(signal.total)
        # Which labels a person's own series have by right is not known: some have one on failures alone.
        own = Counters(total=(total,), bad=(parse_selector(signal.bad),), legible=(total,))
        return BySide(canary=own, stable=own)
    return views.mapped(lambda view: _counters(signal, view, model))


def histogram_of(signal: Signal, views: Views, model: str) -> BySide[Histogram]:
    """Return the histograms of durations of a signal: the user's own, in seconds, else the presets'.

    Raises:
        NoMetrics: a side has none.
    """
    if signal.buckets is not None:
        own = Histogram(buckets=(parse_selector(signal.buckets),), seconds_per_unit=1.0)
        return BySide(canary=own, stable=own)
    return views.mapped(lambda view: _durations(signal, view, model))


def distributions_of(signal: Signal, views: Views) -> tuple[BySide[Distribution], ...]:
    """Return what a drift signal may compare, best first: the first one that is exported counts.

    Sides of different servers are compared where both have a distribution of the same form.

    Raises:
        NoMetrics: there is none.
    """
    if signal.buckets is not None:
        own = Distribution(buckets=parse_selector(signal.buckets))
        return (BySide(canary=own, stable=own),)
    if signal.categories is not None and signal.label is not None:
        own = Distribution(categories=parse_selector(signal.categories), label=signal.label)
        return (BySide(canary=own, stable=own),)
    canary, stable = (_distributions(signal, view) for view in (views.canary, views.stable))
    if canary == stable:
        return tuple(BySide(canary=each, stable=each) for each in canary)
    return tuple(
        BySide(canary=one, stable=other)
        for one in canary
        for other in stable
        if (one.buckets is None) == (other.buckets is None)
    )


def described_by(signal: Signal, view: View, model: str) -> Preset:
    """Return the preset of requests: the server's, or that of the view from outside which the signal names.

    Raises:
        NoMetrics: a plan that another version froze names a view that is not known here.
    """
    if signal.source is None:
        return view.server
    if signal.source not in sources():
        raise NoMetrics(
            f"the source {signal.source} is not known to this version of the operator, which knows "
            f"{', '.join(sources())}: abort this attempt, and mend the signal"
        )
    return preset(signal.source).bound_to(model)


def _counters(signal: Signal, view: View, model: str) -> Counters:
    if signal.kind in (SignalKind.IMPLAUSIBLE, SignalKind.ACCURACY):
        known = data_source(signal.kind, view.server, view.data) or view.server
        found = known.implausible if signal.kind is SignalKind.IMPLAUSIBLE else known.accuracy
    else:
        known = described_by(signal, view, model)
        found = known.errors if signal.kind is SignalKind.ERRORS else known.client_errors
    if found is None:
        raise _impossible(signal, known, view)
    return found


def _durations(signal: Signal, view: View, model: str) -> Histogram:
    known = described_by(signal, view, model)
    if known.latency is None:
        raise _impossible(signal, known, view)
    return known.latency


def _distributions(signal: Signal, view: View) -> tuple[Distribution, ...]:
    known = data_source(signal.kind, view.server, view.data)
    if known is None:
        raise _impossible(signal, view.server, view)
    found = known.predictions if signal.kind is SignalKind.PREDICTION_DRIFT else known.features
    return tuple(_of_feature(one, signal.feature or "") for one in found)


def _of_feature(distribution: Distribution, feature: str) -> Distribution:
    return distribution.mapped(lambda selector: filled(selector, {FEATURE: feature}))


def _impossible(signal: Signal, known: Preset, view: View) -> NoMetrics:
    why = obstacle(signal, known, view.data)
    return NoMetrics(
        why or f"{known.runtime} has no metrics for signals of kind {signal.kind}: give it its own metrics"
    )
