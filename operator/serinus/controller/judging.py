"""Measure the attempt under way and let the judge answer; give back the stored answer when no tick is due.

Knows where the running numbers live. Writes nothing: what is new is for ``record`` to write.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from serinus import contract
from serinus.api.report import read_last_assessment, read_running
from serinus.api.status import read_recognised
from serinus.controller.candidate import Candidate
from serinus.controller.gated import gated
from serinus.controller.measure import Measured, measure
from serinus.controller.observe import Sighting
from serinus.controller.remarks import expected_share, notes_of, recognition_notes, steady_since, with_remarks
from serinus.errors import BrokenInvariant
from serinus.judge.judge import assess, learn
from serinus.judge.running import Running
from serinus.prometheus.reader import Asks
from serinus.rollout import names, steps
from serinus.rollout.assessment import Assessment, Measuring
from serinus.rollout.decide import Note
from serinus.rollout.types import CanaryState, Fact, Observed, RolloutPlan
from serinus.signals.recognition import Recognition, Recognitions
from serinus.signals.scope import BySide, Scope

STALE = timedelta(minutes=5)
"""Without a comparison the last tick moves only so often: well within the 10 minutes that counting looks back."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is known about the attempt under way."""

    assessment: Assessment | None
    """The judge's newest answer: of this run or, if no tick was due, the stored one."""
    measuring: Measuring
    running: Mapping[str, Any] | None = None
    """The judge's new sums, None if nothing is new."""
    recognised: Recognitions | None = None
    """By what both sides are read now; None: as before, or nothing is known."""
    obstacle: Fact | None = None
    """Why the attempt that would begin now may not."""
    notes: tuple[Note, ...] = ()
    """What came to light at this tick and changes nothing by itself: Events."""

    @property
    def is_new(self) -> bool:
        """Tell whether this run has something to write."""
        return self.running is not None


class Judge:
    """Measures and judges attempts against one Prometheus."""

    def __init__(self, prometheus: Asks | None, delay: timedelta) -> None:
        """Take the Prometheus to ask (None: no address is set) and the scrape timeout."""
        self._prometheus = prometheus
        self._delay = delay

    def judge(
        self, body: Mapping[str, Any], candidate: Candidate, sighting: Sighting, model: str, now: datetime
    ) -> Judged:
        """Return what is known about the attempt under way now."""
        canary, stable, report = sighting.progress.canary, sighting.progress.stable, sighting.report
        plan = sighting.observed.frozen
        if canary is None or stable is None or report is None or plan is None:
            idle = Measuring(available=None, reason=contract.REASON_NOT_MEASURED, message="no canary to measure")
            return Judged(assessment=None, measuring=idle)
        stored = Judged(assessment=read_last_assessment(report), measuring=_measuring_before(body))
        if canary.weight == 0 or canary.revision != candidate.desired.revision:
            return stored
        try:
            running = Running.from_wire(read_running(report))
        except BrokenInvariant as error:
            return _unreadable(stored, error)
        share = expected_share(sighting.observed, canary.revision, stable.revision)
        # While the next step's pods start, the weight of the step before is in force.
        step = canary.step - 1 if canary.state is CanaryState.WAITING else canary.step
        measured = measure(
            plan=plan,
            declared=declared_runtimes(sighting.observed, canary.revision, stable.revision),
            before=read_recognised(body.get("status") or {}),
            scope=make_scope(candidate, canary.revision, stable.revision, sighting.observed, model),
            previous=running.at,
            ready_since=canary.ready_since or canary.step_since,
            step=step,
            next_weight=steps.next_exposure_percent(plan, step, candidate.desired.replicas),
            now=now,
            delay=self._delay,
            prometheus=self._prometheus,
            since=canary.since,
            begins=running == Running(),
            expected=share,
            steady_since=steady_since(sighting.observed, canary, stable.revision),
            gate=gated(plan, canary, stable.revision, sighting.observed),
        )
        if measured is None:
            return stored
        return _answer(plan, running, measured, stored, read_recognised(body.get("status") or {}))


def _unreadable(stored: Judged, error: BrokenInvariant) -> Judged:
    """Hold an attempt whose sums another version wrote: facts and commands still act, and nothing is judged anew."""
    ended = stored.assessment is not None and stored.assessment.rollback
    message = (
        f"{error}: another version of the operator wrote them, and to begin afresh would spend the false rollback rate "
        "twice; abort this attempt and retry it, or promote it by hand"
    )
    return Judged(
        assessment=stored.assessment if ended else None,
        measuring=Measuring(available=False, reason=contract.REASON_STATUS_UNREADABLE, message=message),
    )


def _answer(
    plan: RolloutPlan, running: Running, measured: Measured, stored: Judged, known: Mapping[str, Recognition]
) -> Judged:
    """Let the judge weigh a tick; a tick that tells nothing new is not worth a write."""
    for note in measured.notes:
        log.info("tick %s: %s", measured.tick.at.isoformat(), note)
    learnt = learn(plan, running, measured.past) if measured.past else running
    after, assessment = assess(plan, learnt, measured.tick)
    if measured.consumed and after == running and (running.at is None or measured.tick.at - running.at >= STALE):
        after = replace(running, at=measured.tick.at)
    before = stored.assessment
    same = before is not None and replace(before, at=assessment.at) == assessment
    is_news = after != running or not same
    return Judged(
        assessment=assessment,
        measuring=with_remarks(measured.measuring, assessment),
        running=after.to_wire() if is_news else None,
        recognised=measured.recognised,
        notes=notes_of(before, assessment) + recognition_notes(known, measured.recognised),
    )


def make_scope(candidate: Candidate, canary: str, stable: str, observed: Observed, model: str) -> Scope:
    """Return whose series two revisions' are."""
    desired = candidate.desired
    return Scope(
        namespace=desired.namespace,
        canary=names.child_name(desired.name, canary),
        stable=names.child_name(desired.name, stable),
        model=model,
        created={pod.name: pod.started for pod in observed.pods},
    )


def declared_runtimes(observed: Observed, canary: str, stable: str) -> BySide[str]:
    """Return the runtime that each side's revision was rendered with; generic where its Deployment is gone."""
    return BySide(canary=_declared(observed, canary), stable=_declared(observed, stable))


def _declared(observed: Observed, revision: str) -> str:
    seen = observed.revisions.get(revision)
    return seen.runtime if seen is not None else "generic"


def _measuring_before(body: Mapping[str, Any]) -> Measuring:
    """Return what the condition said last, so that it does not flap between ticks."""
    for each in (body.get("status") or {}).get("conditions") or ():
        if each.get("type") == contract.METRICS_AVAILABLE:
            available = {"True": True, "False": False}.get(each.get("status"))
            return Measuring(available=available, reason=each.get("reason", ""), message=each.get("message", ""))
    return Measuring(available=None, reason=contract.REASON_NOT_MEASURED, message="no tick was due yet")
