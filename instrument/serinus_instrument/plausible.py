"""Say whether a prediction can be true at all: a number in its range, a class that exists.

Knows single values only; must not know models or metrics.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from serinus_instrument.values import category_of, number_of

NOT_A_NUMBER = "not_a_number"
OUT_OF_RANGE = "out_of_range"
UNKNOWN_CLASS = "unknown_class"
REASONS = (NOT_A_NUMBER, OUT_OF_RANGE, UNKNOWN_CLASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plausible:
    """What may be predicted: numbers from ``low`` to ``high``, both included, or one of ``classes``."""

    low: float = -math.inf
    high: float = math.inf
    classes: frozenset[str] | None = None
    """As labels write them; None: any."""

    @property
    def is_range(self) -> bool:
        """Return whether it bounds numbers."""
        return math.isfinite(self.low) or math.isfinite(self.high)

    def why_not(self, value: Any, numeric: bool) -> str | None:
        """Return why a value cannot be true, None if it can.

        Args:
            value: one predicted value.
            numeric: it should be a number.
        """
        if not numeric:
            name = category_of(value)
            if name is None:
                return NOT_A_NUMBER
            return UNKNOWN_CLASS if self.classes is not None and name not in self.classes else None
        number = number_of(value)
        if number is None or math.isinf(number):
            return NOT_A_NUMBER
        return None if self.low <= number <= self.high else OUT_OF_RANGE


ANYTHING = Plausible()
Declared = Plausible | tuple[float | None, float | None] | Iterable[Any] | None
"""A ``Plausible``; a tuple of two numbers, from and to, None for no bound; or a list or set of classes."""


def make_plausible(declared: Declared) -> Plausible | None:
    """Return what was declared, None if nothing was.

    Raises:
        ValueError: it can't be understood, or nothing would be plausible.
    """
    if declared is None or isinstance(declared, Plausible):
        return declared
    if isinstance(declared, str):
        raise ValueError(f"plausible={declared!r}: give a range such as (0, 1), or a list of classes")
    if isinstance(declared, tuple):
        return _make_range(declared)
    names = {category_of(each) for each in declared} - {None}
    if not names:
        raise ValueError("plausible: give a range such as (0, 1), or a list with the classes that exist")
    return Plausible(classes=frozenset(name for name in names if name is not None))


def _make_range(declared: tuple[Any, ...]) -> Plausible:
    if len(declared) != 2 or not all(each is None or number_of(each) is not None for each in declared):
        raise ValueError(f"plausible={declared!r}: a tuple is a range from, to; give classes as a list or a set")
    low, high = declared
    found = Plausible(
        low=-math.inf if low is None else float(low),
        high=math.inf if high is None else float(high),
    )
    if found.low > found.high:
        raise ValueError(f"plausible={declared!r}: no number is in this range, swap its ends")
    return found
