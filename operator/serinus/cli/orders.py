"""Turn a person's word (promote, abort, …) into the annotation that the operator obeys.

An order names revision and attempt, so that it can't act twice or on another rollout. Pure: the shell writes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serinus import contract
from serinus.errors import SerinusError
from serinus.rollout.conditions import was_rolled_back
from serinus.rollout.types import StepKind

Wire = Mapping[str, Any]


class NothingToOrder(SerinusError):
    """The order makes no sense now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An annotation to write."""

    annotation: str
    """Key, such as ``serinus.dev/promote``."""
    value: str
    """``<revision>/<attempt>``, for approve ``<revision>/<attempt>/<step>``."""
    said: str
    """What the person is told."""


def make_order(verb: str, model_deployment: Wire, reports: Sequence[Wire]) -> Order:
    """Return the annotation for a verb of ``contract.COMMANDS``, filled in from the status.

    Raises:
        NothingToOrder: Nothing is under way that the verb could act on; the message says what is.
    """
    status = model_deployment.get("status") or {}
    if verb == "retry":
        return _make_retry(status, reports)
    canary = status.get("canary")
    if not canary:
        raise NothingToOrder(f"no rollout is under way, so there is nothing to {verb}")
    identity = f"{canary['revision']}/{canary.get('attempt', 1)}"
    if verb == "approve":
        return _make_approval(canary, identity, reports)
    if verb == "resume":
        _check_resumable(model_deployment, canary)
    said = {
        "promote": f"promote {identity} at once, without waiting for more evidence",
        "abort": f"abort {identity}: its traffic goes back to stable, and the revision is not tried again by itself",
        "pause": f"pause {identity} at step {int(canary.get('step') or 0) + 1}",
        "resume": f"resume {identity}",
    }[verb]
    value = _repeatable(identity, verb, status) if verb in {"pause", "resume"} else identity
    return Order(annotation=f"{contract.LABEL_PREFIX}{verb}", value=value, said=said)


def _make_retry(status: Wire, reports: Sequence[Wire]) -> Order:
    rejected = status.get("rejected") or []
    revision = _rejected_now(status)
    if revision is None:
        raise NothingToOrder("the revision that the spec asks for is not rejected, so there is nothing to retry")
    attempts = [int(each.get("attempt") or 1) for each in rejected if each["revision"] == revision]
    attempts += [int(each["spec"]["attempt"]) for each in reports if each["spec"].get("revision") == revision]
    wanted = max(attempts) + 1
    return Order(
        annotation=contract.ANNOTATION_RETRY,
        value=f"{revision}/{wanted}",
        said=f"retry {revision}: attempt {wanted} starts at the first step",
    )


def _rejected_now(status: Wire) -> str | None:
    """Return the rejected revision that the spec asks for; others may have been rejected after it."""
    if status.get("canary") or status.get("phase") != contract.PHASE_REJECTED:
        return None
    conditions = status.get("conditions") or []
    stalled = next((each.get("message") or "" for each in conditions if each["type"] == contract.STALLED), "")
    revisions = (str(each["revision"]) for each in status.get("rejected") or [])
    return next((each for each in revisions if stalled.startswith(was_rolled_back(each))), None)


def _make_approval(canary: Wire, identity: str, reports: Sequence[Wire]) -> Order:
    report = next((each for each in reports if each["metadata"]["name"] == canary.get("report")), {})
    steps = (report.get("spec") or {}).get("steps") or []
    index = int(canary.get("step") or 0)
    if index >= len(steps) or steps[index].get("kind") != StepKind.APPROVAL:
        raise NothingToOrder(f"{identity} is at step {index + 1}, which is no approval step")
    return Order(
        annotation=contract.ANNOTATION_APPROVE,
        value=f"{identity}/{index}",
        said=f"approve step {index + 1} of {identity}",
    )


def _check_resumable(model_deployment: Wire, canary: Wire) -> None:
    rollout = (model_deployment.get("spec") or {}).get("rollout") or {}
    if rollout.get("paused"):
        raise NothingToOrder("spec.rollout.paused is true: set it to false where the manifest is kept (Git)")
    if not canary.get("paused"):
        raise NothingToOrder("the rollout is not paused")


def _repeatable(identity: str, verb: str, status: Wire) -> str:
    """Return a value that was not latched before: a second pause of the same attempt needs a third part."""
    latched = [each["value"] for each in status.get("commands") or [] if each.get("type") == verb]
    known = [value for value in latched if "/".join(str(value).split("/")[:2]) == identity]
    return identity if not known else f"{identity}/{len(known) + 1}"
