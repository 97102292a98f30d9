"""Builders for the judge's tests: plans, ticks and rollouts played through ``assess``."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from serinus.judge.judge import assess
from serinus.judge.measurements import Measurement, RateMeasurement, Tick
from serinus.judge.running import Running
from serinus.rollout.types import Assessment, RolloutPlan, Signal, SignalAction, SignalKind, Step, StepKind

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def errors(name: str = "errors", action: SignalAction = SignalAction.ROLLBACK, margin: float = 0.005) -> Signal:
    return Signal(name=name, kind=SignalKind.ERRORS, action=action, margin=margin, unacceptable=2 * margin)


def latency(name: str = "slow", action: SignalAction = SignalAction.ROLLBACK) -> Signal:
    return Signal(name=name, kind=SignalKind.LATENCY, action=action, margin=0.02, unacceptable=0.04, bound_seconds=0.3)


def query(name: str = "gpu", action: SignalAction = SignalAction.ROLLBACK) -> Signal:
    return Signal(name=name, kind=SignalKind.QUERY, action=action, query="max(t{$selector})", maximum=85.0)


def plan(*signals: Signal, weights: Sequence[int] = (20, 50), confirm_ticks: int = 2) -> RolloutPlan:
    return RolloutPlan(
        steps=tuple(Step(kind=StepKind.WEIGHT, weight=weight) for weight in weights),
        signals=signals,
        confirm_ticks=confirm_ticks,
    )


def rates(canary: tuple[int, int], stable: tuple[int, int]) -> RateMeasurement:
    """Give (total, bad) of each side, as one pod each."""
    return RateMeasurement(canary={"c-1": canary}, stable={"s-1": stable})


def tick(number: int, step: int = 0, next_weight: int = 50, **measurements: Measurement) -> Tick:
    return Tick(
        at=START + timedelta(seconds=30 * number), step=step, next_weight=next_weight, measurements=measurements
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
) -> tuple[Running, list[Assessment]]:
    said = []
    for number, measured in enumerate(ticks, first):
        running, assessment = assess(of, running, tick(number, step, next_weight, **measured))
        running = Running.from_wire(running.to_wire())
        said.append(assessment)
    return running, said


def first(said: Sequence[Assessment], wanted: Callable[[Assessment], bool]) -> int | None:
    """Number of the first tick, from 1, whose assessment is wanted."""
    return next((number for number, each in enumerate(said, 1) if wanted(each)), None)
