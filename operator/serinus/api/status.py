"""The status of a ModelDeployment: wire models, and the memory of a rollout read from and written to it.

The operator writes the whole status; what is absent afterwards has to be sent as null.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from serinus import contract
from serinus.api.quantities import format_time
from serinus.api.wire import Ruled, Seen, Timestamp
from serinus.errors import Stall
from serinus.rollout.artifact import Known
from serinus.rollout.conditions import Condition
from serinus.rollout.names import report_name
from serinus.rollout.types import Progress
from serinus.signals.presets import all_presets
from serinus.signals.recognition import Recognition

MAX_MESSAGE_LENGTH = 1024
MAX_RETIRING = 100


class StableStatus(Seen):
    """The revision that serves."""

    revision: str
    """Its name."""
    weight: int | None = None
    """Percent of the traffic that it is given."""
    replicas: int | None = None
    """Pods that it is asked to have."""
    ready_replicas: int | None = None
    """Pods that are ready."""
    since: Timestamp | None = None
    """When it first had a ready pod."""


class CanaryStatus(Seen):
    """The attempt under way."""

    revision: str
    """Its name."""
    attempt: int
    """Counted from 1 per revision."""
    step: int
    """Index into the steps of the report, from 0; people count from 1."""
    weight: int
    """Percent of the traffic that is asked for now."""
    actual_weight: int | None = None
    """Percent of the traffic that the ready pods really give."""
    state: Literal["WaitingForPods", "Analysing", "Promoting"]
    """Where the step stands."""
    since: Timestamp
    """Start of the attempt."""
    step_since: Timestamp
    """Start of the step."""
    ready_since: Timestamp | None = None
    """When the step's pods were first all ready."""
    paused: bool = False
    """Held by a person."""
    inconclusive: bool = False
    """Held because maxWait passed without a proof."""
    report: str | None = None
    """Name of the RolloutReport."""
    plan_outdated: bool | None = None
    """The spec's steps or analysis were edited after the attempt began; the attempt keeps its plan."""


class RetiringStatus(Seen):
    """A revision that was promoted away from and still has pods."""

    revision: str
    """Its name."""
    since: Timestamp
    """When it was promoted away from."""


class RejectedStatus(Seen):
    """An attempt that was rolled back; never retried by itself."""

    revision: str
    """Its name."""
    attempt: int
    """Counted from 1 per revision."""
    reason: str
    """One CamelCase word, such as ErrorsWorse."""
    message: str
    """The evidence in one sentence."""
    at: Timestamp
    """When."""
    report: str | None = None
    """Name of the RolloutReport."""


class CommandStatus(Seen):
    """An annotation that was seen once and never acts again."""

    type: str
    """promote, abort, pause, resume, approve or retry."""
    value: str
    """Revision and attempt that it named; approve also the step."""
    at: Timestamp
    """When it was first seen."""
    manager: str
    """Field manager that wrote the annotation."""
    obeyed: bool
    """False when it named another revision or attempt, or came too late."""


class ModelStatus(Seen):
    """The artifact that spec.model names."""

    uri: str
    """Where it lies."""
    digest: str | None = None
    """What the spec says, else a fingerprint of what the store tells about the files; absent for a pvc://."""
    resolved_at: Timestamp | None = None
    """When it was found; absent if the spec says the digest."""
    message: str | None = None
    """Why nobody can tell at present whether a tracked artifact was replaced."""


class SideMetrics(Seen):
    """By what one revision's metrics are read."""

    revision: str
    """Its name."""
    runtime: str
    """Preset of the server."""
    data: str | None = None
    """Preset of the instrumentation beside the server."""
    recognised: bool = False
    """Its pods export metrics of this preset; false: not seen yet, so it is read by what is declared."""
    contradicts: bool = False
    """Its pods export another server's metrics than was expected, and none of those."""
    because: Annotated[str, Field(max_length=MAX_MESSAGE_LENGTH)] = ""
    """What was seen, in words."""


class MetricsStatus(Seen):
    """By what presets metrics are read."""

    stable: SideMetrics | None = None
    """Of the revision that serves; looked at before each attempt."""
    canary: SideMetrics | None = None
    """Of the attempt under way."""


class ConditionStatus(Seen):
    """A condition as everywhere in Kubernetes."""

    type: Annotated[str, Field(max_length=316)]
    """Ready, Reconciling, Stalled, Available, CanaryHealthy, MetricsAvailable or Paused."""
    status: Literal["True", "False", "Unknown"]
    """True, False or Unknown."""
    observed_generation: int | None = None
    """Generation of the spec that it speaks of."""
    last_transition_time: Timestamp
    """When status last changed."""
    reason: Annotated[str, Field(max_length=1024)]
    """One CamelCase word."""
    message: Annotated[str, Field(max_length=32768)]
    """One sentence."""


Conditions = Annotated[
    tuple[ConditionStatus, ...],
    Ruled(extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
]
_atomic = Ruled(extra={"x-kubernetes-list-type": "atomic"})


class ModelDeploymentStatus(Seen):
    """Facts that the operator found or made."""

    observed_generation: int | None = None
    """Generation of the spec that the rest speaks of."""
    phase: str | None = None
    """Derived, for the printed column only."""
    stable: StableStatus | None = None
    """The revision that serves."""
    canary: CanaryStatus | None = None
    """The attempt under way."""
    retiring: Annotated[tuple[RetiringStatus, ...], _atomic] | None = None
    """Revisions that were promoted away from and still have pods."""
    rejected: Annotated[tuple[RejectedStatus, ...], _atomic] | None = None
    """Attempts that were rolled back, the newest 20, newest last."""
    commands: Annotated[tuple[CommandStatus, ...], _atomic] | None = None
    """Annotations that were seen, newest last."""
    model: ModelStatus | None = None
    """The artifact of the revision that the spec asks for; of the one under way while a newer one is looked up."""
    metrics: MetricsStatus | None = None
    """By what presets metrics are read, from what the pods export."""
    conditions: Conditions | None = None
    """Ready, Reconciling, Stalled, Available, CanaryHealthy, MetricsAvailable, Paused."""
    replicas: int | None = None
    """Pods of stable, for /scale."""
    selector: str | None = None
    """Label selector of stable's pods, for /scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What the status shows beside the memory."""

    observed_generation: int
    phase: str
    conditions: tuple[Condition, ...]
    now: datetime
    """For the transition times of conditions."""
    replicas: int = 0
    """Pods of stable that exist."""
    ready_replicas: int = 0
    """Pods of stable that are ready."""
    selector: str = ""
    """Label selector of stable's pods."""
    actual_weight: int | None = None
    """Percent of the traffic that the canary's ready pods really get."""
    plan_outdated: bool = False
    recognised: Mapping[str, Recognition] = field(default_factory=dict)
    """By what revisions are read, by revision."""
    model: Known | None = None
    """The artifact; None if image and template bring the model."""
    model_trouble: str = ""
    """Why a tracked artifact is not followed at present."""


_PROGRESS = TypeAdapter(Progress)
_MEMORY = ("stable", "canary", "retiring", "rejected", "commands")


def read_progress(status: Mapping[str, Any]) -> Progress:
    """Read the memory of a rollout.

    Raises:
        Stall: the status cannot be understood; the cluster must be left as it is.
    """
    try:
        memory = {key: status[key] for key in _MEMORY if status.get(key) is not None}
        parsed = ModelDeploymentStatus.model_validate_json(json.dumps(memory))
        found = {key: value for key, value in parsed.model_dump(include=set(_MEMORY)).items() if value is not None}
        return _PROGRESS.validate_python(found)
    except (ValidationError, TypeError) as error:
        raise Stall(
            contract.REASON_STATUS_UNREADABLE,
            "status cannot be read, so nothing is changed: restore it, or remove it (kubectl patch modeldeployment "
            f"--subresource status) so that it is read back from the Services and reports ({_first_line(error)})",
        ) from error


def write_status(progress: Progress, sight: Sight, *, name: str, previous: Mapping[str, Any]) -> dict[str, Any]:
    """Write the whole status.

    Args:
        progress: The memory; ``read_progress`` reads it back.
        sight: What is shown beside it.
        name: Name of the ModelDeployment, for the names of reports.
        previous: The status before, for the transition times of conditions.
    """
    written: dict[str, Any] = {
        "observedGeneration": sight.observed_generation,
        "phase": sight.phase,
        "replicas": sight.replicas,
        "selector": sight.selector,
        "conditions": write_conditions(
            sight.conditions,
            observed_generation=sight.observed_generation,
            previous=previous.get("conditions") or (),
            now=sight.now,
        ),
    }
    if sight.model is not None:
        trouble = {"message": sight.model_trouble[:MAX_MESSAGE_LENGTH]} if sight.model_trouble else {}
        written["model"] = {**sight.model.to_wire(), **trouble}
    if metrics := _metrics(progress, sight.recognised):
        written["metrics"] = metrics
    memory = ModelDeploymentStatus.model_validate(_PROGRESS.dump_python(progress), strict=False)
    written |= memory.model_dump(mode="json", by_alias=True, exclude_none=True)
    if progress.stable:
        written["stable"] |= {
            "weight": 100 - (progress.canary.weight if progress.canary else 0),
            "replicas": sight.replicas,
            "readyReplicas": sight.ready_replicas,
        }
    if progress.canary:
        written["canary"] |= {
            "report": report_name(name, progress.canary.revision, progress.canary.attempt),
            "planOutdated": sight.plan_outdated,
        }
        if sight.actual_weight is not None:
            written["canary"]["actualWeight"] = sight.actual_weight
    for rejected in written["rejected"]:
        rejected["report"] = report_name(name, rejected["revision"], rejected["attempt"])
        rejected["message"] = rejected["message"][:MAX_MESSAGE_LENGTH]
    return {key: value for key, value in written.items() if value != []}


def read_recognised(status: Mapping[str, Any]) -> Mapping[str, Recognition]:
    """Return by what revisions are read, by revision; what cannot be understood is looked at anew."""
    found = {}
    for wire in (status.get("metrics") or {}).values():
        try:
            side = SideMetrics.model_validate_json(json.dumps(wire))
        except (ValidationError, TypeError):
            continue
        if {side.runtime, side.data or side.runtime} <= all_presets().keys():
            found[side.revision] = Recognition(**side.model_dump())
    return found


def _metrics(progress: Progress, recognised: Mapping[str, Recognition]) -> dict[str, Any]:
    sides = {"stable": progress.stable, "canary": progress.canary}
    return {
        side: {key: value for key, value in asdict(recognised[of.revision]).items() if value not in (None, False, "")}
        | {"because": recognised[of.revision].because[:MAX_MESSAGE_LENGTH]}
        for side, of in sides.items()
        if of is not None and of.revision in recognised
    }


_STATUS = {True: "True", False: "False", None: "Unknown"}


def write_conditions(
    conditions: Iterable[Condition],
    *,
    observed_generation: int,
    previous: Iterable[Mapping[str, Any]],
    now: datetime,
) -> list[dict[str, Any]]:
    """Write conditions; a transition time moves only when the condition's status does.

    Args:
        conditions: What holds now.
        observed_generation: Generation of the spec that they speak of.
        previous: ``status.conditions`` as it was.
        now: Time of a transition, cut to whole seconds.
    """
    before = {each.get("type"): each for each in previous}
    return [
        {
            "type": each.type,
            "status": _STATUS[each.status],
            "observedGeneration": observed_generation,
            "lastTransitionTime": _transition_time(before.get(each.type), _STATUS[each.status], now),
            "reason": each.reason,
            "message": each.message[:MAX_MESSAGE_LENGTH],
        }
        for each in conditions
    ]


def _transition_time(before: Mapping[str, Any] | None, status: str, now: datetime) -> str:
    if before is not None and before.get("status") == status and before.get("lastTransitionTime"):
        return str(before["lastTransitionTime"])
    return format_time(now.replace(microsecond=0))


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return str(error)
