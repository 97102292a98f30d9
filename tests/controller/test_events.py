from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.cluster.kinds import EVENT
from serinus.controller.events import EventRecorder, make_event
from serinus.errors import ClusterUnavailable, Forbidden
from support.fake_cluster import FakeCluster

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Said:
    warning: bool = False
    reason: str = "Promoted"
    message: str = "revision x serves"


def body(name: str = "fraud", uid: str = "u1") -> dict[str, Any]:
    return {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"namespace": "n", "name": name, "uid": uid, "resourceVersion": "7"},
    }


def recorder(cluster: FakeCluster, now: datetime = NOW) -> EventRecorder:
    return EventRecorder(cluster=cluster, clock=lambda: now, instance="serinus-0")


def test_a_note_becomes_an_event_of_the_object() -> None:
    cluster = FakeCluster()
    recorder(cluster).record(body(), [Said(warning=True, reason="ErrorsWorse", message="12 of 100 failed")])
    [event] = cluster.list(EVENT, "n")
    assert event["involvedObject"]["uid"] == "u1"
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "ErrorsWorse", "12 of 100 failed")
    assert event["lastTimestamp"] == "2026-03-01T12:00:00Z"
    assert event["reportingComponent"] == "serinus"


def test_the_same_note_again_is_counted_on_the_same_event() -> None:
    cluster = FakeCluster()
    for hour in range(3):
        recorder(cluster, NOW + timedelta(hours=hour)).record(body(), [Said()])
    [event] = cluster.list(EVENT, "n")
    assert event["count"] == 3
    assert event["firstTimestamp"] == "2026-03-01T12:00:00Z"
    assert event["lastTimestamp"] == "2026-03-01T14:00:00Z"


@pytest.mark.parametrize(
    "other",
    [
        make_event(body(uid="u2"), Said(), NOW, "i"),
        make_event(body(), Said(warning=True), NOW, "i"),
        make_event(body(), Said(reason="Aborted"), NOW, "i"),
        make_event(body(), Said(message="revision y serves"), NOW, "i"),
    ],
)
def test_whatever_differs_is_another_event(other: dict[str, Any]) -> None:
    assert other["metadata"]["name"] != make_event(body(), Said(), NOW, "i")["metadata"]["name"]


@pytest.mark.parametrize("error", [ClusterUnavailable("down"), Forbidden("no right", status=403)])
def test_an_event_that_fails_does_not_stop_the_others(error: Exception) -> None:
    cluster = FakeCluster()
    cluster.fail_at(1, error)
    recorder(cluster).record(body(), [Said(), Said(reason="ScaledDown")])
    assert [event["reason"] for event in cluster.list(EVENT, "n")] == ["ScaledDown"]


@given(message=st.text(max_size=3000), name=st.from_regex(r"[a-z]{1,253}", fullmatch=True))
def test_no_message_and_no_name_is_too_long_for_the_server(message: str, name: str) -> None:
    event = make_event(body(name=name), Said(message=message), NOW, "i")
    assert len(event["message"].encode()) <= 1024
    assert len(event["metadata"]["name"]) <= 253
    if len(message.encode()) <= 1024:
        assert event["message"] == message
