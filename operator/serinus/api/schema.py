"""From a wire model to the structural OpenAPI v3 schema that the API server takes. Knows no kind of ours."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from serinus.api.wire import VALIDATIONS

Schema = dict[str, Any]

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_KEPT = (
    "type",
    "format",
    "enum",
    "nullable",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "maxProperties",
    "required",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    _PRESERVE,
)
_DEFAULTS = "x-serinus-default"
"""Marks a field whose default is written by the API server: all others are filled in by the operator."""


def written(default: Any) -> dict[str, Any]:
    """Return the mark of a field whose default the API server writes."""
    return {_DEFAULTS: default}


def structural_schema(model: type[BaseModel]) -> Schema:
    """Return the structural schema of a model: no references, no alternatives, defaults only where marked."""
    generated = model.model_json_schema(by_alias=True)
    return _convert(generated, generated.get("$defs", {}))


def _resolve(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """Return a node with its reference, and the alternative of null, replaced by what they stand for."""
    merged = dict(node)
    while "$ref" in merged:
        target = definitions[merged.pop("$ref").rsplit("/", 1)[-1]]
        merged = {**target, **merged}
    choices = [each for each in merged.pop("anyOf", ()) if each.get("type") != "null"]
    if {each.get("type") for each in choices} == {"integer", "string"}:
        return {**merged, _INT_OR_STRING: True}
    if choices:
        (only,) = choices
        return {**_resolve(only, definitions), **merged}
    return merged


def _convert(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    found = _resolve(node, definitions)
    schema: Schema = {}
    if "description" in found:
        schema["description"] = " ".join(found["description"].split())
    if found.get(_INT_OR_STRING):
        schema |= {_INT_OR_STRING: True, **{key: found[key] for key in ("maxLength",) if key in found}}
    else:
        schema |= {key: found[key] for key in _KEPT if key in found}
    if "exclusiveMinimum" in schema:
        schema |= {"minimum": schema["exclusiveMinimum"], "exclusiveMinimum": True}
    if _DEFAULTS in found:
        schema["default"] = found[_DEFAULTS]
    if "items" in found:
        schema["items"] = _convert(found["items"], definitions)
    if "properties" in found:
        schema["properties"] = {name: _convert(each, definitions) for name, each in found["properties"].items()}
    extra = found.get("additionalProperties")
    if extra is True:
        schema[_PRESERVE] = True
    elif isinstance(extra, Mapping):
        schema["additionalProperties"] = _convert(extra, definitions)
    if found.get(VALIDATIONS):
        schema[VALIDATIONS] = found[VALIDATIONS]
    return schema
