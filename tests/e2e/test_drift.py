"""The predictions of a real model drift: retrained on skewed data it goes back; a changed world is no reason."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.api_server import ApiServer, Object
from e2e.digits import INK, PATH, PREDICTIONS, changed_requests, digits_spec, profile, todays_requests
from e2e.manifests import weights
from e2e.model import Model, canary_of, condition, is_true, rejections_of
from e2e.operator_process import OperatorProcess
from e2e.place import Place

PROFILE = "digits-profile"
START_SECONDS = 120
"""Until a pod of MLServer is ready, on a slow machine."""
ERRORS = {"name": "errors", "kind": "Errors", "margin": "3%", "unacceptable": "6%"}
OUTPUT = {"name": "output", "kind": "PredictionDrift", "metrics": PREDICTIONS, "action": "Rollback"}
REFERENCE = {"configMapKeyRef": {"name": PROFILE, "key": "profile.json"}}
SEEN = {"name": "ink", "kind": "FeatureDrift", "feature": "ink", "metrics": INK, "action": "Rollback"}


@pytest.fixture(scope="module")
def digits(place: Place, api: ApiServer, namespace: str, started_operator: OperatorProcess) -> Iterator[Model]:
    """Return a ModelDeployment that serves a good model in MLServer."""
    place.load_digits_image()
    text = json.dumps(profile())
    api.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": namespace, "name": PROFILE},
            "data": {"profile.json": text},
        }
    )
    model = Model(api, namespace, "digits")
    model.apply(digits_spec("second", [ERRORS]))
    model.wait_ready(within=START_SECONDS)
    yield model
    model.delete()


def served(model: Model) -> str:
    """Return the revision that serves."""
    return str(model.seen()["status"]["stable"]["revision"])


def test_changed_world_is_reported_and_rolls_nothing_back(digits: Model, operator: OperatorProcess) -> None:
    model = digits
    signals: list[dict[str, Any]] = [
        ERRORS,
        {**OUTPUT, "reference": REFERENCE},
        {**SEEN, "reference": REFERENCE},
    ]
    first = served(model)
    steps = [*weights(50), {"approval": {}}]
    with model.load(new_per_second=30, path=PATH, bodies=todays_requests()) as load:
        # What stable said before the rollout was said of another world: it may not count against the canary.
        load.wait_for(lambda counts: counts.answers_of(first) >= 300, 60)
        model.apply(digits_spec("second", signals, steps=steps, version="2"))
        second = model.wait_canary(after=first, within=START_SECONDS)["revision"]
        model.wait_assessed(second, lambda found: compared(found, "ink", 60), what="a look at today", within=60)
        for name in ("output", "ink"):
            assert model.evidence(second, name)["reason"] != "WorldChanged"
    assert load.counts().new.bad == 0
    with model.load(new_per_second=30, path=PATH, bodies=changed_requests()) as load:
        for name in ("output", "ink"):
            model.wait_assessed(second, lambda found, name=name: changed(found, name), what=f"{name} moved", within=90)
        model.wait("the approval's turn", lambda obj: canary_of(obj).get("step") == 1, within=60, never=rejections_of)
        model.order("approve", f"{second}/1/1")
        model.wait_promoted(second)
    event = model.wait_event("WorldChanged")
    assert "output" in event["message"] or "ink" in event["message"]
    assert load.counts().new.bad == 0
    for name in ("output", "ink"):
        drift = model.evidence(second, name)
        assert drift["canaryFromReference"] > 0.1
        assert drift["stableFromReference"] > 0.1
        assert drift["effect"] < 0.1, "canary and stable still agree"
        assert drift["verdict"] != "FAIL"
    assert is_true(model.seen(), "Ready")


def test_model_retrained_on_skewed_data_is_rolled_back(digits: Model, operator: OperatorProcess) -> None:
    model, signals = digits, [ERRORS, OUTPUT]
    first = served(model)
    with model.load(new_per_second=20, path=PATH, bodies=todays_requests()) as load:
        model.apply(digits_spec("skewed", signals, steps=weights(50, at_least="60s")))
        second = model.wait_canary(after=first, within=START_SECONDS)["revision"]
        rejection = model.wait_rejected()
    counts = load.counts()
    assert (rejection["revision"], rejection["reason"]) == (second, "PredictionsDrifted")
    assert counts.new.bad == 0, "nothing failed: it was what the model says"
    assert counts.new.failed == 0, counts.to_wire()
    assert "output" in rejection["message"]
    assert rejection["message"] in condition(model.seen(), "Stalled")["message"]
    assert served(model) == first
    drift = model.evidence(second, "output")
    assert drift["verdict"] == "FAIL"
    assert drift["effect"] > 0.2, "a third of what is said is another digit"
    assert 0 < drift["canaryTotal"] <= counts.answers_of(second), "one image per request"
    assert 0 < drift["stableTotal"] <= counts.answers_of(first)
    assert model.evidence(second, "errors")["verdict"] != "FAIL"


def signal_in(assessment: Object, name: str) -> Object:
    """Return what an assessment says about a signal."""
    return next((each for each in assessment.get("signals", []) if each["name"] == name), {})


def compared(assessment: Object, name: str, requests: int) -> bool:
    """Tell whether so many requests of the canary are in a signal."""
    return bool(signal_in(assessment, name).get("canaryTotal", 0) >= requests)


def changed(assessment: Object, name: str) -> bool:
    """Tell whether a signal says that the world has changed."""
    return bool(signal_in(assessment, name).get("reason") == "WorldChanged")
