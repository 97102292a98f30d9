"""From parsed wire models to the values of a rollout, with every default filled in. Knows no JSON."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import accumulate, dropwhile, islice

from serinus import contract
from serinus.api.analysis import Analysis, Metrics, SignalSpec
from serinus.api.config_map import ConfigMapKey
from serinus.api.desired_smoke import check_schemas, check_size, make_smoke, wanted_texts
from serinus.api.profile import read_reference
from serinus.api.rollout import Rollout, StepSpec
from serinus.api.serving import Service
from serinus.errors import InvalidSpec, Stall
from serinus.rollout.defaults import DEFAULT_MARGINS, HOLDING_KINDS
from serinus.rollout.smoke import Smoke
from serinus.rollout.types import (
    SMALLEST_RATE,
    OnInconclusive,
    Reference,
    RolloutPlan,
    ServicePlan,
    Signal,
    SignalAction,
    SignalKind,
    Step,
    StepKind,
    Worse,
)
from serinus.signals.queries import check_dated, check_query, parse_selector, window_seconds

DEFAULT_WEIGHTS = (5, 25, 50)
DEFAULT_SIGNAL = SignalSpec(name="errors", kind="Errors")
PROVED_KINDS = frozenset(
    {
        SignalKind.ERRORS,
        SignalKind.CLIENT_ERRORS,
        SignalKind.ACCURACY,
        SignalKind.IMPLAUSIBLE,
        SignalKind.LATENCY,
    }
)
"""Kinds that promotion needs a proof of: those with an unacceptable excess."""
MOST_BUCKETS_IN_ALL = 800
"""Of all training profiles of an object, because each attempt keeps them in its report."""
References = Mapping[tuple[str, str], str | None]
"""Texts of training profiles, and of bodies and schemas of smoke steps, by name of ConfigMap and key; None: the
ConfigMap exists, the key does not."""
DEFAULT_KEEP_OLD = timedelta(seconds=30)
DEFAULT_HISTORY_LIMIT = 30
DEFAULT_REVISION_HISTORY_LIMIT = 5


def make_steps(specs: tuple[StepSpec, ...] | None, texts: References | None = None) -> tuple[Step, ...]:
    """Make the stages of a rollout; an approval keeps the weight of the step before it.

    A last step of weight 100 is what promotion does anyway, so it is left out.

    Raises:
        InvalidSpec: a JSONPath or a schema of a smoke step cannot be understood, or its texts are too long.
        Stall: a ConfigMap that a smoke step names does not exist.
    """
    if specs is None:
        return tuple(Step(kind=StepKind.WEIGHT, weight=weight) for weight in DEFAULT_WEIGHTS)
    weights = accumulate(specs, lambda last, spec: last if spec.weight is None else spec.weight, initial=0)
    steps = [
        Step(
            kind=_kind_of(spec),
            weight=weight,
            at_least=spec.at_least or timedelta(0),
            name=spec.name or "",
            smoke=_smoke_of(spec, _smoke_path(index), texts or {}),
        )
        for index, (spec, weight) in enumerate(zip(specs, islice(weights, 1, None), strict=True))
    ]
    smokes = {_smoke_path(index): step.smoke for index, step in enumerate(steps) if step.smoke is not None}
    check_size(smokes.values())
    check_schemas(smokes.items())
    kept = list(dropwhile(lambda step: step.kind is StepKind.WEIGHT and step.weight == 100, reversed(steps)))
    return tuple(reversed(kept))


def _kind_of(spec: StepSpec) -> StepKind:
    if spec.weight is not None:
        return StepKind.WEIGHT
    return StepKind.SMOKE if spec.smoke is not None else StepKind.APPROVAL


def _smoke_path(index: int) -> str:
    return f"spec.rollout.steps[{index}].smoke"


def _smoke_of(spec: StepSpec, path: str, texts: References) -> Smoke | None:
    return None if spec.smoke is None else make_smoke(spec.smoke, path, texts)


def make_signal(spec: SignalSpec, path: str, references: References | None = None) -> Signal:
    """Make one signal; ``path`` names it in messages.

    Args:
        spec: as written.
        path: of the signal, for people.
        references: training profiles that were read for it.

    Raises:
        InvalidSpec: its query, one of its selectors or its training profile cannot be understood.
        Stall: the ConfigMap of its training profile does not exist.
    """
    kind = SignalKind(spec.kind or "")
    margin, unacceptable = _limits(spec, kind, path)
    metrics = spec.metrics or Metrics.model_construct()
    default = SignalAction.HOLD if kind in HOLDING_KINDS else SignalAction.ROLLBACK
    try:
        for query in (spec.query, spec.updated):
            if query is not None:
                check_query(query)
        if spec.max_age is not None and spec.updated is None:
            check_dated(spec.query or "")
        for selector in (metrics.total, metrics.bad, metrics.buckets, metrics.categories):
            if selector is not None:
                parse_selector(selector)
        reference = _reference(spec, path, references or {})
    except InvalidSpec as error:
        raise InvalidSpec(f"{path}: {error.message}") from error
    return Signal(
        name=spec.name,
        kind=kind,
        action=SignalAction(spec.action) if spec.action else default,
        weight=spec.weight or 1,
        margin=margin,
        unacceptable=unacceptable,
        slo=spec.slo,
        bound_seconds=None if spec.bound is None else spec.bound.total_seconds(),
        total=metrics.total,
        bad=metrics.bad,
        buckets=metrics.buckets,
        categories=metrics.categories,
        label=metrics.label,
        feature=spec.feature,
        reference=reference,
        query=spec.query,
        source=spec.source,
        max_age_seconds=None if spec.max_age is None else spec.max_age.total_seconds(),
        updated=spec.updated,
        worse=Worse(spec.worse) if spec.worse else Worse.HIGHER,
        window_seconds=_window_seconds(spec),
        minimum=spec.min,
        maximum=spec.max,
    )


def _window_seconds(spec: SignalSpec) -> float:
    """Return how far apart two values have to be to share no data."""
    looks_back = window_seconds(spec.query) if spec.query else 0.0
    # A value that is computed now and then is asked for again and again before there is another.
    again = spec.max_age.total_seconds() if spec.max_age is not None and spec.updated is not None else 0.0
    return max(looks_back, again)


def _limits(spec: SignalSpec, kind: SignalKind, path: str) -> tuple[float, float]:
    margin = DEFAULT_MARGINS.get(kind, 0.0) if spec.margin is None else spec.margin
    if kind not in PROVED_KINDS:
        return margin, 0.0
    unacceptable = 2 * margin if spec.unacceptable is None else spec.unacceptable
    if margin > unacceptable:
        raise InvalidSpec(
            f"{path}: margin is {margin:g} by default, above unacceptable {unacceptable:g}: "
            "give a margin that is not above it"
        )
    return margin, unacceptable


def _reference(spec: SignalSpec, path: str, references: References) -> Reference | None:
    if spec.reference is None:
        return None
    wanted = spec.reference.config_map_key_ref
    where = (wanted.name, wanted.key)
    if where not in references:
        raise Stall(
            contract.REASON_CONFIG_MAP_MISSING,
            f"{path}: the training profile is in ConfigMap {wanted.name}, which does not exist: create it, "
            "or remove reference",
        )
    text = references[where]
    if text is None:
        raise Stall(
            contract.REASON_CONFIG_MAP_MISSING,
            f"{path}: ConfigMap {wanted.name} has no key {wanted.key} with the training profile: add it, "
            "or remove reference",
        )
    reference = read_reference(text, spec.feature)
    if spec.metrics is not None and (spec.metrics.buckets is not None) != bool(reference.edges):
        raise InvalidSpec(
            "the training profile and the signal's metrics have to be of one form: edges with buckets, "
            "or categories with categories"
        )
    return reference


def wanted_references(analysis: Analysis, rollout: Rollout) -> tuple[ConfigMapKey, ...]:
    """Return where the training profiles stand that signals name, and the texts that smoke steps name."""
    profiles = tuple(
        signal.reference.config_map_key_ref for signal in analysis.signals or () if signal.reference is not None
    )
    return (*profiles, *wanted_texts(rollout.steps or ()))


def make_plan(rollout: Rollout, analysis: Analysis, references: References | None = None) -> RolloutPlan:
    """Make the plan that an attempt would freeze if it began now.

    Raises:
        InvalidSpec: a query, a selector, a training profile or a smoke step cannot be understood, or a rate is next to
            nothing.
        Stall: the ConfigMap of a training profile, or of a smoke step, does not exist.
    """
    given = {
        "interval": analysis.interval,
        "false_rollback_rate": analysis.false_rollback_rate,
        "false_promotion_rate": analysis.false_promotion_rate,
        "confirm_ticks": analysis.confirm_ticks,
        "strict": analysis.strict,
        "on_inconclusive": OnInconclusive(rollout.on_inconclusive) if rollout.on_inconclusive else None,
        "max_wait": rollout.max_wait,
        "progress_deadline": rollout.progress_deadline,
    }
    for name, rate in (
        ("falseRollbackRate", analysis.false_rollback_rate),
        ("falsePromotionRate", analysis.false_promotion_rate),
    ):
        if rate is not None and rate < SMALLEST_RATE:
            raise InvalidSpec(f"spec.analysis.{name}: has to be at least {SMALLEST_RATE:g}, not {rate:g}: raise it")
    signals = tuple(
        make_signal(signal, f"spec.analysis.signals[{index}] ({signal.name})", references)
        for index, signal in enumerate(analysis.signals or (DEFAULT_SIGNAL,))
    )
    buckets = sum(len(each.reference.counts) for each in signals if each.reference is not None)
    if buckets > MOST_BUCKETS_IN_ALL:
        raise InvalidSpec(
            f"spec.analysis.signals: their training profiles have {buckets} buckets and categories together, and "
            f"{MOST_BUCKETS_IN_ALL} can be kept: use fewer buckets, or leave reference out of some signals"
        )
    return RolloutPlan(
        steps=make_steps(rollout.steps, references),
        signals=signals,
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
