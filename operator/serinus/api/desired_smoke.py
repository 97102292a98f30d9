"""From the wire model of a smoke step to the values of a gate: texts fetched, defaults filled in, languages checked.

A JSONPath or JSON Schema that cannot be understood is refused here, before any canary starts. Does no I/O.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import timedelta
from functools import lru_cache
from itertools import chain, starmap
from typing import Any

import jsonpath
from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for

from serinus import contract
from serinus.api.config_map import ConfigMapKey, FromConfigMap
from serinus.api.rollout import StepSpec
from serinus.api.smoke import Expectation, GoldenSpec, JsonPathCheck, SmokeRequest, SmokeSpec
from serinus.errors import InvalidSpec, Stall
from serinus.rollout.smoke import ContractMode, Expect, GateRequest, Golden, JsonCheck, Smoke, WarmUp

DEFAULT_TIMEOUT = timedelta(seconds=10)
DEFAULT_ATTEMPTS = 3
MOST_BYTES = 48 * 1024
"""Of all gates of an object as JSON, because each attempt keeps them in its report."""
MOST_NODES = 1000
"""Of all schemas of an object. To check one costs time with each value in it, and everybody's reconciles wait."""
_SHOWN = 300
Texts = Mapping[tuple[str, str], str | None]
"""Texts by name of ConfigMap and key; None: the ConfigMap exists, the key does not."""


def wanted_texts(steps: Iterable[StepSpec]) -> tuple[ConfigMapKey, ...]:
    """Return where the bodies and schemas stand that smoke steps name."""
    return tuple(
        each.config_map_key_ref
        for step in steps
        if step.smoke is not None
        for request in _requests(step.smoke)
        for each in (request.body_from, request.expect.json_schema_from if request.expect is not None else None)
        if each is not None
    )


def make_smoke(spec: SmokeSpec, path: str, texts: Texts) -> Smoke:
    """Make what a smoke step asks; ``path`` names the step's field in messages.

    Its schemas are texts that nobody looked into yet: see ``check_schemas``.

    Raises:
        InvalidSpec: a JSONPath cannot be understood, or a text is too long.
        Stall: a ConfigMap, or a key of it, does not exist.
    """
    requests = _make_requests(spec.requests, f"{path}.requests", texts)
    golden = None if spec.golden is None else _make_golden(spec.golden, f"{path}.golden", texts)
    warm_up = None
    if spec.warm_up is not None:
        calls = _make_requests(spec.warm_up.requests, f"{path}.warmUp.requests", texts) or requests
        warm_up = WarmUp(requests=calls, times=spec.warm_up.times)
    return Smoke(
        requests=requests,
        golden=golden,
        contract=ContractMode(spec.contract) if spec.contract else ContractMode.REPORT,
        warm_up=warm_up,
        timeout=DEFAULT_TIMEOUT if spec.timeout is None else spec.timeout,
        attempts=DEFAULT_ATTEMPTS if spec.attempts is None else spec.attempts,
    )


def check_size(smokes: Iterable[Smoke]) -> None:
    """Check that all gates together can be kept in a report.

    Raises:
        InvalidSpec: they cannot.
    """
    size = sum(len(json.dumps(asdict(smoke), default=str, ensure_ascii=False).encode()) for smoke in smokes)
    if size > MOST_BYTES:
        raise InvalidSpec(
            f"spec.rollout.steps: smoke steps and what ConfigMaps hold for them have {size:,} bytes together, and "
            f"{MOST_BYTES:,} can be kept: use smaller inputs, or fewer requests"
        )


def check_schemas(smokes: Iterable[tuple[str, Smoke]]) -> None:
    """Check that all schemas can be understood; costs up to about 0.2 s, once for a text.

    Args:
        smokes: path of each step's field for messages, and what it asks. Their sizes are checked.

    Raises:
        InvalidSpec: one of them is no JSON Schema, or they are too complex together.
    """
    nodes = 0
    for path, text in chain.from_iterable(starmap(_schemas, smokes)):
        try:
            nodes += _count_nodes(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise InvalidSpec(f"{path} is no JSON Schema: {_first_line(error)}") from error
        if nodes > MOST_NODES:
            raise InvalidSpec(
                f"{path}: the schemas of all smoke steps have more than {MOST_NODES} values (objects, lists, texts, "
                "numbers) together: let them say less, or use jsonPath"
            )
        if wrong := _wrong_schema(text):
            raise InvalidSpec(f"{path} is no JSON Schema: {wrong}")


def _schemas(path: str, smoke: Smoke) -> Iterator[tuple[str, str]]:
    asked = {
        "requests": smoke.requests,
        "golden.requests": smoke.golden.requests if smoke.golden is not None else (),
        "warmUp.requests": smoke.warm_up.requests if smoke.warm_up is not None else (),
    }
    # Warm-up calls without requests of their own are those of the step.
    if asked["warmUp.requests"] == smoke.requests:
        del asked["warmUp.requests"]
    for name, requests in asked.items():
        for index, request in enumerate(requests):
            if request.expect.json_schema is not None:
                yield f"{path}.{name}[{index}].expect.jsonSchema", request.expect.json_schema


def _count_nodes(value: Any) -> int:
    count, rest = 0, [value]
    while rest:
        each = rest.pop()
        count += 1
        rest.extend(each.values() if isinstance(each, dict) else each if isinstance(each, list) else ())
    return count


def _requests(spec: SmokeSpec) -> Iterator[SmokeRequest]:
    yield from spec.requests or ()
    yield from spec.golden.requests if spec.golden is not None else ()
    yield from (spec.warm_up.requests if spec.warm_up is not None else None) or ()


def _make_golden(spec: GoldenSpec, path: str, texts: Texts) -> Golden:
    for index, each in enumerate(spec.outputs or ()):
        _check_json_path(each, f"{path}.outputs[{index}]")
    return Golden(
        requests=_make_requests(spec.requests, f"{path}.requests", texts),
        outputs=spec.outputs or (),
        tolerance=spec.tolerance,
    )


def _make_requests(specs: tuple[SmokeRequest, ...] | None, path: str, texts: Texts) -> tuple[GateRequest, ...]:
    return tuple(_make_request(each, f"{path}[{index}]", texts) for index, each in enumerate(specs or ()))


def _make_request(spec: SmokeRequest, path: str, texts: Texts) -> GateRequest:
    body = spec.body if spec.body_from is None else _text(spec.body_from, f"{path}.bodyFrom", texts)
    headers = dict(spec.headers or {})
    if body is not None and body.lstrip()[:1] in ("{", "[") and "content-type" not in map(str.lower, headers):
        headers["Content-Type"] = "application/json"
    return GateRequest(
        path=spec.path,
        method=spec.method or ("GET" if body is None else "POST"),
        headers=headers,
        body=body,
        expect=_make_expect(spec.expect or Expectation(), f"{path}.expect", texts),
    )


def _make_expect(spec: Expectation, path: str, texts: Texts) -> Expect:
    schema = None if spec.json_schema is None else json.dumps(spec.json_schema)
    if spec.json_schema_from is not None:
        schema = _text(spec.json_schema_from, f"{path}.jsonSchemaFrom", texts)
    return Expect(
        status=spec.status,
        body=spec.body,
        json_path=tuple(
            _make_check(each, f"{path}.jsonPath[{index}]") for index, each in enumerate(spec.json_path or ())
        ),
        json_schema=schema,
    )


def _make_check(spec: JsonPathCheck, path: str) -> JsonCheck:
    _check_json_path(spec.path, path)
    return JsonCheck(
        path=spec.path,
        equals=json.dumps(spec.equals, sort_keys=True) if spec.has_equals else None,
        tolerance=spec.tolerance or 0.0,
        minimum=spec.min,
        maximum=spec.max,
    )


def _text(source: FromConfigMap, path: str, texts: Texts) -> str:
    wanted = source.config_map_key_ref
    where = (wanted.name, wanted.key)
    if where not in texts:
        what = f"ConfigMap {wanted.name} does not exist: create it"
    elif (text := texts[where]) is None:
        what = f"ConfigMap {wanted.name} has no key {wanted.key}: add it"
    elif len(text.encode()) > MOST_BYTES:
        raise InvalidSpec(
            f"{path}: key {wanted.key} of ConfigMap {wanted.name} has {len(text.encode()):,} bytes, and "
            f"{MOST_BYTES:,} can be kept for all smoke steps: use a smaller text"
        )
    else:
        return text
    raise Stall(contract.REASON_CONFIG_MAP_MISSING, f"{path}: {what}, or write the text into the step")


def _check_json_path(text: str, path: str) -> None:
    if wrong := _wrong_json_path(text):
        raise InvalidSpec(f"{path} is no JSONPath: {wrong}")


@lru_cache(maxsize=1024)
def _wrong_json_path(text: str) -> str:
    """Return what is wrong with a JSONPath; empty if nothing is."""
    try:
        jsonpath.compile(text, strict=True)
    except jsonpath.JSONPathError as error:
        return _first_line(error)
    return ""


@lru_cache(maxsize=64)
def _wrong_schema(text: str) -> str:
    """Return what is wrong with the text of a JSON Schema; empty if nothing is."""
    try:
        schema = json.loads(text)
        if not isinstance(schema, dict):
            return "it has to be an object"
        validator_for(schema).check_schema(schema)
    except SchemaError as error:
        return f"{error.json_path[:_SHOWN]}: {_first_line(error)}"
    except (ValueError, RecursionError) as error:
        return _first_line(error)
    return ""


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:_SHOWN]
