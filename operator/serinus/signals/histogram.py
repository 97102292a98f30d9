"""Choose the buckets of a histogram that are counted: one that tells how many were slower than a bound, or all.

Knows ``le`` labels as Prometheus and its clients write them. Must not know pods' sides or how samples are fetched.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serinus.errors import BadQuery
from serinus.signals.samples import BUCKET_LABEL, POD_LABEL, Sample

_SAME = 1e-9  # relative: "0.30000000000000004" and "0.3" are one edge


LEAST_SHARED = 3
"""Edges that histograms have to share if they are not the same: fewer would hide most of what differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """The buckets that the histograms of all pods have."""

    edges: tuple[float, ...]
    """Finite upper edges, ascending; empty when too few are shared."""
    labels: tuple[tuple[str, ...], ...]
    """Per edge, and last for the bucket of all: all ways in which the servers write it."""


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


def in_unit(by_pod: Mapping[str, frozenset[str]], factor: float) -> Mapping[str, frozenset[str]]:
    """Return the ``le`` labels as they would be written in another unit: each number times a factor."""
    if factor == 1.0:
        return by_pod
    return {
        pod: frozenset(f"{number * factor:.12g}" for label in labels if (number := _number(label)) is not None)
        for pod, labels in by_pod.items()
    }


def written(by_pod: Mapping[str, frozenset[str]], factor: float, edge: float) -> tuple[str, ...]:
    """Return all ways in which some pods write an edge, which is given in the other unit of ``in_unit``."""
    return tuple(sorted(label for label, n in _numbers(by_pod).items() if _same(n * factor, edge)))


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
    numbers, shared = _numbers(by_pod), shared_edges(by_pod)
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


def shared_buckets(by_pod: Mapping[str, frozenset[str]]) -> Buckets:
    """Return the buckets that the histograms of all pods have; without edges if these are too few to compare.

    Args:
        by_pod: ``le`` labels per pod, not empty.
    """
    numbers, edges = _numbers(by_pod), shared_edges(by_pod)
    largest = max(sum(math.isfinite(numbers[label]) for label in labels) for labels in by_pod.values())
    if len(edges) < min(LEAST_SHARED, largest):
        edges = ()
    finite = tuple(tuple(sorted(label for label, n in numbers.items() if _same(n, edge))) for edge in edges)
    infinite = tuple(sorted(label for label, n in numbers.items() if math.isinf(n)))
    # One number whoever writes it: pods come and go, and the judge knows edges again by their value.
    return Buckets(edges=tuple(float(f"{edge:.9g}") for edge in edges), labels=(*finite, infinite))


def _numbers(by_pod: Mapping[str, frozenset[str]]) -> Mapping[str, float]:
    return {label: number for labels in by_pod.values() for label in labels if (number := _number(label)) is not None}


def shared_edges(by_pod: Mapping[str, frozenset[str]]) -> tuple[float, ...]:
    """Return the finite edges that all pods have, ascending; two ways to write one edge are one."""
    numbers = _numbers(by_pod)
    finite = sorted({each for each in numbers.values() if math.isfinite(each)})
    distinct = [each for i, each in enumerate(finite) if i == 0 or not _same(each, finite[i - 1])]
    # Hardly ever more than two: hundreds of pods of one image have the same labels.
    found = [[numbers[label] for label in labels if label in numbers] for labels in set(by_pod.values())]
    return tuple(each for each in distinct if all(any(_same(has, each) for has in edges) for edges in found))


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


def in_buckets(reference: Sequence[int], reference_edges: Sequence[float], edges: Sequence[float]) -> list[int] | None:
    """Return the counts of a reference in coarser buckets, None if an edge is not one of the reference's.

    Args:
        reference: counts per bucket, not cumulative; one more than ``reference_edges``.
        reference_edges: finite upper edges, ascending.
        edges: the edges that are wanted, ascending.
    """
    found: list[int] = []
    position = 0
    for edge in edges:
        at = next((i for i, each in enumerate(reference_edges) if _same(each, edge)), None)
        if at is None:
            return None
        found.append(sum(reference[position : at + 1]))
        position = at + 1
    return [*found, sum(reference[position:])]


def _same(one: float, other: float) -> bool:
    return one == other or math.isclose(one, other, rel_tol=_SAME)


def _number(label: str) -> float | None:
    try:
        number = float(label)
    except ValueError:
        return None
    return None if math.isnan(number) else number
