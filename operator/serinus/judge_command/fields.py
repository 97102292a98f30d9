"""Strict reading of one JSON object: every field is asked for by name and sort, what nobody asked for is refused.

Knows nothing of what the fields mean.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from math import isfinite
from typing import NoReturn

from serinus.errors import SerinusError

LARGEST_COUNT = 10**12
"""Of one count, and of the requests of a side; the work of a tick grows with the root of its counts."""


class Malformed(SerinusError):
    """A field that cannot be understood; ``path`` names it, empty for the whole line."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path


class Fields:
    """One JSON object and its path in the line."""

    def __init__(self, value: object, path: str = "") -> None:
        """Take a value that has to be an object."""
        if not isinstance(value, dict):
            raise Malformed(path, f"has to be a JSON object, not {_shown(value)}")
        self._values: Mapping[str, object] = value
        self._path = path

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def names(self) -> Collection[str]:
        """Return the names of all fields."""
        return self._values.keys()

    def path(self, name: str) -> str:
        """Return the path of a field, or of the object itself for an empty name."""
        return f"{self._path}.{name}" if self._path and name else self._path or name

    def refuse(self, name: str, message: str) -> NoReturn:
        """Refuse a field."""
        raise Malformed(self.path(name), message)

    def only(self, allowed: Collection[str]) -> None:
        """Refuse every field that is not allowed."""
        for name in self._values:
            if name not in allowed:
                self.refuse(name, f"is unknown here; known are {', '.join(sorted(allowed))}")

    def get(self, name: str) -> object:
        """Return a value as it is, None if it is absent or null."""
        return self._values.get(name)

    def inner(self, name: str) -> "Fields":
        """Return an object inside."""
        return Fields(self._needed(name), self.path(name))

    def number(self, name: str, default: float | None = None) -> float:
        """Return a finite number."""
        return finite(self._or_default(name, default), self.path(name))

    def between(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """Return a number with ``low < number < high``."""
        value = self.number(name, default)
        if not low < value < high:
            self.refuse(name, f"has to be above {low:g} and below {high:g}, not {value:g}")
        return value

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Return a whole number from ``low`` to ``high``."""
        return whole(self._or_default(name, default), self.path(name), low, high)

    def text(self, name: str) -> str:
        """Return a string that is not empty."""
        value = self._needed(name)
        if not isinstance(value, str) or not value:
            self.refuse(name, f"has to be a string that is not empty, not {_shown(value)}")
        return value

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str:
        """Return one of the allowed strings."""
        value = self._or_default(name, default)
        if value not in allowed:
            self.refuse(name, f"has to be one of {', '.join(allowed)}, not {_shown(value)}")
        return str(value)

    def flag(self, name: str) -> bool:
        """Return a boolean, False if it is absent."""
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            self.refuse(name, f"has to be true or false, not {_shown(value)}")
        return value

    def items(self, name: str) -> list[tuple[str, object]]:
        """Return path and value of each element of a list."""
        value = self._needed(name)
        if not isinstance(value, list):
            self.refuse(name, f"has to be a list, not {_shown(value)}")
        return [(f"{self.path(name)}[{index}]", each) for index, each in enumerate(value)]

    def counts(self, name: str, length: int | None = None) -> tuple[int, ...]:
        """Return a list of counts, of the given length if there is one."""
        values = self._needed(name)
        if isinstance(values, list) and all(type(each) is int and 0 <= each <= LARGEST_COUNT for each in values):
            if length is not None and len(values) != length:
                self.refuse(name, f"has to have {length} counts, not {len(values)}")
            return tuple(values)
        return tuple(whole(value, path, 0, LARGEST_COUNT) for path, value in self.items(name))

    def _needed(self, name: str) -> object:
        if name not in self._values:
            self.refuse(name, "is missing")
        return self._values[name]

    def _or_default(self, name: str, default: object) -> object:
        return self._needed(name) if default is None else self._values.get(name, default)


def whole(value: object, path: str, low: int, high: int) -> int:
    """Return a whole number in the range.

    Raises:
        Malformed: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise Malformed(path, f"has to be a whole number, not {_shown(value)}")
    if not low <= value <= high:
        raise Malformed(path, f"has to be a whole number from {low} to {high}, not {_shown(value)}")
    return value


def finite(value: object, path: str) -> float:
    """Return a finite number.

    Raises:
        Malformed: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise Malformed(path, f"has to be a finite number, not {_shown(value)}")
    return float(value)


def parse_object(text: bytes) -> Fields:
    """Read one line as a JSON object.

    Raises:
        Malformed: it is none, holds a field twice, or a string that is no Unicode text.
    """
    try:
        value = json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
        if b"\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except Malformed:
        raise
    except (ValueError, RecursionError) as error:
        raise Malformed("", f"this is no JSON object ({error})") from error
    return Fields(value)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise Malformed(name, "stands twice in one object")
            seen.add(name)
    return values


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _is_finite(value: float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:
        return False


def _shown(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except ValueError:
        text = "a number with thousands of digits"
    return text if len(text) <= 40 else text[:37] + "..."
