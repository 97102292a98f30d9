"""The line that begins a run: settings and signals, with the defaults of each kind."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from serinus.judge.measurements import Tick
from serinus.judge_command.fields import Fields, Malformed, whole
from serinus.judge_command.ticks import parse_measurements
from serinus.rollout.defaults import DEFAULT_MARGINS, HOLDING_KINDS
from serinus.rollout.types import SMALLEST_RATE, RolloutPlan, Signal, SignalAction, SignalKind, Step, StepKind, Worse

ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
"""Ticks need a time, but any will do: only their distance counts."""
LARGEST_TICK = 10**9
DEFAULT_STEPS: tuple[int, ...] = (5, 25, 50, 100)
LONGEST_INTERVAL = 86_400.0

RATES = frozenset({SignalKind.ERRORS, SignalKind.CLIENT_ERRORS, SignalKind.ACCURACY, SignalKind.IMPLAUSIBLE})
DRIFTS = frozenset({SignalKind.PREDICTION_DRIFT, SignalKind.FEATURE_DRIFT})
_RUN = frozenset(
    {"run", "interval", "maxTicks", "falseRollbackRate", "falsePromotionRate", "confirmTicks", "steps", "signals"}
    | {"before", "strict"}
)
_ANY_SIGNAL = frozenset({"name", "kind", "action", "weight"})
_NOT_A_NAME = frozenset({"tick", "step", "run", "signals"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One rollout of the file."""

    name: str | int
    plan: RolloutPlan
    before: tuple[Tick, ...] = ()
    """Stable's ticks from before the rollout."""

    def at(self, tick: int) -> datetime:
        """Return the time that stands for a tick; ticks from before the rollout are negative."""
        return ORIGIN + tick * self.plan.interval


def parse_header(fields: Fields, ordinal: int) -> Run:
    """Read the line that begins a run; ``ordinal`` (from 1) names it if it has no name.

    Raises:
        Malformed: a field is wrong or unknown.
    """
    fields.only(_RUN)
    name = fields.get("run")
    if name is None:
        name = str(ordinal)
    if isinstance(name, bool) or not isinstance(name, str | int):
        fields.refuse("run", "has to be a string or a whole number")
    plan = RolloutPlan(
        steps=_steps(fields),
        signals=_signals(fields),
        interval=timedelta(seconds=_interval(fields)),
        false_rollback_rate=_rate(fields, "falseRollbackRate"),
        false_promotion_rate=_rate(fields, "falsePromotionRate"),
        confirm_ticks=fields.integer("confirmTicks", 1, 1_000, 2),
        planned_ticks=fields.integer("maxTicks", 1, LARGEST_TICK, 240),
        strict=fields.flag("strict"),
    )
    run = Run(name=name, plan=plan)
    return Run(name=name, plan=plan, before=_before(fields, run))


def _rate(fields: Fields, name: str) -> float:
    rate = fields.between(name, 0.0, 1.0, 0.05)
    if rate < SMALLEST_RATE:
        fields.refuse(name, f"has to be at least {SMALLEST_RATE:g}, not {rate:g}")
    return rate


def _interval(fields: Fields) -> float:
    seconds = fields.number("interval", 30.0)
    if not 0.001 <= seconds <= LONGEST_INTERVAL:
        fields.refuse("interval", f"has to be from 0.001 to {LONGEST_INTERVAL:g} seconds, not {seconds:g}")
    return seconds


def _steps(fields: Fields) -> tuple[Step, ...]:
    if "steps" not in fields:
        weights = DEFAULT_STEPS
    else:
        weights = tuple(whole(value, path, 1, 100) for path, value in fields.items("steps"))
    if not weights:
        fields.refuse("steps", "needs at least one weight, in percent")
    return tuple(Step(kind=StepKind.WEIGHT, weight=weight) for weight in weights)


def _signals(fields: Fields) -> tuple[Signal, ...]:
    signals = tuple(_signal(Fields(value, path)) for path, value in fields.items("signals"))
    if not signals:
        fields.refuse("signals", "needs at least one signal")
    names = [signal.name for signal in signals]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise Malformed(f"{fields.path('signals')}[{index}].name", f"{name} stands twice")
    return signals


def _signal(fields: Fields) -> Signal:
    name = fields.text("name")
    if name in _NOT_A_NAME:
        fields.refuse("name", f"may not be {name}: lines use that word themselves")
    kind = SignalKind(fields.choice("kind", [str(each) for each in SignalKind]))
    fields.only(_ANY_SIGNAL | _own_fields(kind, fields))
    action = fields.choice(
        "action",
        [str(each) for each in SignalAction],
        SignalAction.HOLD if kind in HOLDING_KINDS else SignalAction.ROLLBACK,
    )
    margin = _margin(kind, fields)
    signal = Signal(
        name=name,
        kind=kind,
        action=SignalAction(action),
        weight=fields.integer("weight", 1, 1_000_000, 1),
        margin=margin,
        unacceptable=_unacceptable(kind, margin, fields),
        slo=fields.between("slo", 0.0, 1.0) if "slo" in fields else None,
        bound_seconds=_bound(fields),
        minimum=fields.number("min") if "min" in fields else None,
        maximum=fields.number("max") if "max" in fields else None,
        worse=Worse(fields.choice("worse", [str(each) for each in Worse], Worse.HIGHER)),
    )
    if kind is SignalKind.QUERY:
        _check_bounds(signal, fields)
    return signal


def _own_fields(kind: SignalKind, fields: Fields) -> frozenset[str]:
    if kind in RATES:
        return frozenset({"margin", "unacceptable", "slo"})
    if kind is SignalKind.LATENCY:
        # Without a bound no share is judged that an slo could bound.
        return frozenset({"margin", "unacceptable", "bound"} | ({"slo"} if "bound" in fields else set()))
    if kind in DRIFTS:
        return frozenset({"margin"})
    return frozenset({"margin", "worse"}) if kind is SignalKind.COMPARISON else frozenset({"min", "max"})


def _margin(kind: SignalKind, fields: Fields) -> float:
    if kind not in DEFAULT_MARGINS:
        return 0.0
    margin = fields.number("margin", DEFAULT_MARGINS[kind])
    open_ended = kind in DRIFTS or kind is SignalKind.COMPARISON
    if margin < 0.0 or (margin >= 1.0 and not open_ended):
        fields.refuse("margin", f"has to be at least 0{'' if open_ended else ' and below 1'}, not {margin:g}")
    return margin


def _unacceptable(kind: SignalKind, margin: float, fields: Fields) -> float:
    if kind not in RATES and kind is not SignalKind.LATENCY:
        return 0.0
    unacceptable = fields.number("unacceptable", 2.0 * margin)
    if unacceptable <= 0.0:
        fields.refuse("unacceptable", "(twice the margin if absent) has to be above 0, or promotion cannot be proved")
    if "unacceptable" in fields and unacceptable > 1.0:
        fields.refuse("unacceptable", f"has to be a share of at most 1, not {unacceptable:g}")
    if margin > unacceptable:
        fields.refuse("margin", f"may not be above unacceptable, and {margin:g} is above {unacceptable:g}")
    return unacceptable


def _bound(fields: Fields) -> float | None:
    if "bound" not in fields:
        return None
    bound = fields.number("bound")
    if bound <= 0.0:
        fields.refuse("bound", f"has to be above 0 seconds, not {bound:g}")
    return bound


def _check_bounds(signal: Signal, fields: Fields) -> None:
    if signal.minimum is None and signal.maximum is None:
        fields.refuse("min", "is missing, and so is max; a Query needs at least one of them")
    if signal.minimum is not None and signal.maximum is not None and signal.minimum > signal.maximum:
        fields.refuse("min", f"is above max ({signal.minimum:g} and {signal.maximum:g}), so no value would pass")


def _before(fields: Fields, run: Run) -> tuple[Tick, ...]:
    if fields.get("before") is None:
        return ()
    lines = fields.items("before")
    return tuple(
        Tick(
            at=run.at(index - len(lines)),
            step=0,
            next_weight=run.plan.steps[0].weight,
            measurements=parse_measurements(Fields(value, path), run.plan.signals, stable_only=True),
        )
        for index, (path, value) in enumerate(lines)
    )
