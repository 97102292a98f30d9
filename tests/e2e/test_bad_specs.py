"""Scenario 11: what cannot work is refused with a sentence that helps, and troubles nobody else."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from e2e.manifests import model_deployment, model_spec, weights
from e2e.model import Models, condition, is_true, stable_of
from e2e.operator_process import OperatorProcess
from e2e.place import Place

Change = Callable[[dict[str, Any]], None]


def signal(**fields: Any) -> Change:
    def change(spec: dict[str, Any]) -> None:
        spec["analysis"]["signals"] = [{"name": "x", **fields}]

    return change


def steps(*items: dict[str, Any]) -> Change:
    def change(spec: dict[str, Any]) -> None:
        spec["rollout"]["steps"] = list(items)

    return change


def rollout(**fields: Any) -> Change:
    return lambda spec: spec["rollout"].update(fields)


def analysis(**fields: Any) -> Change:
    return lambda spec: spec["analysis"].update(fields)


def top(**fields: Any) -> Change:
    return lambda spec: spec.update(fields)


def label_of_ours(spec: dict[str, Any]) -> None:
    spec["template"]["metadata"]["labels"] = {"serinus.dev/revision": "mine"}


# What is wrong, and words that have to stand in the refusal.
REFUSED: dict[str, tuple[Change, str]] = {
    "weights-fall": (steps({"weight": 50}, {"weight": 25}), "weight"),
    "weight-zero": (steps({"weight": 0}), "weight"),
    "weight-above-100": (steps({"weight": 101}), "weight"),
    "two-in-one-step": (steps({"weight": 5, "approval": {}}), "step"),
    "no-steps": (steps(), "steps"),
    "smoke-after-weight": (steps({"weight": 5}, {"smoke": {"requests": [{"path": "/"}]}}), "smoke"),
    "duration-in-days": (rollout(maxWait="7d"), "maxWait"),
    "duration-without-unit": (rollout(keepOld="30"), "keepOld"),
    "unknown-field": (rollout(stepz=1), "stepz"),
    "unknown-on-inconclusive": (rollout(onInconclusive="Hope"), "Pause"),
    "margin-one": (signal(kind="Errors", margin="1"), "margin"),
    "margin-above-unacceptable": (signal(kind="Errors", margin="2%", unacceptable="1%"), "unacceptable"),
    "query-without-bound": (signal(kind="Query", query="vector(1)"), "min"),
    "query-min-above-max": (signal(kind="Query", query="vector(1)", min=2, max=1), "max"),
    "query-without-query": (signal(kind="Query", min=0), "query"),
    "signal-without-kind": (signal(margin="1%"), "kind"),
    "alpha-zero": (analysis(falseRollbackRate=0), "falseRollbackRate"),
    "alpha-of-a-coin": (analysis(falseRollbackRate=0.9), "falseRollbackRate"),
    "confirm-zero": (analysis(confirmTicks=0), "confirmTicks"),
    "negative-replicas": (top(replicas=-1), "replicas"),
    "port-zero": (top(service={"port": 0}), "port"),
    "no-container": (top(template={"spec": {"containers": []}}), "containers"),
    "our-label-in-template": (label_of_ours, "serinus.dev/"),
}


def changed(change: Change) -> dict[str, Any]:
    spec = deepcopy(model_spec())
    change(spec)
    return spec


@pytest.mark.parametrize("wrong", REFUSED)
def test_refused_at_apply(place: Place, namespace: str, wrong: str) -> None:
    change, word = REFUSED[wrong]
    manifest = json.dumps(model_deployment(namespace, f"bad-{wrong}", changed(change)))
    status, answer = place.kubectl.try_run("apply", "--server-side", "-f", "-", stdin=manifest)
    assert status != 0, f"the API server took it: {answer}"
    assert word in answer
    assert "spec" in answer, "the refusal names no field"


@pytest.mark.parametrize("name", ["Upper", "9starts-with-a-digit", "a" * 46])
def test_impossible_name_is_refused(place: Place, namespace: str, name: str) -> None:
    manifest = json.dumps(model_deployment(namespace, name, model_spec()))
    status, answer = place.kubectl.try_run("apply", "--server-side", "-f", "-", stdin=manifest)
    assert status != 0, answer
    assert "name" in answer


def pod(**fields: Any) -> Change:
    return lambda spec: spec["template"]["spec"].update(fields)


def container(**fields: Any) -> Change:
    return lambda spec: spec["template"]["spec"]["containers"][0].update(fields)


def slow_on_kserve(spec: dict[str, Any]) -> None:
    spec["runtime"] = "kserve"
    signal(kind="Latency", bound="15s", margin="2%")(spec)


# Accepted by the schema, but not by the operator: what, the reason, and words of the sentence.
STALLED: dict[str, tuple[Change, str, str]] = {
    "bake": (rollout(bake={"for": "1h"}), "NotSupportedYet", "bake"),
    "gateway": (
        top(traffic={"split": "Gateway", "gateway": {"parentRefs": [{"name": "g"}]}}),
        "NotSupportedYet",
        "Gateway",
    ),
    "in-place": (rollout(capacity="InPlace"), "NotSupportedYet", "InPlace"),
    "bound-above-the-buckets": (slow_on_kserve, "SignalImpossible", "10 s"),
    "no-such-field-of-a-pod": (pod(containerz=[]), "TemplateRefused", "containerz"),
    "impossible-quantity": (container(resources={"requests": {"cpu": "lots"}}), "TemplateRefused", "quantit"),
    "config-map-absent": (
        container(envFrom=[{"configMapRef": {"name": "no-such-settings"}}]),
        "ConfigMapMissing",
        "no-such-settings",
    ),
}


@pytest.mark.parametrize("wrong", STALLED)
def test_stalled_by_the_operator_while_others_go_on(models: Models, operator: OperatorProcess, wrong: str) -> None:
    change, reason, word = STALLED[wrong]
    bad, good = models(f"stalled-{wrong}"), models(f"beside-{wrong}")
    pid = operator.pid
    bad.apply(changed(change))
    good.apply(model_spec(replicas=1))
    stalled = bad.wait(f"stalled by {reason}", lambda obj: condition(obj, "Stalled").get("reason") == reason, within=20)
    good.wait_ready()

    assert is_true(stalled, "Stalled")
    assert not is_true(stalled, "Ready")
    assert word in condition(stalled, "Stalled")["message"]
    assert stalled["status"]["observedGeneration"] == stalled["metadata"]["generation"]
    assert not bad.owned("Deployment"), "something was started all the same"
    assert operator.running
    assert operator.pid == pid


def test_bad_edit_leaves_what_serves_alone(models: Models) -> None:
    model = models("bad-edit")
    model.apply(model_spec(replicas=1))
    revision = model.wait_ready()
    uids = model.pod_uids(revision)
    model.apply(changed(rollout(bake={"for": "1h"})))
    stalled = model.wait("stalled", lambda obj: is_true(obj, "Stalled"), within=20)
    assert is_true(stalled, "Available")
    assert stable_of(stalled)["revision"] == revision
    assert model.pod_uids(revision) == uids
    model.apply(model_spec(replicas=1, steps=weights(20)))
    model.wait("mended", lambda obj: is_true(obj, "Ready"), within=20)


def test_name_of_somebody_else_is_not_taken(models: Models, namespace: str) -> None:
    model = models("occupied")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": namespace, "name": model.name},
        "spec": {"selector": {"app": "somebody-else"}, "ports": [{"port": 80}]},
    }
    version = model.api.apply(service)["metadata"]["resourceVersion"]
    try:
        model.apply(model_spec(replicas=1))
        stalled = model.wait("stalled", lambda obj: condition(obj, "Stalled").get("reason") == "NameTaken", within=20)
        assert f"Service {model.name}" in condition(stalled, "Stalled")["message"]
        assert model.service()["metadata"]["resourceVersion"] == version
    finally:
        model.api.delete("Service", namespace, model.name)
    model.apply(model_spec(replicas=1, steps=weights(20)))
    model.wait_ready()
