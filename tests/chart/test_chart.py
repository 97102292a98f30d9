"""What the chart installs: least rights, a locked-down pod, the generated CRDs, and values that are checked."""

import ast
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.errors import CommandFailed
from serinus.cluster import kinds
from serinus.rollout.fetching import FetchImage
from serinus.settings import Settings

ROOT = Path(__file__).parents[2]
CONTROLLER = ROOT / "operator" / "serinus" / "controller"
Objects = list[dict[str, Any]]
Render = Callable[..., Objects]

pytestmark = pytest.mark.api

VERBS = {"apply": "patch", "replace": "update", "patch_status": "patch"}
"""Our client's method -> the verb of RBAC, where they differ."""


def of_kind(objects: Objects, kind: str) -> Objects:
    return [each for each in objects if each["kind"] == kind]


def operator_rules(objects: Objects) -> Objects:
    roles = of_kind(objects, "ClusterRole") + of_kind(objects, "Role")
    return [
        rule for role in roles if role["metadata"]["name"] in {"serinus", "serinus-lease"} for rule in role["rules"]
    ]


def granted(objects: Objects) -> set[tuple[str, str]]:
    return {
        (resource, verb) for rule in operator_rules(objects) for resource in rule["resources"] for verb in rule["verbs"]
    }


def used_verbs() -> Iterator[tuple[str, str]]:
    """Yield (resource, verb) of each call in the controller that names its kind."""
    for path in CONTROLLER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            kind = getattr(kinds, node.args[0].id, None) if isinstance(node.args[0], ast.Name) else None
            if isinstance(kind, kinds.Kind) and "cluster" in ast.unparse(node.func.value):
                resource = f"{kind.plural}/status" if node.func.attr == "patch_status" else kind.plural
                yield resource, VERBS.get(node.func.attr, node.func.attr)


def test_every_verb_that_the_controller_uses_is_granted(render: Render) -> None:
    used = set(used_verbs())
    assert {
        ("pods", "list"),
        ("jobs", "delete"),
        ("modeldeployments/status", "patch"),
        ("rolloutreports", "delete"),
    } <= used
    assert used <= granted(render(leaderElection=True))


def test_watched_kinds_may_be_watched(render: Render) -> None:
    wanted = {(kind.plural, verb) for kind in kinds.WATCHED for verb in ("get", "list", "watch")}
    assert wanted <= granted(render())


@pytest.mark.parametrize("values", [{}, {"watchNamespaces": ["a", "b"]}, {"leaderElection": True, "replicas": 2}])
def test_no_right_is_a_wildcard_or_reaches_secrets_and_rights(render: Render, values: dict[str, Any]) -> None:
    objects = render(**values)
    assert "*" not in str(operator_rules(objects))
    reached = {resource for resource, _ in granted(objects)}
    assert not reached & {"secrets", "roles", "clusterroles", "rolebindings", "pods/exec", "pods/log", "nodes"}
    bound = {each["roleRef"]["name"] for each in objects if each["kind"].endswith("RoleBinding")}
    assert bound <= {"serinus", "serinus-lease"}


def test_with_named_namespaces_nothing_is_granted_beyond_them(render: Render) -> None:
    objects = render(watchNamespaces=["team-a", "team-b"])
    assert not of_kind(objects, "ClusterRole")
    assert not of_kind(objects, "ClusterRoleBinding")
    for kind in ("Role", "RoleBinding"):
        assert [each["metadata"]["namespace"] for each in of_kind(objects, kind)] == ["team-a", "team-b"]
    subjects = [subject for each in of_kind(objects, "RoleBinding") for subject in each["subjects"]]
    assert {(each["kind"], each["name"], each["namespace"]) for each in subjects} == {
        ("ServiceAccount", "serinus", "serinus-system")
    }


def test_the_pod_is_locked_down(render: Render) -> None:
    (deployment,) = of_kind(render(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"] == {
        "requests": {"cpu": "100m", "memory": "192Mi"},
        "limits": {"memory": "512Mi"},
    }
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}


def test_the_operator_understands_its_environment(render: Render) -> None:
    values = {"watchNamespaces": ["a", "b"], "leaderElection": True, "prometheus": {"url": "http://prometheus:9090"}}
    (deployment,) = of_kind(render(**values), "Deployment")
    variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    settings = Settings.from_environment({each["name"]: each.get("value", "x") for each in variables})
    assert settings.namespaces == ("a", "b")
    assert settings.leader_election
    assert settings.prometheus_url == "http://prometheus:9090"
    assert (settings.metrics_port, settings.liveness_port) == (8080, 8081)
    assert settings.track_interval == timedelta(minutes=5)
    assert settings.fetch_resources == FetchImage(name="").resources


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({"image": {"repository": "r/serinus", "tag": "2"}}, "r/serinus:2"),
        ({"image": {"repository": "r/serinus", "tag": "2"}, "fetch": {"image": {"repository": "r/f"}}}, "r/f:2"),
        ({"fetch": {"image": {"repository": "r/f", "tag": "3"}}}, "r/f:3"),
    ],
)
def test_models_are_fetched_by_the_operators_own_image_unless_another_is_given(
    render: Render, values: dict[str, Any], image: str
) -> None:
    (deployment,) = of_kind(render(**values), "Deployment")
    variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {each["name"]: each.get("value") for each in variables}["SERINUS_FETCH_IMAGE"] == image


def test_the_crds_are_the_generated_ones(render: Render) -> None:
    wanted = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / "crds").glob("*.yaml")}
    plain = of_kind(render(crds={"keep": False}), "CustomResourceDefinition")
    assert sorted(plain, key=str) == sorted(wanted.values(), key=str)
    assert len(plain) == 4


def test_kept_crds_survive_an_uninstallation(render: Render) -> None:
    for crd in of_kind(render(), "CustomResourceDefinition"):
        assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert not of_kind(render(crds={"install": False}), "CustomResourceDefinition")


def test_a_token_for_prometheus_is_mounted_where_the_settings_say(render: Render) -> None:
    (deployment,) = of_kind(render(prometheus={"tokenSecret": {"name": "access"}}), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (mount,) = pod["containers"][0]["volumeMounts"]
    (variable,) = [each for each in pod["containers"][0]["env"] if each["name"] == "SERINUS_PROMETHEUS_TOKEN_FILE"]
    assert variable["value"] == f"{mount['mountPath']}/token"
    assert pod["volumes"][0]["secret"]["secretName"] == "access"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        pytest.param({"replicas": 2}, "leaderElection", id="two replicas without a Lease"),
        pytest.param({"replicas": 0}, "minimum", id="no replica"),
        pytest.param({"watchNamespace": ["a"]}, "watchNamespace", id="a misspelt value"),
        pytest.param({"watchNamespaces": "a"}, "watchNamespaces", id="a string for a list"),
        pytest.param({"watchNamespaces": ["A_b"]}, "watchNamespaces/0", id="no name of a namespace"),
        pytest.param({"prometheus": {"url": "prometheus:9090"}}, "prometheus/url", id="an address without a scheme"),
        pytest.param({"prometheus": {"scrapeTimeout": "10"}}, "scrapeTimeout", id="a duration without a unit"),
        pytest.param({"log": {"level": "loud"}}, "log/level", id="an unknown level"),
    ],
)
def test_impossible_values_are_refused(render: Render, values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(CommandFailed, match=complaint):
        render(**values)
