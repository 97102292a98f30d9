"""Models come from a store: what is wrong there rolls back with its cause, and what is pinned stays what it is.

The store is moto's S3 in a pod. Nothing here reaches a network outside the cluster.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from e2e.api_server import ApiServer
from e2e.manifests import CALM, weights
from e2e.model import Model, Models, canary_of, condition, is_true, stable_of
from e2e.operator_process import OperatorProcess
from e2e.place import Place
from e2e.serving import SCORER, START_SECONDS
from e2e.store import KEYS, NAME, Store, digest_of, line
from e2e.waiting import eventually

REACH = "store-with-keys"
KEYLESS = "store-without-keys"
FILE = "model.json"
FAILED_WITHIN = 120
"""Until a container has failed three times, with the kubelet's growing pauses."""


@pytest.fixture(scope="module")
def store(place: Place, api: ApiServer, namespace: str) -> Iterator[Store]:
    """Return a store with its Secrets."""
    for name in (NAME, SCORER.name):
        place.load_image(name)
    place.load_fetch_image()
    made = Store(api, place.kubectl, namespace)
    made.start()
    made.make_secret(REACH, KEYS)
    made.make_secret(KEYLESS, {})
    made.make_bucket("models")
    made.make_bucket("history", versioned=True)
    yield made
    made.delete()


def artifact(uri: str, *, secret: str = REACH, **more: Any) -> dict[str, Any]:
    """Return ``spec.model`` of something in the store."""
    return {"name": "line", "uri": uri, "secretRef": {"name": secret}, "mountPath": "/mnt/models", **more}


def spec(model: dict[str, Any], *, version: str = "1", **more: Any) -> dict[str, Any]:
    """Return the spec of a scorer that serves a model from the store, judged by a number that is always fine."""
    env = {"MODEL": f"/mnt/models/{FILE}", "VERSION": version}
    return SCORER.spec(env, **{"analysis": CALM, **more, "model": model})


def said_by(model: Model, revision: str) -> set[float]:
    """Return what the pods of a revision predict for 1: the slope of the line that each of them loaded."""
    found = set()
    for pod in model.pods(revision):
        url = f"http://{pod['status']['podIP']}:{SCORER.port}{SCORER.path}"
        found.add(requests.post(url, data=json.dumps({"inputs": [1.0]}), timeout=5).json()["predictions"][0])
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A model that serves, and whose next revision cannot have its artifact."""

    model: Model
    stable: str
    pods: set[str]


GOOD = line(1)
WRONG_DIGEST = digest_of(b"something else")
# What is wrong with spec.model, and patterns of the sentence.
BROKEN: dict[str, tuple[dict[str, Any], list[str]]] = {
    "digest-wrong": (
        artifact("s3://models/good/model.json", digest=WRONG_DIGEST),
        [WRONG_DIGEST, digest_of(GOOD)],
    ),
    "download-breaks": (artifact("s3://models/broken/model.json"), ["broke|interrupt|incomplete|cut|ended"]),
    "credentials-missing": (
        artifact("s3://models/good/model.json", secret=KEYLESS, digest=digest_of(GOOD)),
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    ),
}


@pytest.fixture(scope="module")
def broken(
    store: Store, api: ApiServer, namespace: str, started_operator: OperatorProcess
) -> Iterator[dict[str, Broken]]:
    """Return ModelDeployments that serve a model of the store, each with a canary that cannot, all at the same time."""
    uri = store.put(f"models/good/{FILE}", GOOD)
    store.put(f"models/broken/{FILE}", line(2) + b" " * 100_000)
    models = {fault: Model(api, namespace, f"artifact-{fault}") for fault in BROKEN}
    for model in models.values():
        model.apply(spec(artifact(uri, digest=digest_of(GOOD))))
    found = {}
    for fault, model in models.items():
        stable = model.wait_ready(within=START_SECONDS)
        found[fault] = Broken(model=model, stable=stable, pods=model.pod_uids(stable))
    for fault, model in models.items():
        model.apply(spec(BROKEN[fault][0]))
    yield found
    for model in models.values():
        model.delete()


@pytest.mark.parametrize("fault", BROKEN)
def test_revision_without_its_artifact_is_rolled_back_with_the_cause(
    broken: dict[str, Broken], models: Models, fault: str
) -> None:
    served, (_, words) = broken[fault], BROKEN[fault]
    model = models.take(served.model)
    rejection = model.wait_rejected(within=FAILED_WITHIN)
    assert rejection["reason"] == "ModelFetchFailed", rejection
    for word in words:
        assert re.search(word, rejection["message"]), f"no {word!r} in: {rejection['message']}"
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in rejection["message"]
    seen = model.seen()
    assert condition(seen, "Stalled")["reason"] == "ModelFetchFailed"
    assert is_true(seen, "Available")
    assert model.served_revision() == served.stable
    assert model.pod_uids(served.stable) == served.pods
    assert said_by(model, served.stable) == {1.0}


def test_unreachable_artifact_stalls_before_the_start_and_goes_on_when_it_is_mended(
    store: Store, models: Models
) -> None:
    model = models("artifact-mended")
    uri = store.put(f"models/mended/{FILE}", line(1))
    model.apply(spec(artifact(uri)))
    first = model.wait_ready(within=START_SECONDS)
    pods = model.pod_uids(first)
    store.make_secret("store-to-be-mended", {})
    store.put(f"models/mended/{FILE}", line(2))
    model.apply(spec(artifact(uri, secret="store-to-be-mended"), version="2"))
    stalled = model.wait("stalled", lambda obj: is_true(obj, "Stalled"), within=90)
    assert condition(stalled, "Stalled")["reason"] == "ModelUnresolved"
    assert "AWS_ACCESS_KEY_ID" in condition(stalled, "Stalled")["message"]
    assert not canary_of(stalled)
    assert model.pod_uids(first) == pods
    store.make_secret("store-to-be-mended", KEYS)
    promoted = model.wait("promoted", lambda obj: stable_of(obj).get("revision") not in {"", first}, within=120)
    assert said_by(model, stable_of(promoted)["revision"]) == {2.0}


def test_artifact_replaced_in_mid_rollout_reaches_no_pod_of_it(store: Store, models: Models) -> None:
    model = models("artifact-replaced")
    steps = [*weights(50), {"approval": {}}]
    uri = store.put(f"history/line/{FILE}", line(1))
    model.apply(spec(artifact(uri), steps=steps))
    first = model.wait_ready(within=START_SECONDS)
    assert said_by(model, first) == {1.0}

    store.put(f"history/line/{FILE}", line(2))
    model.apply(spec(artifact(uri), version="2", steps=steps, replicas=2))
    second = model.wait_canary(after=first, within=START_SECONDS, step=1)["revision"]
    assert said_by(model, second) == {2.0}
    resolved = model.seen()["status"]["model"]

    store.put(f"history/line/{FILE}", line(3))
    for revision, slope in ((first, 1.0), (second, 2.0)):
        restart_pods(model, revision)
        assert said_by(model, revision) == {slope}, "a restarted pod loaded another artifact"
    model.order("approve", f"{second}/1/1")
    model.wait_promoted(second)
    eventually("both pods serve", lambda: said_by_ready(model, second, pods=2) == {2.0}, within=60)
    assert model.seen()["status"]["model"] == resolved


def test_new_artifact_behind_a_tracked_uri_is_rolled_out(store: Store, models: Models) -> None:
    model = models("artifact-tracked")
    uri = store.put(f"models/tracked/{FILE}", line(1))
    model.apply(spec(artifact(uri, track=True)))
    first = model.wait_ready(within=START_SECONDS)
    known = model.seen()["status"]["model"]
    again = model.wait("looked up again", lambda obj: obj["status"]["model"] != known, within=60)
    assert again["status"]["model"]["digest"] == known["digest"]
    assert stable_of(again)["revision"] == first

    store.put(f"models/tracked/{FILE}", line(2))
    promoted = model.wait("promoted", lambda obj: stable_of(obj).get("revision") != first, within=120)
    assert said_by(model, stable_of(promoted)["revision"]) == {2.0}
    assert promoted["status"]["model"]["digest"] != known["digest"]


def restart_pods(model: Model, revision: str) -> None:
    """Delete a revision's pods and wait until others are ready."""
    before = model.pods(revision)
    for pod in before:
        model.api.delete("Pod", model.namespace, pod["metadata"]["name"])
    gone = {pod["metadata"]["uid"] for pod in before}

    def replaced() -> bool:
        pods = model.pods(revision)
        return len(pods) == len(before) and all(pod["metadata"]["uid"] not in gone and is_ready(pod) for pod in pods)

    eventually(f"other pods of {revision} are ready", replaced, within=60)


def said_by_ready(model: Model, revision: str, *, pods: int) -> set[float] | None:
    """Return what so many pods of a revision predict, None while they are not all ready."""
    found = model.pods(revision)
    return said_by(model, revision) if len(found) == pods and all(is_ready(pod) for pod in found) else None


def is_ready(pod: dict[str, Any]) -> bool:
    """Tell whether a pod is ready."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
