"""The RolloutReport: one per attempt, its frozen plan, its evidence over time, its decisions, its end.

Written before the status of the ModelDeployment and before any effect: what stands here after a crash is adopted.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter, ValidationError

from serinus import contract
from serinus.api.attempt import Plan, RolloutReportSpec
from serinus.api.evidence import extend_series, read_assessment, write_assessment
from serinus.api.quantities import format_time, parse_time
from serinus.errors import Stall
from serinus.rollout.assessment import Assessment, Verdict
from serinus.rollout.names import report_name
from serinus.rollout.resources import owner_reference
from serinus.rollout.template import revision_labels
from serinus.rollout.types import Canary, Desired, Rejection, RolloutPlan

MAX_DECISION_MESSAGE_LENGTH = 512
MAX_DECISIONS_BYTES = 64 * 1024


class OutcomeResult(StrEnum):
    """How an attempt ended."""

    PROMOTED = "Promoted"
    REJECTED = "Rejected"
    SUPERSEDED = "Superseded"
    RETURNED = "Returned"
    ABORTED = "Aborted"


REJECTING = frozenset({OutcomeResult.REJECTED, OutcomeResult.ABORTED})
"""Outcomes after which the revision is not tried again by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of an attempt."""

    result: OutcomeResult
    at: datetime
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One decision about an attempt."""

    at: datetime
    step: int
    """Index of the step in force."""
    verdict: Verdict | None
    """The judge's newest answer, None if there was none."""
    action: str
    """What was decided, in one CamelCase word."""
    reason: str
    message: str


_PLAN = TypeAdapter(RolloutPlan)


def make_report(desired: Desired, canary: Canary, plan: RolloutPlan, *, stable: str | None = None) -> dict[str, Any]:
    """Make the report of an attempt that begins.

    Args:
        desired: What the spec asks for; names the ModelDeployment.
        canary: The attempt.
        plan: What is frozen for it.
        stable: The revision that serves at the start.
    """
    name = report_name(desired.name, canary.revision, canary.attempt)
    spec = RolloutReportSpec.model_validate(
        {
            **_PLAN.dump_python(plan),
            "model_deployment": desired.name,
            "revision": canary.revision,
            "attempt": canary.attempt,
            "started_at": canary.since,
            "stable_revision": stable,
        },
        strict=False,
    )
    tried = {"model": desired.model.to_wire()} if desired.model is not None else {}
    return {
        "apiVersion": contract.API_VERSION,
        "kind": contract.KIND_ROLLOUT_REPORT,
        "metadata": {
            "name": name,
            "namespace": desired.namespace,
            "labels": revision_labels(desired.name, canary.revision),
            "ownerReferences": [owner_reference(desired)],
        },
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_none=True) | tried,
    }


def read_plan(report: Mapping[str, Any]) -> RolloutPlan:
    """Read the frozen plan.

    Raises:
        Stall: it cannot be understood.
    """
    try:
        return _PLAN.validate_python(Plan.model_validate_json(json.dumps(report["spec"])).model_dump())
    except (ValidationError, KeyError) as error:
        raise _unreadable(report, "spec") from error


def read_attempts(reports: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the highest attempt that was ever started, per revision."""
    attempts: dict[str, int] = {}
    for report in reports:
        spec = report["spec"]
        attempts[spec["revision"]] = max(spec["attempt"], attempts.get(spec["revision"], 0))
    return attempts


def read_rejections(reports: Iterable[Mapping[str, Any]]) -> tuple[Rejection, ...]:
    """Return the attempts that were rolled back, the newest ``contract.MAX_REJECTED``, oldest first.

    Raises:
        Stall: an outcome cannot be understood.
    """
    found = [rejection for report in reports if (rejection := _rejection(report)) is not None]
    found.sort(key=lambda each: (each.at, each.revision, each.attempt))
    return tuple(found[-contract.MAX_REJECTED :])


def _rejection(report: Mapping[str, Any]) -> Rejection | None:
    outcome = read_outcome(report)
    if outcome is None or outcome.result not in REJECTING:
        return None
    return Rejection(
        revision=report["spec"]["revision"],
        attempt=report["spec"]["attempt"],
        reason=outcome.reason,
        message=outcome.message,
        at=outcome.at,
    )


def read_outcome(report: Mapping[str, Any]) -> Outcome | None:
    """Return how an attempt ended, None while it goes on.

    Raises:
        Stall: the outcome cannot be understood.
    """
    wire = (report.get("status") or {}).get("outcome")
    if wire is None:
        return None
    try:
        return Outcome(
            result=OutcomeResult(wire["result"]),
            at=parse_time(wire["at"]),
            reason=wire["reason"],
            message=wire["message"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(report, "status.outcome") from error


def read_last_assessment(report: Mapping[str, Any]) -> Assessment | None:
    """Return the judge's newest answer, None before the first.

    Raises:
        Stall: it cannot be understood.
    """
    wire = (report.get("status") or {}).get("assessment")
    return None if wire is None else read_assessment(wire)


def read_running(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the judge's running numbers as the judge wrote them; empty before the first tick."""
    return (report.get("status") or {}).get("running") or {}


def write_report_status(
    previous: Mapping[str, Any],
    *,
    assessment: Assessment | None = None,
    running: Mapping[str, Any] | None = None,
    entries: Sequence[Entry] = (),
    outcome: Outcome | None = None,
) -> dict[str, Any]:
    """Write the whole status of a report; what is not given stays as it was.

    Args:
        previous: The status before.
        assessment: A new answer of the judge; also becomes a point of each series that has news.
        running: The judge's running numbers.
        entries: New decisions; those that repeat the last ones (same step, action, reason) are a retry, not kept twice.
        outcome: The end; the first one that was written stands.
    """
    written = dict(previous)
    if assessment is not None:
        written["assessment"] = write_assessment(assessment)
        written["series"] = extend_series(previous.get("series") or {}, assessment)
    if running is not None:
        written["running"] = dict(running)
    if entries:
        written["decisions"] = _with_entries(previous.get("decisions") or (), entries)
    if outcome is not None and not written.get("outcome"):
        written["outcome"] = {
            "result": outcome.result.value,
            "at": format_time(outcome.at),
            "reason": outcome.reason,
            "message": outcome.message[:MAX_DECISION_MESSAGE_LENGTH],
        }
    return written


def _with_entries(previous: Iterable[Any], entries: Iterable[Entry]) -> list[Any]:
    decisions = list(previous)
    new = [_write_entry(entry) for entry in entries]
    decisions += new[_repeated(decisions, new) :]
    while len(decisions) > contract.MAX_DECISIONS or _size(decisions) > MAX_DECISIONS_BYTES:
        del decisions[1]
    return decisions


def _write_entry(entry: Entry) -> dict[str, Any]:
    written = {
        "at": format_time(entry.at),
        "step": entry.step,
        "action": entry.action,
        "reason": entry.reason,
        "message": entry.message[:MAX_DECISION_MESSAGE_LENGTH],
    }
    return written if entry.verdict is None else {**written, "verdict": entry.verdict.value}


def _repeated(decisions: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> int:
    """Return how many of the new decisions stand at the end already: a run that was cut short is done again."""
    told, telling = (
        [tuple(each.get(key) for key in ("step", "action", "reason")) for each in some] for some in (decisions, new)
    )
    return next((count for count in range(len(telling), 0, -1) if told[-count:] == telling[:count]), 0)


def _size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def _unreadable(report: Mapping[str, Any], what: str) -> Stall:
    name = report.get("metadata", {}).get("name", "?")
    return Stall(
        contract.REASON_STATUS_UNREADABLE,
        f"{what} of RolloutReport {name} cannot be read, so nothing is changed: restore the report, or delete it",
    )
