"""Bring what a model answers into one list of values per output.

Knows shapes; must not know metrics, or raise for anything that a model returns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serinus_instrument.names import MAIN_OUTPUT


@dataclass(frozen=True, slots=True)
class Said:
    """The answers of a call."""

    rows: int
    """Number of predictions."""
    outputs: Sequence[tuple[str, Sequence[Any]]] = ()
    """Name and one value per row; the main one first. Empty if the answer could not be read."""
    scores: bool = False
    """They are probabilities, and no classes."""


def read_outputs(answer: Any, main: str | None, most: int) -> Said:
    """Return the answers of a call.

    Args:
        answer: what came back: a value, a list, an array of one or two dimensions, a data frame, or a dict of any.
        main: name, in a dict or a data frame, of the output that counts as ``prediction``; None: the one of that
            name, else the first.
        most: number of outputs that are read.
    """
    if isinstance(answer, np.ndarray):
        return _from_array(answer, most)
    if isinstance(answer, Mapping):
        return _from_mapping(answer, main, most)
    if isinstance(answer, list | tuple):
        return _from_list(answer, main, most)
    if hasattr(answer, "columns") and hasattr(answer, "to_numpy"):
        return _from_mapping({str(name): answer[name] for name in answer.columns[:most]}, main, most)
    if hasattr(answer, "__array__") and getattr(answer, "ndim", 0) > 0:
        return _from_array(np.asarray(answer), most)
    return Said(1, [(MAIN_OUTPUT, [answer])] if _is_value(answer) else ())


def read_probabilities(answer: Any, classes: Sequence[Any] | None, numeric: bool | None) -> Said:
    """Return the answers of ``predict_proba``: the score of the second of two classes, or the likeliest class.

    Args:
        answer: one row per prediction, one column per class.
        classes: their names; None: their positions.
        numeric: the main output is a number; None: it is for at most two classes.
    """
    array = np.asarray(answer)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiu":
        return read_outputs(answer, None, 1)
    rows, width = array.shape
    if numeric or (numeric is None and width <= 2):
        return Said(rows, [(MAIN_OUTPUT, array[:, min(1, width - 1)].tolist())], scores=True)
    highest = array.argmax(axis=1).tolist()
    # Not one of the classes is likeliest in a row of NaN; argmax would still name one.
    lost = np.isnan(array).any(axis=1).tolist()
    names = list(range(width)) if classes is None or len(classes) != width else list(classes)
    return Said(rows, [(MAIN_OUTPUT, [None if nan else names[at] for at, nan in zip(highest, lost, strict=True)])])


def _from_array(array: NDArray[Any], most: int) -> Said:
    if array.ndim == 1:
        return Said(len(array), [(MAIN_OUTPUT, array.tolist())])
    if array.ndim == 0:
        return Said(1, [(MAIN_OUTPUT, [array.item()])])
    if array.ndim != 2 or not array.size:
        return Said(len(array))
    return Said(len(array), [(_nth(i), array[:, i].tolist()) for i in range(min(array.shape[1], most))])


def _from_mapping(answer: Mapping[Any, Any], main: str | None, most: int) -> Said:
    keys = list(answer)
    if not keys:
        return Said(1)
    wanted = main if main in answer else MAIN_OUTPUT if MAIN_OUTPUT in answer else keys[0]
    ordered = [wanted, *(key for key in keys if key != wanted)][:most]
    found: list[tuple[str, Sequence[Any]]] = []
    rows = 1
    for key in ordered:
        values = _values(answer[key])
        if values is None or (found and len(values) != rows):
            continue  # what comes along, such as a message or a matrix of attributions
        rows = len(values)
        found.append((MAIN_OUTPUT if key == wanted else str(key), values))
    return Said(rows, found)


def _from_list(answer: Sequence[Any], main: str | None, most: int) -> Said:
    if not answer:
        return Said(0)
    first = answer[0]
    if isinstance(first, Mapping):
        keys = dict.fromkeys(key for row in answer if isinstance(row, Mapping) for key in row)
        columns = {key: [row.get(key) if isinstance(row, Mapping) else None for row in answer] for key in keys}
        return Said(len(answer), _from_mapping(columns, main, most).outputs)
    if isinstance(first, list | tuple):
        width = len(first)
        if any(not isinstance(row, list | tuple) or len(row) != width for row in answer):
            return Said(len(answer))
        return Said(
            len(answer),
            [
                (_nth(i), values)
                for i in range(min(width, most))
                if all(map(_is_value, values := [row[i] for row in answer]))
            ],
        )
    if isinstance(first, np.ndarray) and first.ndim > 0:
        stacked = np.asarray(answer) if all(np.shape(row) == first.shape for row in answer) else np.empty((0, 0, 0))
        return _from_array(stacked, most) if stacked.ndim == 2 else Said(len(answer))
    return Said(len(answer), [(MAIN_OUTPUT, answer)] if all(map(_is_value, answer)) else ())


def _values(value: Any) -> Sequence[Any] | None:
    """Return an output's values, None if it is no plain column."""
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
        return array.reshape(-1).tolist() if array.ndim <= 1 else None
    if isinstance(value, list | tuple):
        return value if all(map(_is_value, value)) else None
    return [value] if _is_value(value) else None


def _is_value(value: Any) -> bool:
    return value is None or isinstance(value, str | bytes | int | float | bool | np.generic)


def _nth(position: int) -> str:
    return MAIN_OUTPUT if position == 0 else f"{MAIN_OUTPUT}_{position}"
