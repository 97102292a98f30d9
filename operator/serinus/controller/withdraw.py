"""Take an attempt from users whose spec can no longer be followed, so that nobody meets an unjudged canary.

Works without the spec: on the live Services and Deployments, with what the memory says. A spec that cannot be
understood asks for nothing, so what was under way is superseded and stable serves, as with any newer spec.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from serinus import contract
from serinus.api.report import Entry, Outcome, OutcomeResult, write_report_status
from serinus.cluster.kinds import DEPLOYMENT, ROLLOUT_REPORT, SERVICE
from serinus.cluster.merge import make_merge_patch
from serinus.cluster.protocol import ClusterApi
from serinus.controller.children import Children
from serinus.errors import Stall
from serinus.rollout import names
from serinus.rollout.types import Canary, Progress


def end_report(cluster: ClusterApi, children: Children, canary: Canary, stall: Stall, now: datetime) -> None:
    """Write into the report of an attempt that the spec left it; a report that is gone needs no end."""
    name = names.report_name(children.name, canary.revision, canary.attempt)
    report = cluster.get(ROLLOUT_REPORT, children.namespace, name)
    if report is None:
        return
    message = f"the spec can't be followed any more ({stall.reason}), so stable serves: {stall.message}"
    before = report.get("status") or {}
    after = write_report_status(
        before,
        entries=[
            Entry(
                at=now,
                step=canary.step,
                verdict=None,
                action="Withdrawn",
                reason=contract.REASON_SUPERSEDED,
                message=message,
            )
        ],
        outcome=Outcome(result=OutcomeResult.SUPERSEDED, at=now, reason=contract.REASON_SUPERSEDED, message=message),
    )
    if patch := make_merge_patch(before, after):
        metadata = report["metadata"]
        cluster.patch_status(ROLLOUT_REPORT, children.namespace, name, patch, metadata["resourceVersion"])


def settle_on_stable(cluster: ClusterApi, children: Children, progress: Progress) -> None:
    """Make every Service select stable, and take the pods of the attempt that was withdrawn down."""
    if progress.stable is None or progress.canary is not None:
        return
    stable = progress.stable.revision
    for service in children.services():
        if _selected(service) != stable:
            selector = {contract.LABEL_REVISION: stable}
            cluster.patch(SERVICE, children.namespace, service["metadata"]["name"], {"spec": {"selector": selector}})
    kept = {stable, *(each.revision for each in progress.retiring)}
    for deployment in children.deployments():
        revision = deployment["metadata"]["labels"].get(contract.LABEL_REVISION)
        if revision not in kept and deployment["spec"].get("replicas", 1) > 0:
            cluster.patch(DEPLOYMENT, children.namespace, deployment["metadata"]["name"], {"spec": {"replicas": 0}})


def _selected(service: Mapping[str, Any]) -> str | None:
    revision = (service["spec"].get("selector") or {}).get(contract.LABEL_REVISION)
    return None if revision is None else str(revision)
