"""Write down what was decided before anything happens: first the report, then the status.

A crash before the status leaves a decision in the report that the next run adopts; a crash after it leaves effects
that the next run makes. Nothing is asked or decided twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serinus import contract
from serinus.api.report import Entry, Outcome, OutcomeResult, make_report, read_outcome, write_report_status
from serinus.api.status import Sight, read_recognised, write_conditions, write_status
from serinus.cluster.kinds import MODEL_DEPLOYMENT, ROLLOUT_REPORT, Manifest
from serinus.cluster.merge import make_merge_patch
from serinus.cluster.protocol import ClusterApi
from serinus.controller.cache import WatchCache
from serinus.controller.children import Children
from serinus.controller.judging import Judged
from serinus.controller.observe import Sighting
from serinus.errors import AlreadyExists, Conflict
from serinus.rollout.conditions import Condition
from serinus.rollout.decide import Decision
from serinus.rollout.types import Desired, Observed, Progress
from serinus.signals.recognition import Recognition
from serinus.traffic.replicas import actual_weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Writes reports and statuses of one ModelDeployment."""

    cluster: ClusterApi
    cache: WatchCache
    children: Children
    now: datetime

    def record(
        self, body: Mapping[str, Any], desired: Desired, sighting: Sighting, judged: Judged, decision: Decision
    ) -> None:
        """Write report and status of a decision; what is the same already is not written.

        Raises:
            Conflict: somebody wrote the object since it was read; the decision is void.
            ClusterError: a write failed; nothing that follows may happen.
        """
        self._report_end(sighting, judged, decision)
        if decision.started is not None or sighting.report is None:
            self._report_start(desired, decision)
        before = body.get("status") or {}
        sight = self._sight(desired, sighting.observed, decision, _recognised(before, judged))
        self._write(body, write_status(decision.progress, sight, name=desired.name, previous=before))

    def record_stall(
        self,
        body: Mapping[str, Any],
        progress: Progress | None,
        conditions: tuple[Condition, ...],
        phase: str = contract.PHASE_STALLED,
    ) -> bool:
        """Write conditions and, if no attempt is under way any more, that; tell whether anything is news.

        Without a memory that could be read nothing but conditions is written.
        """
        generation, before = body["metadata"]["generation"], body.get("status") or {}
        told = write_conditions(
            conditions, observed_generation=generation, previous=before.get("conditions") or (), now=self.now
        )
        after = {**before, "conditions": told, "phase": phase, "observedGeneration": generation}
        if progress is not None and progress.canary is None and "canary" in after:
            del after["canary"]
            after["metrics"] = {**(before.get("metrics") or {}), "canary": None}
            after["stable"] = {**after["stable"], "weight": 100}
        return self._write(body, after)

    def _write(self, body: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        """Write the status if it differs, at the very version of the object that the decision was made on."""
        patch = make_merge_patch(body.get("status") or {}, dict(after))
        if not patch:
            return False
        metadata = body["metadata"]
        written = self.cluster.patch_status(
            MODEL_DEPLOYMENT, metadata["namespace"], metadata["name"], patch, metadata["resourceVersion"]
        )
        self.cache.put(written)
        return True

    def _report_end(self, sighting: Sighting, judged: Judged, decision: Decision) -> None:
        """Write what this run learnt and ruled about the attempt that was under way when it began."""
        report = sighting.report
        if report is None:
            return
        tried = (report["spec"]["revision"], report["spec"]["attempt"])
        rulings = [each for each in decision.rulings if (each.revision, each.attempt) == tried]
        verdict = judged.assessment.verdict if judged.assessment is not None else None
        entries = [
            Entry(
                at=self.now,
                step=each.step,
                verdict=verdict,
                action=each.action,
                reason=each.reason,
                message=each.message,
            )
            for each in rulings
        ]
        ends = [
            Outcome(result=OutcomeResult(each.outcome), at=self.now, reason=each.reason, message=each.message)
            for each in rulings
            if each.outcome is not None
        ]
        before = report.get("status") or {}
        after = write_report_status(
            before,
            assessment=judged.assessment if judged.is_new else None,
            running=judged.running if judged.is_new else None,
            entries=entries,
            outcome=ends[0] if ends else None,
        )
        if patch := make_merge_patch(before, after):
            metadata = report["metadata"]
            self.cluster.patch_status(
                ROLLOUT_REPORT, metadata["namespace"], metadata["name"], patch, metadata["resourceVersion"]
            )

    def _report_start(self, desired: Desired, decision: Decision) -> None:
        """Freeze the plan of the attempt under way if it has no report: it begins, or somebody deleted the report.

        One that is there already was left by a run cut short, or waits for its deletion with its late owner.
        """
        if decision.progress.canary is None:
            return
        stable = decision.progress.stable.revision if decision.progress.stable is not None else None
        report = make_report(desired, decision.progress.canary, decision.frozen, stable=stable)
        try:
            self.cluster.create(report)
        except AlreadyExists:
            found = self.cluster.get(ROLLOUT_REPORT, desired.namespace, report["metadata"]["name"])
            if found is None or not self.children.is_ours(found):
                raise Conflict(
                    f"RolloutReport {report['metadata']['name']} belongs to an object that is gone"
                ) from None

    def _sight(
        self, desired: Desired, observed: Observed, decision: Decision, recognised: Mapping[str, Recognition]
    ) -> Sight:
        return Sight(
            observed_generation=desired.generation,
            phase=decision.phase,
            conditions=decision.conditions,
            now=self.now,
            actual_weight=actual_weight(decision.progress, observed) if decision.progress.canary else None,
            plan_outdated=decision.frozen != desired.plan,
            recognised=recognised,
            model=desired.model,
            model_trouble=desired.model_trouble,
            **_stable_size(desired.name, decision.progress, observed),
        )


def _recognised(before: Mapping[str, Any], judged: Judged) -> Mapping[str, Recognition]:
    """Return by what revisions are read: as before, and what was recognised in this run."""
    news = () if judged.recognised is None else (judged.recognised.stable, judged.recognised.canary)
    return {**read_recognised(before), **{each.revision: each for each in news}}


def old_reports(reports: tuple[Manifest, ...], limit: int) -> tuple[Manifest, ...]:
    """Return the ended reports beyond the limit, oldest first."""
    ended = [each for each in reports if read_outcome(each) is not None]
    ended.sort(key=lambda each: (each["metadata"]["creationTimestamp"], each["metadata"]["name"]))
    return tuple(ended[: max(0, len(ended) - limit)])


def _stable_size(name: str, progress: Progress, observed: Observed) -> dict[str, Any]:
    """Return replicas and selector of stable, for /scale."""
    if progress.stable is None:
        return {}
    revision = progress.stable.revision
    seen = observed.revisions.get(revision)
    selector = f"{contract.LABEL_MODEL_DEPLOYMENT}={name},{contract.LABEL_REVISION}={revision}"
    return {
        "selector": selector,
        "replicas": seen.replicas if seen is not None else 0,
        "ready_replicas": seen.ready if seen is not None else 0,
    }
