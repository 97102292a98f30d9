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
class Served:
    """A model of the store that serves."""

    model: Model
    revision: str
    pods: set[str]


GOOD = line(1)
WRONG_DIGEST = digest_of(b"something else")
# What is wrong with spec.model, and patterns of the sentence. A download that breaks is tried three times: its turn
# comes last.
BROKEN: dict[str, tuple[dict[str, Any], list[str]]] = {
    "digest-wrong": (
        artifact("s3://models/good/model.json", digest=WRONG_DIGEST),
        [WRONG_DIGEST, digest_of(GOOD)],
    ),
    "credentials-missing": (
        artifact("s3://models/good/model.json", secret=KEYLESS, digest=digest_of(GOOD)),
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    ),
    "download-breaks": (artifact("s3://models/broken/model.json"), ["broke|interrupt|incomplete|cut|ended"]),
}
HELD = [*weights(50), {"approval": {}}]


@pytest.fixture(scope="module")
def served(
    store: Store, api: ApiServer, namespace: str, started_operator: OperatorProcess
) -> Iterator[dict[str, Served]]:
    """Return ModelDeployments that serve models of the store; those of BROKEN have a canary that cannot."""
    uri = store.put(f"models/good/{FILE}", GOOD)
    store.put(f"models/broken/{FILE}", line(2) + b" " * 100_000)
    first = {
        **dict.fromkeys(BROKEN, spec(artifact(uri, digest=digest_of(GOOD)))),
        "mended": spec(artifact(store.put(f"models/mended/{FILE}", line(1))), steps=HELD),
        "tracked": spec(artifact(store.put(f"models/tracked/{FILE}", line(1)), track=True), steps=HELD),
        "replaced": spec(artifact(store.put(f"history/line/{FILE}", line(1))), steps=HELD, replicas=1),
    }
    models = {name: Model(api, namespace, f"artifact-{name}") for name in first}
    for name, model in models.items():
        model.apply(first[name])
    found = {}
    for name, model in models.items():
        revision = model.wait_ready(within=START_SECONDS)
        found[name] = Served(model=model, revision=revision, pods=model.pod_uids(revision))
        if name in BROKEN:
            model.apply(spec(BROKEN[name][0]))
    yield found
    for model in models.values():
        model.delete()


def test_unreachable_artifact_stalls_before_the_start_and_goes_on_when_it_is_mended(
    served: dict[str, Served], store: Store, models: Models
) -> None:
    """A Secret without keys: nothing begins, the reason names the keys, and mending the Secret is enough to go on."""
    model = models.take(served["mended"].model)
    store.make_secret("store-to-be-mended", {})
    uri = store.put(f"models/mended/{FILE}", line(2))
    model.apply(spec(artifact(uri, secret="store-to-be-mended"), version="2", steps=HELD))
    stalled = model.wait("stalled", lambda obj: is_true(obj, "Stalled"), within=60)
    assert condition(stalled, "Stalled")["reason"] == "ModelUnresolved"
    assert "AWS_ACCESS_KEY_ID" in condition(stalled, "Stalled")["message"]
    assert not canary_of(stalled)
    assert model.pod_uids(served["mended"].revision) == served["mended"].pods
    store.make_secret("store-to-be-mended", KEYS)
    second = model.wait_canary(after=served["mended"].revision, within=90)["revision"]
    assert said_by(model, second) == {2.0}


def test_artifact_replaced_in_mid_rollout_reaches_no_pod_of_it(
    served: dict[str, Served], store: Store, models: Models
) -> None:
    """Another artifact behind the same URI: running, restarted and later pods of both sides keep what was pinned."""
    model, first = models.take(served["replaced"].model), served["replaced"].revision
    assert said_by(model, first) == {1.0}
    uri = store.put(f"history/line/{FILE}", line(2))
    model.apply(spec(artifact(uri), version="2", steps=HELD, replicas=2))
    second = model.wait_canary(after=first, within=START_SECONDS, step=1)["revision"]
    assert said_by(model, second) == {2.0}
    resolved = model.seen()["status"]["model"]

    store.put(f"history/line/{FILE}", line(3))
    restart_pods(model, first, second)
    assert (said_by(model, first), said_by(model, second)) == ({1.0}, {2.0}), "a restarted pod loaded something newer"
    model.order("approve", f"{second}/1/1")
    model.wait_promoted(second)
    eventually("both pods serve", lambda: all_ready(model, second, pods=2), within=60)
    assert said_by(model, second) == {2.0}, "a pod of the promotion loaded something newer"
    assert model.seen()["status"]["model"] == resolved


def test_new_artifact_behind_a_tracked_uri_is_rolled_out(
    served: dict[str, Served], store: Store, models: Models
) -> None:
    """With track: true the same artifact changes nothing, and another one is a canary."""
    model, first = models.take(served["tracked"].model), served["tracked"].revision
    known = model.seen()["status"]["model"]
    again = model.wait("looked up again", lambda obj: obj["status"]["model"] != known, within=60)
    assert again["status"]["model"]["digest"] == known["digest"]
    assert stable_of(again)["revision"] == first

    store.put(f"models/tracked/{FILE}", line(2))
    second = model.wait_canary(after=first, within=90)["revision"]
    assert said_by(model, second) == {2.0}
    assert said_by(model, first) == {1.0}
    assert model.seen()["status"]["model"]["digest"] != known["digest"]


@pytest.mark.parametrize("fault", BROKEN)
def test_revision_without_its_artifact_is_rolled_back_with_the_cause(
    served: dict[str, Served], models: Models, fault: str
) -> None:
    """Wrong digest, missing keys, a download that always breaks: back with that reason, and stable is untouched."""
    stable, (_, words) = served[fault], BROKEN[fault]
    model = models.take(stable.model)
    rejection = model.wait_rejected(within=FAILED_WITHIN)
    assert rejection["reason"] == "ModelFetchFailed", rejection
    for word in words:
        assert re.search(word, rejection["message"]), f"no {word!r} in: {rejection['message']}"
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in rejection["message"]
    seen = model.seen()
    assert condition(seen, "Stalled")["reason"] == "ModelFetchFailed"
    assert is_true(seen, "Available")
    assert model.served_revision() == stable.revision
    assert model.pod_uids(stable.revision) == stable.pods
    assert said_by(model, stable.revision) == {1.0}


def restart_pods(model: Model, *revisions: str) -> None:
    """Delete the pods of revisions and wait until as many others are ready."""
    before = {revision: model.pods(revision) for revision in revisions}
    gone = {pod["metadata"]["uid"] for pods in before.values() for pod in pods}
    for pods in before.values():
        for pod in pods:
            model.api.delete("Pod", model.namespace, pod["metadata"]["name"])
    for revision, pods in before.items():
        eventually(
            f"other pods of {revision} are ready",
            lambda revision=revision, pods=pods: (
                all_ready(model, revision, pods=len(pods)) and not gone & model.pod_uids(revision)
            ),
            within=60,
        )


def all_ready(model: Model, revision: str, *, pods: int) -> bool:
    """Tell whether a revision has so many pods, and all are ready."""
    found = model.pods(revision)
    return len(found) == pods and all(is_ready(pod) for pod in found)


def is_ready(pod: dict[str, Any]) -> bool:
    """Tell whether a pod is ready."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
