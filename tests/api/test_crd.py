"""The files in crds/ are what the models say, and keep what the design promises about schemas."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus.api.crd import main, make_crds, write_yaml

CRDS = Path(__file__).parents[2] / "crds"
NAMES = sorted(make_crds())


def schema(name: str) -> dict[str, Any]:
    version = make_crds()[f"serinus.dev_{name}.yaml"]["spec"]["versions"][0]
    return version["schema"]["openAPIV3Schema"]  # type: ignore[no-any-return]


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, each in node.get("properties", {}).items():
        yield from nodes(each, f"{path}.{name}" if path else name)
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if key in node:
            yield from nodes(node[key], path + mark)


def everything() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (name, path, node)
        for name, crd in make_crds().items()
        for path, node in nodes(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    ]


def test_the_files_are_what_the_models_say() -> None:
    assert sorted(path.name for path in CRDS.glob("*")) == NAMES
    for name, crd in make_crds().items():
        assert (CRDS / name).read_text() == write_yaml(crd), f"{name} is not up to date: run `make crds`"


def test_make_crds_writes_them(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES
    assert main([]) == 2
    for name, crd in make_crds().items():
        assert yaml.safe_load((tmp_path / name).read_text()) == crd


def test_only_four_fields_have_defaults() -> None:
    defaults = {path: node["default"] for _, path, node in everything() if "default" in node}
    assert defaults == {
        "spec.replicas": 1,
        "spec.runtime": "generic",
        "spec.service": {},
        "spec.service.port": 80,
        "spec.traffic": {},
        "spec.traffic.split": "Replicas",
    }


def test_no_rule_sits_on_the_spec_that_an_autoscaler_writes() -> None:
    ruled = {path for path, node in nodes(schema("modeldeployments")) if "x-kubernetes-validations" in node}
    assert "spec" not in ruled
    assert "" in ruled, "the rule about the name"
    assert {"spec.rollout.steps[]", "spec.rollout.steps", "spec.analysis.signals[]", "spec.traffic.gateway"} <= ruled


def test_every_rule_says_what_to_do() -> None:
    for name, path, node in everything():
        for rule in node.get("x-kubernetes-validations", []):
            assert len(rule["message"]) > 30, (name, path, rule)


def test_every_field_is_described() -> None:
    bare = {
        (name, path)
        for name, path, node in everything()
        if not node.get("description") and path not in {"apiVersion", "kind", "metadata"} and path[-1:] not in "]}"
    }
    assert not bare


def test_the_schema_is_structural() -> None:
    for name, path, node in everything():
        assert not {"$ref", "anyOf", "oneOf", "allOf", "title", "const"} & node.keys(), (name, path)
        assert {"type", "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"} & node.keys(), (
            name,
            path,
        )
        assert not ("properties" in node and "additionalProperties" in node), (name, path)


def test_lists_in_specs_that_people_write_are_bounded() -> None:
    for name in ("modeldeployments", "rolloutpolicies", "clusterrolloutpolicies"):
        for path, node in nodes(schema(name)["properties"]["spec"]):
            if node.get("type") == "array":
                assert "maxItems" in node, (name, path)
            if "additionalProperties" in node:
                assert "maxProperties" in node, (name, path)


@pytest.mark.parametrize(
    ("path", "kind", "keys"),
    [
        ("spec.analysis.signals", "map", ["name"]),
        ("spec.template.spec.containers", "map", ["name"]),
        ("spec.rollout.steps", "atomic", None),
        ("status.conditions", "map", ["type"]),
        ("status.rejected", "atomic", None),
        ("status.commands", "atomic", None),
    ],
)
def test_lists_merge_as_promised(path: str, kind: str, keys: list[str] | None) -> None:
    node = dict(nodes(schema("modeldeployments")))[path]
    assert node["x-kubernetes-list-type"] == kind
    assert node.get("x-kubernetes-list-map-keys") == keys


def test_every_reserved_field_is_in_the_schema() -> None:
    spec = schema("modeldeployments")["properties"]["spec"]["properties"]
    assert {"hooks", "notifications", "onDrift", "variants", "dependsOn", "deletionProtection"} <= spec.keys()
    assert {"smoke", "shadow", "match"} <= spec["rollout"]["properties"]["steps"]["items"]["properties"].keys()
    assert {"policy", "bake", "capacity", "minAvailable", "canaryReplicas"} <= spec["rollout"]["properties"].keys()
    assert "sessionAffinity" in spec["traffic"]["properties"]


def test_policies_have_what_tenants_cannot_override_in_the_cluster_only() -> None:
    assert "limits" not in schema("rolloutpolicies")["properties"]["spec"]["properties"]
    assert "limits" in schema("clusterrolloutpolicies")["properties"]["spec"]["properties"]
    assert "policy" not in schema("rolloutpolicies")["properties"]["spec"]["properties"]["rollout"]["properties"]
