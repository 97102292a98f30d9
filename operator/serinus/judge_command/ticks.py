"""The line of one tick: what each signal counted on each pod, as the judge takes it."""

from collections.abc import Mapping
from math import isfinite, nan
from typing import cast

from serinus.judge.measurements import (
    HistogramMeasurement,
    Measurement,
    PairMeasurement,
    RateMeasurement,
    ValueMeasurement,
)
from serinus.judge_command.fields import LARGEST_COUNT, Fields, Malformed, finite
from serinus.rollout.types import Signal, SignalKind

HISTOGRAMS = frozenset({SignalKind.LATENCY, SignalKind.PREDICTION_DRIFT, SignalKind.FEATURE_DRIFT})
_PLACE = frozenset({"tick", "step"})
_SIDES = frozenset({"canary", "stable"})


def parse_measurements(
    fields: Fields, signals: tuple[Signal, ...], *, stable_only: bool = False
) -> dict[str, Measurement]:
    """Read what a line says of each signal; what is absent or null is left out.

    Args:
        fields: the line.
        signals: of the run; every other name is refused.
        stable_only: a tick from before the rollout, in which the canary's side is ignored.

    Raises:
        Malformed: a field is wrong or unknown.
    """
    fields.only(_PLACE.union(signal.name for signal in signals))
    return {
        signal.name: _measurement(signal, fields.inner(signal.name), stable_only)
        for signal in signals
        if fields.get(signal.name) is not None
    }


def _measurement(signal: Signal, fields: Fields, stable_only: bool) -> Measurement:
    if signal.kind in HISTOGRAMS:
        return _histogram(signal, fields, stable_only)
    if signal.kind is SignalKind.QUERY:
        fields.only(frozenset({"value"}))
        return ValueMeasurement(value=_value(fields, "value"))
    fields.only(_SIDES)
    if signal.kind is SignalKind.COMPARISON:
        return PairMeasurement(canary=nan if stable_only else _value(fields, "canary"), stable=_value(fields, "stable"))
    return RateMeasurement(
        canary={} if stable_only else _rates(fields.inner("canary")), stable=_rates(fields.inner("stable"))
    )


def _value(fields: Fields, name: str) -> float:
    """Return a number; null, or one too large for a float, is a query that gave no number."""
    given = fields.get(name)
    nothing = (name in fields and given is None) or (isinstance(given, float) and not isfinite(given))
    return nan if nothing else fields.number(name)


def _rates(pods: Fields) -> Mapping[str, tuple[int, int]]:
    rates = {pod: _total_and_bad(pods, pod) for pod in pods.names()}
    _check_size(pods, sum(total for total, _ in rates.values()))
    return rates


def _check_size(pods: Fields, requests: int) -> None:
    if requests > LARGEST_COUNT:
        pods.refuse("", f"has {requests} requests in all, and {LARGEST_COUNT} can be judged: give shorter ticks")


def _total_and_bad(pods: Fields, pod: str) -> tuple[int, int]:
    counts = pods.counts(pod)
    if len(counts) != 2:
        pods.refuse(pod, f"has to be [total, bad], not {len(counts)} counts")
    total, bad = counts
    if bad > total:
        pods.refuse(pod, f"has more bad requests than requests: {bad} of {total}")
    return total, bad


def _histogram(signal: Signal, fields: Fields, stable_only: bool) -> HistogramMeasurement:
    drift = signal.kind is not SignalKind.LATENCY
    fields.only(_SIDES | {"edges"} | ({"categories", "reference"} if drift else set()))
    edges, categories = _buckets(fields, drift)
    size = len(categories) or len(edges) + 1
    return HistogramMeasurement(
        edges=edges,
        categories=categories,
        canary={} if stable_only else _rows(fields.inner("canary"), size),
        stable=_rows(fields.inner("stable"), size),
        reference=fields.counts("reference", size) if fields.get("reference") is not None else None,
    )


def _buckets(fields: Fields, drift: bool) -> tuple[tuple[float, ...], tuple[str, ...]]:
    if drift and fields.get("categories") is not None:
        if fields.get("edges") is not None:
            fields.refuse("categories", "and edges exclude each other: give one of them")
        return (), _categories(fields)
    if fields.get("edges") is None:
        fields.refuse("edges", "is missing" + (", and so is categories; give one of them" if drift else ""))
    return _edges(fields), ()


def _edges(fields: Fields) -> tuple[float, ...]:
    edges: list[float] = []
    for path, value in fields.items("edges"):
        edge = finite(value, path)
        if edges and edge <= edges[-1]:
            raise Malformed(path, f"has to be above the edge before it, and {edge:g} is not above {edges[-1]:g}")
        edges.append(edge)
    if not edges:
        fields.refuse("edges", "needs at least one edge; the overflow has none")
    return tuple(edges)


def _categories(fields: Fields) -> tuple[str, ...]:
    items = fields.items("categories")
    for path, value in items:
        if not isinstance(value, str):
            raise Malformed(path, "has to be a string: the name of a category")
    categories = tuple(cast("str", value) for _, value in items)
    if not categories:
        fields.refuse("categories", "needs at least one category")
    if len(set(categories)) != len(categories):
        fields.refuse("categories", "names a category twice")
    return categories


def _rows(pods: Fields, size: int) -> Mapping[str, tuple[int, ...]]:
    rows = {pod: pods.counts(pod, size) for pod in pods.names()}
    _check_size(pods, sum(map(sum, rows.values())))
    return rows


def parse_place(fields: Fields, *, after: int | None, steps: int, largest_tick: int) -> tuple[int, int]:
    """Return number and step of a tick.

    Raises:
        Malformed: one of them is wrong, or the tick is not later than the one before.
    """
    tick = fields.integer("tick", 0, largest_tick)
    if after is not None and tick <= after:
        fields.refuse("tick", f"has to be above that of the line before, and {tick} is not above {after}")
    step = fields.integer("step", 0, LARGEST_COUNT)
    if step >= steps:
        fields.refuse("step", f"has to be below {steps}, the number of steps, not {step}")
    return tick, step
