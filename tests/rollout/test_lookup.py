"""The Job that looks a model up: what it may do, and what its end means."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from serinus.rollout.artifact import MOST_PIN_BYTES, Artifact, Resolved
from serinus.rollout.fetching import CONTAINER, FetchImage
from serinus.rollout.lookup import (
    LONGEST,
    Gone,
    Looking,
    Unresolved,
    is_stale,
    last_failure_of,
    make_lookup_job,
    read_lookup,
    tries_of,
)
from serinus.rollout.names import lookup_name

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
METADATA = {"name": "fraud-x7mn2pqr5s-lookup", "namespace": "risk"}


def make_job(*, tries: int = 1, last_failure: str = "", secret: str | None = None, **pod: Any) -> dict[str, Any]:
    job = make_lookup_job(
        Artifact(uri="s3://models/fraud", secret=secret),
        metadata=METADATA,
        pod=pod,
        image=FetchImage(name="serinus:1"),
        generation=3,
        tries=tries,
        last_failure=last_failure,
    )
    job["metadata"]["creationTimestamp"] = "2026-11-22T11:59:50Z"
    return job


def make_pod(**state: Any) -> dict[str, Any]:
    status = {"name": CONTAINER, "restartCount": 0, "state": state}
    return {
        "metadata": {"name": "lookup-1", "creationTimestamp": "2026-11-22T11:59:51Z"},
        "status": {"phase": "Pending", "containerStatuses": [status]},
    }


def ended(code: int, message: str) -> dict[str, Any]:
    return make_pod(terminated={"exitCode": code, "message": message, "finishedAt": "2026-11-22T11:59:58Z"})


def answer(**given: Any) -> str:
    return json.dumps({"schema": 1, "digest": DIGEST, "pin": "etags", "files": 1, "bytes": 9, "source": "s3", **given})


def failure(reason: str) -> str:
    return json.dumps({"schema": 1, "reason": reason, "message": "it is so"})


def test_a_lookup_runs_as_the_pods_will_and_with_no_right_more() -> None:
    shared = {"serviceAccountName": "reader", "imagePullSecrets": [{"name": "pull"}], "tolerations": [{"key": "gpu"}]}
    job = make_job(**shared, nodeSelector={"gpu": "a100"}, containers=[{"name": "model"}], secret="store")
    pod = job["spec"]["template"]["spec"]
    assert {key: pod[key] for key in shared} == shared
    assert "nodeSelector" not in pod
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    container = pod["containers"][0]
    assert container["args"] == ["--uri", "s3://models/fraud", "--resolve"]
    assert container["envFrom"] == [{"secretRef": {"name": "store"}}]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert (job["spec"]["backoffLimit"], job["spec"]["activeDeadlineSeconds"]) == (0, 300)
    assert job["spec"]["ttlSecondsAfterFinished"] > 0


def test_the_services_do_not_select_a_lookup() -> None:
    labels = make_job()["spec"]["template"]["metadata"]["labels"]
    assert [label for label in labels if "serinus" in label] == ["serinus.dev/lookup"]
    assert labels["sidecar.istio.io/inject"] == "false"


def test_the_longest_name_still_names_a_job() -> None:
    assert len(lookup_name("n" * 45, "x" * 18)) == 63


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (make_pod(running={}), Looking()),
        (make_pod(waiting={"reason": "ContainerCreating"}), Looking()),
        (ended(0, answer()), Resolved(digest=DIGEST, pin="etags", at=NOW - timedelta(seconds=2))),
    ],
)
def test_what_a_lookup_says(pod: dict[str, Any], expected: object) -> None:
    assert read_lookup(make_job(), [pod], NOW) == expected


@pytest.mark.parametrize(
    ("pod", "sentence", "after_seconds"),
    [
        (ended(1, failure("Unreachable")), "Unreachable: it is so", 10 - 2),
        (ended(2, failure("CredentialsMissing")), "CredentialsMissing: it is so", 30 - 2),
        (ended(137, ""), "exit code 137", 10 - 2),
        (ended(0, "no JSON"), "no answer that can be read", 30 - 2),
        (ended(0, answer(digest=7)), "no answer that can be read", 30 - 2),
        (ended(0, answer(pin="p" * (MOST_PIN_BYTES + 1))), "no answer that can be read", 30 - 2),
        (make_pod(waiting={"reason": "CreateContainerConfigError", "message": 'secret "s" not found'}), "secret", 260),
        (make_pod(waiting={"reason": "ImagePullBackOff", "message": "no such image"}), "no such image", 260),
    ],
)
def test_why_a_lookup_fails_and_when_it_is_tried_again(
    pod: dict[str, Any], sentence: str, after_seconds: int | None
) -> None:
    found = read_lookup(make_job(), [pod], NOW)
    assert isinstance(found, Unresolved)
    assert sentence in found.message
    assert "lookup-1" not in found.message
    after = None if found.retry_at is None else (found.retry_at - NOW).total_seconds()
    assert after == after_seconds


STOPPED = "The fetch was stopped; a restarted container goes on from here."


@pytest.mark.parametrize("type_", ["FailureTarget", "Failed"])
@pytest.mark.parametrize("pods", [[], [ended(1, STOPPED)], [make_pod(running={})]])
def test_what_must_be_read_whole_is_told_how_to_be_pinned_and_not_read_again_at_once(
    type_: str, pods: list[dict[str, Any]]
) -> None:
    condition = {
        "type": type_,
        "status": "True",
        "reason": "DeadlineExceeded",
        "lastTransitionTime": "2026-11-22T12:04:50Z",
    }
    found = read_lookup({**make_job(), "status": {"conditions": [condition]}}, pods, NOW + LONGEST)
    assert isinstance(found, Unresolved)
    assert "longer than 5 min" in found.message
    assert "write spec.model.digest" in found.message
    assert found.retry_at == NOW - timedelta(seconds=10) + 2 * LONGEST


def test_an_answer_at_the_last_moment_is_one() -> None:
    condition = {"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded"}
    found = read_lookup({**make_job(), "status": {"conditions": [condition]}}, [ended(0, answer())], NOW)
    assert isinstance(found, Resolved)


@pytest.mark.parametrize(("tries", "code", "seconds"), [(1, 1, 10), (2, 1, 20), (4, 1, 80), (9, 1, 120), (3, 2, 120)])
def test_each_lookup_in_a_row_waits_longer_up_to_what_a_person_waits(tries: int, code: int, seconds: int) -> None:
    found = read_lookup(make_job(tries=tries), [ended(code, failure("Unreachable"))], NOW)
    assert isinstance(found, Unresolved)
    assert found.retry_at == NOW - timedelta(seconds=2) + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("conditions", "later", "kind"),
    [
        ([], 0, Looking),
        ([], 30, Unresolved),
        ([{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too long"}], 0, Unresolved),
        ([{"type": "Complete", "status": "True"}], 0, Gone),
        ([{"type": "Failed", "status": "False"}], 0, Looking),
    ],
)
def test_a_job_without_a_pod(conditions: list[dict[str, str]], later: int, kind: type) -> None:
    job = {**make_job(), "status": {"conditions": conditions}}
    assert isinstance(read_lookup(job, [], NOW + timedelta(seconds=later)), kind)


def test_a_job_remembers_what_came_before_it() -> None:
    job = make_job(tries=3, last_failure="the store is down")
    assert (tries_of(job), last_failure_of(job)) == (3, "the store is down")
    assert (tries_of(make_job()), last_failure_of(make_job())) == (1, "")


@pytest.mark.parametrize(
    ("generation", "age_seconds", "stale"), [(3, 5000, False), (4, 60, False), (4, 61, True), (2, 61, True)]
)
def test_an_answer_to_an_earlier_spec_is_good_for_a_minute(generation: int, age_seconds: int, stale: bool) -> None:
    answered = Resolved(digest=DIGEST, pin="p", at=NOW - timedelta(seconds=age_seconds))
    assert is_stale(make_job(), answered, generation, NOW) is stale
    assert not is_stale(make_job(), Looking(), generation, NOW)
