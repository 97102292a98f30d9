"""Frozen dataclasses of numbers as plain JSON lists, in the order of their fields, and back.

What is written is short, so floats are rounded to eight digits. Some are not: edges of buckets would not be found
again, nor a share that was set; a process that stands exactly at its threshold would fall below; and variances would
drown in the squares of large values. Knows no field by name: whoever changes a dataclass that is remembered raises
``running.WIRE_VERSION``.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from math import inf
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from serinus.stats.autocorrelation import Autocorrelation
from serinus.stats.capital import Capital
from serinus.stats.traffic_share import TrafficShareState

_WHOLE = 1e8
Exact = Annotated[float, "exact"]
"""A float of which every digit counts, such as the edge of a bucket, which is found again by its value."""

_EXACT = (Capital, TrafficShareState, Autocorrelation)

T = TypeVar("T")
_Turn = Callable[[Any], Any]


def pack(value: object) -> list[Any]:
    """Return a dataclass as nested lists of numbers, strings, booleans and nulls."""
    sort: Any = type(value)
    return cast("list[Any]", _packer(sort)(value))


def unpack(sort: type[T], wire: object) -> T:
    """Return the dataclass that ``pack`` wrote; equal to the packed one but for the rounding.

    Raises:
        ValueError: the lists are of another shape.
        TypeError: the values are of another sort.
    """
    hint: Any = sort
    return cast("T", _unpacker(hint)(wire))


def as_remembered(value: T) -> T:
    """Return a dataclass as it will be read back, so that what is said of it is the same before and after."""
    sort: Any = type(value)
    turn = _rounder(sort)
    return value if turn is None else cast("T", turn(value))


@cache
def _packer(hint: Any, exact: bool = False) -> _Turn:
    if hint is float or hint is Exact:
        return float if exact or hint is Exact else _written
    if hint in (int, str, bool):
        return _same
    if is_dataclass(hint):
        exact = exact or hint in _EXACT
        hints = get_type_hints(hint, include_extras=True)
        turns = [(each.name, _packer(hints[each.name], exact)) for each in fields(hint)]
        return lambda value: [turn(getattr(value, name)) for name, turn in turns]
    if (inner := _optional(hint)) is not None:
        turn = _packer(inner, exact)
        return lambda value: None if value is None else turn(value)
    members = get_args(hint)
    if members[1:] == (...,):
        each = _packer(members[0], exact)
        return lambda value: [each(member) for member in value]
    all_turns = [_packer(member, exact) for member in members]
    return lambda value: [turn(member) for turn, member in zip(all_turns, value, strict=True)]


@cache
def _rounder(hint: Any) -> _Turn | None:
    """Return what rounds a value as ``pack`` does, None if it stays as it is."""
    if hint is float:
        return _rounded
    if hint in (int, str, bool, Exact, *_EXACT):
        return None
    if is_dataclass(hint):
        sort = cast("Callable[..., Any]", hint)
        hints = get_type_hints(hint, include_extras=True)
        names = [each.name for each in fields(hint)]
        turns = [(name, _rounder(hints[name])) for name in names]
        if all(turn is None for _, turn in turns):
            return None
        return lambda value: sort(
            **{name: getattr(value, name) if turn is None else turn(getattr(value, name)) for name, turn in turns}
        )
    if (inner := _optional(hint)) is not None:
        turn = _rounder(inner)
        return None if turn is None else lambda value: None if value is None else turn(value)
    members = get_args(hint)
    if members[1:] == (...,):
        each = _rounder(members[0])
        return None if each is None else lambda value: tuple([each(member) for member in value])
    all_turns = [_rounder(member) or _same for member in members]
    return lambda value: tuple([turn(member) for turn, member in zip(all_turns, value, strict=True)])


@cache
def _unpacker(hint: Any) -> _Turn:
    if hint in (float, int, str, bool, Exact):
        return _checked(float if hint is Exact else hint)
    if is_dataclass(hint):
        sort = cast("Callable[..., Any]", hint)
        hints = get_type_hints(hint, include_extras=True)
        names = [each.name for each in fields(hint)]
        turns = [_unpacker(hints[name]) for name in names]
        return lambda wire: sort(
            **{name: turn(each) for name, turn, each in zip(names, turns, _listed(wire), strict=True)}
        )
    if (inner := _optional(hint)) is not None:
        turn = _unpacker(inner)
        return lambda wire: None if wire is None else turn(wire)
    members = get_args(hint)
    if members[1:] == (...,):
        each = _unpacker(members[0])
        return lambda wire: tuple(each(member) for member in _listed(wire))
    all_turns = [_unpacker(member) for member in members]
    return lambda wire: tuple(turn(member) for turn, member in zip(all_turns, _listed(wire), strict=True))


def _optional(hint: Any) -> Any:
    if get_origin(hint) not in (Union, UnionType):
        return None
    (inner,) = (each for each in get_args(hint) if each is not NoneType)
    return inner


def _checked(sort: type) -> _Turn:
    # JSON knows one sort of number, and writers drop ".0".
    wanted = (int, float) if sort in (int, float) else (sort,)

    def turn(wire: Any) -> Any:
        if not isinstance(wire, wanted) or isinstance(wire, bool) != (sort is bool):
            raise TypeError(f"{wire!r} is no {sort.__name__}")
        return sort(wire)

    return turn


def _listed(wire: Any) -> list[Any]:
    if not isinstance(wire, list | tuple):
        raise TypeError(f"{wire!r} is no list")
    return list(wire)


def _rounded(value: float) -> float:
    if value.is_integer() and -_WHOLE < value < _WHOLE:
        return value
    rounded = float(f"{value:.8g}")
    # The very largest numbers round to infinity, which is no JSON.
    return rounded if -inf < rounded < inf else value


def _written(value: float) -> float:
    # JSON knows one sort of number, and without ".0" it is shorter.
    rounded = _rounded(value)
    return int(rounded) if rounded.is_integer() and -_WHOLE < rounded < _WHOLE else rounded


def _same(value: Any) -> Any:
    return value
