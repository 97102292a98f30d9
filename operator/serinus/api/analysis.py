"""Wire models of the judgement: rates of error and the signals that are measured."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from serinus.api.config_map import FromConfigMap
from serinus.api.wire import Duration, Name, Rule, Ruled, Share, Wire
from serinus.signals.presets import sources

MAX_SIGNALS = 20
MAX_QUERY_LENGTH = 1024
MAX_SELECTOR_LENGTH = 512
COUNTER_KINDS = ("Errors", "Implausible", "Accuracy", "ClientErrors")
RATE_KINDS = ("Errors", "Latency", "Implausible", "Accuracy", "ClientErrors")
REQUEST_KINDS = ("Errors", "Latency", "ClientErrors")
DRIFT_KINDS = ("PredictionDrift", "FeatureDrift")
OUR_LABELS = ("namespace", "pod", "__name__")

Rate = Annotated[float, Field(gt=0, le=0.5)]
"""A chance of error, in (0, 0.5]."""


Counter = Annotated[str, Field(min_length=1, max_length=MAX_SELECTOR_LENGTH)]
"""A PromQL vector selector without functions."""

LabelName = Annotated[
    str,
    Field(min_length=1, max_length=128),
    Ruled(
        (
            Rule(
                cel="self.matches('^[a-zA-Z_][a-zA-Z0-9_]*$') && !(self in ["
                + ", ".join(f"'{label}'" for label in OUR_LABELS)
                + "])",
                message="name a label of the counter whose values are the categories, such as outcome; "
                "namespace and pod say whose pods are counted",
                holds=lambda label: bool(re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", label)) and label not in OUR_LABELS,
            ),
        )
    ),
]
"""Name of a label in PromQL."""


def _one_form(metrics: Any) -> bool:
    forms = (metrics.total, metrics.buckets, metrics.categories)
    return (
        (metrics.total is None) == (metrics.bad is None)
        and (metrics.categories is None) == (metrics.label is None)
        and sum(each is not None for each in forms) == 1
    )


class Metrics(Wire):
    """A user's own metrics in one of three forms, as PromQL vector selectors without functions."""

    rules = (
        Rule(
            cel="has(self.total) == has(self.bad) && has(self.categories) == has(self.label) && "
            "[has(self.total), has(self.buckets), has(self.categories)].filter(given, given).size() == 1",
            message="give exactly one of these: total and bad (two counters), buckets (a histogram), "
            "categories and label (a counter per category)",
            holds=_one_form,
        ),
    )

    total: Counter | None = None
    """Errors, ClientErrors, Implausible, Accuracy: counter of all requests, such as my_requests_total."""
    bad: Counter | None = None
    """Counter of the bad ones among them, such as my_requests_total{code=~"5.."}."""
    buckets: Counter | None = None
    """Latency (in seconds), drift: the buckets of a classic histogram, such as my_score_bucket."""
    categories: Counter | None = None
    """Drift: counter with a label that names the category, such as my_predictions_total."""
    label: LabelName | None = None
    """Drift: that label, such as outcome."""


def _only(field: str, attribute: str, kinds: tuple[str, ...]) -> Rule:
    names = ", ".join(f"'{kind}'" for kind in kinds)
    return Rule(
        cel=f"!has(self.{field}) || !has(self.kind) || self.kind in [{names}]",
        message=f"{field} belongs to signals of kind {' or '.join(kinds)}: remove it, or change the kind",
        holds=lambda signal: getattr(signal, attribute) is None or signal.kind is None or signal.kind in kinds,
    )


def _form(field: str, words: str, kinds: tuple[str, ...]) -> Rule:
    names = ", ".join(f"'{kind}'" for kind in kinds)
    return Rule(
        cel=f"!has(self.metrics) || !has(self.metrics.{field}) || !has(self.kind) || self.kind in [{names}]",
        message=f"metrics with {words} belongs to signals of kind {' or '.join(kinds)}: "
        "give the form that this kind counts by, or change the kind",
        holds=lambda signal: (
            signal.metrics is None
            or getattr(signal.metrics, field) is None
            or signal.kind is None
            or signal.kind in kinds
        ),
    )


def _share_in_cel(field: str) -> str:
    return f"(self.{field}.endsWith('%') ? double(self.{field}.replace('%', '')) / 100.0 : double(self.{field}))"


def _known_source(name: str) -> str:
    if name not in sources():
        raise ValueError(
            f"source must be one of {', '.join(sources())}, or absent: then the server's own metrics count"
        )
    return name


Source = Annotated[str, AfterValidator(_known_source), Field(json_schema_extra={"enum": list(sources())})]
"""Name of a view on traffic from outside the server."""


def _margin_below_unacceptable(signal: Any) -> bool:
    return signal.margin is None or signal.unacceptable is None or signal.margin <= signal.unacceptable


class SignalSpec(Wire):
    """One thing that is measured on canary and stable."""

    rules = (
        Rule(
            cel="has(self.kind) || (has(self.disabled) && self.disabled)",
            message="give the signal a kind, such as Errors, Latency or Query",
            holds=lambda signal: signal.kind is not None or bool(signal.disabled),
        ),
        Rule(
            cel="!has(self.kind) || self.kind != 'Query' || (has(self.query) && (has(self.min) || has(self.max)))",
            message="a Query needs query and at least one of min and max",
            holds=lambda signal: (
                signal.kind != "Query"
                or (signal.query is not None and (signal.min is not None or signal.max is not None))
            ),
        ),
        Rule(
            cel="!has(self.kind) || self.kind != 'Comparison' || "
            "(has(self.query) && (self.query.contains('$selector') || self.query.contains('$revision')))",
            message="a Comparison needs query with $selector, which stands for the canary's pods and then for "
            "stable's, or with $revision",
            holds=lambda signal: (
                signal.kind != "Comparison"
                or (signal.query is not None and any(each in signal.query for each in ("$selector", "$revision")))
            ),
        ),
        Rule(
            cel="!has(self.min) || !has(self.max) || self.min <= self.max",
            message="min is above max, so no value would pass: swap them or mend one",
            holds=lambda signal: signal.min is None or signal.max is None or signal.min <= signal.max,
        ),
        Rule(
            cel="!has(self.margin) || !has(self.unacceptable) || "
            "!self.margin.matches('^[0-9.]+%?$') || !self.unacceptable.matches('^[0-9.]+%?$') || "
            f"{_share_in_cel('margin')} <= {_share_in_cel('unacceptable')}",
            message="margin is what is still accepted, unacceptable what must be ruled out: margin may not be above it",
            holds=_margin_below_unacceptable,
        ),
        Rule(
            cel="has(self.unacceptable) ? self.unacceptable.matches('[1-9]') : "
            "!has(self.margin) || self.margin.matches('[1-9]')",
            message="unacceptable (twice the margin if absent) must be above zero, or promotion could never be proved",
            holds=lambda signal: (signal.margin if signal.unacceptable is None else signal.unacceptable) != 0,
        ),
        Rule(
            cel="!has(self.bound) || self.bound.matches('[1-9]')",
            message="bound must be longer than zero: requests slower than it count as bad",
            holds=lambda signal: signal.bound is None or signal.bound > timedelta(0),
        ),
        Rule(
            cel="!has(self.slo) || self.slo.matches('[1-9]')",
            message="slo must be above zero: it is the largest share of bad requests that is still good enough",
            holds=lambda signal: signal.slo != 0,
        ),
        Rule(
            cel="!has(self.slo) || !has(self.kind) || self.kind != 'Latency' || has(self.bound)",
            message="slo of a Latency signal needs bound: the share of requests slower than it is what slo limits",
            holds=lambda signal: signal.slo is None or signal.kind != "Latency" or signal.bound is not None,
        ),
        Rule(
            cel="!has(self.kind) || self.kind != 'FeatureDrift' || has(self.feature)",
            message="FeatureDrift needs feature: the name of the input that is compared",
            holds=lambda signal: signal.kind != "FeatureDrift" or signal.feature is not None,
        ),
        _only("query", "query", ("Query", "Comparison")),
        _only("min", "min", ("Query",)),
        _only("max", "max", ("Query",)),
        _only("margin", "margin", (*RATE_KINDS, *DRIFT_KINDS, "Comparison")),
        _only("unacceptable", "unacceptable", RATE_KINDS),
        _only("slo", "slo", RATE_KINDS),
        _only("bound", "bound", ("Latency",)),
        _only("metrics", "metrics", (*RATE_KINDS, *DRIFT_KINDS)),
        _form("total", "total and bad", COUNTER_KINDS),
        _form("buckets", "buckets", ("Latency", *DRIFT_KINDS)),
        _form("categories", "categories and label", DRIFT_KINDS),
        _only("feature", "feature", ("FeatureDrift",)),
        _only("reference", "reference", DRIFT_KINDS),
        _only("worse", "worse", ("Comparison",)),
        _only("source", "source", REQUEST_KINDS),
        _only("maxAge", "max_age", ("Query", "Comparison")),
        _only("updated", "updated", ("Query", "Comparison")),
        Rule(
            cel="!has(self.source) || !has(self.metrics)",
            message="source and metrics exclude each other: one view of the requests is enough",
            holds=lambda signal: signal.source is None or signal.metrics is None,
        ),
        Rule(
            cel="!has(self.updated) || has(self.maxAge)",
            message="updated says when the value was computed, and maxAge how old it may be: give both",
            holds=lambda signal: signal.updated is None or signal.max_age is not None,
        ),
        Rule(
            cel="!has(self.maxAge) || self.maxAge.matches('[1-9]')",
            message="maxAge must be longer than zero: an older value is no data",
            holds=lambda signal: signal.max_age is None or signal.max_age > timedelta(0),
        ),
    )

    name: Name
    """Unique within the list."""
    kind: (
        Literal[
            "Errors",
            "Latency",
            "Query",
            "PredictionDrift",
            "FeatureDrift",
            "Implausible",
            "Accuracy",
            "ClientErrors",
            "Comparison",
        ]
        | None
    ) = None
    """What is measured."""
    action: Literal["Rollback", "Hold", "Observe"] | None = None
    """What evidence of harm does; if absent, Hold for ClientErrors, drift and Comparison, else Rollback."""
    weight: Annotated[int, Field(ge=1, le=100)] | None = None
    """Share of the false rollback rate, relative to the other signals of the same action; 1 if absent."""
    margin: Share | None = None
    """What is still accepted, as 0.5% or a quoted decimal below 1. Rates: excess of the canary's share over stable's.
    Drift: population stability index. Comparison: difference relative to stable's value."""
    unacceptable: Share | None = None
    """Excess that must be ruled out before promotion; twice the margin if absent."""
    slo: Share | None = None
    """Largest share of bad requests of the canary alone; needs no baseline."""
    bound: Duration | None = None
    """Latency: requests slower than this are bad. Absent: the whole histogram."""
    metrics: Metrics | None = None
    """Own metrics in place of the preset's."""
    source: Source | None = None
    """Errors, Latency, ClientErrors: view from outside the server that counts them, such as istio."""
    query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_LENGTH)] | None = None
    """Query, Comparison: PromQL for one number; $selector stands for the pods of one side, $revision for its name."""
    worse: Literal["Higher", "Lower"] | None = None
    """Comparison: which way of the value does harm; Higher if absent."""
    min: float | None = None
    """Query: lower bound of the value."""
    max: float | None = None
    """Query: upper bound of the value."""
    max_age: Duration | None = None
    """Query, Comparison: a value that is older is no data, because a detector's gauge keeps its last one for ever."""
    updated: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_LENGTH)] | None = None
    """Query, Comparison: PromQL for the Unix time when the value was computed; the time of its samples if absent."""
    reference: FromConfigMap | None = None
    """Drift: the training profile."""
    feature: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """FeatureDrift: name of the input."""
    disabled: bool | None = None
    """True removes a signal of the same name that a policy brings."""


Signals = Annotated[
    tuple[SignalSpec, ...],
    Field(max_length=MAX_SIGNALS),
    Ruled(
        (
            Rule(
                cel="size(self) > 0",
                message="give at least one signal, or leave signals out to get errors; "
                "action: Observe makes a signal decide nothing",
                holds=lambda signals: len(signals) > 0,
            ),
            Rule(
                cel=None,
                message="give each signal a name of its own",
                holds=lambda signals: len({signal.name for signal in signals}) == len(signals),
            ),
        ),
        {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    ),
]


class Analysis(Wire):
    """How canary and stable are compared."""

    rules = (
        Rule(
            cel="!has(self.interval) || !self.interval.matches(r'^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$') || "
            "(duration(self.interval) >= duration('1s') && duration(self.interval) <= duration('5m'))",
            message="interval must be from 1s to 5m: measurements further apart than 10m lose their baseline",
            holds=lambda analysis: (
                analysis.interval is None or timedelta(seconds=1) <= analysis.interval <= timedelta(minutes=5)
            ),
        ),
    )

    interval: Duration | None = None
    """Time between two looks, 1s to 5m; 30s if absent."""
    false_rollback_rate: Rate | None = None
    """Chance to roll back a canary that is no worse, over the whole rollout, all signals and looks; 0.05 if absent."""
    false_promotion_rate: Rate | None = None
    """Chance to promote a canary that is worse by unacceptable; 0.05 if absent."""
    confirm_ticks: Annotated[int, Field(ge=1, le=10)] | None = None
    """Looks that a rollback needs at least; 2 if absent."""
    strict: bool | None = None
    """True: a rollback needs evidence that the excess is above the margin, not only above zero; slower."""
    signals: Signals | None = None
    """What is measured, by name; one signal errors of kind Errors if absent."""
