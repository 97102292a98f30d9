"""Look at the cluster once and put together what ``decide`` needs. Reads only.

Deployments come from the watch cache; pods and reports are listed live, and only while something is under way.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serinus import contract
from serinus.api.report import OutcomeResult, read_attempts, read_outcome, read_plan, read_rejections
from serinus.cluster.kinds import Manifest
from serinus.controller.children import Children
from serinus.rollout import names
from serinus.rollout.pods import parse_pod, parse_time
from serinus.rollout.types import Desired, Observed, Progress, Rejection, RevisionSeen, Stable
from serinus.signals.presets import runtimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What was seen, and the raw objects that later steps write to."""

    observed: Observed
    progress: Progress
    """The memory; read back from Services and reports if the status was lost."""
    report: Manifest | None
    """The report of the attempt under way."""
    reports: tuple[Manifest, ...]
    """All reports, while something is under way."""
    orphans: tuple[Manifest, ...] = ()
    """Reports and stored revisions of an earlier life, found when the memory was lost: to be adopted."""
    is_short: bool = False
    """Stable has fewer ready pods than it shall have, and its pods may tell why."""


def observe(children: Children, desired: Desired, progress: Progress, now: datetime) -> Sighting:
    """Return what the cluster shows about one ModelDeployment."""
    is_lost = progress.stable is None
    active = is_lost or is_active(desired, progress)
    deployments = children.deployments()
    reports = children.reports() if active else []
    if is_lost:
        progress = recover(children, desired, progress, deployments, reports, now)
    is_short = lacks_pods(desired, progress, deployments)
    pods = [parse_pod(each, now) for each in children.pods()] if active or is_short else []
    report = _report_of(desired, progress, reports)
    return Sighting(
        observed=Observed(
            revisions=_revisions(deployments),
            pods=tuple(each for each in pods if each is not None),
            # An attempt without an outcome is still open: a run that was cut short before the status goes on with it.
            attempts=read_attempts(each for each in reports if read_outcome(each) is not None),
            frozen=read_plan(report) if report is not None else None,
            ruled=next(iter(read_rejections([report])), None) if report is not None else None,
            serving=_serving(children, desired),
        ),
        progress=progress,
        report=report,
        reports=tuple(reports),
        orphans=_orphans(children, reports) if is_lost else (),
        is_short=is_short,
    )


def observe_standing(children: Children) -> Observed:
    """Return what the Deployments alone show: enough to say what serves."""
    return Observed(revisions=_revisions(children.deployments()))


def is_active(desired: Desired, progress: Progress) -> bool:
    """Tell whether anything is under way, so that pods and reports are worth listing."""
    stable = progress.stable
    if stable is None or stable.since is None or progress.canary is not None or progress.retiring:
        return True
    return desired.revision != stable.revision


def lacks_pods(desired: Desired, progress: Progress, deployments: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether stable has fewer ready pods than it shall have."""
    stable = progress.stable
    seen = _revisions(deployments).get(stable.revision) if stable is not None else None
    return seen is not None and seen.ready < desired.replicas


def recover(
    children: Children,
    desired: Desired,
    progress: Progress,
    deployments: Iterable[Mapping[str, Any]],
    reports: Sequence[Mapping[str, Any]],
    now: datetime,
) -> Progress:
    """Read a lost memory back: stable from the Service that always selects it, rejections from the reports.

    Returns the memory as it is where there was none to lose: a new ModelDeployment.
    """
    revision = children.selected_by(names.stable_service_name(desired.service.name))
    if revision is None:
        return progress
    has_ready = any(
        each["metadata"]["labels"].get(contract.LABEL_REVISION) == revision
        and (each.get("status") or {}).get("readyReplicas")
        for each in deployments
    )
    # A report proves that stable was up once, even if none of its pods is ready at this moment.
    stable = Stable(revision=revision, since=now if has_ready or reports else None)
    return Progress(stable=stable, rejected=_still_rejected(reports)[-contract.MAX_REJECTED :])


def _still_rejected(reports: Iterable[Mapping[str, Any]]) -> tuple[Rejection, ...]:
    """Return the rejections that no later attempt of the same revision made good."""
    reports = tuple(reports)
    promoted = read_attempts(
        each for each in reports if (end := read_outcome(each)) is not None and end.result is OutcomeResult.PROMOTED
    )
    return tuple(each for each in read_rejections(reports) if each.attempt > promoted.get(each.revision, 0))


def _serving(children: Children, desired: Desired) -> str | None:
    """Return the revision that the main Service selects; None if it selects all, or is not there."""
    main = next((each for each in children.services() if each["metadata"]["name"] == desired.service.name), {})
    revision = ((main.get("spec") or {}).get("selector") or {}).get(contract.LABEL_REVISION)
    return None if revision is None else str(revision)


def _orphans(children: Children, reports: Iterable[Manifest]) -> tuple[Manifest, ...]:
    return tuple(each for each in (*reports, *children.stored_revisions()) if children.is_orphan(each))


def _revisions(deployments: Iterable[Mapping[str, Any]]) -> dict[str, RevisionSeen]:
    """Return what the Deployments tell, by revision."""
    found = {}
    for each in deployments:
        metadata, status = each["metadata"], each.get("status") or {}
        revision = (metadata.get("labels") or {}).get(contract.LABEL_REVISION)
        if revision is None or metadata.get("deletionTimestamp"):
            continue
        found[revision] = RevisionSeen(
            revision=revision,
            created=parse_time(metadata["creationTimestamp"]),
            replicas=int(each["spec"].get("replicas", 1)),
            ready=int(status.get("readyReplicas") or 0),
            runtime=_runtime(each),
            refusal=_refusal(status),
        )
    return found


def _runtime(deployment: Mapping[str, Any]) -> str:
    """Return the runtime that a revision was rendered with; one that is not known any more counts as generic."""
    annotations = (deployment["spec"]["template"].get("metadata") or {}).get("annotations") or {}
    name = str(annotations.get(contract.ANNOTATION_RUNTIME, "generic"))
    return name if name in runtimes() else "generic"


def _refusal(status: Mapping[str, Any]) -> str | None:
    """Return why the controller cannot make pods: quota or admission."""
    for each in status.get("conditions") or ():
        if each.get("type") == "ReplicaFailure" and each.get("status") == "True":
            return str(each.get("message") or each.get("reason"))
    return None


def _report_of(desired: Desired, progress: Progress, reports: Iterable[Manifest]) -> Manifest | None:
    """Return the report of the attempt under way."""
    if progress.canary is None:
        return None
    name = names.report_name(desired.name, progress.canary.revision, progress.canary.attempt)
    return next((each for each in reports if each["metadata"]["name"] == name), None)
