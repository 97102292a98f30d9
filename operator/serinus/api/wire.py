"""The ground of all wire models: strict, camelCase, and rules that hold at the API server and here alike.

A ``Rule`` is written once with its CEL expression, its Python twin and the sentence that the user reads, so that
what ``kubectl apply`` refuses and what the operator refuses are the same. Knows pydantic, no field of ours.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from serinus.api import quantities

VALIDATIONS = "x-kubernetes-validations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Something that must hold, for the API server and for us."""

    cel: str | None
    """Over ``self``: the smallest object that holds the fields. None: the schema alone refuses it already."""
    message: str
    """Says what to do."""
    holds: Callable[[Any], bool]
    """The Python twin of ``cel``, over the parsed value."""


def _validations(rules: tuple[Rule, ...]) -> list[dict[str, str]]:
    return [{"rule": rule.cel, "message": rule.message} for rule in rules if rule.cel is not None]


def _keep(rules: tuple[Rule, ...], value: Any) -> None:
    for rule in rules:
        if not rule.holds(value):
            raise ValueError(rule.message)


@dataclass(frozen=True, slots=True, eq=False)
class Ruled:
    """Annotation for a list, a map or a scalar: rules on it, and extensions of its schema."""

    rules: tuple[Rule, ...] = ()
    extra: Mapping[str, Any] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def check(value: Any) -> Any:
            _keep(self.rules, value)
            return value

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        found = handler(schema)
        if self.rules:
            found[VALIDATIONS] = [*found.get(VALIDATIONS, []), *_validations(self.rules)]
        found.update(self.extra or {})
        return found


class Wire(BaseModel):
    """A JSON object on the wire. Unknown fields are refused."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        _keep(self.rules, self)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        found = handler.resolve_ref_schema(handler(schema))
        if cls.rules:
            found[VALIDATIONS] = _validations(cls.rules)
        return found


class Seen(Wire):
    """An object that the operator wrote itself: fields of a newer version are passed over."""

    model_config = ConfigDict(extra="ignore")


class Loose(Wire):
    """A reserved object: its further fields are kept as they are, until its feature is built."""

    model_config = ConfigDict(extra="allow")


def _notation(pattern: str, advice: str, also: str = "") -> dict[str, Any]:
    return {
        "type": "string",
        "maxLength": quantities.MAX_NOTATION_LENGTH,
        VALIDATIONS: [{"rule": f"self.matches(r'{pattern}'){also}", "message": advice}],
    }


def _reader(kind: type | None, parse: Callable[[str], Any], advice: str) -> PlainValidator:
    def read(value: Any) -> Any:
        if kind is not None and isinstance(value, kind):
            return value
        if not isinstance(value, str):
            raise ValueError(advice)
        return parse(value)

    return PlainValidator(read)


class _Schema:
    """Annotation that replaces the generated schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return dict(self.schema)


Duration = Annotated[
    timedelta,
    _reader(timedelta, quantities.parse_duration, quantities.DURATION_ADVICE),
    PlainSerializer(quantities.format_duration, return_type=str, when_used="json"),
    _Schema(
        _notation(quantities.DURATION_PATTERN, quantities.DURATION_ADVICE, " && duration(self) <= duration('8760h')")
    ),
]
"""A duration in Go's notation."""

Share = Annotated[
    float,
    _reader(None, quantities.parse_share, quantities.SHARE_ADVICE),
    _Schema(_notation(quantities.SHARE_PATTERN, quantities.SHARE_ADVICE)),
]
"""A share in [0, 1), written as ``0.5%`` or a quoted decimal."""

Timestamp = Annotated[
    datetime,
    _reader(datetime, quantities.parse_time, "write a time such as 2026-01-31T12:00:00Z"),
    PlainSerializer(quantities.format_time, return_type=str, when_used="json"),
    _Schema({"type": "string", "format": "date-time"}),
]
"""An aware UTC time in RFC 3339."""

LABEL_PATTERN = "^[a-z]([-a-z0-9]*[a-z0-9])?$"

Name = Annotated[
    str,
    Field(min_length=1, max_length=45),
    Ruled(
        (
            Rule(
                cel=f"self.matches('{LABEL_PATTERN}')",
                message="start with a letter and use only lower-case letters, digits and '-'",
                holds=lambda name: re.fullmatch(LABEL_PATTERN, name) is not None,
            ),
        )
    ),
]
"""A DNS label of at most 45 characters that starts with a letter."""

Percent = Annotated[int, Field(ge=1, le=100)]
"""Whole percent, 1 to 100."""

Strings = Annotated[dict[str, str], Field(max_length=64)]
"""Labels, annotations or headers."""
