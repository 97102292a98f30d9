"""Fill the placeholders of a preset's selectors: the model, a feature, and what names one side of a rollout.

A selector with a placeholder of a side says by itself whose series they are. Must not know what a preset counts.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from serinus.signals.selectors import Matcher, Operator, Selector, literal

MODEL = "$model"
FEATURE = "$feature"
REVISION = "$revision"
SERVICE = "$service"
WORKLOAD = "$workload"
NAMESPACE = "$namespace"

PER_SIDE = frozenset({REVISION, SERVICE, WORKLOAD})
ALL = PER_SIDE | {MODEL, FEATURE, NAMESPACE}

_PLACEHOLDER = re.compile(r"(?<!\\)\$[a-z]+")
_AS_PATTERN = {Operator.EQUAL: Operator.MATCHES, Operator.NOT_EQUAL: Operator.MATCHES_NOT}
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


def placeholders_of(selector: Selector) -> frozenset[str]:
    """Return the placeholders that still have to be filled in."""
    return frozenset(found for each in selector.matchers for found in _PLACEHOLDER.findall(each.value))


def tells_sides_apart(selector: Selector) -> bool:
    """Return whether the labels alone say whose series they are: then each side has a query of its own."""
    return bool(placeholders_of(selector) & PER_SIDE)


def filled(selector: Selector, values: Mapping[str, str]) -> Selector:
    """Return the selector with some placeholders filled in, literally also within a pattern; others stay.

    Args:
        selector: of a preset.
        values: by placeholder, with its dollar sign.
    """
    return Selector(metric=selector.metric, matchers=tuple(_filled(each, values) for each in selector.matchers))


def _filled(matcher: Matcher, values: Mapping[str, str]) -> Matcher:
    present = {each: values[each] for each in _PLACEHOLDER.findall(matcher.value) if each in values}
    if not present:
        return matcher
    as_pattern = _AS_PATTERN.get(matcher.operator)
    if as_pattern and not any("$" in each for each in present.values()):
        return replace(matcher, value=_replaced(matcher.value, present))
    # In a pattern a name's own dollar sign is escaped, so that nothing that a user named is taken for a placeholder.
    pattern = literal(matcher.value) if as_pattern else matcher.value
    escaped = {(literal(each) if as_pattern else each): literal(value) for each, value in present.items()}
    return Matcher(label=matcher.label, operator=as_pattern or matcher.operator, value=_replaced(pattern, escaped))


def _replaced(text: str, values: Mapping[str, str]) -> str:
    wanted = "|".join(f"{re.escape(each)}(?![a-z])" for each in values)
    return re.sub(wanted, lambda found: values[found.group()], text)


def filled_path(path: str, model: str) -> str:
    """Return a URL path with ``$model`` filled in, percent-encoded."""
    encoded = "".join(
        each if _UNRESERVED.fullmatch(each) else "".join(f"%{byte:02X}" for byte in each.encode()) for each in model
    )
    return path.replace(MODEL, encoded)
