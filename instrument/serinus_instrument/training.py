"""Make a training profile: for each column the edges or categories that are worth telling apart, and their counts.

Edges lie between values that occur, never on one: a server that computes in single precision must not see a value of
the training data on the other side of an edge. Each bucket holds about the same share, and above the last edge, the
maximum, there was nothing. Knows columns of values; must not know files.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serinus_instrument.names import OTHER
from serinus_instrument.profile import Bins
from serinus_instrument.table import Column
from serinus_instrument.values import category_of

FEWEST_BINS, MOST_BINS = 2, 19
MOST_CATEGORIES = 199
MOST_CLASSES = 100
"""A prediction in whole numbers, no more than these different ones, is a class."""
_DIGITS = 6

Numbers = NDArray[np.float64]


def histogram_of(
    column: Column, bins: int, categories: int, *, as_categories: bool, like: Bins | None = None
) -> Mapping[str, Any] | None:
    """Return a column's histogram as a profile has it, None if it holds no value.

    Args:
        column: the values.
        bins: buckets of about equal mass, 2 to 19; there is one more, for what lies above the maximum.
        categories: the most that are told apart, 1 to 199; the rarest beyond count as ``__other__``.
        as_categories: numbers stand for categories.
        like: the bins of an older profile, which are taken instead.
    """
    if column.numbers is None or as_categories:
        counts = column.categories if column.numbers is None else _distinct(column.numbers)
        kept = None if like is None or OTHER not in like.categories else frozenset(like.categories)
        return {"categories": _most_frequent(counts or {}, categories, kept)} if counts else None
    values = column.numbers[~np.isnan(column.numbers)]
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    edges = list(like.edges) if like is not None and like.edges else edges_of(finite, bins)
    counted = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    return {"edges": edges, "counts": counted.tolist()}


def looks_like_classes(column: Column) -> bool:
    """Return whether a column of predictions names classes: text, truth values, or few different whole numbers."""
    if column.numbers is None:
        return True
    values = column.numbers[np.isfinite(column.numbers)]
    return column.whole and len(np.unique(values)) <= MOST_CLASSES


def edges_of(values: Numbers, bins: int) -> list[float]:
    """Return upper edges of at most ``bins`` buckets of about equal mass; the last is the maximum or little above it.

    Args:
        values: finite, at least one.
        bins: at least 1.
    """
    distinct, counts = np.unique(values, return_counts=True)
    below = np.cumsum(counts)[:-1]
    if len(distinct) <= bins:
        after = list(range(len(below)))
    else:
        wanted = len(values) * np.arange(1, bins) / bins
        after = sorted({int(np.abs(below - each).argmin()) for each in wanted})
    inner = [_between(float(distinct[i]), float(distinct[i + 1])) for i in after]
    return [*inner, _at_least(float(distinct[-1]))]


def _between(lower: float, upper: float) -> float:
    """Return the number of fewest digits in the middle half between two numbers."""
    middle, quarter = lower / 2 + upper / 2, upper / 4 - lower / 4
    for digits in range(1, 18):
        number = float(f"{middle:.{digits}g}")
        if abs(number - middle) <= quarter and lower <= number < upper:
            return number
    return lower


def _at_least(value: float) -> float:
    """Return a number of six digits that is no less than a value, nor than its single-precision double."""
    single = float(np.float32(value)) if abs(value) < float(np.finfo(np.float32).max) else value
    largest = max(value, single)
    number = float(f"{largest:.{_DIGITS}g}")
    if number >= largest:
        return number
    raised = number + 10.0 ** (math.floor(math.log10(abs(largest))) - _DIGITS + 1)
    return float(f"{raised:.{_DIGITS}g}")


def _distinct(numbers: Numbers) -> Mapping[str, int]:
    values, counts = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
    return {str(category_of(value)): int(n) for value, n in zip(values, counts, strict=True)}


def _most_frequent(counts: Mapping[str, int], most: int, kept: frozenset[str] | None) -> Mapping[str, int]:
    """Return the most frequent ones, or those that are kept, and the sum of all others."""
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    named = {name: n for name, n in (ordered[:most] if kept is None else ordered) if kept is None or name in kept}
    others = sum(n for name, n in ordered if name not in named)
    if others or kept is not None:
        named[OTHER] = named.get(OTHER, 0) + others
    return named
