"""A tracked ConfigMap is part of the revision: its change rolls out, and its old content stays with the old pods."""

from typing import Any

from e2e.manifests import CALM, model_spec, pod_template
from e2e.model import Model, Models, is_ready_at, rejections_of


def settings(namespace: str, share: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": "tracked-settings"},
        "data": {"GREETING": share},
    }


def greeting_of(model: Model, revision: str) -> str:
    """Return what a revision's pods were given, by the ConfigMap that their template names."""
    container = model.deployment(revision)["spec"]["template"]["spec"]["containers"][0]
    name = container["envFrom"][0]["configMapRef"]["name"]
    assert name == f"tracked-settings-{revision}", "pods do not use the revision's own copy"
    return str(model.child("ConfigMap", name)["data"]["GREETING"])


def test_change_of_a_tracked_config_map_is_a_new_revision(models: Models, namespace: str) -> None:
    model = models("tracked")
    template = pod_template(envFrom=[{"configMapRef": {"name": "tracked-settings"}}])
    model.api.apply(settings(namespace, "good morning"))
    try:
        model.apply(model_spec(replicas=1, template=template, analysis=CALM))
        first = model.wait_ready()
        model.api.apply(settings(namespace, "good night"))
        # ConfigMaps are not watched; any event about the ModelDeployment makes the operator look.
        model.api.patch(
            "ModelDeployment", namespace, model.name, {"metadata": {"annotations": {"example.org/look": "now"}}}
        )
        second = model.wait_canary(after=first)["revision"]
        assert (greeting_of(model, first), greeting_of(model, second)) == ("good morning", "good night")
        model.wait("promoted", lambda obj: is_ready_at(obj, second), within=60, never=rejections_of)
        assert greeting_of(model, first) == "good morning"
    finally:
        model.api.delete("ConfigMap", namespace, "tracked-settings")
