"""Find the one trigger that the world pulls now: a list of questions in order of urgency."""

from datetime import datetime, timedelta

from serinus import contract
from serinus.rollout import commands, steps
from serinus.rollout.assessment import Assessment
from serinus.rollout.machine import State, Trigger
from serinus.rollout.smoke import GateOutcome
from serinus.rollout.types import (
    Canary,
    CanaryState,
    Desired,
    Fact,
    Observed,
    OnInconclusive,
    Progress,
    RolloutPlan,
    StepKind,
)


def state_of(progress: Progress, desired: Desired) -> State:
    """Return the state that a memory and a spec amount to."""
    canary = progress.canary
    if progress.stable is None or progress.stable.since is None:
        return State.INITIALIZING
    if canary is None:
        if desired.revision != progress.stable.revision and progress.rejection_of(desired.revision):
            return State.REJECTED
        return State.STABLE
    if canary.state is CanaryState.PROMOTING:
        return State.PROMOTING
    return State.PAUSED if canary.paused or canary.inconclusive else State.PROGRESSING


def find_trigger(
    state: State,
    desired: Desired,
    progress: Progress,
    observed: Observed,
    assessment: Assessment | None,
    now: datetime,
) -> Trigger:
    """Return the most urgent trigger that holds; NOTHING if none does."""
    if state is State.INITIALIZING:
        return _first(desired, progress, observed)
    if progress.canary is None:
        return _resting(state, desired, progress, observed)
    plan = observed.frozen or desired.plan
    return (
        _redirected(desired, progress, progress.canary, observed)
        or _ended(progress, progress.canary, observed, assessment)
        or _moved(state, desired, progress, progress.canary, plan, observed, assessment, now)
        or Trigger.NOTHING
    )


CLOCK_SKEW = timedelta(seconds=10)


def fact_about(observed: Observed, revision: str, since: datetime | None = None) -> Fact | None:
    """Return the first thing wrong with a revision's pods, None if nothing is.

    Args:
        observed: The cluster.
        revision: Whose pods.
        since: Start of the attempt: what an older pod of an earlier attempt suffered is not held against it.
    """
    for pod in observed.pods:
        is_old = since is not None and pod.started < since - CLOCK_SKEW
        if pod.revision == revision and pod.fact is not None and not is_old:
            return pod.fact
    seen = observed.revisions.get(revision)
    if seen is not None and seen.refusal is not None:
        return Fact(reason=contract.REASON_PODS_REFUSED, message=seen.refusal)
    return None


def pods_are_ready(canary: Canary, plan: RolloutPlan, observed: Observed, desired: Desired) -> bool:
    """Tell whether all pods of a step are ready."""
    return observed.ready_pods(canary.revision) >= steps.pods_of_step(plan, canary, desired.replicas)


def gate_of(canary: Canary, observed: Observed) -> GateOutcome | None:
    """Return how the gate of the step in force ended; None while it runs, and where there is none."""
    gate = observed.gate
    if gate is None or canary.state is not CanaryState.ANALYSING:
        return None
    return gate if (gate.identity, gate.step) == (canary.identity, canary.step) else None


def _first(desired: Desired, progress: Progress, observed: Observed) -> Trigger:
    if progress.stable is None or progress.stable.revision != desired.revision:
        return Trigger.FIRST_REPLACED
    up = observed.ready_pods(desired.revision) > 0 or desired.replicas == 0
    return Trigger.FIRST_UP if up else Trigger.NOTHING


def _resting(state: State, desired: Desired, progress: Progress, observed: Observed) -> Trigger:
    """Look for a reason to start an attempt."""
    is_asked_for = progress.stable is not None and desired.revision == progress.stable.revision
    if is_asked_for or observed.obstacle is not None:
        return Trigger.NOTHING
    if state is State.REJECTED:
        wanted = commands.next_attempt(progress, observed, desired.revision)
        ordered = commands.is_ordered(progress, "retry", f"{desired.revision}/{wanted}")
        return Trigger.RETRIED if ordered else Trigger.NOTHING
    return Trigger.STARTED


def _redirected(desired: Desired, progress: Progress, canary: Canary, observed: Observed) -> Trigger | None:
    """Look whether the spec asks for something else than the canary."""
    if progress.stable is not None and desired.revision == progress.stable.revision:
        return Trigger.RETURNED
    if desired.revision == canary.revision:
        return None
    may_begin = observed.obstacle is None and progress.rejection_of(desired.revision) is None
    return Trigger.SUPERSEDED if may_begin else Trigger.ABANDONED


def _ended(progress: Progress, canary: Canary, observed: Observed, assessment: Assessment | None) -> Trigger | None:
    """Look for a reason to roll back at once."""
    if commands.is_ordered(progress, "abort", canary.identity):
        return Trigger.ABORTED
    if observed.ruled is not None:
        return Trigger.ADOPTED
    if fact_about(observed, canary.revision, canary.since):
        return Trigger.FACT
    # A person who promotes has seen the evidence.
    is_ordered = commands.is_ordered(progress, "promote", canary.identity)
    if assessment is not None and assessment.rollback and not is_ordered:
        return Trigger.FAILED
    gate = gate_of(canary, observed)
    return Trigger.GATE_FAILED if gate is not None and not gate.passed and not is_ordered else None


def _moved(
    state: State,
    desired: Desired,
    progress: Progress,
    canary: Canary,
    plan: RolloutPlan,
    observed: Observed,
    assessment: Assessment | None,
    now: datetime,
) -> Trigger | None:
    """Look whether the attempt goes on, waits or gives up."""
    if state is State.PROMOTING:
        if observed.ready_pods(canary.revision) >= max(1, desired.replicas):
            return Trigger.SWITCHED
        return Trigger.DEADLINE if now - canary.step_since >= plan.progress_deadline else None
    if commands.is_ordered(progress, "promote", canary.identity):
        return Trigger.PROMOTED_BY_HAND
    held = desired.paused or commands.is_held(progress, canary.identity)
    if held != canary.paused:
        return Trigger.PAUSED if held else Trigger.RESUMED
    if held:
        return None
    if canary.state is CanaryState.WAITING:
        if pods_are_ready(canary, plan, observed, desired) and not strangers(progress, observed):
            return Trigger.PODS_READY
        return Trigger.DEADLINE if now - canary.step_since >= plan.progress_deadline else None
    if _step_is_over(progress, canary, plan, observed, assessment, now):
        return Trigger.ALL_PASSED if steps.is_last(plan, canary.step) else Trigger.STEP_PASSED
    return _ran_out(canary, plan, assessment, now)


def strangers(progress: Progress, observed: Observed) -> frozenset[str]:
    """Return the revisions that have pods and are neither stable nor canary: all may not serve together with them."""
    known = {each.revision for each in (progress.stable, progress.canary) if each is not None}
    return frozenset(pod.revision for pod in observed.pods if pod.revision not in known)


def _step_is_over(
    progress: Progress,
    canary: Canary,
    plan: RolloutPlan,
    observed: Observed,
    assessment: Assessment | None,
    now: datetime,
) -> bool:
    """Tell whether a step has lasted long enough and has what it waits for."""
    step = steps.current_step(plan, canary)
    if elapsed(canary, now) < step.at_least:
        return False
    if step.kind is StepKind.APPROVAL:
        return commands.is_ordered(progress, "approve", f"{canary.identity}/{canary.step}")
    if step.kind is StepKind.SMOKE:
        return (gate := gate_of(canary, observed)) is not None and gate.passed
    return assessment is not None and assessment.promote and assessment.step == canary.step


def _ran_out(canary: Canary, plan: RolloutPlan, assessment: Assessment | None, now: datetime) -> Trigger | None:
    """Look whether the longest wait is over, and what the plan says then."""
    step = steps.current_step(plan, canary)
    waited = min(elapsed(canary, now), now - canary.step_since)
    # A gate has a limit of its own, and says itself when it is over.
    if canary.inconclusive or step.kind is not StepKind.WEIGHT or waited < plan.max_wait:
        return None
    if plan.on_inconclusive is OnInconclusive.ROLLBACK:
        return Trigger.GAVE_UP
    if plan.on_inconclusive is OnInconclusive.PAUSE:
        return Trigger.HELD
    if plan.on_inconclusive is OnInconclusive.PROMOTE_IF_CALM and assessment is not None and assessment.calm:
        return Trigger.ALL_PASSED if steps.is_last(plan, canary.step) else Trigger.STEP_PASSED
    return None


def elapsed(canary: Canary, now: datetime) -> timedelta:
    """Return how long a step's pods have been ready."""
    return now - canary.ready_since if canary.ready_since is not None else timedelta(0)
