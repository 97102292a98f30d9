"""Scenario 1: a first ModelDeployment serves; later edits that change no pod restart none."""

import json

import requests

from e2e.manifests import model_deployment, model_spec, weights
from e2e.model import Models, canary_of, condition, is_true, stable_of
from e2e.place import Place


def test_serves_and_becomes_ready(models: Models, place: Place, namespace: str) -> None:
    model = models("first")
    manifest = model_deployment(namespace, model.name, model_spec(replicas=2))
    place.kubectl.run("apply", "-f", "-", stdin=json.dumps(manifest))
    with model.recording() as recording:
        place.kubectl.run("wait", "-n", namespace, "--for=condition=Ready", f"md/{model.name}", "--timeout=60s")

    ready = model.seen()
    stable = stable_of(ready)
    assert (stable["weight"], stable["replicas"], stable["readyReplicas"]) == (100, 2, 2)
    assert [is_true(ready, each) for each in ("Ready", "Available", "Reconciling", "Stalled")] == [
        True,
        True,
        False,
        False,
    ]
    assert ready["status"]["phase"] == "Stable"
    assert ready["status"]["observedGeneration"] == ready["metadata"]["generation"]
    assert not canary_of(ready), "a first revision has nobody to be compared with"
    before = [obj for obj in recording.objects if not is_true(obj, "Ready") and "status" in obj]
    assert all(is_true(obj, "Reconciling") for obj in before if obj["status"].get("conditions"))
    assert model.served_revision() == stable["revision"]
    assert model.service("-stable")["spec"]["selector"]["serinus.dev/revision"] == stable["revision"]
    address = model.service()["spec"]["clusterIP"]
    answer = requests.get(f"http://{address}/predict", timeout=5)
    assert (answer.status_code, answer.headers["x-revision"]) == (200, stable["revision"])


def test_kubectl_shows_what_is_out(models: Models, place: Place, namespace: str) -> None:
    model = models("shown")
    model.apply(model_spec(replicas=1))
    revision = model.wait_ready()
    header, row = place.kubectl.run("get", "mdep", model.name, "-n", namespace).splitlines()
    shown = dict(zip(header.split(), row.split(), strict=False))
    assert (shown["NAME"], shown["PHASE"], shown["STABLE"]) == (model.name, "Stable", revision)


def test_pods_end_gracefully_by_default(models: Models) -> None:
    model = models("graceful")
    model.apply(model_spec(replicas=1))
    revision = model.wait_ready()
    container = model.pods(revision)[0]["spec"]["containers"][0]
    assert container["lifecycle"]["preStop"]["sleep"]["seconds"] > 0


def test_scale_subresource_is_followed(models: Models, place: Place, namespace: str) -> None:
    model = models("scaled")
    model.apply(model_spec(replicas=1))
    revision = model.wait_ready()
    uids = model.pod_uids(revision)
    place.kubectl.run("scale", "-n", namespace, f"md/{model.name}", "--replicas=3")
    model.wait("3 pods serve", lambda obj: stable_of(obj).get("readyReplicas") == 3, within=60)
    assert uids < model.pod_uids(revision), "scaling replaced pods"
    scale = json.loads(
        place.kubectl.run("get", "-n", namespace, f"md/{model.name}", "--subresource=scale", "-o", "json")
    )
    assert scale["status"]["replicas"] == 3
    assert revision in scale["status"]["selector"]


def test_editing_steps_and_thresholds_restarts_nothing(models: Models) -> None:
    model = models("edited")
    model.apply(model_spec(replicas=1))
    revision = model.wait_ready()
    uids, versions = model.pod_uids(revision), model.versions()
    analysis = {"interval": "10s", "signals": [{"name": "errors", "kind": "Errors", "margin": "1%"}]}
    generation = model.apply(model_spec(replicas=1, steps=weights(10, 20), analysis=analysis))["metadata"]["generation"]
    seen = model.wait(
        "the edit is acknowledged",
        lambda obj: condition(obj, "Ready").get("observedGeneration") == generation,
        within=15,
    )
    assert is_true(seen, "Ready")
    assert not canary_of(seen)
    assert stable_of(seen)["revision"] == revision
    assert (model.pod_uids(revision), model.versions()) == (uids, versions)
