"""Say before an attempt which of its signals could never be measured.

Knows presets and what stable's pods were seen to export. Must not know how that was asked for, or the cluster.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from serinus.rollout.types import Signal, SignalAction, SignalKind
from serinus.signals.capabilities import obstacle
from serinus.signals.presets import Preset, preset
from serinus.signals.recognition import needs_data
from serinus.signals.scope import Side
from serinus.signals.views import View, Views, described_by

INSTRUMENT = "instrument"
REQUEST_KINDS = frozenset({SignalKind.ERRORS, SignalKind.CLIENT_ERRORS, SignalKind.LATENCY})
"""Kinds that count requests, so that a pod with requests has to have counts of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What stable's pods were seen to export."""

    busy: bool = False
    """Requests were counted, so that what is not there is not merely late."""
    edges: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Per Latency signal: finite upper edges, ascending, in the metric's unit, that they all have."""
    silent: frozenset[str] = frozenset()
    """Signals of which nothing is there: drift, although the instrumentation is; a source, although requests are."""
    illegible: Mapping[str, str] = field(default_factory=dict)
    """Per signal whose series do not say which requests failed: what they lack and what to do."""
    models: tuple[str, ...] = ()
    """Names of models that the server counts requests of; given where it counts none of the wanted one."""


def obstacles(signals: Iterable[Signal], views: Views, model: str, evidence: Evidence | None = None) -> tuple[str, ...]:
    """Return why signals of a plan cannot be measured and what to do, one sentence each.

    A signal that is only observed holds up nothing, so that it is let through.

    Args:
        signals: of the plan.
        views: the presets that both sides will be read by.
        model: the name that the server knows the model by.
        evidence: None when Prometheus could not be asked; then only what no pod could export is refused.
    """
    found: dict[str, None] = {}
    # The same server has the same buckets, until its pods show others.
    alike = evidence is not None and views.canary.server == views.stable.server
    seen = {Side.STABLE: evidence, Side.CANARY: Evidence(edges=evidence.edges) if evidence and alike else None}
    for signal in signals:
        if signal.action is SignalAction.OBSERVE:
            continue
        for side in (Side.STABLE, Side.CANARY):
            why = _obstacle(signal, views.of(side), model, seen[side])
            if why is not None:
                found[f"signal {signal.name}: {why}"] = None
                break
    return tuple(found)


def _obstacle(signal: Signal, view: View, model: str, evidence: Evidence | None) -> str | None:
    seen = evidence or Evidence()
    # Instrumentation counts with the first prediction, so before there was one nothing is known of it.
    data = view.data if seen.busy else view.data or preset(INSTRUMENT)
    known = described_by(signal, view, model)
    why = obstacle(signal, known, data, seen.edges.get(signal.name)) or _unseen(signal, known, model, seen)
    if why is None and seen.busy and needs_data(signal) and signal.name in seen.silent:
        what = f"the feature {signal.feature!r}" if signal.feature else "the predictions"
        why = (
            f"stable's pods export nothing about {what}: check the name and the instrumentation, or give the signal "
            "its own metrics (let its action be Observe for the rollout that brings the instrumentation)"
        )
    return why


def _unseen(signal: Signal, known: Preset, model: str, seen: Evidence) -> str | None:
    """Return why the requests of stable, which there were, are not among what the signal counts."""
    if signal.name in seen.illegible:
        return f"the pods of stable {seen.illegible[signal.name]}"
    if signal.kind not in REQUEST_KINDS or signal.total is not None or signal.buckets is not None:
        return None
    if signal.source is not None and seen.busy and signal.name in seen.silent:
        where = f"port {known.metrics.port}, path {known.metrics.path}" if known.metrics else "its metrics port"
        return (
            f"stable's pods served requests, but export nothing of {known.runtime}: see whether the sidecar is there "
            f"and Prometheus scrapes it ({where}), or leave source out"
        )
    if signal.source is None and seen.models:
        names = ", ".join(seen.models)
        return (
            f"stable's server counts requests of {names}, and none of a model {model}: set spec.model.name to the name "
            "that the server knows"
        )
    return None
