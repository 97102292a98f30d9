"""Decide: the only author of plans. Total and pure.

``decide(desired, observed, progress, assessment, measuring, now)`` reads no clock and does no I/O. Deciding twice on
the same world gives the same decision; deciding again on the world after it, at the same time, gives an empty change.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from serinus import contract
from serinus.errors import BrokenInvariant
from serinus.rollout import commands, steps
from serinus.rollout.assessment import Assessment, Measuring
from serinus.rollout.conditions import PHASES, Condition, View, is_held_back, make_conditions
from serinus.rollout.effects import World, carry_out, why_rejected
from serinus.rollout.machine import TABLE, State, Trigger
from serinus.rollout.plan import Action, drained, make_plan, stay_of_old_pods
from serinus.rollout.triggers import elapsed, find_trigger, gate_of, state_of
from serinus.rollout.types import (
    Canary,
    CanaryState,
    Desired,
    LatchedCommand,
    Observed,
    Progress,
    RolloutPlan,
    Step,
    StepKind,
)

POLL = timedelta(seconds=5)
"""Pods are not watched: while an attempt is under way they are looked at this often."""
GATE_POLL = timedelta(seconds=1)
"""A gate runs by itself; most take a second."""

_MOST_TRANSITIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that happened and that a Kubernetes Event tells."""

    warning: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A decision about an attempt, for its report."""

    revision: str
    attempt: int
    step: int
    action: str
    """The trigger's name in CamelCase: StepPassed, Failed, Switched, …"""
    outcome: str | None
    """How the attempt ended: Promoted, Rejected, Aborted, Superseded, Returned; None while it goes on."""
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to remember, what to do, what to say, and when to look again."""

    progress: Progress
    plan: tuple[Action, ...]
    conditions: tuple[Condition, ...]
    phase: str
    started: Canary | None
    """An attempt that begins now and needs its report."""
    frozen: RolloutPlan
    """The plan in force for the attempt under way."""
    rulings: tuple[Ruling, ...]
    notes: tuple[Note, ...]
    requeue_after: timedelta | None


def decide(
    desired: Desired,
    observed: Observed,
    progress: Progress,
    assessment: Assessment | None,
    measuring: Measuring,
    now: datetime,
) -> Decision:
    """Return the decision for one look at the world.

    Args:
        desired: What the spec asks for.
        observed: What the cluster shows.
        progress: What was remembered.
        assessment: The judge's newest answer about the attempt under way, None if there is none yet.
        measuring: Whether measurements can be had.
        now: The time, aware, in whole seconds.

    Raises:
        BrokenInvariant: The table lacks a transition: our own bug.
    """
    frozen = (observed.frozen or desired.plan) if progress.canary is not None else desired.plan
    world = World(desired=desired, observed=observed, plan=frozen, assessment=assessment, now=now)
    state = state_of(progress, desired)
    progress, latched = commands.latch(desired, progress, observed, state, now)
    walk = _walk(_Walk(state=state, progress=progress, world=world, notes=_command_notes(latched)))
    state, world = walk.state, walk.world
    progress = drained(desired, walk.progress, world.observed, now)
    view = View(
        state=state,
        desired=desired,
        progress=progress,
        observed=world.observed,
        plan=world.plan,
        assessment=world.assessment,
        measuring=measuring,
    )
    return Decision(
        progress=progress,
        plan=make_plan(desired, progress, world.observed, world.plan),
        conditions=make_conditions(view),
        phase=contract.PHASE_STALLED if is_held_back(progress, world.observed) else PHASES[state],
        started=walk.started,
        frozen=world.plan,
        rulings=walk.rulings,
        notes=walk.notes,
        requeue_after=_requeue_after(state, desired, progress, world.plan, now),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    """How far the transitions of one decision have come."""

    state: State
    progress: Progress
    world: World
    notes: tuple[Note, ...]
    rulings: tuple[Ruling, ...] = ()
    started: Canary | None = None


def _walk(walk: _Walk) -> _Walk:
    """Take transitions until nothing pulls one any more, or an attempt begins: what was seen is older than it."""
    for _ in range(_MOST_TRANSITIONS):
        world = walk.world
        trigger = find_trigger(walk.state, world.desired, walk.progress, world.observed, world.assessment, world.now)
        if trigger is Trigger.NOTHING:
            break
        walk = _take(trigger, walk)
        if walk.started is not None:
            break
    return walk


def _take(trigger: Trigger, walk: _Walk) -> _Walk:
    """Take one transition."""
    if (walk.state, trigger) not in TABLE:
        raise BrokenInvariant(f"no transition for {trigger.name} in {walk.state.name}")
    before, world = walk.progress, walk.world
    after = carry_out(trigger, before, world)
    notes = walk.notes + _notes(trigger, before, after, world)
    rulings = walk.rulings + _rulings(trigger, before, world)
    started = walk.started
    if after.canary is not None and not _same_attempt(before.canary, after.canary):
        # Observations and evidence of an earlier attempt say nothing about this one.
        started = after.canary
        observed = replace(world.observed, frozen=None, ruled=None, gate=None)
        world = replace(world, plan=world.desired.plan, assessment=None, observed=observed)
    if after.canary is None:
        world = replace(world, assessment=None)
    state = TABLE[walk.state, trigger].state
    return _Walk(state=state, progress=after, world=world, notes=notes, rulings=rulings, started=started)


def _same_attempt(before: Canary | None, after: Canary) -> bool:
    return before is not None and before.identity == after.identity


def _requeue_after(
    state: State, desired: Desired, progress: Progress, plan: RolloutPlan, now: datetime
) -> timedelta | None:
    """Return how long until something may be due; None when only a watch event can change anything."""
    waits: list[timedelta] = []
    waits += [each.since + stay_of_old_pods(desired, progress) - now for each in progress.retiring]
    if state is State.INITIALIZING:
        waits.append(POLL)
    if progress.canary is not None:
        waits.append(POLL)
        canary = progress.canary
        if canary.state is CanaryState.ANALYSING:
            interval = plan.interval.total_seconds()
            waits.append(timedelta(seconds=interval - now.timestamp() % interval))
            is_gate = steps.current_step(plan, canary).kind is StepKind.SMOKE
            waits += [GATE_POLL] if is_gate and not canary.paused else []
            over = steps.current_step(plan, canary).at_least - elapsed(canary, now)
            waits += [over] if over > timedelta(0) else []
    return max(min(waits), timedelta(milliseconds=100)) if waits else None


_OUTCOMES = {
    Trigger.ABORTED: "Aborted",
    Trigger.RETURNED: "Returned",
    Trigger.SUPERSEDED: "Superseded",
    Trigger.ABANDONED: "Superseded",
    Trigger.SWITCHED: "Promoted",
}
_REJECTIONS = frozenset(
    {
        Trigger.ABORTED,
        Trigger.ADOPTED,
        Trigger.FACT,
        Trigger.FAILED,
        Trigger.GATE_FAILED,
        Trigger.DEADLINE,
        Trigger.GAVE_UP,
    }
)


def _rulings(trigger: Trigger, before: Progress, world: World) -> tuple[Ruling, ...]:
    """Return what the report of the attempt under way has to hold about a trigger."""
    canary = before.canary
    if canary is None:
        return ()
    reason, message = _account(trigger, canary, world)
    return (
        Ruling(
            revision=canary.revision,
            attempt=canary.attempt,
            step=canary.step,
            action="".join(word.capitalize() for word in trigger.name.split("_")),
            outcome=_OUTCOMES.get(trigger, "Rejected" if trigger in _REJECTIONS else None),
            reason=reason,
            message=message,
        ),
    )


def _account(trigger: Trigger, canary: Canary, world: World) -> tuple[str, str]:
    """Return reason and sentence of a trigger."""
    if trigger in _REJECTIONS:
        return why_rejected(trigger, canary, world)
    gate = gate_of(canary, world.observed)
    proof = gate.message if gate is not None else world.assessment.because if world.assessment is not None else ""
    step = steps.current_step(world.plan, canary)
    sentences = {
        Trigger.RETURNED: (contract.REASON_RETURNED, f"the spec equals stable again; {canary.identity} ends unjudged"),
        Trigger.SUPERSEDED: (contract.REASON_SUPERSEDED, f"a newer spec replaces {canary.identity}"),
        Trigger.ABANDONED: (contract.REASON_SUPERSEDED, f"the spec leaves {canary.identity}"),
        Trigger.PODS_READY: (contract.REASON_ANALYSING, f"step {canary.ordinal}: {_begins(step)}"),
        Trigger.STEP_PASSED: (contract.REASON_STEP_STARTED, f"step {canary.ordinal} passed: {proof}"),
        Trigger.ALL_PASSED: (contract.REASON_PROMOTING, f"all steps passed: {proof}"),
        Trigger.PROMOTED_BY_HAND: (contract.REASON_PROMOTING, f"{canary.identity} was promoted by a person"),
        Trigger.SWITCHED: (contract.REASON_PROMOTED, f"revision {canary.revision} serves all traffic"),
        Trigger.PAUSED: (contract.REASON_PAUSED, f"{canary.identity} is held at step {canary.ordinal}"),
        Trigger.RESUMED: (contract.REASON_PROGRESSING, f"{canary.identity} goes on at step {canary.ordinal}"),
        Trigger.HELD: (contract.REASON_INCONCLUSIVE, f"no verdict in time in step {canary.ordinal}: {proof}"),
    }
    return sentences[trigger]


def _begins(step: Step) -> str:
    if step.kind is StepKind.SMOKE:
        return "pods ready, they are asked before any user reaches them"
    return f"weight {step.weight} % in force"


def _notes(trigger: Trigger, before: Progress, after: Progress, world: World) -> tuple[Note, ...]:
    """Return the Events of a transition."""
    notes = []
    if before.canary is not None:
        reason, message = _account(trigger, before.canary, world)
        warning = trigger in _REJECTIONS or trigger is Trigger.HELD
        notes.append(Note(warning=warning, reason=reason, message=message))
    elif trigger is Trigger.FIRST_UP:
        message = f"revision {world.desired.revision} serves"
        notes.append(Note(warning=False, reason=contract.REASON_STABLE, message=message))
    if after.canary is not None and not _same_attempt(before.canary, after.canary):
        message = f"attempt {after.canary.identity} begins"
        notes.append(Note(warning=False, reason=contract.REASON_ROLLOUT_STARTED, message=message))
        notes += _honest_shares(world)
    return tuple(notes)


def _honest_shares(world: World) -> tuple[Note, ...]:
    """Warn before the start about steps whose pods give another share than their weight."""
    replicas = world.desired.replicas
    off = [
        f"step {index + 1} asks for {asked} % and gets {reached} %"
        for index, asked, reached in steps.unreachable_steps(world.desired.plan, replicas)
    ]
    if not off:
        return ()
    message = f"with {replicas} replicas {'; '.join(off)}: split Replicas can only divide by pods, raise spec.replicas"
    return (Note(warning=True, reason=contract.REASON_WEIGHT_UNREACHABLE, message=message),)


def _command_notes(latched: tuple[LatchedCommand, ...]) -> tuple[Note, ...]:
    """Return an Event for each new command."""
    notes = []
    for each in latched:
        if each.obeyed:
            message = f"{each.type} {each.value} by {each.manager}"
            notes.append(Note(warning=False, reason=contract.REASON_COMMAND_OBEYED, message=message))
        else:
            message = (
                f"{each.type} {each.value} by {each.manager} does nothing: it names another revision, attempt or step"
                " than the one under way, or came too late; status.canary shows what can be named"
            )
            notes.append(Note(warning=True, reason=contract.REASON_COMMAND_IGNORED, message=message))
    return tuple(notes)
