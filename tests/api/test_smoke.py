"""From a smoke step's spec to what a gate asks: texts, languages, and how much of either is taken."""

import json
from typing import Any

import pytest

from api.specs import asked, body
from serinus.api.desired_smoke import MOST_BYTES
from serinus.api.parse import make_desired
from serinus.errors import InvalidSpec
from serinus.gates.checks import wrong_json
from serinus.rollout.smoke import Smoke

FROM = {"configMapKeyRef": {"name": "golden", "key": "a.json"}}


def made(text: str | None = None, **request: Any) -> Smoke:
    """Return what a step asks that has one request; ``text`` is what a ConfigMap holds."""
    texts = {} if text is None else {("golden", "a.json"): text}
    smoke = make_desired(body(asked(**request)), "x7mn2pqr5s", texts).plan.steps[0].smoke
    assert smoke is not None
    return smoke


def test_null_is_a_value_to_compare_with() -> None:
    (request,) = made(expect={"jsonPath": [{"path": "$.error", "equals": None}]}).requests
    assert wrong_json('{"error": null}', request.expect) == ""
    assert wrong_json('{"error": "exploded"}', request.expect) == '$.error is "exploded", expected null'
    (request,) = made(expect={"jsonPath": [{"path": "$.error"}]}).requests
    assert wrong_json('{"error": "exploded"}', request.expect) == ""


@pytest.mark.parametrize("name", ["X-Serinus-Gate", "content-length", "a b", "a:b", "", "x" * 65, "a\r\nb"])
def test_a_header_that_is_ours_or_no_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidSpec, match="are written by the operator: remove them"):
        made(headers={name: "1"})


def test_a_header_with_a_line_break_is_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidSpec, match="printable ASCII characters and no line break: remove all others"):
        made(headers={"X-Key": "a\r\nHost: b"})
    (request,) = made(headers={"X-Key": "".join(map(chr, range(32, 127)))}).requests
    assert len(request.headers["X-Key"]) == 95


def costly(parts: int) -> dict[str, Any]:
    return {"allOf": [{"properties": {"a": {"type": "integer"}}}] * parts}


@pytest.mark.parametrize(
    ("text", "request_", "says"),
    [
        (
            "x" * (MOST_BYTES + 1),
            {"bodyFrom": FROM},
            r"requests\[0\].bodyFrom: key a.json of ConfigMap golden has 49,153",
        ),
        (json.dumps(costly(5000)), {"expect": {"jsonSchemaFrom": FROM}}, "use a smaller text"),
        (None, {"expect": {"jsonSchema": costly(5000)}}, "49,152 can be kept"),
        (json.dumps(costly(300)), {"expect": {"jsonSchemaFrom": FROM}}, "more than 1000 values"),
        (None, {"expect": {"jsonSchema": costly(300)}}, "more than 1000 values"),
        ("{", {"expect": {"jsonSchemaFrom": FROM}}, r"requests\[0\].expect.jsonSchema is no JSON Schema: Expecting"),
        ("[" * 10_000, {"expect": {"jsonSchemaFrom": FROM}}, "is no JSON Schema: maximum recursion"),
        ("[]", {"expect": {"jsonSchemaFrom": FROM}}, "is no JSON Schema: it has to be an object"),
        (None, {"expect": {"jsonSchema": {"type": "x"}}}, r"is no JSON Schema: \$.type: 'x' is not valid"),
        (None, {"expect": {"jsonPath": [{"path": "$["}]}}, r"expect.jsonPath\[0\] is no JSONPath"),
    ],
    ids=[
        "a long body",
        "a long schema",
        "a long schema in the spec",
        "a costly schema",
        "a costly schema in the spec",
        "broken JSON",
        "deep JSON",
        "a list",
        "no such type",
        "no such path",
    ],
)
def test_what_is_too_much_or_not_understood_is_refused(text: str | None, request_: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSpec, match=says):
        made(text, **request_)


def test_schemas_count_together() -> None:
    made(expect={"jsonSchema": costly(200)})
    step = asked(expect={"jsonSchema": costly(200)})
    (only,) = step["rollout"]["steps"][0]["smoke"]["requests"]
    step["rollout"]["steps"][0]["smoke"] |= {"requests": [only] * 2}
    with pytest.raises(InvalidSpec, match=r"requests\[1\].expect.jsonSchema: the schemas of all smoke steps"):
        make_desired(body(step), "x7mn2pqr5s")
