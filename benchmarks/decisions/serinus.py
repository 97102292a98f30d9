"""Serinus itself as a policy: the operator's own ``judge.assess``, tick by tick.

The operator writes the judge's running state between two ticks and reads it again; here it is kept as it is. That both
give the same is a property that the judge's tests hold.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from benchmarks.decisions.policy import Conditions, Outcome, TickData
from serinus.judge.judge import assess, learn
from serinus.judge.measurements import Measurement, RateMeasurement, Tick
from serinus.judge.running import Running
from serinus.rollout.assessment import Assessment
from serinus.rollout.types import OnInconclusive, RolloutPlan, Signal, SignalAction, SignalKind, Step, StepKind

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
ERRORS = "errors"

Measurements = Mapping[str, Measurement]


def errors_of(conditions: Conditions) -> tuple[Signal, ...]:
    """Return the one signal of the grids of error counts."""
    return (
        Signal(
            name=ERRORS,
            kind=SignalKind.ERRORS,
            action=SignalAction.ROLLBACK,
            margin=conditions.margin,
            unacceptable=conditions.unacceptable,
        ),
    )


def plan_of(conditions: Conditions, signals: tuple[Signal, ...], *, strict: bool = False) -> RolloutPlan:
    """Return the plan that a user would write for these conditions."""
    return RolloutPlan(
        steps=tuple(Step(kind=StepKind.WEIGHT, weight=weight) for weight in conditions.steps),
        signals=signals,
        interval=timedelta(seconds=conditions.interval_seconds),
        false_rollback_rate=conditions.alpha,
        false_promotion_rate=conditions.beta,
        strict=strict,
    )


def rates(canary: Sequence[Sequence[int]], stable: Sequence[Sequence[int]]) -> RateMeasurement:
    """Return a measurement from counts per pod."""
    return RateMeasurement(canary=_pods("c", canary), stable=_pods("s", stable))


def _pods(side: str, counts: Sequence[Sequence[int]]) -> dict[str, tuple[int, int]]:
    return {f"{side}{index}": (int(total), int(bad)) for index, (total, bad) in enumerate(counts)}


@dataclass(slots=True)
class Judged:
    """A rollout that is being judged."""

    plan: RolloutPlan
    running: Running = field(default_factory=Running)
    step: int = 0

    def learn(self, before: Iterable[Measurements]) -> None:
        """Let the judge learn from stable's ticks before the rollout."""
        past = list(before)
        ticks = [self._tick(number, each) for number, each in enumerate(past, 1 - len(past))]
        self.running = learn(self.plan, self.running, ticks) if ticks else self.running

    def on(self, number: int, measurements: Measurements) -> Assessment:
        """Judge one tick, numbered from 1."""
        self.running, said = assess(self.plan, self.running, self._tick(number, measurements))
        return said

    @property
    def next_weight(self) -> int:
        """Percent that the canary would get next."""
        after = self.step + 1
        return self.plan.steps[after].weight if after < len(self.plan.steps) else 100

    def _tick(self, number: int, measurements: Measurements) -> Tick:
        at = START + number * self.plan.interval
        return Tick(at=at, step=self.step, next_weight=self.next_weight, measurements=measurements)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serinus:
    """Serinus with its defaults in a whole rollout: it moves on when the proof for the next weight is there."""

    name: str = "Serinus"
    on_inconclusive: OnInconclusive = OnInconclusive.WAIT
    longest_step: int = 10_000
    """Ticks in a step after which ``on_inconclusive`` applies."""

    def start(self, conditions: Conditions) -> "SerinusRun":
        """Begin a rollout judged by one signal of error counts."""
        judged = Judged(plan_of(conditions, errors_of(conditions)))
        judged.learn({ERRORS: rates((), tick.stable)} for tick in conditions.before)
        return SerinusRun(policy=self, judged=judged)


CALM = Serinus(
    name="Serinus, PromoteIfCalm after 10 min", on_inconclusive=OnInconclusive.PROMOTE_IF_CALM, longest_step=20
)
"""What a user with little traffic chooses who would rather go on than wait for a proof."""


@dataclass(slots=True, kw_only=True)
class SerinusRun:
    """One rollout."""

    policy: Serinus
    judged: Judged
    ticks_in_step: int = 0

    @property
    def weight(self) -> int:
        """Percent in force."""
        return self.judged.plan.steps[self.judged.step].weight

    def on_tick(self, tick: TickData) -> Outcome | None:
        """Judge a tick; on a proof, go on to the next step."""
        said = self.judged.on(tick.number, {ERRORS: rates(tick.canary, tick.stable)})
        self.ticks_in_step += 1
        if said.rollback:
            return Outcome.ROLLBACK
        late = self.ticks_in_step >= self.policy.longest_step
        if said.promote or (late and said.calm and self.policy.on_inconclusive is OnInconclusive.PROMOTE_IF_CALM):
            return self._onwards()
        return Outcome.PAUSE if late and self.policy.on_inconclusive is OnInconclusive.PAUSE else None

    def _onwards(self) -> Outcome | None:
        if self.judged.step + 1 == len(self.judged.plan.steps):
            return Outcome.PROMOTE
        self.judged.step += 1
        self.ticks_in_step = 0
        return None
