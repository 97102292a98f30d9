"""Write docs/presets.md from the presets: what is known about each server, and what it cannot give."""

from collections.abc import Iterable, Iterator, Mapping

from serinus.signals.preset import Counters, Distribution, Histogram, Preset
from serinus.signals.presets import all_presets

HOW = {
    "real": "a test runs it, sends a known mix of requests and compares the counts",
    "recorded": "a recorded exposition of the real server is counted by a test",
    "documented": "an exposition written after the source or the documentation is counted by a test; "
    "the server itself was not run",
}
SHORT = {"real": "real server", "recorded": "recorded", "documented": "documented only"}
SEPARATES = {
    "pods": "yes: it stands in the pod",
    "service": "by Service, so not with `traffic.split: Replicas`",
    "backend": "by backend, so not with `traffic.split: Replicas`",
    "nothing": "no",
}
INTRO = """\
What Serinus knows about model servers: one file of data per server and range of versions in
`operator/serinus/signals/presets/`, each tested against expositions of the server with a known mix of requests
(`tests/data/expositions/`). How to add one: [CONTRIBUTING](../CONTRIBUTING.md#a-new-server).

**How one is chosen.** `spec.runtime` names it; it gives the pods their port, readiness probe and scrape annotations
where the template has none. Before the first rollout Serinus asks Prometheus what stable's pods really export, and
reads each side, stable and canary, by the preset that its own pods show: so a server that renamed its metrics in a new
version is compared rightly with its predecessor. Of a family (`fastapi`, `knative`, `opentelemetry`, `vllm`) the
generation that is seen is taken. `generic`, the default, fits any HTTP server with the usual names, and gives way to
any more telling preset that is seen.

**What is refused before traffic moves.** If the declared runtime's metrics are absent while another server's are
there; if a signal needs what the server does not export (a `Latency` bound above the last bucket, `Latency` of a server
that has only a mean, drift without instrumentation); if a `source` cannot tell the sides apart. The reason says what to
do. A signal's own `metrics` always win over a preset.

Errors are what the server failed at: statuses 5xx, or what its counters call a failure. What a client sent wrong is
`ClientErrors`, and a client that went away counts as neither where the server tells it apart. Health checks are left
out as far as the server names them. A histogram's *largest bucket* is the longest bound that a `Latency` signal can
have; with "by default" the server's settings can change it. Where *versions* begin is taken from sources and release
notes; what was looked at, and how, stands with each of them below.
"""


def page() -> str:
    """Return the whole page below its heading."""
    known = tuple(all_presets().values())
    chapters = "".join(f"\n## {each.runtime}\n\n{_details(each)}" for each in known)
    return INTRO + _servers(known) + _outside(known) + _data(known) + chapters


def _servers(known: Iterable[Preset]) -> str:
    head = ("`spec.runtime`", "versions", "Errors", "ClientErrors", "Latency, largest bucket", "tested")
    rows = (
        (
            _names(each),
            each.versions,
            _way(each.errors),
            _way(each.client_errors),
            _largest(each.latency),
            SHORT[each.tested.how],
        )
        for each in known
        if each.kind == "server"
    )
    return "\n## Servers\n\n" + _table(head, rows)


def _outside(known: Iterable[Preset]) -> str:
    words = "`source` of a signal of kind `Errors`, `ClientErrors` or `Latency` names one of these.\n\n"
    head = ("`source`", "versions", "tells the sides apart", "Latency, largest bucket", "tested")
    rows = (
        (
            _names(each),
            each.versions,
            SEPARATES[each.separates or "nothing"],
            _largest(each.latency),
            SHORT[each.tested.how],
        )
        for each in known
        if each.kind == "outside"
    )
    return "\n## Traffic seen from outside\n\n" + words + _table(head, rows)


def _data(known: Iterable[Preset]) -> str:
    words = (
        "These read what a server exports about its predictions, else what `serinus-instrument` around the model "
        "exports.\n\n"
    )
    head = ("from", "PredictionDrift", "FeatureDrift", "Implausible", "Accuracy")
    rows = (
        (
            _names(each),
            _spread(each.predictions),
            _spread(each.features),
            _way(each.implausible),
            _way(each.accuracy),
        )
        for each in known
        if each.predictions or each.features or each.implausible or each.accuracy
    )
    return "\n## Signals from data\n\n" + words + _table(head, rows)


def _details(preset: Preset) -> str:
    return "\n".join((f"{preset.summary}, versions {preset.versions}.", "", *_facts(preset), *_counters(preset), ""))


def _facts(preset: Preset) -> Iterator[str]:
    yield f"- Recognised by {_codes(preset.recognised.metrics)}."
    if preset.recognised.images:
        yield f"- Usual images, by which nothing is recognised: {_codes(preset.recognised.images)}."
    if preset.serving is not None:
        serving = preset.serving
        port = f"the container's first port, else {serving.port}" if serving.any_port else f"port {serving.port}"
        ready = (
            f"ready when `{serving.readiness_path}` answers"
            if serving.readiness_path
            else "ready when the port is open"
        )
        yield f"- Serves on {port}, protocol `{serving.protocol}`; {ready}."
    if preset.metrics is not None:
        same = preset.serving is not None and preset.serving.port == preset.metrics.port
        yield f"- Metrics on {'the same port' if same else f'port {preset.metrics.port}'}, `{preset.metrics.path}`."
    if preset.probes is not None:
        labels = _codes(preset.probes.labels)
        yield f"- Left out as probes: paths that match `{preset.probes.pattern}`, by label {labels}."
    yield from (f"- {sentence}" for sentence in preset.cannot)
    for kind, why in (("Errors", "errors"), ("ClientErrors", "client_errors"), ("Latency", "latency")):
        if reason := getattr(preset.absent, why):
            yield f"- No `{kind}`: {reason}."
    note = f" ({preset.tested.note})" if preset.tested.note else ""
    tested = "Looked at" if preset.tested.how == "documented" else "Tested with"
    yield f"- {tested}: {preset.tested.version}; {HOW[preset.tested.how]}{note}."
    page = preset.source.removeprefix("docs/")
    yield f"- Source: <{page}>" if page == preset.source else f"- Source: [{page}]({page})"


def _counters(preset: Preset) -> Iterator[str]:
    lines = [*_pairs(preset)]
    if preset.latency is not None:
        unit = {1.0: "seconds", 0.001: "milliseconds", 1e-6: "microseconds"}[preset.latency.seconds_per_unit]
        lines += [f"Latency ({unit})", *(f"  {each}" for each in preset.latency.buckets)]
    for name, distributions in (("Predictions", preset.predictions), ("Features", preset.features)):
        for each in distributions:
            by = f" by {each.label}" if each.label else ""
            lines += [f"{name}{by}", f"  {each.buckets or each.categories}"]
    if lines:
        yield from ("", "```", *(line.replace("{}", "") for line in lines), "```")


def _pairs(preset: Preset) -> Iterator[str]:
    pairs: Mapping[str, Counters | None] = {
        "Errors": preset.errors,
        "ClientErrors": preset.client_errors,
        "Implausible": preset.implausible,
        "Accuracy": preset.accuracy,
    }
    for name, pair in pairs.items():
        if pair is None:
            continue
        for what, selectors in (("all", pair.total), ("bad", pair.bad), ("good", pair.good), ("begun", pair.begun)):
            if selectors:
                yield from (f"{name}, {what}", *(f"  {each}" for each in selectors))


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = tuple(head)
    lines = [columns, ("---",) * len(columns), *map(tuple, rows)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _names(preset: Preset) -> str:
    own = f"[`{preset.runtime}`](#{_anchor(preset.runtime)})"
    return f"`{preset.family}`: {own}" if preset.family else own


def _anchor(heading: str) -> str:
    return heading.replace(".", "")


def _way(pair: Counters | None) -> str:
    if pair is None:
        return "–"
    return "all less the good ones" if pair.good else "counted"


def _largest(histogram: Histogram | None) -> str:
    if histogram is None:
        return "–"
    if histogram.largest_seconds is None:
        return "as the server has it"
    return f"{histogram.largest_seconds:g} s" + (" by default" if histogram.configurable else "")


def _spread(distributions: tuple[Distribution, ...]) -> str:
    return " or ".join("histogram" if each.buckets else "categories" for each in distributions) or "–"


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{each}`" for each in names)
