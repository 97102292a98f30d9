"""Turn weights into pods and back, and walk the steps of a plan."""

import math

from serinus.rollout.types import Canary, RolloutPlan, Step, StepKind

FULL = 100


def canary_replicas(replicas: int, weight: int) -> int:
    """Return how many pods a weight asks for, on top of stable: ``ceil(replicas x weight / 100)``, at least 1."""
    return max(1, math.ceil(replicas * weight / FULL))


def share_percent(canary_ready: int, stable_ready: int) -> int:
    """Return the share of new connections that ready pods really give the canary, in percent, rounded."""
    total = canary_ready + stable_ready
    return round(FULL * canary_ready / total) if total else 0


def reachable_percent(replicas: int, weight: int) -> int:
    """Return the share that the pods of a step will give, in percent: 0 and 100 are exact, the rest is up to pods."""
    if weight <= 0 or weight >= FULL:
        return max(0, min(weight, FULL))
    return share_percent(canary_replicas(replicas, weight), replicas)


def unreachable_steps(plan: RolloutPlan, replicas: int) -> tuple[tuple[int, int, int], ...]:
    """Return (index, weight asked, percent reached) of each step whose pods give another share than its weight."""
    return tuple(
        (index, step.weight, reached)
        for index, step in enumerate(plan.steps)
        if (reached := reachable_percent(replicas, step.weight)) != step.weight
    )


def current_step(plan: RolloutPlan, canary: Canary) -> Step:
    """Return the step that an attempt is in; the last one if its plan was lost and a shorter one took its place."""
    return plan.steps[min(canary.step, len(plan.steps) - 1)]


def pods_of_step(plan: RolloutPlan, canary: Canary, replicas: int) -> int:
    """Return how many canary pods a step needs.

    From a smoke step on they are those of the first weight, so that all that users meet then were asked and are warm.
    """
    step = current_step(plan, canary)
    were_asked = any(each.kind is StepKind.SMOKE for each in plan.steps[: canary.step + 1])
    weight = next_weight(plan, canary.step) if were_asked and step.weight == 0 else step.weight
    # What only promotion follows is asked of one pod: as many as replicas would be a second serving side.
    return canary_replicas(replicas, weight if weight < FULL else step.weight)


def is_last(plan: RolloutPlan, index: int) -> bool:
    """Tell whether nothing but promotion follows a step."""
    return index + 1 >= len(plan.steps)


def next_weight(plan: RolloutPlan, index: int) -> int:
    """Return the next larger weight after a step, 100 when promotion follows: what a proof has to be good for."""
    here = plan.steps[min(index, len(plan.steps) - 1)].weight
    return next((step.weight for step in plan.steps[index + 1 :] if step.weight > here), FULL)


def next_exposure_percent(plan: RolloutPlan, index: int, replicas: int) -> int:
    """Return the share that the canary will really get after this step, in percent."""
    return max(1, reachable_percent(replicas, next_weight(plan, index)))
