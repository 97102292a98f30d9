"""What an answer must be: tables of answers and of what is wrong with them."""

import json
from typing import Any

import pytest

from serinus.gates.answers import NO_BODY, Answer
from serinus.gates.checks import NOT_JSON, TOO_LONG, wrong_json, wrong_status
from serinus.rollout.smoke import Expect, JsonCheck


def answer(status: int = 200, body: str = "{}", is_cut: bool = False) -> Answer:
    return Answer(status=status, body=body, milliseconds=1, is_cut=is_cut)


@pytest.mark.parametrize(
    ("given", "expect", "wrong"),
    [
        (answer(200), Expect(), ""),
        (answer(399), Expect(), ""),
        (answer(400), Expect(), "expected a status below 400"),
        (answer(500), Expect(), "expected a status below 400"),
        (answer(500), Expect(status=500), ""),
        (answer(200), Expect(status=201), "expected status 201"),
        (answer(body='{"ok": true}'), Expect(body='"ok"'), ""),
        (answer(body="nothing"), Expect(body="ok"), 'the body does not contain "ok"'),
        (answer(is_cut=True), Expect(), ""),
        (answer(is_cut=True), Expect(json_schema="{}"), TOO_LONG),
        (answer(is_cut=True), Expect(json_path=(JsonCheck(path="$"),)), TOO_LONG),
    ],
)
def test_status_and_text(given: Answer, expect: Expect, wrong: str) -> None:
    assert wrong_status(given, expect) == wrong


def check(path: str, equals: Any = None, **rest: float) -> JsonCheck:
    return JsonCheck(path=path, equals=None if equals is None else json.dumps(equals), **rest)


BODY = {"model": "fraud", "outputs": [{"data": [0.1, 0.9], "shape": [1, 2]}], "ok": True, "none": None, "n": 7}


@pytest.mark.parametrize(
    ("made", "wrong"),
    [
        (check("$.model"), ""),
        (check("$.model", "fraud"), ""),
        (check("$.model", "other"), '$.model is "fraud", expected "other"'),
        (check("$.nowhere"), "$.nowhere finds nothing"),
        (check("$.outputs[0].data", [0.1, 0.9]), ""),
        (check("$.outputs[0].data", [0.1, 0.8]), "$.outputs[0].data is [0.1, 0.9], expected [0.1, 0.8]"),
        (check("$.outputs[0].data", [0.1, 0.8], tolerance=0.1), ""),
        (
            check("$.outputs[0].data", [0.1, 0.8], tolerance=0.05),
            "$.outputs[0].data is [0.1, 0.9], expected [0.1, 0.8] within 0.05",
        ),
        (check("$.outputs[0].data", [0.1], tolerance=9), "$.outputs[0].data is [0.1, 0.9], expected [0.1] within 9"),
        (check("$.outputs[*].data[*]", minimum=0, maximum=1), ""),
        (check("$.outputs[*].data[*]", maximum=0.5), "$.outputs[*].data[*] is 0.9, above 0.5"),
        (check("$.n", minimum=8), "$.n is 7, below 8"),
        (check("$.ok", minimum=0), "$.ok is true, no number"),
        (check("$.ok", True), ""),
        (check("$.ok", 1), "$.ok is true, expected 1"),
        (check("$.n", 7.0), ""),
        (check("$.n", "7"), '$.n is 7, expected "7"'),
        (check("$.outputs[0]", {"data": [0.1, 0.9], "shape": [1, 2]}), ""),
        (check("$.outputs[0]", {"data": [0.1, 0.9]}), '$.outputs[0] is {"data": [0.1, 0.9], "shape": [1, 2]}, '),
    ],
)
def test_values_inside_an_answer(made: JsonCheck, wrong: str) -> None:
    found = wrong_json(json.dumps(BODY), Expect(json_path=(made,)))
    assert found.startswith(wrong)
    assert bool(found) == bool(wrong)


def test_not_a_number_is_out_of_every_bound() -> None:
    for bounds in ({"minimum": 0}, {"maximum": 1}):
        assert wrong_json('{"x": NaN}', Expect(json_path=(JsonCheck(path="$.x", **bounds),)))
    assert wrong_json('{"x": NaN}', Expect(json_path=(check("$.x", 1.0, tolerance=5),)))


SCHEMA = {
    "type": "object",
    "required": ["outputs"],
    "properties": {"outputs": {"type": "array", "items": {"$ref": "#/$defs/output"}}},
    "$defs": {"output": {"properties": {"shape": {"prefixItems": [{"const": 1}]}}}},
}


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (BODY, ""),
        ({}, "$: 'outputs' is a required property"),
        ({"outputs": [{"shape": [2]}]}, "$.outputs[0].shape[0]: 1 was expected"),
        ([], "$: [] is not of type 'object'"),
    ],
)
def test_a_schema(body: Any, wrong: str) -> None:
    assert wrong_json(json.dumps(body), Expect(json_schema=json.dumps(SCHEMA))) == wrong


def test_a_schema_fetches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr("urllib.request.urlopen", fail)
    with pytest.raises(Exception, match="Unresolvable"):
        wrong_json("{}", Expect(json_schema='{"$ref": "http://127.0.0.1:9/schema.json"}'))


@pytest.mark.parametrize("body", ["", "<html>", "{", "[" * 100_000])
def test_what_is_not_json(body: str) -> None:
    assert wrong_json(body, Expect(json_schema="{}")) == NOT_JSON


@pytest.mark.parametrize(
    ("body", "excerpt"),
    [
        ("", NO_BODY),
        ("  \n ", NO_BODY),
        ('{"error":\n  "no such   column"}', '{"error": "no such column"}'),
        ("a\x00b\x1b[31mc", "a b [31mc"),
    ],
)
def test_an_excerpt_is_one_printable_line(body: str, excerpt: str) -> None:
    assert answer(body=body).excerpt() == excerpt


def test_an_excerpt_is_short() -> None:
    assert len(answer(body="x" * 10_000).excerpt()) == 240
