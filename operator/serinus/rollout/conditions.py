"""Say in Kubernetes' words where a ModelDeployment stands: the condition table.

Messages hold no number that changes with every tick: a condition changes when something happened, and only then.
"""

from dataclasses import dataclass, replace

from serinus import contract
from serinus.rollout import steps
from serinus.rollout.assessment import Assessment, Measuring, Verdict
from serinus.rollout.machine import State
from serinus.rollout.triggers import fact_about, strangers
from serinus.rollout.types import Canary, CanaryState, Desired, Observed, Progress, RolloutPlan, StepKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition without its times: those are the writer's."""

    type: str
    status: bool | None
    """None is Unknown."""
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that the conditions are a function of."""

    state: State
    desired: Desired
    progress: Progress
    observed: Observed
    plan: RolloutPlan
    assessment: Assessment | None
    measuring: Measuring


PHASES = {
    State.INITIALIZING: contract.PHASE_INITIALIZING,
    State.STABLE: contract.PHASE_STABLE,
    State.PROGRESSING: contract.PHASE_PROGRESSING,
    State.PAUSED: contract.PHASE_PAUSED,
    State.PROMOTING: contract.PHASE_PROMOTING,
    State.REJECTED: contract.PHASE_REJECTED,
}


def make_conditions(view: View) -> tuple[Condition, ...]:
    """Return all seven conditions, in the order of ``contract.CONDITION_TYPES``."""
    reason, sentence = describe(view)
    available = _available(view)
    rejected = view.state is State.REJECTED or is_held_back(view.progress, view.observed)
    ready = view.state is State.STABLE and not rejected and _is_complete(view)
    moving = not (ready or rejected)
    if view.state is State.STABLE and moving:
        reason = contract.REASON_WAITING_FOR_PODS
        sentence = f"waiting until all {view.desired.replicas} pods of revision {view.desired.revision} are ready"
        if fact := fact_about(view.observed, view.desired.revision):
            reason, sentence = fact.reason, f"{sentence}: {fact.message}"
    return (
        Condition(type=contract.READY, status=ready, reason=reason, message=sentence),
        Condition(type=contract.RECONCILING, status=moving, reason=reason, message=sentence),
        Condition(type=contract.STALLED, status=rejected, reason=reason, message=sentence if rejected else ""),
        available,
        _canary_healthy(view),
        Condition(
            type=contract.METRICS_AVAILABLE,
            status=view.measuring.available,
            reason=view.measuring.reason,
            message=view.measuring.message,
        ),
        _paused(view),
    )


def is_held_back(progress: Progress, observed: Observed) -> bool:
    """Tell whether the spec asks for an attempt that may not begin."""
    return observed.obstacle is not None and progress.canary is None


def stalled_conditions(progress: Progress, observed: Observed, reason: str, message: str) -> tuple[Condition, ...]:
    """Return the conditions while a person has to mend the configuration; what serves is untouched."""
    available = _availability(progress, observed)
    idle = "nothing is measured while the configuration is wrong"
    return (
        Condition(type=contract.READY, status=False, reason=reason, message=message),
        Condition(type=contract.RECONCILING, status=False, reason=reason, message=message),
        Condition(type=contract.STALLED, status=True, reason=reason, message=message),
        available,
        Condition(type=contract.CANARY_HEALTHY, status=None, reason=reason, message="held until the spec is mended"),
        Condition(type=contract.METRICS_AVAILABLE, status=None, reason=contract.REASON_NOT_MEASURED, message=idle),
        Condition(type=contract.PAUSED, status=False, reason=contract.REASON_NOT_PAUSED, message=""),
    )


def resolving_conditions(progress: Progress, observed: Observed, message: str) -> tuple[Condition, ...]:
    """Return the conditions while the artifact of the first revision is looked up."""
    idle = "no canary to measure"
    return while_resolving(
        (
            *stalled_conditions(progress, observed, contract.REASON_RESOLVING_MODEL, message)[:4],
            Condition(type=contract.CANARY_HEALTHY, status=None, reason=contract.REASON_NO_CANARY, message=""),
            Condition(type=contract.METRICS_AVAILABLE, status=None, reason=contract.REASON_NOT_MEASURED, message=idle),
            Condition(type=contract.PAUSED, status=False, reason=contract.REASON_NOT_PAUSED, message=""),
        ),
        message,
    )


def while_resolving(conditions: tuple[Condition, ...], message: str) -> tuple[Condition, ...]:
    """Return conditions that say of an object under way that the artifact of a newer spec is looked up."""
    said = {contract.READY: (False, message), contract.RECONCILING: (True, message), contract.STALLED: (False, "")}
    return tuple(
        replace(each, status=said[each.type][0], reason=contract.REASON_RESOLVING_MODEL, message=said[each.type][1])
        if each.type in said
        else each
        for each in conditions
    )


def with_trouble(conditions: tuple[Condition, ...], trouble: str) -> tuple[Condition, ...]:
    """Return conditions that say besides, in Ready's message, why a tracked artifact cannot be followed now."""
    if not trouble:
        return conditions
    also = f"; the model is not followed at present, and stays as it is: {trouble}"
    return tuple(
        replace(each, message=each.message + also) if each.type == contract.READY else each for each in conditions
    )


def with_hindrance(conditions: tuple[Condition, ...], hindrance: str) -> tuple[Condition, ...]:
    """Return conditions that say besides, in Ready's message, why no further attempt could begin now."""
    if not hindrance:
        return conditions
    also = f"; the next attempt could not begin: {hindrance}"
    return tuple(
        replace(each, message=each.message + also) if each.type == contract.READY else each for each in conditions
    )


def was_rolled_back(revision: str) -> str:
    """Return the words that begin Stalled's message while the spec asks for this rejected revision."""
    return f"revision {revision} was rolled back: "


def describe(view: View) -> tuple[str, str]:
    """Return reason and sentence of where things stand."""
    progress, canary = view.progress, view.progress.canary
    if view.state is State.INITIALIZING:
        return _describe_first(view)
    if view.observed.obstacle is not None and canary is None:
        return view.observed.obstacle.reason, view.observed.obstacle.message
    if view.state is State.REJECTED:
        rejection = progress.rejection_of(view.desired.revision)
        if rejection is not None:
            return rejection.reason, (
                f"{was_rolled_back(rejection.revision)}{rejection.message};"
                f" stable serves; apply another spec, or annotate {contract.ANNOTATION_RETRY}="
                f"{rejection.revision}/{rejection.attempt + 1}"
            )
    if canary is None:
        stable = progress.stable.revision if progress.stable is not None else "?"
        return contract.REASON_STABLE, f"revision {stable} serves all traffic"
    if view.state is State.PROMOTING:
        return contract.REASON_PROMOTING, (
            f"revision {canary.revision} takes over when {max(1, view.desired.replicas)} of its pods are ready"
        )
    return _describe_step(view, canary)


def _describe_first(view: View) -> tuple[str, str]:
    revision = view.desired.revision
    if fact := fact_about(view.observed, revision):
        return fact.reason, f"the first revision cannot start: {fact.message}"
    return contract.REASON_INITIALIZING, f"waiting for the first ready pod of revision {revision}"


def _describe_step(view: View, canary: Canary) -> tuple[str, str]:
    """Return what a canary waits for in its step."""
    step = steps.current_step(view.plan, canary)
    place = f"revision {canary.revision}, step {canary.ordinal} of {len(view.plan.steps)} ({_label(view, canary)})"
    if canary.paused:
        return contract.REASON_PAUSED, f"{place}: paused by a person, resume to go on"
    if canary.inconclusive:
        why = view.assessment.reason if view.assessment is not None else contract.REASON_NO_SERIES
        return contract.REASON_INCONCLUSIVE, (
            f"{place}: no verdict within maxWait ({why}); goes on by itself when there is proof,"
            f" or promote or abort {canary.identity}"
        )
    if canary.state is CanaryState.WAITING:
        others = ", ".join(sorted(strangers(view.progress, view.observed)))
        waits = f"for the pods of {others} to go" if others else "for its pods"
        return contract.REASON_WAITING_FOR_PODS, f"{place}: waiting {waits}"
    if step.kind is StepKind.APPROVAL:
        return contract.REASON_WAITING_FOR_APPROVAL, (
            f"{place}: waiting for approval, annotate {contract.ANNOTATION_APPROVE}={canary.identity}/{canary.step}"
        )
    if step.kind is StepKind.SMOKE and view.observed.gate_waits:
        waits = f"{place}: waiting for its turn to be asked: {view.observed.gate_waits}"
        return contract.REASON_ANALYSING, waits
    if step.kind is StepKind.SMOKE:
        return contract.REASON_ANALYSING, f"{place}: asking its pods before any user reaches them"
    return contract.REASON_ANALYSING, f"{place}: gathering evidence"


def _label(view: View, canary: Canary) -> str:
    """Return a step in words, honest about the share that its pods give."""
    step = steps.current_step(view.plan, canary)
    name = f"{step.name}, " if step.name else ""
    if step.kind is StepKind.APPROVAL:
        return f"{name}approval at weight {step.weight} %"
    if step.kind is StepKind.SMOKE:
        return f"{name}smoke" if step.name != StepKind.SMOKE else "smoke"
    reached = steps.reachable_percent(view.desired.replicas, step.weight)
    honest = "" if reached == step.weight else f", {reached} % with these pods"
    return f"{name}weight {step.weight} %{honest}"


def _is_complete(view: View) -> bool:
    """Tell whether stable has all its pods, as the Deployment's own readiness means it."""
    stable = view.progress.stable
    seen = view.observed.revisions.get(stable.revision) if stable is not None else None
    return seen is not None and seen.ready >= view.desired.replicas


def _available(view: View) -> Condition:
    return _availability(view.progress, view.observed)


def _availability(progress: Progress, observed: Observed) -> Condition:
    stable = progress.stable
    if stable is not None:
        seen = observed.revisions.get(stable.revision)
        if observed.ready_pods(stable.revision) > 0 or (seen is not None and seen.ready > 0):
            message = f"revision {stable.revision} has ready pods"
            return Condition(type=contract.AVAILABLE, status=True, reason=contract.REASON_AVAILABLE, message=message)
    message = "no pod of the serving revision is ready"
    return Condition(type=contract.AVAILABLE, status=False, reason=contract.REASON_UNAVAILABLE, message=message)


def _canary_healthy(view: View) -> Condition:
    """Say what is known about the canary; a rejection stays said while the spec asks for it."""
    type_, canary = contract.CANARY_HEALTHY, view.progress.canary
    rejection = view.progress.rejection_of(view.desired.revision)
    if canary is None:
        if view.state is State.REJECTED and rejection is not None:
            return Condition(type=type_, status=False, reason=rejection.reason, message=rejection.message)
        return Condition(type=type_, status=None, reason=contract.REASON_NO_CANARY, message="")
    if canary.state is CanaryState.PROMOTING or (
        view.assessment is not None and view.assessment.verdict is Verdict.PASS
    ):
        message = f"proof for what follows step {canary.ordinal}"
        return Condition(type=type_, status=True, reason=contract.REASON_CANARY_PASSES, message=message)
    if view.assessment is None:
        return Condition(type=type_, status=None, reason=contract.REASON_UNDECIDED, message="no tick was judged yet")
    return Condition(
        type=type_,
        status=None,
        reason=view.assessment.reason or contract.REASON_UNDECIDED,
        message=f"{view.assessment.verdict.value}; the evidence stands in the RolloutReport",
    )


def _paused(view: View) -> Condition:
    canary = view.progress.canary
    if canary is not None and (canary.paused or canary.inconclusive):
        reason = contract.REASON_PAUSED if canary.paused else contract.REASON_INCONCLUSIVE
        message = describe(view)[1]
        return Condition(type=contract.PAUSED, status=True, reason=reason, message=message)
    return Condition(type=contract.PAUSED, status=False, reason=contract.REASON_NOT_PAUSED, message="")
