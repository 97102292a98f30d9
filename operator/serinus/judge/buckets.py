"""Which buckets or categories of a histogram are told apart, and how a tick's counts fall into them.

The choice is made once, at the first tick, from counts of both sides together or from stable's past: a choice that
knows nothing else keeps the comparison valid. Knows no evidence.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from zlib import crc32

from serinus.judge.measurements import HistogramMeasurement
from serinus.stats.population_stability import LARGEST_OVERFLOW

_CLEARLY = 3.0
"""Standard errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Buckets that are told apart: between ``edges``, or per category digest in the order of appearance."""

    edges: tuple[float, ...] = ()
    categories: tuple[int, ...] = ()
    full: bool = False
    """Categories only: there is no room for more, so that the last place is for all the others."""


def choose(measurement: HistogramMeasurement, most: int) -> Layout:
    """Return the layout for a histogram with at most ``most`` (at least 2) buckets, of equal mass if it has more."""
    if measurement.categories:
        return grown(Layout(), measurement, most)
    if measurement.size <= most:
        return Layout(edges=measurement.edges)
    mass = measurement.reference or measurement.canary_and_stable
    kept: list[float] = []
    total, below = sum(mass), 0
    for edge, count in zip(measurement.edges, mass, strict=False):
        below += count
        if below * most >= total * (len(kept) + 1) and len(kept) < most - 1:
            kept.append(edge)
    return Layout(edges=tuple(kept) or measurement.edges[-1:])


def grown(layout: Layout, measurement: HistogramMeasurement, most: int) -> Layout:
    """Return the layout with room for categories that are new; numeric ones stay as they are."""
    if layout.edges or layout.full:
        return layout
    known = list(layout.categories)
    for name in measurement.categories:
        key = digest(name)
        if key in known:
            continue
        if len(known) >= most - 1:
            return Layout(categories=tuple(known), full=True)
        known.append(key)
    return Layout(categories=tuple(known))


def fits(layout: Layout, measurement: HistogramMeasurement) -> str:
    """Return what is wrong with the buckets of a tick, empty if they do."""
    if bool(layout.edges) != bool(measurement.edges):
        now, before = ("edges", "categories") if measurement.edges else ("categories", "edges")
        return f"the histogram has {now} now and had {before} before; start a new rollout with one of them"
    lost = [edge for edge in layout.edges if edge not in measurement.edges]
    if lost:
        return (
            f"the histogram has lost the edge {lost[0]:g}; "
            "give canary and stable the same buckets as at the start of the rollout"
        )
    return ""


def overflow(measurement: HistogramMeasurement, past: Sequence[int]) -> str:
    """Return what is wrong with the highest bucket, empty if at most 20 %, or two equal shares, are in it.

    What counts is what the buckets were made for: the training reference, else stable's past. Only where there is
    neither, this tick's counts of both sides do, so that no tick is left out for the difference that it shows; and if
    the world has moved into the highest bucket since the training, that is no fault of the buckets.
    """
    if not measurement.edges:
        return ""
    counts: Sequence[int]
    if measurement.reference and any(measurement.reference):
        counts, whose = measurement.reference, "of the training reference"
    else:
        counts, whose = past if any(past) else measurement.canary_and_stable, "of what is measured"
    total = sum(counts)
    share = counts[-1] / total if total else 0.0
    most = max(LARGEST_OVERFLOW, 2.0 / measurement.size)
    # Near the limit it must not depend on luck whether a tick counts.
    if total == 0 or share - _CLEARLY * sqrt(share * (1.0 - share) / total) <= most:
        return ""
    return (
        f"{share:.0%} {whose} lie above the highest edge, where no change can be seen; "
        f"widen the buckets so that at most {most:.0%} do"
    )


def sums(layout: Layout, measurement: HistogramMeasurement, rows: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Return the counts of rows together, in the layout's buckets."""
    row = [sum(column) for column in zip(*rows, strict=True)] or [0] * measurement.size
    if layout.edges:
        places = [bisect_left(layout.edges, edge) for edge in measurement.edges] + [len(layout.edges)]
        size = len(layout.edges) + 1
    else:
        order = {key: place for place, key in enumerate(layout.categories)}
        places = [order.get(digest(name), len(order)) for name in measurement.categories]
        size = len(order) + int(layout.full)
    result = [0] * size
    for place, count in zip(places, row, strict=True):
        result[place] += count
    return tuple(result)


def digest(name: str) -> int:
    """Return a short number that stands for a category."""
    return crc32(name.encode())
