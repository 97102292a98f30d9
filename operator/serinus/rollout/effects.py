"""Carry out triggers on the memory: one small function each, memory in, memory out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from serinus import contract
from serinus.errors import BrokenInvariant
from serinus.rollout import commands, steps
from serinus.rollout.assessment import Assessment
from serinus.rollout.machine import Trigger
from serinus.rollout.triggers import fact_about, gate_of
from serinus.rollout.types import (
    Canary,
    CanaryState,
    Desired,
    Observed,
    Progress,
    Rejection,
    Retiring,
    RolloutPlan,
    Stable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What an effect may look at."""

    desired: Desired
    observed: Observed
    plan: RolloutPlan
    """The frozen plan of the attempt, or the spec's if none is under way."""
    assessment: Assessment | None
    now: datetime


def carry_out(trigger: Trigger, progress: Progress, world: World) -> Progress:
    """Return the memory after a trigger.

    Raises:
        BrokenInvariant: The trigger has no effect of its own.
    """
    effect = _EFFECTS.get(trigger)
    if effect is None:
        raise BrokenInvariant(f"no effect for trigger {trigger.name}")
    return effect(progress, world)


def why_rejected(trigger: Trigger, canary: Canary, world: World) -> tuple[str, str]:
    """Return reason and sentence of a rollback."""
    if trigger is Trigger.ADOPTED and world.observed.ruled is not None:
        return world.observed.ruled.reason, world.observed.ruled.message
    if trigger is Trigger.FACT and (fact := fact_about(world.observed, canary.revision, canary.since)):
        return fact.reason, fact.message
    if trigger is Trigger.FAILED and world.assessment is not None:
        return world.assessment.reason, world.assessment.because
    if trigger is Trigger.GATE_FAILED and (gate := gate_of(canary, world.observed)) is not None:
        return gate.reason, gate.message
    if trigger is Trigger.DEADLINE:
        ready = world.observed.ready_pods(canary.revision)
        limit = int(world.plan.progress_deadline.total_seconds())
        return contract.REASON_PROGRESS_DEADLINE, (
            f"only {ready} pods of revision {canary.revision} were ready {limit} s after step {canary.ordinal} began"
            f"{_why_not_ready(canary, world)}; look at their events and logs, or raise rollout.progressDeadline"
        )
    if trigger is Trigger.GAVE_UP:
        limit = int(world.plan.max_wait.total_seconds())
        seen = f": {world.assessment.because}" if world.assessment is not None else ""
        return contract.REASON_INCONCLUSIVE, f"no verdict within {limit} s in step {canary.ordinal}{seen}"
    return contract.REASON_ABORTED, f"attempt {canary.identity} was aborted by {_who_aborted(world, canary)}"


def _why_not_ready(canary: Canary, world: World) -> str:
    pods = (pod for pod in world.observed.pods if pod.revision == canary.revision and not pod.ready)
    return next((f": {pod.waits}" for pod in pods if pod.waits), "")


def _adopt_first(progress: Progress, world: World) -> Progress:
    return replace(progress, stable=Stable(revision=world.desired.revision, since=None))


def _first_up(progress: Progress, world: World) -> Progress:
    return replace(progress, stable=Stable(revision=world.desired.revision, since=world.now))


def _drop_canary(progress: Progress, _world: World) -> Progress:
    return replace(progress, canary=None)


def _start(progress: Progress, world: World) -> Progress:
    """Begin an attempt at step 0, without weight until its pods are ready."""
    revision = world.desired.revision
    canary = Canary(
        revision=revision,
        attempt=commands.next_attempt(progress, world.observed, revision),
        step=0,
        weight=0,
        state=CanaryState.WAITING,
        since=world.now,
        step_since=world.now,
    )
    # What was promoted away from and is asked for again is no longer on its way out.
    retiring = tuple(each for each in progress.retiring if each.revision != revision)
    return replace(progress, canary=canary, retiring=retiring)


def _reject(trigger: Trigger) -> Callable[[Progress, World], Progress]:
    def reject(progress: Progress, world: World) -> Progress:
        canary = _canary(progress)
        reason, message = why_rejected(trigger, canary, world)
        rejection = Rejection(
            revision=canary.revision, attempt=canary.attempt, reason=reason, message=message, at=world.now
        )
        rejected = (*progress.rejected, rejection)[-contract.MAX_REJECTED :]
        return replace(progress, canary=None, rejected=rejected)

    return reject


def _pods_ready(progress: Progress, world: World) -> Progress:
    """Put a step's weight in force."""
    canary = _canary(progress)
    weight = steps.current_step(world.plan, canary).weight
    ready = replace(canary, state=CanaryState.ANALYSING, weight=weight, ready_since=world.now)
    return replace(progress, canary=ready)


def _next_step(progress: Progress, world: World) -> Progress:
    canary = replace(
        _canary(progress),
        step=_canary(progress).step + 1,
        state=CanaryState.WAITING,
        step_since=world.now,
        ready_since=None,
        inconclusive=False,
    )
    return replace(progress, canary=canary)


def _promote(progress: Progress, world: World) -> Progress:
    canary = replace(
        _canary(progress), state=CanaryState.PROMOTING, step_since=world.now, paused=False, inconclusive=False
    )
    return replace(progress, canary=canary)


def _switch(progress: Progress, world: World) -> Progress:
    """Make the analysed pods stable; the old ones stay until they are drained."""
    old = progress.stable
    retiring = tuple(each for each in progress.retiring if old is None or each.revision != old.revision)
    if old is not None:
        retiring = (*retiring, Retiring(revision=old.revision, since=world.now))
    stable = Stable(revision=_canary(progress).revision, since=world.now)
    # What was promoted in the end may be asked for again later, as any earlier revision.
    rejected = tuple(each for each in progress.rejected if each.revision != stable.revision)
    return replace(progress, stable=stable, canary=None, retiring=retiring, rejected=rejected)


def _pause(progress: Progress, _world: World) -> Progress:
    return replace(progress, canary=replace(_canary(progress), paused=True))


def _resume(progress: Progress, world: World) -> Progress:
    """Go on; deadline and longest wait count anew, so that neither has passed while a person held it."""
    canary = replace(_canary(progress), paused=False, inconclusive=False, step_since=world.now)
    return replace(progress, canary=canary)


def _hold(progress: Progress, _world: World) -> Progress:
    return replace(progress, canary=replace(_canary(progress), inconclusive=True))


def _canary(progress: Progress) -> Canary:
    if progress.canary is None:
        raise BrokenInvariant("this effect needs an attempt under way")
    return progress.canary


def _who_aborted(world: World, canary: Canary) -> str:
    orders = [each for each in world.desired.commands if each.type == "abort" and each.value == canary.identity]
    return orders[0].manager if orders else "a person"


_EFFECTS: Mapping[Trigger, Callable[[Progress, World], Progress]] = {
    Trigger.FIRST_UP: _first_up,
    Trigger.FIRST_REPLACED: _adopt_first,
    Trigger.RETURNED: _drop_canary,
    Trigger.SUPERSEDED: _start,
    Trigger.ABANDONED: _drop_canary,
    Trigger.ABORTED: _reject(Trigger.ABORTED),
    Trigger.ADOPTED: _reject(Trigger.ADOPTED),
    Trigger.FACT: _reject(Trigger.FACT),
    Trigger.FAILED: _reject(Trigger.FAILED),
    Trigger.GATE_FAILED: _reject(Trigger.GATE_FAILED),
    Trigger.PROMOTED_BY_HAND: _promote,
    Trigger.DEADLINE: _reject(Trigger.DEADLINE),
    Trigger.PAUSED: _pause,
    Trigger.RESUMED: _resume,
    Trigger.PODS_READY: _pods_ready,
    Trigger.STEP_PASSED: _next_step,
    Trigger.ALL_PASSED: _promote,
    Trigger.GAVE_UP: _reject(Trigger.GAVE_UP),
    Trigger.HELD: _hold,
    Trigger.SWITCHED: _switch,
    Trigger.STARTED: _start,
    Trigger.RETRIED: _start,
}
