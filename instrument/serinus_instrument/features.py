"""Count the inputs of a model, each feature in cells of its own.

Knows columns with names; must not know locks, metrics or answers.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serinus_instrument.cells import Categories, Cells, Ignored, Numbers, fitting
from serinus_instrument.inputs import Seen
from serinus_instrument.settings import Settings
from serinus_instrument.values import category_of, label_of

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


class Features:
    """The counts of all inputs."""

    def __init__(self, settings: Settings, note: Callable[[str, str], None]) -> None:
        self._settings = settings
        self._note = note
        self._cells: dict[str, Cells] = {}
        self._layouts: dict[tuple[str, ...], list[Cells]] = {}
        self._names: dict[int, tuple[str, ...]] = {}
        limits = settings.limits
        for name, bins in settings.profile.features.items():
            if self._has_room(name):
                known = Numbers(bins.edges) if bins.edges else Categories(bins.categories, limits.categories)
                self._cells[label_of(name)] = known

    def __iter__(self) -> Iterator[tuple[str, Cells]]:
        """Yield the name and the cells of each input."""
        return iter(self._cells.items())

    def count(self, seen: Seen) -> None:
        """Count the inputs of a call."""
        layout = self._layout(seen)
        for row in seen.rows:
            for cells, value in zip(layout, row, strict=False):
                cells.add(value)
        for cells, column in zip(layout, seen.columns, strict=False):
            cells.add_column(column)

    def _layout(self, seen: Seen) -> list[Cells]:
        columns = seen.names or self._names.get(seen.width) or self._positional(seen.width)
        layout = self._layouts.get(columns)
        if layout is None:
            layout = [self._cells.get(name) or self._new(name) for name in map(label_of, columns)]
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
        if not self._has_room(name):
            return Ignored()

        def decide(value: Any) -> Cells:
            missing = self._cells[name].missing
            decided = self._cells[name] = fitting(value, self._settings.limits.categories)
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
