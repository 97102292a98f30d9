"""The cluster and the operator take every example that the pages show; the instrumented server really runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.api_server import ApiServer, Object
from e2e.model import Model, Models, condition, is_true
from e2e.operator_process import OperatorProcess
from e2e.place import Place
from e2e.serving import EXAMPLE, START_SECONDS, image_of

EXAMPLES = EXAMPLE.parent
SHOWN = sorted([*EXAMPLES.glob("*.yaml"), EXAMPLE / "model-deployment.yaml"])
BEFORE_A_STORE_ANSWERS = {"ModelUnresolved"}
"""The examples' stores are nobody's."""


def objects_of(path: Path, namespace: str) -> list[Object]:
    """Return an example's objects in a namespace."""
    found: list[Object] = [each for each in yaml.safe_load_all(path.read_text()) if each]
    for each in found:
        each["metadata"]["namespace"] = namespace
    return found


@pytest.fixture
def apply(place: Place, namespace: str) -> Iterator[Any]:
    """Apply objects with kubectl; what is no ModelDeployment is deleted after the test."""
    applied: list[Object] = []

    def do(objects: list[Object]) -> None:
        place.kubectl.run("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects))
        applied.extend(each for each in objects if each["kind"] != "ModelDeployment")

    yield do
    for each in applied:
        name = each["metadata"]["name"]
        place.kubectl.run("delete", each["kind"], name, "-n", namespace, "--ignore-not-found")


@pytest.mark.parametrize("path", [pytest.param(path, id=path.relative_to(EXAMPLES).as_posix()) for path in SHOWN])
def test_an_example_is_taken_as_it_stands(
    path: Path, apply: Any, api: ApiServer, namespace: str, models: Models, operator: OperatorProcess
) -> None:
    objects = objects_of(path, namespace)
    names = [each["metadata"]["name"] for each in objects if each["kind"] == "ModelDeployment"]
    assert names, "an example without a ModelDeployment"
    # Deleted by the test before, in the background: two examples may have a name in common.
    made = [models.take(Model(api, namespace, name)) for name in names]
    apply(objects)
    for model in made:
        seen = model.wait(
            "the operator has an opinion",
            lambda obj: obj.get("status", {}).get("observedGeneration") == obj["metadata"]["generation"],
            within=20,
        )
        stalled = condition(seen, "Stalled")
        assert not is_true(seen, "Stalled") or stalled["reason"] in BEFORE_A_STORE_ANSWERS, stalled
        model.delete()


def test_the_instrumented_server_of_the_example_is_judged_by_its_data(
    place: Place, apply: Any, api: ApiServer, namespace: str, models: Models, operator: OperatorProcess
) -> None:
    place.load_image("example")
    *others, wanted = objects_of(EXAMPLE / "model-deployment.yaml", namespace)
    container = wanted["spec"]["template"]["spec"]["containers"][0]
    container.update(image=image_of("example").reference, workingDir="/app")
    wanted["spec"]["replicas"] = 1
    wanted["spec"]["analysis"]["interval"] = "5s"
    wanted["spec"]["rollout"] = {"steps": [{"weight": 50}, {"approval": {}}]}
    apply([*others, wanted])
    model = models.take(Model(api, namespace, wanted["metadata"]["name"]))
    first = model.wait_ready(within=START_SECONDS)

    rows = [{"amount": 20.0 + 3 * number, "hour": number % 24, "country": "de"} for number in range(40)]
    bodies = [json.dumps({"rows": [row]}).encode() for row in rows]
    with model.load(new_per_second=20, path="/predict", bodies=bodies) as load:
        container["env"].append({"name": "VERSION", "value": "2"})
        apply([wanted])
        second = model.wait_canary(after=first)["revision"]
        for name in ("scores", "amounts", "countries", "absurd"):
            model.wait_assessed(
                second,
                lambda _, name=name: model.evidence(second, name).get("canaryTotal", 0) >= 20,
                what=f"{name} is measured",
                within=60,
            )
    assert load.counts().new.bad == 0
    read_by = model.seen()["status"]["metrics"]["canary"]
    assert read_by["data"] == "instrument"
    assert model.evidence(second, "absurd")["canaryBad"] == 0
