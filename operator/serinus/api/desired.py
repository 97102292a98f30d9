"""From parsed wire models to the values of a rollout, with every default filled in. Knows no JSON."""

from datetime import timedelta
from itertools import accumulate, dropwhile, islice

from serinus.api.analysis import Analysis, SignalSpec
from serinus.api.rollout import Rollout, StepSpec
from serinus.api.serving import Service
from serinus.errors import InvalidSpec
from serinus.rollout.types import (
    OnInconclusive,
    RolloutPlan,
    ServicePlan,
    Signal,
    SignalAction,
    SignalKind,
    Step,
    StepKind,
)
from serinus.signals.queries import check_query, parse_selector

DEFAULT_WEIGHTS = (5, 25, 50)
DEFAULT_SIGNAL = SignalSpec(name="errors", kind="Errors")
DEFAULT_MARGINS = {SignalKind.ERRORS: 0.005, SignalKind.LATENCY: 0.02}
"""Per kind, as shares; the same as in ``serinus judge``."""
DEFAULT_KEEP_OLD = timedelta(seconds=30)
DEFAULT_HISTORY_LIMIT = 30
DEFAULT_REVISION_HISTORY_LIMIT = 5


def make_steps(specs: tuple[StepSpec, ...] | None) -> tuple[Step, ...]:
    """Make the stages of a rollout; an approval keeps the weight of the step before it.

    A last step of weight 100 is what promotion does anyway, so it is left out.
    """
    if specs is None:
        return tuple(Step(kind=StepKind.WEIGHT, weight=weight) for weight in DEFAULT_WEIGHTS)
    weights = accumulate(specs, lambda last, spec: last if spec.weight is None else spec.weight, initial=0)
    steps = [
        Step(
            kind=StepKind.APPROVAL if spec.weight is None else StepKind.WEIGHT,
            weight=weight,
            at_least=spec.at_least or timedelta(0),
            name=spec.name or "",
        )
        for spec, weight in zip(specs, islice(weights, 1, None), strict=True)
    ]
    kept = list(dropwhile(lambda step: step.kind is StepKind.WEIGHT and step.weight == 100, reversed(steps)))
    return tuple(reversed(kept))


def make_signal(spec: SignalSpec, path: str) -> Signal:
    """Make one signal; ``path`` names it in messages.

    Raises:
        InvalidSpec: its query or one of its selectors cannot be understood.
    """
    kind = SignalKind(spec.kind or "")
    margin = DEFAULT_MARGINS.get(kind, 0.0) if spec.margin is None else spec.margin
    unacceptable = 2 * margin if spec.unacceptable is None else spec.unacceptable
    if margin > unacceptable:
        raise InvalidSpec(
            f"{path}: margin is {margin:g} by default, above unacceptable {unacceptable:g}: "
            "give a margin that is not above it"
        )
    try:
        if spec.query is not None:
            check_query(spec.query)
        for selector in (spec.metrics.total, spec.metrics.bad) if spec.metrics else ():
            parse_selector(selector)
    except InvalidSpec as error:
        raise InvalidSpec(f"{path}: {error.message}") from error
    return Signal(
        name=spec.name,
        kind=kind,
        action=SignalAction(spec.action or "Rollback"),
        margin=margin,
        unacceptable=unacceptable,
        bound_seconds=None if spec.bound is None else spec.bound.total_seconds(),
        total=spec.metrics.total if spec.metrics else None,
        bad=spec.metrics.bad if spec.metrics else None,
        query=spec.query,
        minimum=spec.min,
        maximum=spec.max,
    )


def make_plan(rollout: Rollout, analysis: Analysis) -> RolloutPlan:
    """Make the plan that an attempt would freeze if it began now.

    Raises:
        InvalidSpec: a query or a selector cannot be understood.
    """
    given = {
        "interval": analysis.interval,
        "false_rollback_rate": analysis.false_rollback_rate,
        "false_promotion_rate": analysis.false_promotion_rate,
        "confirm_ticks": analysis.confirm_ticks,
        "on_inconclusive": OnInconclusive(rollout.on_inconclusive) if rollout.on_inconclusive else None,
        "max_wait": rollout.max_wait,
        "progress_deadline": rollout.progress_deadline,
    }
    signals = analysis.signals or (DEFAULT_SIGNAL,)
    return RolloutPlan(
        steps=make_steps(rollout.steps),
        signals=tuple(
            make_signal(signal, f"spec.analysis.signals[{index}] ({signal.name})")
            for index, signal in enumerate(signals)
        ),
        **{name: value for name, value in given.items() if value is not None},  # type: ignore[arg-type]
    )


def make_service(service: Service, name: str) -> ServicePlan:
    """Make the Service that clients use; ``name`` is the ModelDeployment's."""
    return ServicePlan(
        name=service.name or name,
        port=service.port,
        target_port=service.target_port,
        app_protocol=service.app_protocol,
        annotations=dict(service.annotations or {}),
    )
