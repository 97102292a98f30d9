"""Choose the bucket of a histogram that tells how many requests were slower than a bound.

Knows ``le`` labels as Prometheus and its clients write them. Must not know pods' sides or how samples are fetched.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serinus.errors import BadQuery
from serinus.signals.samples import BUCKET_LABEL, POD_LABEL, Sample

_SAME = 1e-9  # relative: "0.30000000000000004" and "0.3" are one edge


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The bucket that is counted."""

    seconds: float
    labels: tuple[str, ...]
    """All ways in which the servers write this edge."""
    infinite: tuple[str, ...]
    """All ways in which they write the bucket of all requests."""
    note: str
    """What a person should know; empty when the edge is exactly the bound."""


def edges_by_pod(samples: Sequence[Sample]) -> Mapping[str, frozenset[str]]:
    """Return the ``le`` labels that each pod's histogram has."""
    found: dict[str, set[str]] = {}
    for sample in samples:
        label = sample.labels.get(BUCKET_LABEL, "")
        if _number(label) is not None:
            found.setdefault(sample.labels.get(POD_LABEL, ""), set()).add(label)
    return {pod: frozenset(labels) for pod, labels in found.items()}


def choose_edge(by_pod: Mapping[str, frozenset[str]], bound_seconds: float, seconds_per_unit: float) -> Edge:
    """Return the largest edge at or below a bound that the histograms of all pods have.

    A lower edge is the stricter bound: requests between it and the bound count as slow, on both sides alike.

    Args:
        by_pod: ``le`` labels per pod, not empty.
        bound_seconds: requests slower than this are bad.
        seconds_per_unit: 0.001 for a histogram in milliseconds.

    Raises:
        BadQuery: the bound is above the largest finite edge or below the smallest; the message names it.
    """
    numbers = {
        label: number for labels in by_pod.values() for label in labels if (number := _number(label)) is not None
    }
    shared = [
        number
        for number in sorted({each for each in numbers.values() if math.isfinite(each)})
        if all(any(_same(numbers[label], number) for label in labels) for labels in by_pod.values())
    ]
    edge = _edge_below(shared, bound_seconds / seconds_per_unit, seconds_per_unit)
    seconds = edge * seconds_per_unit
    exact = _same(seconds, bound_seconds)
    return Edge(
        seconds=seconds,
        labels=tuple(sorted(label for label, number in numbers.items() if _same(number, edge))),
        infinite=tuple(sorted(label for label, number in numbers.items() if math.isinf(number))),
        note=""
        if exact
        else f"counts requests slower than {seconds:g} s, the next bucket edge below {bound_seconds:g} s",
    )


def _edge_below(edges: Sequence[float], bound: float, seconds_per_unit: float) -> float:
    if not edges:
        raise BadQuery(
            "the latency histograms of canary and stable have no bucket in common: "
            "give both the same buckets, or leave this signal out"
        )
    wanted, smallest, largest = (each * seconds_per_unit for each in (bound, edges[0], edges[-1]))
    if bound > edges[-1] and not _same(bound, edges[-1]):
        raise BadQuery(
            f"the bound {wanted:g} s is above the largest finite bucket of the latency histogram, {largest:g} s, so "
            f"nobody can tell how many requests were slower: set the bound to {largest:g} s or less, "
            "or give the server larger buckets"
        )
    fitting = [each for each in edges if each <= bound or _same(each, bound)]
    if not fitting:
        raise BadQuery(
            f"the bound {wanted:g} s is below the smallest bucket of the latency histogram, {smallest:g} s: "
            "set the bound to a bucket's edge, or give the server smaller buckets"
        )
    return fitting[-1]


def split_buckets(samples: Sequence[Sample], edge: Edge) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Return the samples of the bucket of all requests, and those of the chosen edge."""
    return (
        tuple(each for each in samples if each.labels.get(BUCKET_LABEL) in edge.infinite),
        tuple(each for each in samples if each.labels.get(BUCKET_LABEL) in edge.labels),
    )


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_SAME)


def _number(label: str) -> float | None:
    try:
        number = float(label)
    except ValueError:
        return None
    return None if math.isnan(number) else number
