"""Look before an attempt begins at what stable's pods export, and refuse signals that could never be measured.

Only the start of an attempt is held up, and all else goes on: stable serves and follows its scale. Once an attempt is
under way nothing of this is asked again. Writes nothing.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from serinus import contract
from serinus.api.status import read_recognised
from serinus.controller.candidate import Candidate
from serinus.controller.judging import Judged, declared_runtimes, make_scope
from serinus.controller.observe import Sighting
from serinus.controller.remarks import recognition_notes
from serinus.errors import BadQuery, MetricsUnavailable, Stall
from serinus.prometheus.reader import Asks, Reader
from serinus.rollout.decide import Decision, Note
from serinus.rollout.types import Fact, Signal, SignalKind
from serinus.signals.detection import looked_for
from serinus.signals.feasibility import Evidence, obstacles
from serinus.signals.legibility import why_illegible
from serinus.signals.presets import family, preset, runtimes
from serinus.signals.recognition import Recognition, Recognitions, needs_data, recognise_sides, views_of
from serinus.signals.scope import BySide, Scope, Side, alike
from serinus.signals.views import DRIFT_KINDS, RATE_KINDS, Views, counters_of, distributions_of, histogram_of

log = logging.getLogger(__name__)


class Admission:
    """Lets attempts begin whose signals can be measured."""

    def __init__(self, prometheus: Asks | None, delay: timedelta) -> None:
        """Take the Prometheus to ask (None: no address is set) and the scrape timeout."""
        self._prometheus = prometheus
        self._delay = delay

    def admit(
        self,
        body: Mapping[str, Any],
        candidate: Candidate,
        sighting: Sighting,
        judged: Judged,
        decision: Decision,
        model: str,
        now: datetime,
    ) -> Judged:
        """Return what is known, with what was recognised, if an attempt begins now, and why it may not.

        Raises:
            Stall: no server of this runtime could give a signal of the very first revision's plan.
        """
        desired, stable = candidate.desired, sighting.progress.stable
        # A revision of long ago may name a runtime that this version does not know.
        runtime = candidate.stored.runtime if candidate.stored.runtime in runtimes() else "generic"
        if stable is None:
            declared = alike(runtime)
            nothing_seen = recognise_sides(alike(desired.revision), declared, alike(frozenset[str]()), {})
            if why := _impossible(desired.plan.signals, _possible(nothing_seen, declared), model, None):
                raise Stall(why.reason, why.message)
        if stable is None or decision.started is None:
            return judged
        scope = make_scope(candidate, desired.revision, stable.revision, sighting.observed, model)
        declared = replace(declared_runtimes(sighting.observed, desired.revision, stable.revision), canary=runtime)
        known, evidence = self._look(desired.plan.signals, scope, declared, now)
        why = _mismatch(known, declared, evidence) or _impossible(
            desired.plan.signals, _possible(known, declared), model, evidence
        )
        status = body.get("status") or {}
        notes = judged.notes + recognition_notes(read_recognised(status), known)
        if why is not None and not _is_told(status, why):
            notes += (Note(warning=True, reason=why.reason, message=why.message),)
        return replace(judged, recognised=known, obstacle=why, notes=notes)

    def _look(
        self, signals: tuple[Signal, ...], scope: Scope, declared: BySide[str], now: datetime
    ) -> tuple[Recognitions, Evidence | None]:
        revisions = BySide(canary=scope.revision(Side.CANARY), stable=scope.revision(Side.STABLE))
        nothing = alike(frozenset[str]())
        try:
            if self._prometheus is None:
                return recognise_sides(revisions, declared, nothing, {}), None
            at = now - self._delay
            reader = Reader(self._prometheus, scope, at, at)
            known = recognise_sides(revisions, declared, reader.exported(looked_for()), {})
            return known, _evidence(signals, views_of(known, scope.model), scope.model, reader)
        except (MetricsUnavailable, BadQuery) as error:
            # No reason to hold up: without measurements the attempt waits at its first step.
            log.info("what stable exports is not known before the attempt: %s", error.message)
            return recognise_sides(revisions, declared, nothing, {}), None


def _possible(known: Recognitions, declared: BySide[str]) -> tuple[Recognitions, ...]:
    """Return by what both sides may turn out to be read: of a family that was not seen yet, by any of its members."""

    def members(side: Side) -> tuple[Recognition, ...]:
        of, names = known.of(side), [each.runtime for each in family(declared.of(side))]
        if of.recognised or of.runtime not in names:
            return (of,)
        return tuple(replace(of, runtime=name) for name in names)

    return tuple(
        BySide(canary=canary, stable=stable) for canary in members(Side.CANARY) for stable in members(Side.STABLE)
    )


def _impossible(
    signals: tuple[Signal, ...], possible: tuple[Recognitions, ...], model: str, evidence: Evidence | None
) -> Fact | None:
    """Return which signals cannot be measured, whichever of the possible servers it turns out to be."""
    found = [obstacles(signals, views_of(each, model), model, evidence) for each in possible]
    if not all(found):
        return None
    return Fact(reason=contract.REASON_SIGNAL_IMPOSSIBLE, message=f"no attempt begins: {'; '.join(found[0])}")


def _mismatch(known: Recognitions, declared: BySide[str], evidence: Evidence | None) -> Fact | None:
    """Return that stable runs another server than its spec, and the one that is asked for now, say."""
    is_proved = known.stable.contradicts and evidence is not None and evidence.busy
    if not is_proved or declared.canary != declared.stable:
        return None
    serves = f"no attempt begins until then, and revision {known.stable.revision} serves on"
    return Fact(reason=contract.REASON_RUNTIME_MISMATCH, message=f"{known.stable.because}; {serves}")


def _is_told(status: Mapping[str, Any], why: Fact) -> bool:
    """Tell whether the condition Stalled says so already."""
    return any(
        (each.get("type"), each.get("status"), each.get("reason")) == (contract.STALLED, "True", why.reason)
        for each in status.get("conditions") or ()
    )


def _evidence(signals: tuple[Signal, ...], views: Views, model: str, reader: Reader) -> Evidence:
    """Ask what the signals of a plan need to know of stable's pods.

    Raises:
        MetricsUnavailable: Prometheus gives no usable answer.
    """
    server = views.stable.server
    edges: dict[str, tuple[float, ...]] = {}
    silent: set[str] = set()
    illegible: dict[str, str] = {}
    for signal in signals:
        try:
            if signal.kind in RATE_KINDS:
                counters = counters_of(signal, alike(views.stable), model).stable
                illegible |= {} if reader.is_legible(counters) else {signal.name: why_illegible(counters)}
            if signal.kind is SignalKind.LATENCY and signal.bound_seconds is not None:
                found = reader.edges_of_stable(histogram_of(signal, alike(views.stable), model).stable)
                edges |= {signal.name: found} if found is not None else {}
            if signal.source is not None:
                counter = counters_of(replace(signal, kind=SignalKind.ERRORS), alike(views.stable), model).stable.total
                silent |= set() if reader.has_counted(counter) else {signal.name}
            if signal.kind in DRIFT_KINDS and needs_data(signal) and views.stable.data is not None:
                choices = distributions_of(signal, alike(views.stable))
                silent |= set() if any(map(reader.has, choices)) else {signal.name}
        except BadQuery as error:
            # What is impossible by itself is an obstacle already; what Prometheus refuses the first tick tells.
            log.debug("%s: %s", signal.name, error.message)
    busy = server.errors is not None and reader.has_counted(server.errors.total)
    models: tuple[str, ...] = ()
    if not busy and server.errors is not None and (of_any := preset(server.runtime).errors) is not None:
        models = reader.models_of_stable(of_any.total)
    return Evidence(busy=busy, edges=edges, silent=frozenset(silent), models=models, illegible=illegible)
