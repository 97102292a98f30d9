"""What every signal is run with: thresholds, steps, weights to prove, room to remember. From the frozen plan alone."""

from dataclasses import dataclass
from math import sqrt

from serinus.rollout.types import RolloutPlan, Signal, SignalAction, SignalKind, Step, StepKind

# The sums of a whole rollout have to fit into its report (32 KiB), whatever the plan is.
MAX_COMPARISONS = 40
"""Edges at which requests are compared, over all signals; a rate signal has one."""
MAX_EDGES = 6
EDGES_WITH_TAIL = 4
"""With fewer per histogram there are so many of those that how unlike pods are is kept for the lowest edge only."""
MAX_PROOFS = 8
MAX_PROOFS_IN_ALL = 100
MAX_BUCKETS = 200
MAX_BUCKETS_IN_ALL = 300

DRIFT_KINDS = frozenset({SignalKind.PREDICTION_DRIFT, SignalKind.FEATURE_DRIFT})
RATE_KINDS = frozenset(
    {
        SignalKind.ERRORS,
        SignalKind.CLIENT_ERRORS,
        SignalKind.ACCURACY,
        SignalKind.IMPLAUSIBLE,
        SignalKind.LATENCY,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What one signal is run with."""

    share: float
    """Share of the false rollback rate of all signals of its action, in (0, 1]; shares sum to 1."""
    sure: float
    """1/alpha, for all signals of the action together."""
    proof: float
    """1/beta: what ``safety`` has to reach."""
    confirm_ticks: int
    planned_ticks: int
    interval_seconds: float
    strict: bool
    weight_steps: int
    tracked_weights: tuple[int, ...]
    """Next weights that are likely to come, for which a proof is kept from the first tick on."""
    max_proofs: int
    max_edges: int
    """Edges at which a whole latency histogram is compared."""
    max_buckets: int
    """Buckets or categories that are told apart in a drift signal."""

    @property
    def threshold(self) -> float:
        """Return the e-value at which this signal alone turns the evidence key: ``1 / (share * alpha)``."""
        return self.sure / self.share

    @property
    def near(self) -> float:
        """Return the evidence from which on nothing is promoted: half the way to a rollback, in logarithms."""
        return sqrt(self.sure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Where in the rollout a tick stands."""

    step: int
    is_weight_step: bool
    next_weight: int
    """Percent, 1 to 100."""


def courses_of(plan: RolloutPlan) -> tuple[Course, ...]:
    """Return what each signal of the plan is run with, in the plan's order.

    Rollback signals share ``false_rollback_rate`` by their weights; Hold signals share a rate of the same size; an
    Observe signal decides nothing, so it has the whole rate for itself.
    """
    rates = sum(1 for signal in plan.signals if signal.kind in RATE_KINDS)
    whole = sum(1 for signal in plan.signals if is_whole_latency(signal))
    drifts = sum(1 for signal in plan.signals if signal.kind in DRIFT_KINDS)
    max_edges = min(MAX_EDGES, max(1, (MAX_COMPARISONS - rates + whole) // max(whole, 1)))
    comparisons = rates - whole + whole * max_edges
    max_proofs = min(MAX_PROOFS, max(2, MAX_PROOFS_IN_ALL // max(comparisons, 1)))
    tracked = _tracked_weights(plan, max(1, max_proofs - 2))
    return tuple(
        Course(
            share=_share(plan, signal),
            sure=1.0 / plan.false_rollback_rate,
            proof=1.0 / plan.false_promotion_rate,
            confirm_ticks=max(plan.confirm_ticks, 1),
            planned_ticks=max(plan.planned_ticks, 1),
            interval_seconds=plan.interval.total_seconds(),
            strict=plan.strict,
            weight_steps=sum(1 for step in plan.steps if compares(step)),
            tracked_weights=tracked,
            max_proofs=max_proofs,
            max_edges=max_edges,
            max_buckets=min(MAX_BUCKETS, max(2, MAX_BUCKETS_IN_ALL // max(drifts, 1))),
        )
        for signal in plan.signals
    )


def is_whole_latency(signal: Signal) -> bool:
    """Tell whether a whole histogram of durations is judged, and not the share above a bound."""
    return signal.kind is SignalKind.LATENCY and signal.bound_seconds is None


def compares(step: Step) -> bool:
    """Tell whether both sides have traffic in a step."""
    return step.kind is StepKind.WEIGHT and step.weight < 100


def _share(plan: RolloutPlan, signal: Signal) -> float:
    if signal.action is SignalAction.OBSERVE:
        return 1.0
    return signal.weight / sum(each.weight for each in plan.signals if each.action is signal.action)


def _tracked_weights(plan: RolloutPlan, most: int) -> tuple[int, ...]:
    """Return at most ``most`` weights, evenly taken, always with 100."""
    known = sorted({step.weight for step in plan.steps if 0 < step.weight < 100})
    room = most - 1
    if room == 0:
        return (100,)
    if room == 1:
        known = known[:1]
    elif len(known) > room:
        known = [known[index * (len(known) - 1) // (room - 1)] for index in range(room)]
    return (*known, 100)
