"""Say which signals a server cannot give, and what to do: before traffic moves, not in the middle of a rollout.

Knows presets and what kinds of signals need. Must not know how anything is measured, pods or Prometheus.
"""

from serinus.rollout.types import Signal, SignalKind
from serinus.signals.preset import Preset

_REQUESTS = {
    SignalKind.ERRORS: "errors",
    SignalKind.CLIENT_ERRORS: "client_errors",
    SignalKind.LATENCY: "latency",
}
_DATA = {
    SignalKind.PREDICTION_DRIFT: "predictions",
    SignalKind.FEATURE_DRIFT: "features",
    SignalKind.IMPLAUSIBLE: "implausible",
    SignalKind.ACCURACY: "accuracy",
}
_WORDS = {
    SignalKind.PREDICTION_DRIFT: "what the model predicts",
    SignalKind.FEATURE_DRIFT: "the model's inputs",
    SignalKind.IMPLAUSIBLE: "implausible predictions",
    SignalKind.ACCURACY: "right and wrong predictions",
}
_SAME = 1e-9
_BRINGING = " (stable has to have it, too, so let the signal's action be Observe for the rollout that brings it)"


def obstacle(
    signal: Signal,
    server: Preset,
    data: Preset | None = None,
    exported_edges: tuple[float, ...] | None = None,
    one_service: bool = True,
) -> str | None:
    """Return why a signal cannot be measured and what to do, None if it can.

    Args:
        signal: of the plan. Its own metrics always win over a preset's.
        server: the preset that errors and durations are read with: the server's, or the view from outside that the
            signal names as its source.
        data: the preset of instrumentation that the pods export, None if none was seen.
        exported_edges: for Latency: finite upper edges, ascending, in the metric's unit, that stable's pods really
            export; None if nothing was seen, then the preset's are taken.
        one_service: whether both sides stand behind one Service, as they do with ``traffic.split: Replicas``.
    """
    if signal.kind in (SignalKind.QUERY, SignalKind.COMPARISON):
        return None
    if signal.kind is SignalKind.LATENCY and signal.buckets is not None:
        return _bound_obstacle(signal, exported_edges or (), 1.0, signal.buckets)
    if signal.total is not None or signal.buckets is not None or signal.categories is not None:
        return None
    if signal.kind in _DATA:
        return _data_obstacle(signal, server, data)
    if merged := _merged(server, one_service):
        return merged
    part = _REQUESTS[signal.kind]
    if getattr(server, part) is None:
        why = getattr(server.absent, part) or "its metrics do not show them"
        return f"{server.runtime} cannot give a signal of kind {signal.kind}: {why}"
    if signal.kind is not SignalKind.LATENCY or server.latency is None:
        return None
    histogram = server.latency
    known = () if histogram.configurable else histogram.edges
    edges = known if exported_edges is None else exported_edges
    return _bound_obstacle(signal, edges, histogram.seconds_per_unit, histogram.buckets[0].metric)


def data_source(kind: SignalKind, server: Preset, data: Preset | None) -> Preset | None:
    """Return the preset that a signal about data is read with: the server's own if it has any, else the data's."""
    part = _DATA[kind]
    return next((each for each in (server, data) if each is not None and getattr(each, part)), None)


def _data_obstacle(signal: Signal, server: Preset, data: Preset | None) -> str | None:
    if data_source(signal.kind, server, data) is not None:
        return None
    return (
        f"{server.runtime} does not export {_WORDS[signal.kind]}, and no metric of serinus-instrument is seen: "
        f"wrap the model with serinus-instrument, or give the signal its own metrics{_BRINGING}"
    )


def _merged(preset: Preset, one_service: bool) -> str | None:
    if preset.separates in (None, "pods") or (preset.separates in ("service", "backend") and not one_service):
        return None
    how = {
        "service": "by Service, and with traffic.split: Replicas both sides stand behind one",
        "backend": "by backend, and with traffic.split: Replicas both sides are one",
        "nothing": "not at all, because it counts all backends of a rule together",
    }[preset.separates or "nothing"]
    return (
        f"the source {preset.runtime} tells canary and stable apart {how}: leave source out, so that the pods' own "
        "metrics are read, or take a view from within the pods, such as istio or linkerd"
    )


def _bound_obstacle(signal: Signal, edges: tuple[float, ...], seconds_per_unit: float, metric: str) -> str | None:
    if signal.bound_seconds is None or not edges:
        return None
    smallest, largest = edges[0] * seconds_per_unit, edges[-1] * seconds_per_unit
    if signal.bound_seconds > largest * (1 + _SAME):
        return (
            f"the bound {signal.bound_seconds:g} s is above the largest finite bucket of {metric}, {largest:g} s, so "
            f"nobody can tell how many requests were slower: set the bound to {largest:g} s or less, or give the "
            f"server larger buckets{_BRINGING}"
        )
    if signal.bound_seconds < smallest * (1 - _SAME):
        return (
            f"the bound {signal.bound_seconds:g} s is below the smallest bucket of {metric}, {smallest:g} s: set the "
            "bound to a bucket's edge, or give the server smaller buckets"
        )
    return None
