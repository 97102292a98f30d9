"""What a pod's status says, as kubelets of Kubernetes 1.36 write it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from serinus import contract
from serinus.rollout.pods import SECRET_GRACE, UNSCHEDULABLE_GRACE, parse_pod

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def make_pod(*, ready: bool = False, container: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    statuses = [{"name": "model", "image": "reg/model:2", "restartCount": 0, **(container or {})}]
    return {
        "metadata": {
            "name": "fraud-x-1",
            "labels": {contract.LABEL_REVISION: "x"},
            "creationTimestamp": "2026-11-22T11:59:00Z",
        },
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": statuses, **status},
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


ANSWER = 'Back-off pulling image "reg/model:2": ErrImagePull: failed to resolve: lookup reg: no such host'
CRASHED = {
    **waiting("CrashLoopBackOff", "back-off 10s"),
    "restartCount": 1,
    "lastState": {"terminated": {"exitCode": 3, "reason": "Error", "message": "loading\nno such file: model.pkl\n\n"}},
}
KILLED = {
    "state": {"running": {}},
    "restartCount": 1,
    "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
}


@pytest.mark.parametrize(
    ("container", "reason", "parts"),
    [
        (waiting("ContainerCreating"), None, []),
        (waiting("ErrImagePull", "first failure"), None, []),
        (waiting("ImagePullBackOff", ANSWER), contract.REASON_IMAGE_PULL_FAILED, ["reg/model:2", "no such host"]),
        (waiting("InvalidImageName", "bad"), contract.REASON_IMAGE_PULL_FAILED, ["reg/model:2"]),
        (CRASHED, contract.REASON_CRASH_LOOP, ["exit code 3", "last log line: no such file: model.pkl"]),
        (KILLED, contract.REASON_OOM_KILLED, ["137", "raise resources.limits.memory"]),
        ({"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}, None, []),
    ],
)
def test_what_is_wrong_with_a_container(container: dict[str, Any], reason: str | None, parts: list[str]) -> None:
    seen = parse_pod(make_pod(container=container), NOW)
    assert seen is not None
    assert (seen.fact.reason if seen.fact else None) == reason
    for part in parts:
        assert seen.fact is not None
        assert part in seen.fact.message


@pytest.mark.parametrize(
    ("since", "found"), [(UNSCHEDULABLE_GRACE - timedelta(seconds=1), False), (UNSCHEDULABLE_GRACE, True)]
)
def test_unschedulable_counts_after_a_moment(since: timedelta, found: bool) -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient memory.",
        "lastTransitionTime": (NOW - since).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    seen = parse_pod(make_pod(conditions=[condition], containerStatuses=[]), NOW)
    assert seen is not None
    assert (seen.fact is not None) is found
    if seen.fact:
        assert "Insufficient memory" in seen.fact.message


def test_a_pod_on_its_way_out_is_not_seen() -> None:
    pod = make_pod(ready=True)
    assert parse_pod(pod, NOW).ready  # type: ignore[union-attr]
    pod["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z"
    assert parse_pod(pod, NOW) is None


def test_an_init_container_that_fails_counts_too() -> None:
    pod = make_pod(initContainerStatuses=[{"name": "fetch", "image": "f", **waiting("ImagePullBackOff", "denied")}])
    seen = parse_pod(pod, NOW)
    assert seen is not None
    assert seen.fact is not None
    assert "container fetch" in seen.fact.message


def test_long_answers_are_cut() -> None:
    seen = parse_pod(make_pod(container=waiting("ImagePullBackOff", "x" * 5000)), NOW)
    assert seen is not None
    assert seen.fact is not None
    assert len(seen.fact.message) < 800


@pytest.mark.parametrize(("written", "changed"), [("2026-11-22T11:59:30Z", NOW - timedelta(seconds=30)), (None, None)])
def test_when_a_pod_became_ready(written: str | None, changed: datetime | None) -> None:
    ready = {"type": "Ready", "status": "True", **({"lastTransitionTime": written} if written else {})}
    seen = parse_pod(make_pod(conditions=[ready]), NOW)
    assert seen is not None
    assert (seen.ready, seen.changed) == (True, changed)


FETCH = {"name": "serinus-fetch", "image": "serinus:1"}
GONE = '{"schema":1,"reason":"NotFound","message":"s3://models/fraud/7 has no object"}'
DOWN = '{"schema":1,"reason":"Unreachable","message":"no answer from store:9000"}'


def evicted(pod: dict[str, Any]) -> dict[str, Any]:
    return {**pod, "status": {**pod["status"], "phase": "Failed", "reason": "Evicted"}}


def failed_fetch(code: int, message: str, restarts: int = 0, **state: Any) -> dict[str, Any]:
    ended = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed", "message": message}}
    status = {
        **FETCH,
        "restartCount": restarts,
        **({"state": state, "lastState": ended} if state else {"state": ended}),
    }
    return make_pod(phase="Pending", initContainerStatuses=[status])


@pytest.mark.parametrize(
    ("pod", "cause"),
    [
        (failed_fetch(0, ""), None),
        (failed_fetch(2, GONE), "NotFound: s3://models/fraud/7 has no object"),
        (failed_fetch(2, GONE, 1, running={}), "NotFound: s3://models/fraud/7 has no object"),
        (failed_fetch(1, DOWN), None),
        (failed_fetch(1, DOWN, 1, waiting={"reason": "CrashLoopBackOff"}), None),
        (failed_fetch(1, DOWN, 2, running={}), None),
        (failed_fetch(1, DOWN, 2, waiting={"reason": "CrashLoopBackOff"}), "Unreachable: no answer from store:9000"),
        (failed_fetch(1, DOWN, 3, running={}), "Unreachable: no answer from store:9000"),
        (failed_fetch(127, "line\npython3: No module named serinus\n"), None),
        (
            failed_fetch(127, "line\nno serinus\n", 2, waiting={"reason": "CrashLoopBackOff"}),
            "exit code 127: no serinus",
        ),
        (failed_fetch(137, ""), None),
        (failed_fetch(143, "", 1, running={}), None),
        (evicted(failed_fetch(2, "")), None),
        (failed_fetch(2, ""), "exit code 2: it left no message"),
        (failed_fetch(2, '["no", "object"]'), 'exit code 2: ["no", "object"]'),
    ],
)
def test_a_fetch_that_failed_is_a_fact_once_asking_again_is_no_use(pod: dict[str, Any], cause: str | None) -> None:
    seen = parse_pod(pod, NOW)
    assert seen is not None
    if cause is None:
        assert seen.fact is None
    else:
        assert seen.fact is not None
        assert seen.fact.reason == contract.REASON_MODEL_FETCH_FAILED
        assert cause in seen.fact.message


@pytest.mark.parametrize(
    ("pod", "cause"),
    [
        (make_pod(), ""),
        (failed_fetch(0, ""), ""),
        (failed_fetch(1, DOWN), "Unreachable: no answer from store:9000"),
        (failed_fetch(1, DOWN, 1, running={}), "Unreachable: no answer from store:9000"),
        (failed_fetch(1, DOWN, 1, waiting={"reason": "CrashLoopBackOff"}), "Unreachable: no answer from store:9000"),
        (
            make_pod(phase="Pending", initContainerStatuses=[{**FETCH, "restartCount": 0, "state": {"running": {}}}]),
            "kubectl logs fraud-x-1 -c serinus-fetch says how far",
        ),
    ],
)
def test_why_a_models_files_are_not_there_yet(pod: dict[str, Any], cause: str) -> None:
    seen = parse_pod(pod, NOW)
    assert seen is not None
    assert seen.fact is None
    assert cause in seen.waits
    assert bool(cause) == bool(seen.waits)


def test_a_missing_secret_of_the_fetch_is_a_fact_and_that_of_a_server_waits_for_the_deadline() -> None:
    waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "store" not found'}}
    pod = make_pod(initContainerStatuses=[{**FETCH, "restartCount": 0, "state": waiting}])
    # Something else may bring it moments later.
    born = NOW - timedelta(minutes=1)
    early = parse_pod(pod, born + SECRET_GRACE - timedelta(seconds=1))
    assert early is not None
    assert early.fact is None
    assert "CredentialsMissing" in early.waits
    seen = parse_pod(pod, born + SECRET_GRACE)
    assert seen is not None
    assert seen.fact is not None
    assert "CredentialsMissing" in seen.fact.message
    assert 'secret "store" not found' in seen.fact.message
    seen = parse_pod(make_pod(container={"state": waiting}), NOW)
    assert seen is not None
    assert seen.fact is None
