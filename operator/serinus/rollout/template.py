"""Render a user's pod template into the one that a revision runs, once.

What the user wrote always wins; the preset only fills what is absent.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from serinus import contract
from serinus.rollout import names
from serinus.rollout.fetching import Delivery, deliver

PRE_STOP_SECONDS = 5
"""Long enough for every kube-proxy to drop the endpoint, so that no new connection meets a closed port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What a preset says about serving pods."""

    name: str
    port: int
    """Where requests go."""
    metrics_port: int | None
    """None: metrics are on the serving port."""
    metrics_path: str
    readiness_path: str | None
    """None: an open port counts as ready."""
    any_port: bool = False
    """True: the first port of the user's container comes before ``port``."""


def serving_port(template: Mapping[str, Any], runtime: Runtime, target_port: int | str | None) -> int | str:
    """Return the port that requests go to: the user's target port, the first port where any will do, the preset's."""
    if target_port is not None:
        return target_port
    if runtime.any_port:
        for port in template["spec"]["containers"][0].get("ports") or ():
            return int(port["containerPort"])
    return runtime.port


def render_template(
    template: Mapping[str, Any],
    *,
    name: str,
    revision: str,
    runtime: Runtime,
    target_port: int | str | None = None,
    config_maps: Mapping[str, object] = {},
    delivery: Delivery | None = None,
    model: str = "",
) -> dict[str, Any]:
    """Return the pod template of a revision: labels, scrape annotations, probe, graceful end, ConfigMaps, model.

    Args:
        template: The user's PodTemplateSpec.
        name: Name of the ModelDeployment.
        revision: Short name of the revision.
        runtime: The preset's view of serving pods.
        target_port: ``service.targetPort`` as written.
        config_maps: Tracked ConfigMaps; references to them are turned to the revision's copies.
        delivery: The model's artifact; None: image and template bring the model.
        model: Name by which the server knows the model; empty: that of the ModelDeployment.

    Raises:
        InvalidSpec: The template has a volume where the model is to be that outlives its pods.
        Stall: Something is to be fetched, and no image for that is set.
    """
    rendered: dict[str, Any] = deepcopy(dict(template))
    metadata = rendered.setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **revision_labels(name, revision)}
    port = serving_port(template, runtime, target_port)
    annotations = dict(metadata.get("annotations") or {})
    if not any(key.startswith("prometheus.io/") for key in annotations):
        annotations.update(_scrape_annotations(template, runtime, port))
    metadata["annotations"] = {**annotations, contract.ANNOTATION_RUNTIME: runtime.name}
    pod = rendered["spec"]
    _fill_serving_container(pod["containers"][0], runtime, port)
    _tell_server(pod["containers"][0], model or name)
    if delivery is not None:
        deliver(pod, delivery)
    for container in (*pod["containers"], *(pod.get("initContainers") or ())):
        # The last log lines of a crash then stand in the pod's status, where we may read them without pods/log.
        container.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    for holder, key in _config_map_references(pod):
        if holder.get(key) in config_maps:
            holder[key] = names.config_map_copy_name(holder[key], revision)
    return rendered


def revision_labels(name: str, revision: str) -> dict[str, str]:
    """Return the labels that every object of a revision carries."""
    return {
        contract.LABEL_MODEL_DEPLOYMENT: name,
        contract.LABEL_REVISION: revision,
        contract.LABEL_MANAGED_BY: contract.MANAGED_BY,
    }


def tracked_config_maps(template: Mapping[str, Any]) -> dict[str, bool]:
    """Return the ConfigMaps that a template names, each with whether every reference to it is optional."""
    found: dict[str, bool] = {}
    for holder, key in _config_map_references(deepcopy(dict(template["spec"]))):
        if name := holder.get(key):
            found[name] = found.get(name, True) and bool(holder.get("optional", False))
    return found


def _fill_serving_container(container: dict[str, Any], runtime: Runtime, port: int | str) -> None:
    """Give the first container its port, readiness probe and graceful end, where the user gave none."""
    if not container.get("ports") and isinstance(port, int):
        container["ports"] = [{"name": "http", "containerPort": port, "protocol": "TCP"}]
    if "readinessProbe" not in container:
        check: dict[str, Any] = {"tcpSocket": {"port": port}}
        if runtime.readiness_path is not None:
            check = {"httpGet": {"path": runtime.readiness_path, "port": port}}
        container["readinessProbe"] = {**check, "periodSeconds": 2, "timeoutSeconds": 2, "failureThreshold": 3}
    lifecycle = dict(container.get("lifecycle") or {})
    if "preStop" not in lifecycle:
        container["lifecycle"] = {**lifecycle, "preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}}


def _scrape_annotations(template: Mapping[str, Any], runtime: Runtime, port: int | str) -> dict[str, str]:
    """Return the usual annotations by which a Prometheus finds pods; none where the port is known by name only."""
    number = runtime.metrics_port
    if number is None:
        named = {
            each.get("name"): each["containerPort"] for each in template["spec"]["containers"][0].get("ports") or ()
        }
        number = port if isinstance(port, int) else named.get(port)
    if number is None:
        return {}
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(number),
        "prometheus.io/path": runtime.metrics_path,
    }


def _tell_server(container: dict[str, Any], model: str) -> None:
    """Tell the server its revision and model, so that an outcome that arrives later can name who predicted."""
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{contract.LABEL_REVISION}']"}}
    ours: list[dict[str, Any]] = [
        {"name": contract.VARIABLE_REVISION, "valueFrom": source},
        {"name": contract.VARIABLE_MODEL, "value": model},
    ]
    variables = list(container.get("env") or ())
    own = {each.get("name") for each in variables}
    container["env"] = [*variables, *(each for each in ours if each["name"] not in own)]


def _config_map_references(pod: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each place that names a ConfigMap, as the mapping that holds it and its key."""
    for volume in pod.get("volumes") or ():
        if "configMap" in volume:
            yield volume["configMap"], "name"
        for source in (volume.get("projected") or {}).get("sources") or ():
            if "configMap" in source:
                yield source["configMap"], "name"
    for container in (*(pod.get("containers") or ()), *(pod.get("initContainers") or ())):
        for source in container.get("envFrom") or ():
            if "configMapRef" in source:
                yield source["configMapRef"], "name"
        for variable in container.get("env") or ():
            reference = (variable.get("valueFrom") or {}).get("configMapKeyRef")
            if reference is not None:
                yield reference, "name"
