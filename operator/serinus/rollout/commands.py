"""Latch commands: each annotation acts at most once, on the revision and attempt that it names.

After it was seen, neither its presence nor its disappearance means anything: GitOps tools prune what people annotate.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from serinus import contract
from serinus.rollout.machine import State
from serinus.rollout.types import (
    CanaryState,
    Command,
    Desired,
    LatchedCommand,
    Observed,
    Progress,
    RolloutPlan,
    StepKind,
)


def latch(
    desired: Desired, progress: Progress, observed: Observed, state: State, now: datetime
) -> tuple[Progress, tuple[LatchedCommand, ...]]:
    """Return the memory with new commands in it, and those that are new."""
    seen = {(each.type, each.value) for each in progress.commands}
    new = tuple(
        LatchedCommand(
            type=command.type,
            value=command.value,
            at=now,
            manager=command.manager,
            obeyed=_applies(command, desired, progress, observed, state),
        )
        for command in desired.commands
        if (command.type, command.value) not in seen
    )
    if not new:
        return progress, ()
    return replace(progress, commands=_newest(progress.commands + new, desired.commands)), new


def next_attempt(progress: Progress, observed: Observed, revision: str) -> int:
    """Return the number that the next attempt of a revision gets, counted from 1."""
    rejected = [each.attempt for each in progress.rejected if each.revision == revision]
    return max([observed.attempts.get(revision, 0), *rejected]) + 1


def is_ordered(progress: Progress, type_: str, value: str) -> bool:
    """Tell whether a command was latched as one to obey."""
    return any(each.obeyed and each.type == type_ and each.value == value for each in progress.commands)


def is_held(progress: Progress, identity: str) -> bool:
    """Tell whether the newest of pause and resume for an attempt is a pause."""
    held = [
        each.type == "pause"
        for each in progress.commands
        if each.obeyed and each.type in {"pause", "resume"} and _identity(each.value) == identity
    ]
    return bool(held) and held[-1]


def _applies(command: Command, desired: Desired, progress: Progress, observed: Observed, state: State) -> bool:
    """Tell whether a command names what is under way now and can still act on it."""
    canary = progress.canary
    if command.type == "retry":
        wanted = f"{desired.revision}/{next_attempt(progress, observed, desired.revision)}"
        return state is State.REJECTED and command.value == wanted
    if canary is None:
        return False
    if command.type == "approve":
        plan = observed.frozen or desired.plan
        return command.value in _approvable(canary.identity, canary.step, plan)
    if command.type in {"pause", "resume"}:
        return _identity(command.value) == canary.identity and canary.state is not CanaryState.PROMOTING
    if command.type == "promote":
        return command.value == canary.identity and canary.state is not CanaryState.PROMOTING
    return command.value == canary.identity


def _approvable(identity: str, step: int, plan: RolloutPlan) -> Iterable[str]:
    """Yield the values that approve this or a later step of an attempt."""
    return [
        f"{identity}/{index}"
        for index, each in enumerate(plan.steps)
        if index >= step and each.kind is StepKind.APPROVAL
    ]


def _identity(value: str) -> str:
    """Return ``<revision>/<attempt>`` of a value; a third part only tells one pause from the next."""
    return "/".join(value.split("/")[:2])


def _newest(latched: tuple[LatchedCommand, ...], present: tuple[Command, ...]) -> tuple[LatchedCommand, ...]:
    """Drop the oldest beyond the limit, but none whose annotation is still there: it would act again."""
    still = {(each.type, each.value) for each in present}
    surplus = len(latched) - contract.MAX_COMMANDS
    kept = []
    for each in latched:
        if surplus > 0 and (each.type, each.value) not in still:
            surplus -= 1
        else:
            kept.append(each)
    return tuple(kept)
