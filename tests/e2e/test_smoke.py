"""A canary that is Ready and useless meets its gate, and no user ever meets the canary.

Ready means that a port answers, not that predictions are right: a canary whose every answer is 500, or is 200 with a
body that no client understands, passes its probes all the same.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from e2e.api_server import ApiServer
from e2e.manifests import weights
from e2e.model import Model, Models, condition, is_true
from e2e.operator_process import OperatorProcess
from e2e.place import Place
from e2e.prometheus import ask
from e2e.serving import SCORER, START_SECONDS
from e2e.waiting import eventually

BODY = json.dumps({"inputs": [3.5]})
EXPECTED = {"status": 200, "jsonPath": [{"path": "$.predictions[0]", "equals": 3.5, "tolerance": 0.001}]}
STEPS: list[dict[str, Any]] = [
    {"name": "ask", "smoke": {"requests": [{"path": SCORER.path, "method": "POST", "body": BODY, "expect": EXPECTED}]}},
    *weights(50),
]
# What the canary answers, and what the reason has to show of it.
USELESS = {
    "error": ({"ANSWER": "error"}, r"500", r"the model raised ValueError"),
    "shape": ({"ANSWER": "shape"}, r"\$\.predictions\[0\]", r"about 3\.5"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """A model whose canary is useless, and what served before."""

    model: Model
    stable: str


@pytest.fixture(scope="module")
def gated(
    place: Place, api: ApiServer, namespace: str, started_operator: OperatorProcess
) -> Iterator[dict[str, Gated]]:
    """Return ModelDeployments that serve, and tell what a gate is to ask of their next revision."""
    place.load_image(SCORER.name)
    found = {}
    for name in (*USELESS, "sound"):
        model = Model(api, namespace, f"gated-{name}")
        model.apply(SCORER.spec(steps=STEPS))
        found[name] = model
    yield {name: Gated(model=model, stable=model.wait_ready(within=START_SECONDS)) for name, model in found.items()}
    for model in found.values():
        model.delete()


@pytest.mark.parametrize("fault", USELESS)
def test_useless_revision_is_rolled_back_before_any_user_reaches_it(
    gated: dict[str, Gated], models: Models, place: Place, fault: str
) -> None:
    """Ready, and 500 to everything or 200 in the wrong shape: rolled back with its answer; no user ever met it."""
    model, stable = models.take(gated[fault].model), gated[fault].stable
    faults, wrong, excerpt = USELESS[fault]
    with model.load(new_per_second=20, kept_per_second=5, path=SCORER.path, bodies=[BODY.encode()]) as load:
        model.apply(SCORER.spec(faults, steps=STEPS))
        rejection = model.wait_rejected()
        model.wait_gone(rejection["revision"])
    assert rejection["reason"] == "SmokeFailed"
    for words in (wrong, excerpt):
        assert re.search(words, rejection["message"]), f"no {words!r} in: {rejection['message']}"
    seen = model.seen()
    assert (is_true(seen, "Stalled"), condition(seen, "Stalled")["reason"]) == (True, "SmokeFailed")
    assert rejection["message"] in condition(seen, "Stalled")["message"]
    assert is_true(seen, "Available")
    assert model.served_revision() == stable

    counts = load.counts()
    assert counts.revisions.keys() == {stable}, counts.to_wire()
    assert (counts.new.bad, counts.new.failed, counts.kept.bad, counts.kept.failed) == (0, 0, 0, 0), counts.to_wire()
    asked = asked_by(place, model, rejection["revision"])
    assert asked["users"] == 0, f"users reached the canary: {asked}"
    assert asked["gates"] >= 1, f"the gate never reached the canary: {asked}"
    assert asked_by(place, model, stable)["users"] >= counts.answers_of(stable) - 60, "users were counted at the server"


def test_sound_revision_passes_its_gate_and_is_judged_without_it(
    gated: dict[str, Gated], models: Models, place: Place
) -> None:
    """A sound canary passes the same gate, and the judge never sees a request of the gate."""
    model, stable = models.take(gated["sound"].model), gated["sound"].stable
    with model.load(new_per_second=20, path=SCORER.path, bodies=[BODY.encode()]) as load:
        model.apply(SCORER.spec({"VERSION": "2"}, steps=STEPS))
        canary = model.wait_canary(after=stable, step=1)["revision"]
        model.wait_promoted(canary)
    evidence = model.evidence(canary)
    assert 0 < evidence["canaryTotal"] <= load.counts().answers_of(canary), "requests of the gate were counted"
    assert load.counts().new.bad == 0


def asked_by(place: Place, model: Model, revision: str) -> dict[str, float]:
    """Return how many predictions the servers of a revision were asked for, by whom, as Prometheus last saw it."""
    query = f'max_over_time(scorer_asked_total{{namespace="{model.namespace}",pod=~"{model.name}-{revision}-.*"}}[10m])'

    def look() -> dict[str, float]:
        return {labels["by"]: value for labels, value in ask(place, query)}

    return eventually(f"Prometheus knows the pods of {revision}", look, within=10)
