"""Count values into buckets or categories.

Nothing here locks, names a metric or knows what is counted: the recorder does. One value goes the short way through
``add``, a column of them through ``add_column``; both count the same.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from serinus_instrument.names import OTHER
from serinus_instrument.values import category_of, label_of, number_of

DEFAULT_EDGES = (
    *(-1e6, -1e4, -1e3, -100.0, -10.0, -1.0, -0.1),
    *(0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 10.0, 100.0, 1e3, 1e4, 1e6),
)
"""Where nothing is known about a number. The same in all pods, else they could not be compared: so never learnt from
traffic."""
LOWEST, LARGEST = (
    -1.7e308,
    1.7e308,
)  # everything up to it is finite; comparing with it finds NaN and infinity in one go


class Cells(Protocol):
    """Where the values of one input or output are counted."""

    missing: int

    def add(self, value: Any) -> None:
        """Count one value."""

    def add_column(self, values: Sequence[Any] | NDArray[Any]) -> None:
        """Count many values."""


class Numbers:
    """A histogram."""

    __slots__ = ("_edges", "counts", "edges", "missing", "total")

    def __init__(self, edges: Iterable[float]) -> None:
        self.edges = list(edges)
        self._edges = np.asarray(self.edges, dtype=np.float64)
        self.counts = [0] * (len(self.edges) + 1)
        self.total = 0.0
        self.missing = 0

    def add(self, value: Any) -> None:
        """Count one value; an edge belongs to the bucket below it, infinite values count but are not summed."""
        try:
            if LOWEST <= value <= LARGEST:
                self.counts[bisect_left(self.edges, value)] += 1
                self.total += value
                return
        except (TypeError, ValueError):
            pass  # a text, None, an array: not a number as it stands
        number = number_of(value)
        if number is None:
            self.missing += 1
            return
        self.counts[bisect_left(self.edges, number)] += 1
        if math.isfinite(number):
            self.total += number

    def add_column(self, values: Sequence[Any] | NDArray[Any]) -> None:
        """Count many values."""
        try:
            column = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            for value in values:
                self.add(value)
            return
        total = float(column.sum())
        if not math.isfinite(total):
            absent = np.isnan(column)
            self.missing += int(absent.sum())
            column = column[~absent]
            total = float(column[np.isfinite(column)].sum())
        found = np.bincount(self._edges.searchsorted(column), minlength=len(self.counts))
        self.counts = [one + other for one, other in zip(self.counts, found.tolist(), strict=True)]
        self.total += total


class Categories:
    """A count per category; those that are not known yet when ``most`` are known count together.

    If what is known at the start has ``__other__``, as a profile that left some out, then all others do.
    """

    __slots__ = ("_most", "counts", "missing")

    def __init__(self, known: Iterable[str], most: int) -> None:
        # Zeros from the start: a category whose first value is its first count would be seen one too late.
        self.counts = dict.fromkeys(map(label_of, known), 0)
        self._most = len(self.counts) - 1 if OTHER in self.counts else max(most, len(self.counts))
        self.missing = 0

    def add(self, value: Any) -> None:
        """Count one value."""
        name = category_of(value)
        if name is None:
            self.missing += 1
            return
        if name not in self.counts and len(self.counts) - (OTHER in self.counts) >= self._most:
            name = OTHER
        self.counts[name] = self.counts.get(name, 0) + 1

    def add_column(self, values: Sequence[Any] | NDArray[Any]) -> None:
        """Count many values."""
        for value in values.tolist() if isinstance(values, np.ndarray) else values:
            self.add(value)


class Ignored:
    """An input beyond the number that may have metrics of their own."""

    __slots__ = ("missing",)

    def __init__(self) -> None:
        self.missing = 0

    def add(self, value: Any) -> None:
        """Do nothing."""

    def add_column(self, values: Sequence[Any] | NDArray[Any]) -> None:
        """Do nothing."""


def fitting(value: Any, most: int) -> Cells:
    """Return cells that fit a value: a histogram for a number, else a count for each of ``most`` categories."""
    numeric = not isinstance(value, str | bytes | bool | np.bool_) and number_of(value) is not None
    return Numbers(DEFAULT_EDGES) if numeric else Categories((), most)
