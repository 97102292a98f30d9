"""Compare an answer with what is expected of it. Pure.

JSONPaths and JSON Schemas are small programs of users: whoever calls ``wrong_json`` does so where time and memory are
limited.
"""

import json
from typing import Any

import jsonpath
from jsonschema.exceptions import best_match
from jsonschema.validators import validator_for
from referencing import Registry

from serinus.gates.answers import Answer, shortened
from serinus.rollout.smoke import Expect, JsonCheck

NOT_JSON = "the body is not JSON"
TOO_LONG = "the body is longer than 1 MiB, which is all that is read: let the request ask for less"


def wrong_status(answer: Answer, expect: Expect) -> str:
    """Return what is wrong with status and text of an answer; empty if nothing is."""
    if expect.status is not None and answer.status != expect.status:
        return f"expected status {expect.status}"
    if expect.status is None and answer.status >= 400:
        return "expected a status below 400"
    if expect.body is not None and expect.body not in answer.body:
        return f"the body does not contain {_show(expect.body)}"
    needs_json = bool(expect.json_path) or expect.json_schema is not None
    return TOO_LONG if needs_json and answer.is_cut else ""


def wrong_json(body: str, expect: Expect) -> str:
    """Return what is wrong inside a JSON answer; empty if nothing is."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return NOT_JSON
    for check in expect.json_path:
        if wrong := _wrong_value(value, check):
            return wrong
    return _against_schema(value, expect.json_schema) if expect.json_schema is not None else ""


def _wrong_value(value: Any, check: JsonCheck) -> str:
    found = jsonpath.findall(check.path, value)
    if not found:
        return f"{check.path} finds nothing"
    wanted = None if check.equals is None else json.loads(check.equals)
    for each in found:
        if check.equals is not None and not is_same(each, wanted, check.tolerance):
            about = f" within {check.tolerance:g}" if check.tolerance else ""
            return f"{check.path} is {_show(each)}, expected {_show(wanted)}{about}"
        if wrong := _out_of_bounds(each, check):
            return f"{check.path} is {_show(each)}, {wrong}"
    return ""


def _out_of_bounds(value: Any, check: JsonCheck) -> str:
    if check.minimum is None and check.maximum is None:
        return ""
    if not _is_number(value):
        return "no number"
    # Written so that NaN, which json.loads takes, is out of every bound.
    if check.minimum is not None and not value >= check.minimum:
        return f"below {check.minimum:g}"
    return f"above {check.maximum:g}" if check.maximum is not None and not value <= check.maximum else ""


def is_same(found: Any, wanted: Any, tolerance: float) -> bool:
    """Tell whether two JSON values are the same but for numbers that differ by at most ``tolerance``."""
    if _is_number(found) and _is_number(wanted):
        # A difference of two values each cut to binary may exceed a tolerance written in decimal by a rounding.
        try:
            return bool(abs(found - wanted) <= tolerance + 1e-12 * max(abs(found), abs(wanted)))
        except OverflowError:  # JSON's whole numbers may be larger than any float
            return bool(found == wanted)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(is_same, found, wanted, [tolerance] * len(found)))
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(is_same(found[key], wanted[key], tolerance) for key in found)
    return type(found) is type(wanted) and bool(found == wanted)


def _against_schema(value: Any, text: str) -> str:
    schema = json.loads(text)
    # An empty registry: a $ref to anywhere outside is an error, and nothing is fetched.
    checker = validator_for(schema)(schema, registry=Registry())
    error = best_match(checker.iter_errors(value))  # type: ignore[no-untyped-call]
    return "" if error is None else f"{shortened(error.json_path)}: {shortened(error.message)}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _show(value: Any) -> str:
    return shortened(json.dumps(value, ensure_ascii=False))
