"""Derive the plan: the ordered, idempotent actions that make the cluster what the memory says.

A plan is a function of memory, spec and observation alone, so doubling it or resuming it after a crash is harmless.
Order: pods come up, Services move, pods go down, what is too old is forgotten.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from serinus.rollout import steps
from serinus.rollout.triggers import strangers
from serinus.rollout.types import CanaryState, Desired, Observed, Progress, RolloutPlan

DRAIN = timedelta(seconds=5)
"""Time for every kube-proxy to drop the endpoints of pods that no Service selects any more."""


class ServiceRole(StrEnum):
    """The three Services of a ModelDeployment."""

    MAIN = "main"
    STABLE = "stable"
    CANARY = "canary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Make a revision's Deployment have this many replicas; it is created from the stored template if need be."""

    revision: str
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Make a Service select these revisions: one, or stable and canary, which are then all that have pods."""

    role: ServiceRole
    revisions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Delete an old revision: its Deployment, stored template and ConfigMap copies."""

    revision: str


Action = Scale | Point | Forget


def make_plan(
    desired: Desired, progress: Progress, observed: Observed, frozen: RolloutPlan | None
) -> tuple[Action, ...]:
    """Return the actions for a memory, in the order in which they must be done."""
    if progress.stable is None:
        return ()
    targets = replica_targets(desired, progress, observed, frozen)
    ups = [Scale(revision=each, replicas=count) for each, count in targets.items() if count > 0]
    downs = [
        Scale(revision=each, replicas=0)
        for each, seen in observed.revisions.items()
        if targets.get(each, 0) == 0 and seen.replicas > 0
    ]
    old = [Forget(revision=each) for each in forgettable(desired, progress, observed)]
    return (*ups, *_points(progress, observed), *downs, *old)


def replica_targets(
    desired: Desired, progress: Progress, observed: Observed, frozen: RolloutPlan | None
) -> dict[str, int]:
    """Return how many replicas each revision shall have; what is not named shall have none."""
    if progress.stable is None:
        return {}
    stable, canary = progress.stable.revision, progress.canary
    targets = {each.revision: _size_of(each.revision, observed, desired.replicas) for each in progress.retiring}
    targets[stable] = desired.replicas
    if canary is None:
        return targets
    # While a canary is under way stable never shrinks; scaling up is followed at once.
    targets[stable] = max(desired.replicas, _size_of(stable, observed, desired.replicas))
    if canary.state is CanaryState.PROMOTING:
        targets[canary.revision] = max(1, desired.replicas)
    else:
        targets[canary.revision] = steps.pods_of_step(frozen or desired.plan, canary, desired.replicas)
    return targets


def stay_of_old_pods(desired: Desired, progress: Progress) -> timedelta:
    """Return how long pods that were promoted away from stay after the main Service has left them."""
    # A new canary may not share the Service with a third revision, so it makes the old pods go as soon as is safe.
    return DRAIN if progress.canary is not None else max(DRAIN, desired.keep_old)


def drained(desired: Desired, progress: Progress, observed: Observed, now: datetime) -> Progress:
    """Return the memory without the revisions whose pods have stayed long enough after promotion.

    The time counts from when the main Service has left them: a run that was cut short before that starts it anew.
    """
    if progress.stable is None or not progress.retiring:
        return progress
    stay = stay_of_old_pods(desired, progress)
    over = tuple(each for each in progress.retiring if now - each.since >= stay)
    if over and observed.serving != progress.stable.revision and not is_exposed(progress, observed):
        return replace(
            progress,
            retiring=tuple(replace(each, since=now) if each in over else each for each in progress.retiring),
        )
    return replace(progress, retiring=tuple(each for each in progress.retiring if each not in over))


def is_exposed(progress: Progress, observed: Observed) -> bool:
    """Tell whether users meet the canary: the main Service selects all pods."""
    return progress.canary is not None and progress.canary.weight > 0 and not strangers(progress, observed)


def forgettable(desired: Desired, progress: Progress, observed: Observed) -> tuple[str, ...]:
    """Return the revisions beyond the history limit, oldest first: never one that serves, is tried or is asked for."""
    kept = {desired.revision, *(each.revision for each in progress.retiring)}
    kept |= {each.revision for each in (progress.stable, progress.canary) if each is not None}
    old = [seen for seen in observed.revisions.values() if seen.revision not in kept]
    old.sort(key=lambda seen: (seen.created, seen.revision))
    surplus = len(old) - desired.revision_history_limit
    return tuple(seen.revision for seen in old[: max(0, surplus)])


def _points(progress: Progress, observed: Observed) -> tuple[Point, ...]:
    """Return what each Service selects."""
    if progress.stable is None:
        return ()
    stable = progress.stable.revision
    canary = progress.canary.revision if progress.canary is not None else stable
    return (
        Point(role=ServiceRole.MAIN, revisions=(stable, canary) if is_exposed(progress, observed) else (stable,)),
        Point(role=ServiceRole.STABLE, revisions=(stable,)),
        Point(role=ServiceRole.CANARY, revisions=(canary,)),
    )


def _size_of(revision: str, observed: Observed, otherwise: int) -> int:
    seen = observed.revisions.get(revision)
    return seen.replicas if seen is not None else otherwise
