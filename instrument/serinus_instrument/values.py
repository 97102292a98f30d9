"""Read single values: what is missing, what is a number, under which name a category counts.

The profile of the training data and the counters of the server both go through here, so that the same value has
the same name in both. Knows no model and no metric.
"""

import math
from typing import Any

LONGEST_VALUE = 128
"""Of a category, in characters; the rest is cut."""
LONGEST_NAME = 253
"""Of a model, an input or an output: what a ModelDeployment can name."""
_LARGEST_WHOLE = 1e15  # floats above it are not told apart by one


def number_of(value: Any) -> float | None:
    """Return a value as a number, infinite ones included; None if it is missing or no number."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return None if math.isnan(number) else number


def category_of(value: Any) -> str | None:
    """Return the name under which a value counts as a category; None if it is missing.

    ``3`` and ``3.0`` are one category, ``True`` is ``true``: a column with gaps comes as floats, and JSON has its own
    words.
    """
    if isinstance(value, str):
        return label_of(value)
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:
        value = value.item()
    if value is None or _is_nan(value):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < _LARGEST_WHOLE
        return str(int(value)) if whole else f"{value:.9g}"
    if isinstance(value, bytes):
        return label_of(value.decode("utf-8", "replace"))
    return label_of(str(value))


def label_of(text: str) -> str:
    """Return a text as a category: at most 128 characters that can be written as UTF-8."""
    return text[:LONGEST_VALUE].encode("utf-8", "replace").decode()


def name_of(text: str) -> str:
    """Return a text as the name of a model, an input or an output: at most 253 characters of UTF-8."""
    return text[:LONGEST_NAME].encode("utf-8", "replace").decode()


def _is_nan(value: Any) -> bool:
    # Of all values only NaN and its like differ from themselves; some, as pandas.NA, refuse to say.
    try:
        return bool(value != value)  # noqa: PLR0124
    except (TypeError, ValueError):
        return True
