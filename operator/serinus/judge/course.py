"""What every signal's process is run with: thresholds, steps, weights to prove. Derived from the frozen plan alone."""

from dataclasses import dataclass
from math import sqrt

from serinus.rollout.types import RolloutPlan, Signal, SignalAction, StepKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What one signal's process is run with."""

    threshold: float
    """e-value at which this signal alone turns the evidence key: signals of its action over their common rate."""
    sure: float
    """1/alpha, for all signals of the action together."""
    proof: float
    """1/beta: what ``safety`` has to reach."""
    confirm_ticks: int
    weight_steps: int
    tracked_weights: tuple[int, ...]
    """Next weights that are likely to come, for which a proof is kept from the first tick on."""

    @property
    def near(self) -> float:
        """Evidence from which on nothing is promoted: half the way to a rollback, in logarithms."""
        return sqrt(self.sure)


MAX_TRACKED_WEIGHTS = 6


def course_of(plan: RolloutPlan, signal: Signal) -> Course:
    """Return what a signal of the plan is run with.

    Rollback signals share ``false_rollback_rate`` equally; Hold signals share a rate of the same size; an Observe
    signal decides nothing, so it has the whole rate for itself.
    """
    sure = 1.0 / plan.false_rollback_rate
    peers = sum(1 for each in plan.signals if each.action is signal.action)
    alone = signal.action is SignalAction.OBSERVE
    return Course(
        threshold=sure if alone else sure * max(peers, 1),
        sure=sure,
        proof=1.0 / plan.false_promotion_rate,
        confirm_ticks=max(plan.confirm_ticks, 1),
        weight_steps=sum(1 for step in plan.steps if step.kind is StepKind.WEIGHT),
        tracked_weights=_tracked_weights(plan),
    )


def _tracked_weights(plan: RolloutPlan) -> tuple[int, ...]:
    """Return at most ``MAX_TRACKED_WEIGHTS`` weights, evenly taken, always with 100."""
    known = sorted({step.weight for step in plan.steps if 0 < step.weight < 100})
    room = MAX_TRACKED_WEIGHTS - 1
    if len(known) > room:
        known = [known[index * (len(known) - 1) // (room - 1)] for index in range(room)]
    return (*known, 100)
