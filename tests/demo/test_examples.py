"""Every example can be read by the operator, and the demo's three revisions differ in the model alone."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus import contract
from serinus.api.parse import make_desired
from serinus.rollout.types import SignalKind
from serinus.signals.capabilities import obstacle
from serinus.signals.presets import preset

EXAMPLES = Path(__file__).parents[2] / "examples"
MANIFESTS = [(path, each) for path in sorted(EXAMPLES.rglob("*.yaml")) for each in yaml.safe_load_all(path.read_text())]
PROFILES = {
    (each["metadata"]["name"], key): text
    for _, each in MANIFESTS
    if each["kind"] == "ConfigMap"
    for key, text in each["data"].items()
}
MODEL_DEPLOYMENTS = [(path, each) for path, each in MANIFESTS if each["kind"] == contract.KIND_MODEL_DEPLOYMENT]


@pytest.mark.parametrize("manifest", [pytest.param(each, id=path.name) for path, each in MODEL_DEPLOYMENTS])
def test_it_can_be_read(manifest: dict[str, Any]) -> None:
    manifest["metadata"] = {"namespace": "default", **manifest["metadata"], "uid": "0", "generation": 1}
    assert make_desired(manifest, "bcdfghjklm", PROFILES).plan.steps


def test_every_kind_of_signal_is_shown() -> None:
    shown = {
        signal["kind"]
        for path, each in MODEL_DEPLOYMENTS
        if path.name == "signals.yaml"
        for signal in each["spec"]["analysis"]["signals"]
    }
    assert shown == {kind.value for kind in SignalKind}


def test_the_demo_is_there() -> None:
    names = {path.name for path, _ in MANIFESTS if path.parent.name == "demo"}
    assert names == {"load.yaml", "revision-1.yaml", "revision-2.yaml", "revision-3.yaml"}


def test_the_revisions_differ_in_the_model_alone() -> None:
    def without_model(manifest: dict[str, Any]) -> dict[str, Any]:
        copy = deepcopy(manifest)
        del copy["spec"]["template"]["spec"]["containers"][0]["args"]
        return copy

    revisions = [each for path, each in MODEL_DEPLOYMENTS if path.parent.name == "demo"]
    assert len({str(each["spec"]["template"]) for each in revisions}) == 3
    assert all(without_model(each) == without_model(revisions[0]) for each in revisions)


@pytest.mark.parametrize("manifest", [pytest.param(each, id=path.name) for path, each in MODEL_DEPLOYMENTS])
def test_what_is_asked_for_can_be_measured(manifest: dict[str, Any]) -> None:
    manifest["metadata"] = {"namespace": "default", **manifest["metadata"], "uid": "0", "generation": 1}
    runtime = preset(manifest["spec"].get("runtime", "generic"))
    for signal in make_desired(manifest, "bcdfghjklm", PROFILES).plan.signals:
        server = preset(signal.source) if signal.source else runtime
        assert obstacle(signal, server, preset("instrument")) is None, signal.name
