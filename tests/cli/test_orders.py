"""Orders name revision and attempt, and are refused where they make no sense."""

from typing import Any

import pytest

from cli.worlds import CANARY, model_deployment, progressing, rejected, report
from serinus import contract
from serinus.cli.orders import NothingToOrder, make_order

APPROVAL = [{"kind": "weight", "weight": 5}, {"kind": "approval", "weight": 5}]


def latched(*values: tuple[str, str]) -> dict[str, Any]:
    return {"commands": [{"type": type_, "value": value} for type_, value in values]}


@pytest.mark.parametrize(
    ("verb", "status", "value"),
    [
        ("promote", progressing(attempt=2), f"{CANARY}/2"),
        ("abort", progressing(), f"{CANARY}/1"),
        ("pause", progressing(), f"{CANARY}/1"),
        ("pause", {**progressing(), **latched(("pause", f"{CANARY}/1"))}, f"{CANARY}/1/2"),
        ("pause", {**progressing(), **latched(("pause", f"{CANARY}/1"), ("pause", f"{CANARY}/1/2"))}, f"{CANARY}/1/3"),
        ("pause", {**progressing(), **latched(("pause", "other/1"), ("resume", f"{CANARY}/1"))}, f"{CANARY}/1"),
        ("resume", progressing(paused=True), f"{CANARY}/1"),
        ("approve", progressing(step=1), f"{CANARY}/1/1"),
        ("retry", rejected(), f"{CANARY}/2"),
    ],
)
def test_values(verb: str, status: dict[str, Any], value: str) -> None:
    order = make_order(verb, model_deployment(status), [report(steps=APPROVAL)])
    assert (order.annotation, order.value) == (f"serinus.dev/{verb}", value)


def test_a_retry_wants_the_attempt_after_the_last_report() -> None:
    assert make_order("retry", model_deployment(rejected()), [report(attempt=4)]).value == f"{CANARY}/5"


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([("other", 1)], id="another one was rejected later"),
        pytest.param([("other", 1), (CANARY, 2), ("other", 2)], id="each of them more than once"),
        pytest.param([(CANARY[:-1], 7)], id="the other's name is the beginning of ours"),
    ],
)
def test_a_retry_is_about_the_revision_that_the_spec_asks_for_now(others: list[tuple[str, int]]) -> None:
    status = rejected()
    status["rejected"] += [{**status["rejected"][0], "revision": name, "attempt": count} for name, count in others]
    attempt = max(each["attempt"] for each in status["rejected"] if each["revision"] == CANARY)
    assert make_order("retry", model_deployment(status), []).value == f"{CANARY}/{attempt + 1}"


@pytest.mark.parametrize("verb", contract.COMMANDS)
def test_every_command_of_the_contract_is_known_and_needs_something_to_act_on(verb: str) -> None:
    with pytest.raises(NothingToOrder, match="nothing to"):
        make_order(verb, model_deployment({"phase": "Stable"}), [])


@pytest.mark.parametrize(
    ("verb", "found", "sentence"),
    [
        ("approve", model_deployment(progressing(step=0)), "no approval step"),
        ("resume", model_deployment(progressing()), "not paused"),
        ("resume", model_deployment(progressing(paused=True), rollout={"paused": True}), "Git"),
    ],
)
def test_refusals_say_what_to_do(verb: str, found: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NothingToOrder, match=sentence):
        make_order(verb, found, [report(steps=APPROVAL)])
