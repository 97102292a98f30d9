"""Bring what a model is given into rows or columns with names.

Arrays, lists, dicts and data frames of any library are understood by their shape, without importing a library for it.
Knows no metric; must not raise for anything that a model takes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEW_ROWS = 8
"""Up to so many rows are counted value by value: below, calling numpy costs more than it saves."""

Columns = Sequence[Sequence[Any] | NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Seen:
    """The inputs of a call: either rows or columns."""

    names: tuple[Any, ...] | None
    """As they were given; None: known by position only."""
    width: int
    rows: Sequence[Sequence[Any]] = ()
    columns: Columns = ()

    @property
    def count(self) -> int:
        """Return the number of rows."""
        return len(self.rows) or (len(self.columns[0]) if self.columns else 0)


def read_inputs(given: Any, rows: int, width: int | None, most: int) -> Seen | None:
    """Return the inputs of a call, None if it has none that could be told apart.

    Args:
        given: the first argument of a prediction.
        rows: number of predictions that came out, which tells one row of numbers from a column of them.
        width: number of features that the model is known to have, None if it is not.
        most: number of features that are read, from the left.
    """
    if isinstance(given, np.ndarray):
        return _from_array(given, rows, width, most)
    if isinstance(given, Mapping):
        return _from_mapping(given)
    if isinstance(given, list | tuple):
        return _from_list(given, rows, width)
    if hasattr(given, "columns") and hasattr(given, "to_numpy"):
        return _from_frame(given, most)
    if hasattr(given, "__array__"):
        return _from_array(np.asarray(given), rows, width, most)
    return None


def _from_array(array: NDArray[Any], rows: int, width: int | None, most: int) -> Seen | None:
    if array.ndim == 1:
        one_row = len(array) == width or rows != len(array)
        array = array[np.newaxis, :] if one_row else array[:, np.newaxis]
    if array.ndim != 2 or not array.size:
        return None
    width, array = array.shape[1], array[:, :most]
    if len(array) <= FEW_ROWS:
        return Seen(None, width, rows=array.tolist())
    return Seen(None, width, columns=array.T)  # type: ignore[arg-type]


def _from_frame(frame: Any, most: int) -> Seen | None:
    names = tuple(np.asarray(frame.columns, dtype=object).tolist())[:most]
    found = _from_array(np.asarray(frame.to_numpy()), -1, None, most)
    return None if found is None else Seen(names, found.width, rows=found.rows, columns=found.columns)


def _from_mapping(given: Mapping[Any, Any]) -> Seen | None:
    if not given:
        return None
    names, values = tuple(given), list(given.values())
    # The first value stands for all: looking at each would cost as much as counting it.
    if not _is_column(values[0]):
        return Seen(names, len(names), rows=[values])
    if not all(_is_column(each) for each in values) or len({len(each) for each in values}) != 1:
        return None
    return Seen(names, len(names), columns=values)


def _from_list(given: Sequence[Any], rows: int, known: int | None) -> Seen | None:
    if not given:
        return None
    first = given[0]
    if isinstance(first, Mapping):
        named = dict.fromkeys(name for row in given for name in row)
        lines = [[row.get(name) for name in named] for row in given]
        return _by_length(tuple(named), lines)
    if not _is_column(first):
        one_row = len(given) == known or rows != len(given)
        return _by_length(None, [given] if one_row else [[each] for each in given])
    lines = [each.tolist() if isinstance(each, np.ndarray) else each for each in given]
    width = len(lines[0])
    if any(len(line) != width for line in lines[1:]) or (width and _is_column(lines[0][0])):
        return None
    return _by_length(None, lines)


def _by_length(names: tuple[Any, ...] | None, lines: Sequence[Sequence[Any]]) -> Seen | None:
    width = len(lines[0])
    if not width:
        return None
    if len(lines) <= FEW_ROWS:
        return Seen(names, width, rows=lines)
    return Seen(names, width, columns=list(zip(*lines, strict=True)))


def _is_column(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return True
    return hasattr(value, "__len__") and hasattr(value, "__array__") and getattr(value, "ndim", 1) > 0
