"""Rendering: what the user wrote wins, what is absent is filled, ConfigMaps become the revision's own."""

from typing import Any

import pytest

from serinus import contract
from serinus.rollout.template import PRE_STOP_SECONDS, Runtime, render_template, serving_port, tracked_config_maps

MLSERVER = Runtime(
    name="mlserver", port=8080, metrics_port=8082, metrics_path="/metrics", readiness_path="/v2/health/ready"
)
GENERIC = Runtime(
    name="generic", port=8080, any_port=True, metrics_port=None, metrics_path="/metrics", readiness_path=None
)


def render(template: dict[str, Any], runtime: Runtime = GENERIC, **given: Any) -> dict[str, Any]:
    return render_template(template, name="fraud", revision="x7mn2pqr5s", runtime=runtime, **given)


def pod_of(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "model", "image": "i", **container}]}}


def test_what_is_absent_is_filled_from_the_preset() -> None:
    rendered = render(pod_of(), MLSERVER)
    container = rendered["spec"]["containers"][0]
    assert container["readinessProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": 8080}
    assert container["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    assert container["lifecycle"] == {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}}
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    annotations = rendered["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == "8082"
    assert annotations["prometheus.io/scrape"] == "true"
    assert annotations[contract.ANNOTATION_RUNTIME] == "mlserver"
    assert rendered["metadata"]["labels"] == {
        contract.LABEL_MODEL_DEPLOYMENT: "fraud",
        contract.LABEL_REVISION: "x7mn2pqr5s",
        contract.LABEL_MANAGED_BY: "serinus",
    }


def test_what_the_user_wrote_stays() -> None:
    own = {
        "readinessProbe": {"exec": {"command": ["true"]}},
        "ports": [{"name": "web", "containerPort": 9000}],
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "60"]}}, "postStart": {"exec": {"command": ["true"]}}},
        "terminationMessagePolicy": "File",
    }
    template = pod_of(**own)
    template["metadata"] = {"labels": {"team": "risk"}, "annotations": {"prometheus.io/scrape": "false"}}
    rendered = render(template)
    container = rendered["spec"]["containers"][0]
    for key, value in own.items():
        assert container[key] == value
    assert rendered["metadata"]["labels"]["team"] == "risk"
    assert "prometheus.io/port" not in rendered["metadata"]["annotations"]
    assert template["spec"]["containers"][0] == {"name": "model", "image": "i", **own}, "the user's own is not changed"


def test_an_own_post_start_keeps_our_graceful_end() -> None:
    container = render(pod_of(lifecycle={"postStart": {"exec": {"command": ["true"]}}}))["spec"]["containers"][0]
    assert set(container["lifecycle"]) == {"postStart", "preStop"}


@pytest.mark.parametrize(
    ("runtime", "ports", "target", "port"),
    [
        (GENERIC, None, None, 8080),
        (GENERIC, [{"containerPort": 9000}], None, 9000),
        (MLSERVER, [{"containerPort": 9000}], None, 8080),
        (MLSERVER, None, 7000, 7000),
        (GENERIC, [{"name": "web", "containerPort": 9000}], "web", "web"),
    ],
)
def test_where_requests_go(runtime: Runtime, ports: Any, target: Any, port: Any) -> None:
    assert serving_port(pod_of(**({"ports": ports} if ports else {})), runtime, target) == port


def test_metrics_of_a_generic_server_are_on_the_port_behind_its_name() -> None:
    rendered = render(pod_of(ports=[{"name": "web", "containerPort": 9000}]), target_port="web")
    assert rendered["metadata"]["annotations"]["prometheus.io/port"] == "9000"


EVERYWHERE: dict[str, Any] = {
    "spec": {
        "volumes": [
            {"name": "a", "configMap": {"name": "mounted"}},
            {"name": "b", "projected": {"sources": [{"configMap": {"name": "projected"}}, {"secret": {"name": "s"}}]}},
            {"name": "c", "secret": {"secretName": "mounted"}},
        ],
        "initContainers": [{"name": "i", "image": "i", "envFrom": [{"configMapRef": {"name": "initial"}}]}],
        "containers": [
            {
                "name": "model",
                "image": "i",
                "envFrom": [{"configMapRef": {"name": "whole", "optional": True}}, {"secretRef": {"name": "s"}}],
                "env": [
                    {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "single", "key": "a"}}},
                    {"name": "B", "value": "single"},
                ],
            }
        ],
    }
}


def test_every_place_that_names_a_config_map_is_tracked_and_turned_to_the_copy() -> None:
    found = tracked_config_maps(EVERYWHERE)
    assert found == {"mounted": False, "projected": False, "initial": False, "whole": True, "single": False}
    spec = render(EVERYWHERE, config_maps=dict.fromkeys(found))["spec"]
    suffix = "-x7mn2pqr5s"
    assert spec["volumes"][0]["configMap"]["name"] == "mounted" + suffix
    assert spec["volumes"][1]["projected"]["sources"][0]["configMap"]["name"] == "projected" + suffix
    assert spec["volumes"][1]["projected"]["sources"][1]["secret"]["name"] == "s"
    assert spec["volumes"][2]["secret"]["secretName"] == "mounted"
    assert spec["initContainers"][0]["envFrom"][0]["configMapRef"]["name"] == "initial" + suffix
    assert spec["containers"][0]["envFrom"][0]["configMapRef"]["name"] == "whole" + suffix
    assert spec["containers"][0]["env"][0]["valueFrom"]["configMapKeyRef"]["name"] == "single" + suffix
    assert spec["containers"][0]["env"][1] == {"name": "B", "value": "single"}


def test_a_config_map_that_is_not_there_is_not_turned() -> None:
    spec = render(EVERYWHERE, config_maps={"mounted": None})["spec"]
    assert spec["containers"][0]["envFrom"][0]["configMapRef"]["name"] == "whole"
