"""Count the inputs of a model, each feature in cells of its own.

Knows columns with names; must not know locks, metrics or answers.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serinus_instrument.cells import LARGEST, LOWEST, Cells, Ignored, Numbers, declared_cells, fitting
from serinus_instrument.inputs import Seen
from serinus_instrument.settings import Settings
from serinus_instrument.values import category_of, name_of

MOST_LAYOUTS = 200
"""Whoever sends another set of columns with each request must not fill the memory."""


class _Undecided:
    """An input that had no value yet, so that nobody knows whether it is a number."""

    __slots__ = ("_decide", "_decided", "missing")

    def __init__(self, decide: Callable[[Any], Cells]) -> None:
        self._decide = decide
        self._decided: Cells | None = None
        self.missing = 0

    def add(self, value: Any) -> None:
        cells = self._cells(value)
        if cells is None:
            self.missing += 1
        else:
            cells.add(value)

    def add_column(self, values: Sequence[Any] | NDArray[Any]) -> None:
        listed = values.tolist() if isinstance(values, np.ndarray) else values
        first = next((each for each in listed if category_of(each) is not None), None)
        cells = self._cells(first)
        if cells is None:
            self.missing += len(listed)
        else:
            cells.add_column(values)

    def _cells(self, value: Any) -> Cells | None:
        # Whoever decided goes on through here until the layouts that hold this are made anew.
        if self._decided is None and category_of(value) is not None:
            self._decided = self._decide(value)
        return self._decided


class _Layout:
    """The cells of a set of columns, in the columns' order."""

    __slots__ = ("_edges", "_numbers", "_others", "_positions", "cells")

    def __init__(self, cells: Sequence[Cells]) -> None:
        self.cells = cells
        numeric = [i for i, each in enumerate(cells) if isinstance(each, Numbers)]
        self._numbers = [each for each in cells if isinstance(each, Numbers)]
        self._edges = [each.edges for each in self._numbers]
        self._positions = itemgetter(*numeric) if 1 < len(numeric) < len(cells) else None
        self._others = [(i, each) for i, each in enumerate(cells) if not isinstance(each, Numbers | Ignored)]
        if len(numeric) == 1:
            self._numbers, self._others = [], list(enumerate(cells))

    def add(self, row: Sequence[Any]) -> None:
        """Count one row.

        This is what a prediction pays for each of its features, so the loop over numbers runs in C where it can: one
        finite sum shows that all of them are finite numbers.
        """
        numbers = self._numbers
        if numbers:
            try:
                values = self._positions(row) if self._positions is not None else row
                plain = len(values) == len(numbers) and LOWEST <= sum(values) <= LARGEST
            except (TypeError, ValueError, IndexError):
                plain = False
            if not plain:
                for cells, value in zip(self.cells, row, strict=False):
                    cells.add(value)
                return
            for cell, value, bucket in zip(numbers, values, map(bisect_left, self._edges, values), strict=True):
                cell.counts[bucket] += 1
                cell.total += value
        for position, other in self._others:
            if position < len(row):
                other.add(row[position])


class Features:
    """The counts of all inputs."""

    def __init__(self, settings: Settings, note: Callable[[str, str], None]) -> None:
        self._settings = settings
        self._note = note
        self._cells: dict[str, Cells] = {}
        self._layouts: dict[tuple[Any, ...], _Layout] = {}
        self._names: dict[int, tuple[str, ...]] = {}
        self._excluded = frozenset(map(name_of, settings.exclude))
        self._profiled = frozenset(map(name_of, settings.profile.features))
        for name, bins in settings.profile.features.items():
            if name_of(name) not in self._excluded and self._has_room(name):
                known = Numbers(bins.edges) if bins.edges else declared_cells(bins.categories, settings.limits)
                self._cells[name_of(name)] = known

    def __iter__(self) -> Iterator[tuple[str, Cells]]:
        """Yield the name and the cells of each input."""
        return iter(self._cells.items())

    def count(self, seen: Seen) -> None:
        """Count the inputs of a call."""
        layout = self._layout(seen)
        for row in seen.rows:
            layout.add(row)
        if not seen.rows:
            # A sum of both infinities is no number, which is looked at and no reason for a warning.
            with np.errstate(invalid="ignore", over="ignore"):
                for cells, column in zip(layout.cells, seen.columns, strict=False):
                    cells.add_column(column)

    def _layout(self, seen: Seen) -> _Layout:
        columns = seen.names or self._names.get(seen.width) or self._positional(seen.width)
        layout = self._layouts.get(columns)
        if layout is None:
            names = [name_of(str(each)) for each in columns]
            layout = _Layout([self._cells.get(name) or self._new(name) for name in names])
            if self._profiled and self._profiled.isdisjoint(names):
                self._note("input", f"none of the features {', '.join(names)[:200]} is in the training profile")
            if len(self._layouts) < MOST_LAYOUTS:
                self._layouts[columns] = layout
        return layout

    def _positional(self, width: int) -> tuple[str, ...]:
        names = tuple(f"f{i}" for i in range(min(width, self._settings.limits.features)))
        for known in (tuple(self._settings.profile.features), self._settings.features or ()):
            names = known if len(known) == width else names
        if width > len(names):
            self._note("bound", f"there are {width} features; the first {len(names)} are counted")
        if len(self._names) < MOST_LAYOUTS:
            self._names[width] = names
        return names

    def _new(self, name: str) -> Cells:
        # With a profile it is settled what is looked at; the rest may be nobody's business.
        if self._profiled or name in self._excluded or not self._has_room(name):
            return Ignored()

        def decide(value: Any) -> Cells:
            missing = self._cells[name].missing
            decided = self._cells[name] = fitting(value, self._settings.limits)
            decided.missing = missing
            self._layouts.clear()
            return decided

        self._cells[name] = _Undecided(decide)
        return self._cells[name]

    def _has_room(self, name: str) -> bool:
        most = self._settings.limits.features
        if len(self._cells) < most:
            return True
        self._note("bound", f"there are more than {most} features; {name!r} is not counted")
        return False
