"""Count values into buckets or categories.

Nothing here locks, names a metric or knows what is counted: the recorder does. One value goes the short way through
``add``, a column of them through ``add_column``; both count the same.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any, Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from serinus_instrument.names import OTHER
from serinus_instrument.settings import Limits
from serinus_instrument.values import LONGEST_VALUE, category_of, label_of, number_of

DEFAULT_EDGES = (
    *(-1e6, -1e4, -1e3, -100.0, -10.0, -1.0, -0.1),
    *(0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 10.0, 100.0, 1e3, 1e4, 1e6),
)
"""Where nothing is known about a number. The same in all pods, else they could not be compared: so never learnt from
traffic."""
MOST_CATEGORIES = 200
"""Of one input or output, ``__other__`` included: Serinus reads no more."""
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
    """A count for each declared category, and one for all others.

    A pod must not name what only it has seen: two pods would divide the same values in different ways, and what
    somebody typed into a form would stand in the metrics.
    """

    __slots__ = ("counts", "missing")

    def __init__(self, declared: Iterable[str]) -> None:
        # Zeros from the start: a category whose first value is its first count would be seen one too late.
        self.counts = {**dict.fromkeys(map(label_of, declared), 0), OTHER: 0}
        self.missing = 0

    def add(self, value: Any) -> None:
        """Count one value."""
        try:
            self.counts[value] += 1
            return
        except (KeyError, TypeError):
            name = category_of(value)
        if name is None:
            self.missing += 1
        else:
            self.counts[name if name in self.counts else OTHER] += 1

    def add_column(self, values: Sequence[Any] | NDArray[Any]) -> None:
        """Count many values."""
        for value in values.tolist() if isinstance(values, np.ndarray) else values:
            self.add(value)


class Groups:
    """A count for each of a fixed number of groups of values, which a checksum of the value chooses.

    Whoever declares no categories gets these: all pods divide values alike, whatever came first, and no value leaves
    the server. A category whose share changes changes the share of its group.
    """

    __slots__ = ("_labels", "counts", "missing")

    def __init__(self, groups: int) -> None:
        self._labels = [f"#{group:02d}" for group in range(groups)]
        self.counts = dict.fromkeys(self._labels, 0)
        self.missing = 0

    def add(self, value: Any) -> None:
        """Count one value."""
        name = value[:LONGEST_VALUE] if type(value) is str else category_of(value)
        if name is None:
            self.missing += 1
        else:
            # Python's own hash differs from process to process.
            self.counts[self._labels[crc32(name.encode("utf-8", "replace")) % len(self._labels)]] += 1

    def add_column(self, values: Sequence[Any] | NDArray[Any]) -> None:
        """Count many values."""
        for value in values.tolist() if isinstance(values, np.ndarray) else values:
            self.add(value)


class Ignored:
    """An input without metrics of its own: beyond their number, or left out."""

    __slots__ = ("missing",)

    def __init__(self) -> None:
        self.missing = 0

    def add(self, value: Any) -> None:
        """Do nothing."""

    def add_column(self, values: Sequence[Any] | NDArray[Any]) -> None:
        """Do nothing."""


def declared_cells(categories: Iterable[str], limits: Limits) -> Cells:
    """Return cells for declared categories: by name, or in groups where they are too many."""
    names = frozenset(map(label_of, categories)) - {OTHER}
    return Categories(sorted(names)) if len(names) < MOST_CATEGORIES else Groups(limits.groups)


def fitting(value: Any, limits: Limits) -> Cells:
    """Return cells that fit a value of which nothing is declared: a number, a truth value, or anything else."""
    if isinstance(value, bool | np.bool_):
        return Categories(("false", "true"))
    numeric = not isinstance(value, str | bytes) and number_of(value) is not None
    return Numbers(DEFAULT_EDGES) if numeric else Groups(limits.groups)
