"""Measure how far the outputs of two answers to the same request lie apart. Pure."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jsonpath

DEFAULT_OUTPUTS = {"v2": ("$.outputs[*].data",), "v1": ("$.predictions",)}
"""What a protocol calls its outputs; with any other all values of the answer are compared."""


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

    def plus(self, other: "Distance") -> "Distance":
        """Return the distance over both."""
        return Distance(
            largest=max(self.largest, other.largest),
            total=self.total + other.total,
            numbers=self.numbers + other.numbers,
            others=self.others + other.others,
            unlike=self.unlike + other.unlike,
            shapes=self.shapes or other.shapes,
        )

    def exceeds(self, tolerance: float) -> bool:
        """Tell whether anything lies further apart than a tolerance; what is no number has to be the same."""
        return bool(self.shapes) or self.unlike > 0 or not self.largest <= tolerance

    def __str__(self) -> str:
        told = []
        if self.shapes:
            told.append(self.shapes)
        if self.numbers:
            mean = self.total / self.numbers
            told.append(f"largest distance {self.largest:.3g} (mean {mean:.3g}) over {self.numbers} numbers")
        if self.others or self.unlike:
            told.append(f"{self.unlike} of {self.others} other values differ")
        return ", ".join(told) or "nothing to compare"


def distance(canary: str, stable: str, outputs: Sequence[str]) -> Distance:
    """Return how far two bodies lie apart.

    Args:
        canary: body of the canary's answer.
        stable: body of stable's.
        outputs: JSONPaths of what is compared; none: all of it.
    """
    left, right = (list(_leaves(_chosen(body, outputs))) for body in (canary, stable))
    if len(left) != len(right):
        return Distance(shapes=f"the canary gives {len(left)} values and stable {len(right)}")
    found = Distance()
    for mine, theirs in zip(left, right, strict=True):
        found = found.plus(_between(mine, theirs))
    return found


def _between(mine: Any, theirs: Any) -> Distance:
    numbers = [isinstance(each, int | float) and not isinstance(each, bool) for each in (mine, theirs)]
    if all(numbers):
        gap = abs(mine - theirs)
        gap = gap if math.isfinite(gap) else 0.0 if repr(mine) == repr(theirs) else math.inf
        return Distance(largest=gap, total=gap, numbers=1)
    return Distance(others=1, unlike=int(any(numbers) or mine != theirs or type(mine) is not type(theirs)))


def _chosen(body: str, outputs: Sequence[str]) -> Any:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return [jsonpath.findall(path, value) for path in outputs] if outputs else value


def _leaves(value: Any) -> Iterator[Any]:
    """Yield the values of a JSON document in order; objects by sorted keys."""
    if isinstance(value, dict):
        for key in sorted(value):
            yield from _leaves(value[key])
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    else:
        yield value
