"""Builders for the judge's tests: plans, ticks and rollouts played through ``assess``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from serinus.judge.judge import assess
from serinus.judge.measurements import ExpectedShare, HistogramMeasurement, Measurement, RateMeasurement, Tick
from serinus.judge.running import Running
from serinus.rollout.assessment import Assessment
from serinus.rollout.types import RolloutPlan, Signal, SignalAction, SignalKind, Step, StepKind

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
EDGES = (0.1, 0.25, 0.5, 1.0, 2.5)
DECILES = tuple(round(0.1 * edge, 1) for edge in range(1, 10))


def errors(name: str = "errors", action: SignalAction = SignalAction.ROLLBACK, margin: float = 0.005) -> Signal:
    return Signal(name=name, kind=SignalKind.ERRORS, action=action, margin=margin, unacceptable=2 * margin)


def latency(name: str = "slow", action: SignalAction = SignalAction.ROLLBACK) -> Signal:
    return Signal(name=name, kind=SignalKind.LATENCY, action=action, margin=0.02, unacceptable=0.04, bound_seconds=0.3)


def whole_latency(name: str = "slow", action: SignalAction = SignalAction.ROLLBACK) -> Signal:
    return replace(latency(name, action), bound_seconds=None)


def drift(name: str = "score", action: SignalAction = SignalAction.ROLLBACK) -> Signal:
    return Signal(name=name, kind=SignalKind.PREDICTION_DRIFT, action=action, margin=0.1)


def query(name: str = "gpu", action: SignalAction = SignalAction.ROLLBACK) -> Signal:
    return Signal(name=name, kind=SignalKind.QUERY, action=action, query="max(t{$selector})", maximum=85.0)


def comparison(name: str = "cost", action: SignalAction = SignalAction.ROLLBACK) -> Signal:
    return Signal(name=name, kind=SignalKind.COMPARISON, action=action, query="avg(c{$selector})", margin=0.1)


def plan(*signals: Signal, weights: Sequence[int] = (20, 50), confirm_ticks: int = 2) -> RolloutPlan:
    return RolloutPlan(
        steps=tuple(Step(kind=StepKind.WEIGHT, weight=weight) for weight in weights),
        signals=signals,
        confirm_ticks=confirm_ticks,
    )


def rates(canary: tuple[int, int], stable: tuple[int, int]) -> RateMeasurement:
    """Give (total, bad) of each side, as one pod each."""
    return RateMeasurement(canary={"c-1": canary}, stable={"s-1": stable})


def histogram(
    canary: Sequence[int],
    stable: Sequence[int],
    *,
    edges: tuple[float, ...] = EDGES,
    reference: Sequence[int] | None = None,
) -> HistogramMeasurement:
    """Give counts per bucket of each side, as one pod each."""
    return HistogramMeasurement(
        canary={"c-1": tuple(canary)},
        stable={"s-1": tuple(stable)},
        edges=edges,
        reference=None if reference is None else tuple(reference),
    )


def categories(counts: Mapping[str, tuple[int, int]]) -> HistogramMeasurement:
    """Give name → (canary, stable), as one pod each."""
    return HistogramMeasurement(
        canary={"c-1": tuple(canary for canary, _ in counts.values())},
        stable={"s-1": tuple(stable for _, stable in counts.values())},
        categories=tuple(counts),
    )


def tick(
    number: int,
    step: int = 0,
    next_weight: int = 50,
    expected: ExpectedShare | None = None,
    **measurements: Measurement,
) -> Tick:
    return Tick(
        at=START + timedelta(seconds=30 * number),
        step=step,
        next_weight=next_weight,
        measurements=measurements,
        expected=expected,
    )


def play(
    of: RolloutPlan, ticks: Sequence[dict[str, Measurement]], *, step: int = 0, next_weight: int = 50
) -> list[Assessment]:
    """Judge ticks one after the other in one step, through the wire each time as the operator does."""
    return play_from(Running(), of, ticks, step=step, next_weight=next_weight)[1]


def play_from(
    running: Running,
    of: RolloutPlan,
    ticks: Sequence[dict[str, Measurement]],
    *,
    step: int = 0,
    next_weight: int = 50,
    first: int = 1,
    expected: ExpectedShare | None = None,
) -> tuple[Running, list[Assessment]]:
    said = []
    for number, measured in enumerate(ticks, first):
        running, assessment = assess(of, running, tick(number, step, next_weight, expected, **measured))
        again = Running.from_wire(running.to_wire())
        assert again == running
        running = again
        said.append(assessment)
    return running, said


def first(said: Sequence[Assessment], wanted: Callable[[Assessment], bool]) -> int | None:
    """Number of the first tick, from 1, whose assessment is wanted."""
    return next((number for number, each in enumerate(said, 1) if wanted(each)), None)


def rolled_back(assessment: Assessment) -> bool:
    return assessment.rollback


def promoted(assessment: Assessment) -> bool:
    return assessment.promote
