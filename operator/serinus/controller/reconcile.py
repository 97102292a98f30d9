"""The whole loop: parse, observe, measure, decide, record, apply, report.

Level-triggered: nobody asks why it was woken. Intent is written before its effects, effects are idempotent, so a run
that is cut short anywhere is repaired by the next one. Knows no kopf and starts no thread.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from serinus import contract
from serinus.api.parse import model_name
from serinus.api.status import read_progress
from serinus.cluster.kinds import MODEL_DEPLOYMENT, ROLLOUT_REPORT
from serinus.cluster.protocol import ClusterApi
from serinus.controller.admitting import Admission
from serinus.controller.adopt import adopt
from serinus.controller.apply import Applier, Settled
from serinus.controller.artifacts import NO_FETCHING, Fetching, Lookups, Pending
from serinus.controller.cache import WatchCache
from serinus.controller.candidate import Candidate, prepare
from serinus.controller.children import Children
from serinus.controller.gating import Gatekeeper
from serinus.controller.judging import Judge, Judged
from serinus.controller.observe import Sighting, observe, observe_standing
from serinus.controller.record import Recorder, old_reports
from serinus.controller.withdraw import end_report, settle_on_stable
from serinus.errors import Forbidden, Refused, Stall
from serinus.rollout.conditions import (
    resolving_conditions,
    stalled_conditions,
    while_resolving,
    with_hindrance,
    with_trouble,
)
from serinus.rollout.decide import Decision, Note, decide
from serinus.rollout.lookup import POLL
from serinus.rollout.types import Progress

CONFIG_POLL = timedelta(seconds=60)
"""ConfigMaps of users are not watched; an object that tracks some looks at them this often."""
SHORT_POLL = timedelta(seconds=15)
"""Pods are not watched; why stable lacks some is looked up this often."""
STALLED_POLL = timedelta(seconds=30)
"""What stalls may be mended outside of the object: a ConfigMap made, a name freed."""

Tell = Callable[[Mapping[str, Any], tuple[Note, ...]], None]
"""Tells people about an object: Kubernetes Events. Must not fail."""

log = logging.getLogger(__name__)


class Reconciler:
    """Moves one ModelDeployment after the other towards what its spec asks for."""

    def __init__(
        self,
        *,
        cluster: ClusterApi,
        cache: WatchCache,
        judge: Judge,
        admission: Admission,
        gates: Gatekeeper,
        tell: Tell,
        clock: Callable[[], datetime],
        fetching: Fetching = NO_FETCHING,
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._judge = judge
        self._admission = admission
        self._gates = gates
        self._publish = tell
        self._clock = clock
        self._fetching = fetching
        self._settled = Settled()

    def reconcile(self, namespace: str, name: str) -> timedelta | None:
        """Look once, decide once, and do it; return when to look again, None if only an event can matter.

        Raises:
            Conflict: somebody wrote in between; decide again.
            ClusterError: the API server did not do its part; try again later.
        """
        body = self._cache.get(MODEL_DEPLOYMENT, namespace, name)
        if body is None or body["metadata"].get("deletionTimestamp"):
            self._gates.forget(namespace, name)
            return None  # children go with their owner
        now = self._clock().replace(microsecond=0)
        children = Children(self._cluster, self._cache, body)
        recorder = Recorder(cluster=self._cluster, cache=self._cache, children=children, now=now)
        progress = Progress()
        try:
            progress = read_progress(body.get("status") or {})
            lookups = Lookups(cluster=self._cluster, children=children, fetching=self._fetching, body=body, now=now)
            candidate = prepare(children, body, progress, lookups)
            if isinstance(candidate, Pending):
                return self._wait(body, children, recorder, candidate)
            desired = candidate.desired
            sighting = observe(children, desired, progress, now)
            progress = sighting.progress  # read back, where the status was lost
            sighting = self._gates.look(children, candidate, sighting, model_name(body), now)
            judged = self._judge.judge(body, candidate, sighting, model_name(body), now)
            judged, decision = self._decide(body, candidate, sighting, judged, now)
            applier = Applier(self._cluster, self._cache, children, candidate, self._settled)
            applier.check(decision.plan)
        except Stall as stall:
            return self._stall(body, children, recorder, progress, stall)
        try:
            adopt(self._cluster, sighting.orphans, desired)
            recorder.record(body, desired, sighting, judged, decision)
            applier.apply(decision.plan)
        except (Forbidden, Refused) as refusal:
            # Only a person can lift it, and reads the object, not our log.
            message = f"the API server refuses what is needed, it is tried again: {refusal.message}"
            self._tell(body, (Note(warning=True, reason=contract.REASON_WRITE_REFUSED, message=message),))
            raise
        if decision.started is not None:
            for report in old_reports(sighting.reports, desired.history_limit):
                self._cluster.delete(ROLLOUT_REPORT, namespace, report["metadata"]["name"], report["metadata"]["uid"])
        self._report(body, candidate.notes + judged.notes + decision.notes)
        return _look_again(candidate, sighting, judged, decision)

    def _decide(
        self, body: Mapping[str, Any], candidate: Candidate, sighting: Sighting, judged: Judged, now: datetime
    ) -> tuple[Judged, Decision]:
        """Decide; where an attempt would begin that nobody could judge, decide again with that obstacle in sight."""
        desired, observed, progress = candidate.desired, sighting.observed, sighting.progress
        decision = decide(desired, observed, progress, judged.assessment, judged.measuring, now)
        judged = self._admission.admit(body, candidate, sighting, judged, decision, model_name(body), now)
        if judged.obstacle is not None:
            held = replace(observed, obstacle=judged.obstacle)
            decision = decide(desired, held, progress, judged.assessment, judged.measuring, now)
        return judged, told_of_model(decision, candidate)

    def _wait(self, body: Mapping[str, Any], children: Children, recorder: Recorder, pending: Pending) -> timedelta:
        """Say that the artifact of the first revision is looked up."""
        conditions = resolving_conditions(Progress(), observe_standing(children), pending.message)
        recorder.record_stall(body, None, conditions, phase=contract.PHASE_INITIALIZING)
        return POLL

    def _stall(
        self, body: Mapping[str, Any], children: Children, recorder: Recorder, progress: Progress, stall: Stall
    ) -> timedelta:
        """Say what a person has to mend; what serves stays, a canary that nobody can judge now goes."""
        readable = stall.reason != contract.REASON_STATUS_UNREADABLE
        self._gates.forget(children.namespace, children.name)
        if readable and progress.canary is not None:
            end_report(self._cluster, children, progress.canary, stall, recorder.now)
            progress = replace(progress, canary=None)
        conditions = stalled_conditions(progress, observe_standing(children), stall.reason, stall.message)
        if recorder.record_stall(body, progress if readable else None, conditions):
            self._tell(body, (Note(warning=True, reason=stall.reason, message=stall.message),))
        if readable:
            settle_on_stable(self._cluster, children, progress)
        return min(STALLED_POLL, stall.again or STALLED_POLL)

    def _report(self, body: Mapping[str, Any], notes: tuple[Note, ...]) -> None:
        """Tell people what happened: Events and a log line on transitions only."""
        if notes:
            self._tell(body, notes)

    def _tell(self, body: Mapping[str, Any], notes: tuple[Note, ...]) -> None:
        place = {"namespace": body["metadata"]["namespace"], "model_deployment": body["metadata"]["name"]}
        for note in notes:
            level = logging.WARNING if note.warning else logging.INFO
            log.log(level, "%s: %s", note.reason, note.message, extra=place)
        self._publish(body, notes)


def told_of_model(decision: Decision, candidate: Candidate) -> Decision:
    """Return a decision whose conditions say besides what is looked up, what fails, and what the next attempt lacks."""
    decision = replace(decision, conditions=with_hindrance(decision.conditions, candidate.hindrance))
    if candidate.pending:
        conditions = while_resolving(decision.conditions, candidate.pending)
        return replace(decision, conditions=conditions, phase=contract.PHASE_PROGRESSING)
    return replace(decision, conditions=with_trouble(decision.conditions, candidate.desired.model_trouble))


def _look_again(candidate: Candidate, sighting: Sighting, judged: Judged, decision: Decision) -> timedelta | None:
    """Return when something may have changed that no event tells, None for never."""
    polls = [each for each in (decision.requeue_after, candidate.again) if each is not None]
    polls += [CONFIG_POLL] if candidate.config_maps or candidate.hindrance else []
    polls += [SHORT_POLL] if sighting.is_short else []
    polls += [STALLED_POLL] if judged.obstacle is not None else []
    return min(polls, default=None)
