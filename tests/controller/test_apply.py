"""What is written to children: all that is intended, nothing twice, and nothing of ours that is no longer intended."""

from typing import Any

import pytest

from serinus import contract
from serinus.cluster.kinds import CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT, SERVICE, Kind, Manifest
from serinus.controller.apply import Settled
from serinus.errors import ClusterUnavailable
from support.world import NAMESPACE, World, model_deployment

FULL = {
    "port": 80,
    "appProtocol": "kubernetes.io/h2c",
    "annotations": {"example.org/internal-lb": "true", "example.org/team": "risk"},
}
SERVICES = ("fraud", "fraud-stable", "fraud-canary")


def serving(service: dict[str, Any]) -> World:
    """Return a world in which a first revision serves behind such a Service, and nothing is left to do."""
    world = World()
    world.apply(model_deployment(service=service))
    world.run_until(lambda w: w.condition("Ready").get("status") == "True")
    world.run(5)
    world.cluster.writes.clear()
    return world


def live(world: World, name: str = "fraud") -> Manifest:
    found = world.cluster.get(SERVICE, NAMESPACE, name)
    assert found is not None
    return found


def annotations(world: World, name: str = "fraud") -> dict[str, str]:
    """Return a live Service's annotations, without the digest."""
    found: dict[str, str] = live(world, name)["metadata"].get("annotations") or {}
    return {key: value for key, value in found.items() if key != contract.ANNOTATION_APPLIED}


def writes_of_services(world: World) -> list[tuple[str, str, bool]]:
    return [(each.verb, each.name, each.changed) for each in world.cluster.writes if each.kind == "Service"]


@pytest.mark.parametrize("restarted", [False, True], ids=["same operator", "restarted operator"])
@pytest.mark.parametrize(
    ("left", "expected"),
    [
        pytest.param({"port": 80, "appProtocol": FULL["appProtocol"]}, {}, id="all annotations"),
        pytest.param(FULL | {"annotations": {}}, {}, id="emptied"),
        pytest.param(
            FULL | {"annotations": {"example.org/team": "risk"}}, {"example.org/team": "risk"}, id="one of two"
        ),
    ],
)
def test_an_annotation_that_is_taken_out_goes(left: dict[str, Any], expected: dict[str, str], restarted: bool) -> None:
    world = serving(FULL)
    assert annotations(world) == FULL["annotations"]
    world.apply(model_deployment(service=left))
    if restarted:
        world.restart()
    world.step()
    assert annotations(world) == expected
    assert live(world)["spec"]["ports"][0]["appProtocol"] == FULL["appProtocol"]


def test_a_protocol_that_is_taken_out_goes_from_all_three_services() -> None:
    world = serving(FULL)
    assert [live(world, each)["spec"]["ports"][0].get("appProtocol") for each in SERVICES].count(None) == 0
    world.apply(model_deployment(service={"port": 80, "annotations": FULL["annotations"]}))
    world.restart()
    world.step()
    assert [live(world, each)["spec"]["ports"][0].get("appProtocol") for each in SERVICES] == [None] * 3
    assert annotations(world) == FULL["annotations"]


def test_what_others_put_on_a_service_stays_and_costs_no_write() -> None:
    world = serving(FULL)
    theirs = {"metadata": {"annotations": {"cloud.example/address": "10.1.2.3"}}, "spec": {"clusterIP": "10.0.0.7"}}
    for name in SERVICES:
        world.cluster.edit(SERVICE, NAMESPACE, name, theirs)
    world.run(3)
    world.restart()
    world.run(3)
    assert world.cluster.writes == []
    world.apply(model_deployment(service={"port": 80}))
    world.step()
    assert annotations(world) == {"cloud.example/address": "10.1.2.3"}
    assert live(world)["spec"]["clusterIP"] == "10.0.0.7"


def test_a_service_that_was_given_to_us_loses_what_we_put_there_and_keeps_the_rest() -> None:
    world = World()
    world.cluster.put(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "fraud",
                "namespace": NAMESPACE,
                "annotations": {contract.ANNOTATION_ADOPT: "fraud", "theirs": "kept"},
            },
            "spec": {"selector": {"app": "old"}, "ports": [{"port": 80}]},
        }
    )
    world.apply(model_deployment(service=FULL))
    world.run_until(lambda w: w.condition("Ready").get("status") == "True")
    given = {contract.ANNOTATION_ADOPT: "fraud", "theirs": "kept"}
    assert annotations(world) == FULL["annotations"] | given
    world.apply(model_deployment(service={"port": 80}))
    world.restart()
    world.step()
    assert annotations(world) == given
    assert "appProtocol" not in live(world)["spec"]["ports"][0]


@pytest.mark.parametrize(
    "drift",
    [
        pytest.param({"spec": {"selector": {contract.LABEL_REVISION: "zzzzzzzzzz"}}}, id="selects other pods"),
        pytest.param({"spec": {"ports": [{"name": "http", "port": 81}]}}, id="port"),
        pytest.param({"metadata": {"annotations": {"example.org/team": "none"}}}, id="annotation"),
        pytest.param({"metadata": {"annotations": {contract.ANNOTATION_APPLIED: "0"}}}, id="digest"),
        pytest.param({"metadata": {"labels": {contract.LABEL_MANAGED_BY: None}}}, id="label"),
    ],
)
def test_what_others_change_in_our_fields_is_put_right_with_one_write(drift: Manifest) -> None:
    world = serving(FULL)
    before = live(world)
    world.cluster.edit(SERVICE, NAMESPACE, "fraud", drift)
    world.run(3)
    now = live(world)
    assert now["spec"] == before["spec"]
    for part in ("labels", "annotations"):
        assert now["metadata"][part] == before["metadata"][part]
    assert [each[:2] for each in writes_of_services(world)] == [("apply", "fraud")]


def test_services_of_an_operator_that_left_no_digest_are_written_once() -> None:
    world = serving(FULL)
    for name in SERVICES:
        undone = {"metadata": {"annotations": {contract.ANNOTATION_APPLIED: None}}}
        world.cluster.edit(SERVICE, NAMESPACE, name, undone)
    world.restart()
    world.run(3)
    world.restart()
    world.run(3)
    assert sorted(writes_of_services(world)) == sorted(("apply", name, True) for name in SERVICES)


def model_with_config(image: str) -> Manifest:
    """Return a ModelDeployment that promotes without waiting for evidence and keeps no old revision."""
    container = {"name": "model", "image": image, "envFrom": [{"configMapRef": {"name": "thresholds"}}]}
    return model_deployment(
        template={"spec": {"containers": [container]}},
        rollout={"steps": [{"weight": 50}], "keepOld": "1s", "revisionHistoryLimit": 0},
        analysis={"interval": "1s", "signals": [{"name": "errors", "kind": "Errors", "action": "Observe"}]},
    )


@pytest.mark.parametrize("kind", [CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT], ids=lambda kind: kind.kind)
def test_an_old_revision_goes_as_a_whole_even_if_its_deletion_is_cut_short(kind: Kind) -> None:
    world = World()
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": NAMESPACE, "name": "thresholds"}}
    world.cluster.put({**config, "data": {"a": "1"}})
    world.apply(model_with_config("model:1"))
    world.run_until(lambda w: w.condition("Ready").get("status") == "True")
    first = world.status()["stable"]["revision"]
    cut: list[str] = []

    def cut_short(verb: str, obj: Manifest) -> None:
        if verb == "delete" and obj["kind"] == kind.kind:
            cut.append(obj["metadata"]["name"])
            raise ClusterUnavailable("the API server went away")

    world.cluster.refuse = cut_short
    world.apply(model_with_config("model:2"))
    world.run_until(lambda _: cut)
    world.cluster.refuse = lambda verb, obj: None
    world.restart()
    world.run(5)
    assert world.status()["stable"]["revision"] != first
    left = [
        obj["metadata"]["name"]
        for each in (CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT)
        for obj in world.cluster.list(each, NAMESPACE)
    ]
    assert len(left) == 4, "the user's ConfigMap, and one of each kind for the revision that serves"
    assert not [each for each in left if first in each]


INTENDED: Manifest = {"metadata": {"labels": {"ours": "x"}, "annotations": {"of-ours": "y"}}, "spec": {"cpu": "0.5"}}
APPLIED: Manifest = {
    "metadata": {"uid": "u", "generation": 4, "resourceVersion": "7", **INTENDED["metadata"]},
    "spec": {"cpu": "500m"},
}


def changed(**metadata: Any) -> Manifest:
    return {**APPLIED, "metadata": APPLIED["metadata"] | metadata}


@pytest.mark.parametrize(
    ("now", "intended", "holds"),
    [
        pytest.param(APPLIED, INTENDED, True, id="as it was"),
        pytest.param(changed(resourceVersion="8"), INTENDED, True, id="its status moved"),
        pytest.param(changed(generation=5), INTENDED, False, id="its spec was changed"),
        pytest.param(changed(uid="v"), INTENDED, False, id="another object of that name"),
        pytest.param(changed(labels={}), INTENDED, False, id="our label was taken away"),
        pytest.param(changed(labels=None), INTENDED, False, id="all labels were taken away"),
        pytest.param(changed(annotations={"of-ours": "z"}), INTENDED, False, id="our annotation was changed"),
        pytest.param(changed(annotations={"of-ours": "y", "theirs": "1"}), INTENDED, True, id="others annotated it"),
        pytest.param(APPLIED, INTENDED | {"spec": {"cpu": "0.6"}}, False, id="something else is intended"),
    ],
)
def test_an_apply_stands_until_somebody_changes_what_it_said(now: Manifest, intended: Manifest, holds: bool) -> None:
    settled = Settled()
    settled.note(APPLIED, INTENDED)
    assert settled.holds(now, intended) is holds
