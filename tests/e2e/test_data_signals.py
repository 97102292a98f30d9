"""What a model says, judged by nothing but one line of serinus-instrument in its server: no metrics are named anywhere.

Every answer is 200 and in time. Drift, absurd answers and wrong ones are found all the same, and a world that changed
for both sides alike is no reason to go back.
"""

import json
from typing import Any

import pytest

from e2e.api_server import ApiServer
from e2e.labels import LateLabels
from e2e.manifests import weights
from e2e.model import Model, Models, condition, stable_of
from e2e.place import Place
from e2e.serving import SCORER, START_SECONDS

PROFILE = "line-profile"
LEARNT = {"edges": [float(edge) for edge in range(1, 10)], "counts": [100] * 10}
REFERENCE = {"configMapKeyRef": {"name": PROFILE, "key": "profile.json"}}
OUTPUT = {"name": "output", "kind": "PredictionDrift", "action": "Rollback"}
INPUT = {"name": "input", "kind": "FeatureDrift", "feature": "x", "action": "Rollback"}
HANDFUL = 12
"""Half of it is evidence; a tick brings two or three more, and the last tick only confirms."""
LABEL_DELAY_SECONDS = 20
"""Four ticks: longer than the judge waits for anything."""


def inputs(*values: float) -> list[bytes]:
    """Return a body for each input."""
    return [json.dumps({"inputs": [value]}).encode() for value in values]


ALL = inputs(*(quarter / 4 for quarter in range(40)))
HIGH = inputs(*(quarter / 4 for quarter in range(24, 40)))


@pytest.fixture(scope="module", autouse=True)
def prepared(place: Place, api: ApiServer, namespace: str) -> None:
    """Bring the server's image and the profile of what its model was trained on."""
    place.load_image(SCORER.name)
    profile = json.dumps({"schema": 1, "prediction": LEARNT, "features": {"x": LEARNT}})
    metadata = {"namespace": namespace, "name": PROFILE}
    api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"profile.json": profile}})


def judged_by(*signals: dict[str, Any]) -> dict[str, Any]:
    """Return steps that take long enough for a verdict, and an analysis with these signals."""
    return {"steps": weights(50, at_least="20s"), "analysis": {"interval": "5s", "signals": list(signals)}}


def serve(model: Model, how: dict[str, Any]) -> str:
    """Serve the good model and return its revision."""
    model.apply(SCORER.spec(**how))
    return model.wait_ready(within=START_SECONDS)


def test_retrained_model_whose_outputs_shift_is_rolled_back(models: Models) -> None:
    """Trained anew on other data: what it says drifts, what it is asked does not, and it goes back."""
    model, how = models("shifted"), judged_by(OUTPUT, INPUT)
    first = serve(model, how)
    with model.load(new_per_second=40, path=SCORER.path, bodies=ALL) as load:
        model.apply(SCORER.spec({"SHIFT": "3"}, **how))
        second = model.wait_canary(after=first)["revision"]
        rejection = model.wait_rejected()
    assert (rejection["revision"], rejection["reason"]) == (second, "PredictionsDrifted")
    assert load.counts().new.bad == 0, "nothing failed: it was what the model says"
    drift = model.evidence(second, "output")
    assert drift["verdict"] == "FAIL"
    assert drift["effect"] > 0.15, "three of ten predictions moved into other buckets"
    assert 0 < drift["canaryTotal"] <= load.counts().answers_of(second)
    assert model.evidence(second, "input")["verdict"] != "FAIL", "both sides saw the same inputs"
    assert condition(model.seen(), "Stalled")["reason"] == "PredictionsDrifted"
    assert stable_of(model.seen())["revision"] == first


def test_inputs_that_drift_on_both_sides_roll_nothing_back(models: Models) -> None:
    """The users changed: both sides are far from the training and near each other, and the canary is promoted."""
    model = models("same-drift")
    how = judged_by({**OUTPUT, "reference": REFERENCE}, {**INPUT, "reference": REFERENCE})
    first = serve(model, how)
    with model.load(new_per_second=40, path=SCORER.path, bodies=HIGH) as load:
        model.apply(SCORER.spec({"VERSION": "2"}, **how))
        second = model.wait_canary(after=first)["revision"]
        model.wait_promoted(second)
    assert load.counts().new.bad == 0
    for name in ("output", "input"):
        drift = model.evidence(second, name)
        assert min(drift["canaryFromReference"], drift["stableFromReference"]) > 0.3, "the training knew low values too"
        assert drift["effect"] < 0.2, "canary and stable agree"
        assert drift["verdict"] == "PASS"


def test_answer_that_stable_never_gave_is_found_within_a_handful_of_cases(models: Models) -> None:
    """One answer in thirteen is a number that cannot be true, with status 200: a dozen cases are enough."""
    model = models("absurd")
    how = judged_by({"name": "absurd", "kind": "Implausible"})
    first = serve(model, how)
    with model.load(new_per_second=12, path=SCORER.path, bodies=ALL) as load:
        model.apply(SCORER.spec({"WILD_ABOVE": "9"}, **how))
        second = model.wait_canary(after=first)["revision"]
        rejection = model.wait_rejected()
    assert (rejection["revision"], rejection["reason"]) == (second, "ImplausibleWorse")
    absurd = model.evidence(second, "absurd")
    assert 0 < absurd["canaryBad"] <= HANDFUL, f"{absurd['canaryBad']} absurd answers until it was found"
    assert absurd["stableBad"] == 0
    assert load.counts().new.bad == 0, "each absurd answer was a 200"


def test_worse_model_is_found_though_its_labels_come_late_and_to_any_pod(models: Models) -> None:
    """Labels come many ticks after the predictions and at other pods: the canary has to answer for its own mistakes."""
    model = models("late")
    how = judged_by({"name": "wrong", "kind": "Accuracy", "action": "Rollback"})
    first = serve(model, how)
    url = f"http://{model.service()['spec']['clusterIP']}"
    with LateLabels(url, per_second=30, delay_seconds=LABEL_DELAY_SECONDS) as labels:
        model.apply(SCORER.spec({"SHIFT": "10", "SHIFT_ABOVE": "6"}, **how))
        second = model.wait_canary(after=first)["revision"]
        rejection = model.wait_rejected()
    assert (rejection["revision"], rejection["reason"]) == (second, "AccuracyWorse")
    wrong = model.evidence(second, "wrong")
    assert 0 < wrong["canaryTotal"] <= labels.told[second], "more outcomes than labels"
    assert wrong["canaryBad"] / wrong["canaryTotal"] == pytest.approx(0.375, abs=0.15), "15 of 40 inputs are above 6"
    assert wrong["stableBad"] == 0, "the canary's mistakes were told to stable's pods too, and are not stable's"
    assert wrong["stableTotal"] > 0
