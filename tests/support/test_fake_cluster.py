"""The fake is a claim about the API server; these rows are the claim."""

from typing import Any

import pytest

from serinus.cluster.kinds import CONFIG_MAP, DEPLOYMENT, MODEL_DEPLOYMENT, POD
from serinus.cluster.protocol import ClusterApi
from serinus.errors import AlreadyExists, ClusterUnavailable, Conflict, NotFound, Refused
from support.fake_cluster import FakeCluster, Write
from support.fake_pods import Fault


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "n", "name": "c"}, "data": data}


def deployment(replicas: int = 2, revision: str = "bcdf") -> dict[str, Any]:
    labels = {"serinus.dev/revision": revision}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": "n", "name": f"fraud-{revision}", "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "m", "image": "i"}]}},
        },
    }


def model_deployment() -> dict[str, Any]:
    return {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"namespace": "n", "name": "fraud"},
        "spec": {"replicas": 1},
    }


def test_it_fits_the_protocol() -> None:
    cluster: ClusterApi = FakeCluster()
    assert cluster.get(CONFIG_MAP, "n", "c") is None


def test_an_apply_that_changes_nothing_keeps_the_version_and_is_logged_as_unchanged() -> None:
    cluster = FakeCluster()
    first = cluster.apply(config_map(a="1"))
    assert cluster.apply(config_map(a="1")) == first
    assert [w.changed for w in cluster.writes] == [True, False]
    assert cluster.changes == [Write("apply", "ConfigMap", "c", True)]


def test_an_applied_field_that_is_left_out_vanishes_and_others_fields_stay() -> None:
    cluster = FakeCluster()
    cluster.apply(config_map(a="1", b="2"))
    cluster.edit(CONFIG_MAP, "n", "c", {"data": {"theirs": "x"}, "metadata": {"labels": {"theirs": "y"}}})
    after = cluster.apply(config_map(b="3"))
    assert after["data"] == {"b": "3", "theirs": "x"}
    assert after["metadata"]["labels"] == {"theirs": "y"}


def test_a_dry_run_changes_nothing() -> None:
    cluster = FakeCluster()
    assert cluster.apply(config_map(a="1"), dry_run=True)["data"] == {"a": "1"}
    assert cluster.get(CONFIG_MAP, "n", "c") is None
    assert cluster.changes == []


def test_generation_follows_spec_only_and_status_is_apart() -> None:
    cluster = FakeCluster()
    created = cluster.create({**model_deployment(), "status": {"phase": "smuggled"}})
    assert "status" not in created
    version = created["metadata"]["resourceVersion"]
    written = cluster.patch_status(MODEL_DEPLOYMENT, "n", "fraud", {"phase": "Stable", "x": None}, version)
    assert written["status"] == {"phase": "Stable"}
    assert written["metadata"]["generation"] == 1
    edited = cluster.edit(MODEL_DEPLOYMENT, "n", "fraud", {"spec": {"replicas": 2}})
    assert edited["metadata"]["generation"] == 2
    assert edited["status"] == {"phase": "Stable"}


def test_a_stale_status_write_is_a_conflict() -> None:
    cluster = FakeCluster()
    stale = cluster.create(model_deployment())["metadata"]["resourceVersion"]
    cluster.edit(MODEL_DEPLOYMENT, "n", "fraud", {"spec": {"replicas": 2}})
    with pytest.raises(Conflict, match="modified"):
        cluster.patch_status(MODEL_DEPLOYMENT, "n", "fraud", {"phase": "Stable"}, stale)


def test_errors_are_those_of_the_server() -> None:
    cluster = FakeCluster()
    cluster.create(config_map())
    with pytest.raises(AlreadyExists):
        cluster.create(config_map())
    with pytest.raises(NotFound):
        cluster.patch(CONFIG_MAP, "n", "other", {})
    with pytest.raises(Conflict):
        cluster.delete(CONFIG_MAP, "n", "c", uid="another")
    cluster.delete(CONFIG_MAP, "n", "other")
    cluster.apply(deployment())
    moved = deployment()
    moved["spec"]["selector"] = {"matchLabels": {"a": "b"}}
    with pytest.raises(Refused, match=r"spec\.selector: field is immutable"):
        cluster.apply(moved)


def test_admission_refuses() -> None:
    cluster = FakeCluster()
    cluster.refuse = lambda verb, obj: "no latest tags here" if verb == "apply" else None
    with pytest.raises(Refused, match="no latest tags here"):
        cluster.apply(config_map(), dry_run=True)


@pytest.mark.parametrize(("after", "exists"), [(False, False), (True, True)])
def test_an_induced_failure_hits_once_before_or_after_the_effect(after: bool, exists: bool) -> None:
    cluster = FakeCluster()
    cluster.fail_at(1, after=after)
    with pytest.raises(ClusterUnavailable):
        cluster.apply(config_map(a="1"))
    assert (cluster.get(CONFIG_MAP, "n", "c") is not None) is exists
    cluster.apply(config_map(a="1"))
    assert len(cluster.changes) == 1


def test_a_cluster_that_is_down_answers_nothing() -> None:
    cluster = FakeCluster()
    cluster.unavailable = True
    with pytest.raises(ClusterUnavailable):
        cluster.get(CONFIG_MAP, "n", "c")


def test_deletion_takes_what_is_owned_and_tells_subscribers() -> None:
    cluster = FakeCluster()
    told: list[tuple[str, str]] = []
    cluster.subscribe(lambda event, obj: told.append((event, obj["kind"])))
    cluster.apply(deployment(replicas=1))
    cluster.settle()
    told.clear()
    cluster.delete(DEPLOYMENT, "n", "fraud-bcdf")
    assert told == [("DELETED", "Deployment"), ("DELETED", "Pod")]
    assert cluster.list(POD, "") == []


def test_settle_moves_pods_once_and_then_rests() -> None:
    cluster = FakeCluster()
    cluster.apply(deployment(replicas=2))
    cluster.settle()
    seen = cluster.get(DEPLOYMENT, "n", "fraud-bcdf")
    assert seen is not None
    assert seen["status"]["readyReplicas"] == 2
    told: list[str] = []
    cluster.subscribe(lambda event, obj: told.append(event))
    cluster.settle()
    assert told == []
    cluster.apply(deployment(replicas=0))
    cluster.settle()
    assert cluster.list(POD, "n", {"serinus.dev/revision": "bcdf"}) == []


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.READY])
def test_a_faulty_revision_has_no_ready_pod(fault: Fault) -> None:
    cluster = FakeCluster()
    cluster.pods.faults["bcdf"] = fault
    cluster.apply(deployment(replicas=2))
    cluster.settle()
    seen = cluster.get(DEPLOYMENT, "n", "fraud-bcdf")
    assert seen is not None
    assert seen["status"]["readyReplicas"] == 0
    assert len(cluster.list(POD, "n")) == (0 if fault is Fault.REFUSED else 2)
