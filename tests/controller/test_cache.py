from typing import Any

import pytest

from serinus.cluster.kinds import DEPLOYMENT, MODEL_DEPLOYMENT, SERVICE
from serinus.controller.cache import WatchCache


def service(name: str = "fraud", version: str = "10", owner: str | None = "fraud", uid: str = "u1") -> dict[str, Any]:
    labels = {"serinus.dev/model-deployment": owner} if owner else {}
    metadata = {"namespace": "n", "name": name, "uid": uid, "labels": labels, "managedFields": [{}]}
    if version:
        metadata["resourceVersion"] = version
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata}


def version_of(cache: WatchCache) -> str | None:
    held = cache.get(SERVICE, "n", "fraud")
    return held["metadata"]["resourceVersion"] if held else None


@pytest.mark.parametrize(
    ("held", "put", "stays"),
    [
        pytest.param("10", "11", "11", id="a newer copy replaces"),
        pytest.param("10", "9", "10", id="an older copy is ignored"),
        pytest.param("9", "10", "10", id="versions are numbers, not text"),
        pytest.param("10", "10", "10", id="the same again changes nothing"),
    ],
)
def test_the_version_decides(held: str, put: str, stays: str) -> None:
    cache = WatchCache()
    cache.put(service(version=held))
    cache.put(service(version=put))
    assert version_of(cache) == stays


@pytest.mark.parametrize(
    ("deleted", "late", "stays"),
    [
        pytest.param("12", "11", None, id="a copy from before the deletion does not bring it back"),
        pytest.param("12", "13", "13", id="a new object of that name is kept"),
    ],
)
def test_a_deletion_is_remembered(deleted: str, late: str, stays: str | None) -> None:
    cache = WatchCache()
    cache.put(service(version="10"))
    assert cache.drop(service(version=deleted)) is True
    cache.put(service(version=late))
    assert version_of(cache) == stays


def test_a_late_deletion_of_a_predecessor_is_ignored() -> None:
    cache = WatchCache()
    cache.put(service(version="20", uid="u2"))
    assert cache.drop(service(version="12", uid="u1")) is False
    assert version_of(cache) == "20"


def test_children_are_found_by_their_label_and_kind() -> None:
    cache = WatchCache()
    cache.put(service("fraud-canary"))
    cache.put(service("fraud"))
    cache.put(service("other", owner="other"))
    cache.put(service("stray", owner=None))
    assert [each["metadata"]["name"] for each in cache.children(SERVICE, "n", "fraud")] == ["fraud", "fraud-canary"]
    assert cache.children(DEPLOYMENT, "n", "fraud") == ()
    assert cache.children(SERVICE, "elsewhere", "fraud") == ()


def test_a_child_that_changes_its_owner_moves() -> None:
    cache = WatchCache()
    cache.put(service(version="1"))
    cache.put(service(version="2", owner="other"))
    assert cache.children(SERVICE, "n", "fraud") == ()
    assert len(cache.children(SERVICE, "n", "other")) == 1
    cache.drop(service(version="3", owner="other"))
    assert cache.children(SERVICE, "n", "other") == ()
    assert len(cache) == 0


def test_ghosts_are_those_whose_uid_is_not_listed() -> None:
    cache = WatchCache()
    cache.put(service("a", uid="u1"))
    cache.put(service("b", uid="u2"))
    ghosts = cache.missing(SERVICE, [service("a", uid="u1"), service("b", uid="u3")])
    assert [each["metadata"]["name"] for each in ghosts] == ["b"]
    assert cache.missing(SERVICE, [], namespace="elsewhere") == ()


def test_field_ownership_is_kept_for_model_deployments_only() -> None:
    cache = WatchCache()
    cache.put(service())
    cache.put({**service(), "apiVersion": "serinus.dev/v1alpha1", "kind": "ModelDeployment"})
    seen, model = cache.get(SERVICE, "n", "fraud"), cache.get(MODEL_DEPLOYMENT, "n", "fraud")
    assert seen is not None
    assert model is not None
    assert "managedFields" not in seen["metadata"]
    assert "managedFields" in model["metadata"]
    assert cache.model_deployments() == (("n", "fraud"),)
