"""Parse and write PromQL vector selectors: a metric name and label matchers, nothing else.

A user's counter is taken apart into values here, so that our own matchers can be added to it and no text of a user
ever reaches Prometheus unparsed. Must not know presets, pods or signals.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from serinus.errors import InvalidSpec
from serinus.signals.samples import NAME_LABEL, NAMESPACE_LABEL, POD_LABEL

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_MATCHER = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*")
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|' r"'(?:[^'\\\n]|\\.)*'|`[^`]*`")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|[abfnrtv\\\"'])|(\\.?)", re.DOTALL)
_SIMPLE = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "'": "'",
}
_OURS = (NAMESPACE_LABEL, POD_LABEL, NAME_LABEL)


class Operator(StrEnum):
    """How a matcher compares a label."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    MATCHES_NOT = "!~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """A condition on one label."""

    label: str
    operator: Operator
    value: str

    def holds(self, found: str) -> bool:
        """Tell whether a label's value meets the condition; that of an absent label is empty."""
        if self.operator in (Operator.EQUAL, Operator.NOT_EQUAL):
            return (found == self.value) is (self.operator is Operator.EQUAL)
        return (re.fullmatch(self.value, found) is not None) is (self.operator is Operator.MATCHES)

    def __str__(self) -> str:
        return f"{self.label}{self.operator}{quoted(self.value)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """A metric with conditions on its labels."""

    metric: str
    matchers: tuple[Matcher, ...] = ()

    def narrowed(self, *matchers: Matcher) -> "Selector":
        """Return the selector with more conditions."""
        return Selector(metric=self.metric, matchers=(*self.matchers, *matchers))

    def __str__(self) -> str:
        return f"{self.metric}{{{','.join(map(str, self.matchers))}}}"


def equals(label: str, value: str) -> Matcher:
    """Return the condition that a label has exactly this value."""
    return Matcher(label=label, operator=Operator.EQUAL, value=value)


def matches(label: str, pattern: str) -> Matcher:
    """Return the condition that a whole label value matches an RE2 pattern."""
    return Matcher(label=label, operator=Operator.MATCHES, value=pattern)


def one_of(label: str, values: Iterable[str]) -> Matcher:
    """Return the condition that a label has one of some literal values."""
    return matches(label, "|".join(map(literal, values)))


def literal(value: str) -> str:
    """Return an RE2 pattern that matches exactly a text."""
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", value)


def quoted(value: str) -> str:
    """Return a PromQL string literal."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def parse_selector(text: str) -> Selector:
    """Parse a user's counter: ``name`` or ``name{label="value",…}``.

    Raises:
        InvalidSpec: anything else, such as a function, a range, an offset, a quoted metric name, or a matcher on the
            labels that Serinus adds itself.
    """
    rest = text.strip()
    name = _NAME.match(rest)
    if name is None:
        raise _refusal(text, "it has to begin with the name of a metric")
    rest = rest[name.end() :].strip()
    matchers: tuple[Matcher, ...] = ()
    if rest.startswith("{"):
        matchers, rest = _parse_matchers(text, rest[1:])
    if rest.strip():
        raise _refusal(text, f"{rest.strip()!r} is too much")
    return Selector(metric=name.group(), matchers=matchers)


def _parse_matchers(text: str, rest: str) -> tuple[tuple[Matcher, ...], str]:
    found: list[Matcher] = []
    while not rest.lstrip().startswith("}"):
        head = _MATCHER.match(rest)
        if head is None:
            raise _refusal(text, 'between the braces, only label="value" separated by commas is understood')
        label, operator = head.groups()
        if label in _OURS:
            raise _refusal(text, f"leave out {label!r}: Serinus selects the pods of each revision itself")
        value = _STRING.match(rest, head.end())
        if value is None:
            raise _refusal(text, f"the value of {label!r} has to be a quoted string")
        found.append(Matcher(label=label, operator=Operator(operator), value=_unquoted(text, value.group())))
        rest = rest[value.end() :].lstrip()
        if not rest.startswith((",", "}")):
            raise _refusal(text, f"a comma or a closing brace has to follow {found[-1]}")
        rest = rest.removeprefix(",")
    return tuple(found), rest.lstrip()[1:]


def _unquoted(text: str, quote: str) -> str:
    if quote.startswith("`"):
        return quote[1:-1]

    def one(match: re.Match[str]) -> str:
        code = match.group(1)
        if code is None:
            raise _refusal(text, f"{match.group(2)!r} is no escape that PromQL knows; write a backslash twice")
        if code in _SIMPLE:
            return _SIMPLE[code]
        number = int(code, 8) if code[0].isdigit() else int(code[1:], 16)
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF or (code[0] not in "uU" and number > 0x7F):
            raise _refusal(text, f"{match.group()!r} is no character")
        return chr(number)

    return _ESCAPE.sub(one, quote[1:-1])


def _refusal(text: str, why: str) -> InvalidSpec:
    return InvalidSpec(
        f"the counter {text!r} is not a plain selector: {why}. Write a metric's name, optionally with matchers, "
        'such as my_requests_total{code=~"5.."}; for anything else use a signal of kind Query.'
    )
