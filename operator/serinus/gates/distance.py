"""Measure how far the outputs of two answers to the same request lie apart. Pure."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jsonpath

from serinus.errors import SerinusError
from serinus.gates.answers import shortened

_TENSORS_OR_ROWS = ("$.outputs[*].data", "$.predictions")
DEFAULT_OUTPUTS = {"v2": _TENSORS_OR_ROWS, "v1": _TENSORS_OR_ROWS}
"""What protocols call their outputs (KServe speaks both); with any other all values of the answer are compared."""


class _UnlikeShapes(SerinusError):
    """Two values cannot be compared place by place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far two sides lie apart over all golden requests."""

    largest: float = 0.0
    """Largest absolute difference of two numbers in the same place; infinite if one of them is no finite number."""
    total: float = 0.0
    """Sum of those differences."""
    numbers: int = 0
    """Pairs of numbers."""
    others: int = 0
    """Pairs of texts, truth values and nulls."""
    unlike: int = 0
    """Those of them that differ, and pairs of a number with something else."""
    shapes: str = ""
    """How the answers differ in shape; empty if they do not."""
    blank: int = 0
    """Pairs of answers in which there was nothing to compare."""

    def plus(self, other: "Distance") -> "Distance":
        """Return the distance over both."""
        return Distance(
            largest=max(self.largest, other.largest),
            total=self.total + other.total,
            numbers=self.numbers + other.numbers,
            others=self.others + other.others,
            unlike=self.unlike + other.unlike,
            shapes=self.shapes or other.shapes,
            blank=self.blank + other.blank,
        )

    def exceeds(self, tolerance: float) -> bool:
        """Tell whether anything lies further apart than a tolerance; what is no number has to be the same.

        A pair in which nothing was found to compare exceeds any: nobody knows how far it lies apart.
        """
        return self._is_unlike() or not self.largest <= tolerance

    def is_worse_than(self, other: "Distance") -> bool:
        """Tell whether another pair lies less far apart; what no tolerance allows is the worst."""
        return (self._is_unlike(), self.largest) > (other._is_unlike(), other.largest)

    def _is_unlike(self) -> bool:
        return bool(self.shapes) or self.unlike > 0 or self.blank > 0

    def __str__(self) -> str:
        told = []
        if self.shapes:
            told.append(self.shapes)
        if self.numbers:
            mean = self.total / self.numbers
            told.append(f"largest distance {self.largest:.3g} (mean {mean:.3g}) over {self.numbers} numbers")
        if self.others or self.unlike:
            told.append(f"{self.unlike} of {self.others} other values differ")
        if self.blank:
            told.append(f"{self.blank} of the pairs have nothing to compare")
        return ", ".join(told) or "nothing to compare"


def distance(canary: str, stable: str, outputs: Sequence[str]) -> Distance:
    """Return how far two bodies lie apart.

    Args:
        canary: body of the canary's answer.
        stable: body of stable's.
        outputs: JSONPaths of what is compared; none: all of it.
    """
    found = Distance()
    try:
        for mine, theirs in _pairs_chosen(canary, stable, outputs):
            found = found.plus(_between(mine, theirs))
    except _UnlikeShapes as error:
        return found.plus(Distance(shapes=str(error)))
    return found if found.numbers or found.others else Distance(blank=1)


def _between(mine: Any, theirs: Any) -> Distance:
    numbers = [isinstance(each, int | float) and not isinstance(each, bool) for each in (mine, theirs)]
    if all(numbers):
        gap = _gap(mine, theirs)
        return Distance(largest=gap, total=gap, numbers=1)
    return Distance(others=1, unlike=int(any(numbers) or mine != theirs or type(mine) is not type(theirs)))


def _gap(mine: float, theirs: float) -> float:
    try:
        gap = float(abs(mine - theirs))
    except OverflowError:  # JSON's whole numbers may be larger than any float
        return 0.0 if mine == theirs else math.inf
    return gap if math.isfinite(gap) else 0.0 if repr(mine) == repr(theirs) else math.inf


def _pairs_chosen(canary: str, stable: str, outputs: Sequence[str]) -> Iterator[tuple[Any, Any]]:
    mine, theirs = _parse(canary), _parse(stable)
    if not outputs:
        yield from _pairs(mine, theirs, "$")
    for path in outputs:
        yield from _pairs(jsonpath.findall(path, mine), jsonpath.findall(path, theirs), path)


def _parse(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body


def _pairs(mine: Any, theirs: Any, place: str) -> Iterator[tuple[Any, Any]]:
    """Yield what stands in the same place of two JSON values and is neither list nor object.

    Raises:
        _UnlikeShapes: a place of one has no counterpart in the other.
    """
    if isinstance(mine, dict) and isinstance(theirs, dict):
        if unlike := sorted(mine.keys() ^ theirs.keys()):
            side = "the canary" if unlike[0] in mine else "stable"
            raise _UnlikeShapes(f"only {side} gives {shortened(unlike[0])} at {shortened(place)}")
        for key in mine:
            yield from _pairs(mine[key], theirs[key], f"{shortened(place)}.{shortened(key)}")
    elif isinstance(mine, list) and isinstance(theirs, list):
        if len(mine) != len(theirs):
            raise _UnlikeShapes(f"at {shortened(place)} the canary gives {len(mine)} values and stable {len(theirs)}")
        for index, each in enumerate(zip(mine, theirs, strict=True)):
            yield from _pairs(*each, f"{shortened(place)}[{index}]")
    elif isinstance(mine, dict | list) or isinstance(theirs, dict | list):
        raise _UnlikeShapes(f"at {shortened(place)} the canary gives {_kind(mine)} and stable {_kind(theirs)}")
    else:
        yield mine, theirs


def _kind(value: Any) -> str:
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else "a single value"
