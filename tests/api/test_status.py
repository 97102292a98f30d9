"""The memory in the status: comes back exactly, or says that it cannot be read."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given

from api.values import progresses
from serinus import contract
from serinus.api.status import MAX_MESSAGE_LENGTH, Sight, read_progress, write_conditions, write_status
from serinus.errors import Stall
from serinus.rollout.conditions import Condition
from serinus.rollout.types import Canary, CanaryState, Progress, Rejection, Stable

NOW = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
SIGHT = Sight(observed_generation=7, phase="Progressing", conditions=(), now=NOW, replicas=4, ready_replicas=3)
CANARY = Canary(
    revision="x7mn2pqr5s", attempt=1, step=2, weight=25, state=CanaryState.ANALYSING, since=NOW, step_since=NOW
)
PROGRESS = Progress(stable=Stable(revision="bcd4fgh2kl", since=NOW), canary=CANARY)


@given(progresses)
def test_the_memory_comes_back_exactly(progress: Progress) -> None:
    wire = write_status(progress, SIGHT, name="fraud", previous={})
    assert read_progress(json.loads(json.dumps(wire))) == progress


def test_a_lost_status_is_an_empty_memory() -> None:
    assert read_progress({}) == Progress()
    assert read_progress({"conditions": [], "canary": None}) == Progress()


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"stable": "bcd4fgh2kl"}, id="stable is a text"),
        pytest.param({"stable": {"since": "2026-11-22T07:30:00Z"}}, id="stable without a revision"),
        pytest.param({"stable": {"revision": "a", "since": "yesterday"}}, id="a time that is none"),
        pytest.param({"stable": {"revision": "a", "since": "2026-11-22T07:30:00"}}, id="a time without a zone"),
        pytest.param({"canary": {"revision": "a"}}, id="half a canary"),
        pytest.param({"rejected": {"revision": "a"}}, id="a list that is none"),
    ],
)
def test_an_unreadable_status_stalls_and_says_how_to_go_on(status: dict[str, Any]) -> None:
    with pytest.raises(Stall, match="nothing is changed: restore it, or remove it") as stall:
        read_progress(status)
    assert stall.value.reason == contract.REASON_STATUS_UNREADABLE


def test_an_unknown_state_of_the_canary_is_unreadable() -> None:
    wire = write_status(PROGRESS, SIGHT, name="fraud", previous={})
    wire["canary"]["state"] = "Flying"
    with pytest.raises(Stall):
        read_progress(wire)


def test_fields_of_a_newer_operator_are_passed_over() -> None:
    wire = write_status(PROGRESS, SIGHT, name="fraud", previous={})
    wire["canary"]["mood"] = "fine"
    assert read_progress(wire) == PROGRESS


def test_what_is_shown_beside_the_memory() -> None:
    sight = replace(SIGHT, actual_weight=20, plan_outdated=True, selector="a=b")
    wire = write_status(PROGRESS, sight, name="fraud", previous={})
    assert wire["observedGeneration"] == 7
    assert (wire["phase"], wire["replicas"], wire["selector"]) == ("Progressing", 4, "a=b")
    assert wire["stable"] == {
        "revision": "bcd4fgh2kl",
        "weight": 75,
        "replicas": 4,
        "readyReplicas": 3,
        "since": "2026-11-22T07:30:00Z",
    }
    assert wire["canary"]["weight"] == 25
    assert wire["canary"]["actualWeight"] == 20
    assert wire["canary"]["planOutdated"] is True
    assert wire["canary"]["report"] == "fraud-x7mn2pqr5s-1"


def test_stable_has_all_the_traffic_without_a_canary() -> None:
    wire = write_status(replace(PROGRESS, canary=None), SIGHT, name="fraud", previous={})
    assert wire["stable"]["weight"] == 100
    assert "canary" not in wire


def test_a_rejection_names_its_report_and_is_cut_to_a_length() -> None:
    long = Rejection(revision="zt5vw2x6mn", attempt=2, reason="CrashLoop", message="x" * 9000, at=NOW)
    wire = write_status(replace(PROGRESS, rejected=(long,)), SIGHT, name="fraud", previous={})
    assert wire["rejected"][0]["report"] == "fraud-zt5vw2x6mn-2"
    assert len(wire["rejected"][0]["message"]) == MAX_MESSAGE_LENGTH


LATER = NOW + timedelta(minutes=5, microseconds=7)


@pytest.mark.parametrize(
    ("now_is", "since"),
    [
        pytest.param(True, "2026-11-22T07:30:00Z", id="the same status keeps its time"),
        pytest.param(False, "2026-11-22T07:35:00Z", id="another status begins now"),
        pytest.param(None, "2026-11-22T07:35:00Z", id="Unknown is another status"),
    ],
)
def test_a_transition_time_moves_with_the_status_only(now_is: bool | None, since: str) -> None:
    def write(status: bool | None, reason: str, previous: list[Any], now: datetime) -> list[dict[str, Any]]:
        condition = Condition(type="Ready", status=status, reason=reason, message="m")
        return write_conditions([condition], observed_generation=1, previous=previous, now=now)

    first = write(True, "Stable", [], NOW)
    (second,) = write(now_is, "Other", first, LATER)
    assert second["lastTransitionTime"] == since
    assert second["reason"] == "Other"
    assert second["status"] == {True: "True", False: "False", None: "Unknown"}[now_is]
