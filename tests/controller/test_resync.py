from typing import Any

import pytest

from serinus.cluster.kinds import DEPLOYMENT, MODEL_DEPLOYMENT, SERVICE, Manifest
from serinus.controller.cache import WatchCache
from serinus.controller.intake import Intake
from serinus.controller.queue import Key
from serinus.controller.resync import LONGEST, SHORTEST, list_all, next_delay
from support.fake_cluster import FakeCluster


def thing(kind: str, name: str, namespace: str = "n", owner: str = "fraud", managed: str = "serinus") -> dict[str, Any]:
    version = {"ModelDeployment": "serinus.dev/v1alpha1", "Deployment": "apps/v1", "Service": "v1"}[kind]
    labels = {"serinus.dev/model-deployment": owner, "app.kubernetes.io/managed-by": managed}
    metadata = {"namespace": namespace, "name": name, "labels": {} if kind == "ModelDeployment" else labels}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": {}}


def cluster_with(*objects: Manifest) -> FakeCluster:
    cluster = FakeCluster()
    for obj in objects:
        cluster.put(obj)
    return cluster


def test_a_listing_fills_the_cache_with_what_is_ours() -> None:
    cluster = cluster_with(
        thing("ModelDeployment", "fraud"),
        thing("Deployment", "fraud-a"),
        thing("Service", "fraud"),
        thing("Service", "theirs", managed="helm"),
    )
    cache = WatchCache()
    assert list_all(cluster, cache, ()) == 3
    assert cache.get(MODEL_DEPLOYMENT, "n", "fraud") is not None
    assert len(cache.children(DEPLOYMENT, "n", "fraud")) == 1
    assert cache.get(SERVICE, "n", "theirs") is None


def test_only_the_watched_namespaces_are_listed_and_others_stay_as_they_are() -> None:
    cluster = cluster_with(thing("Service", "a", "n"), thing("Service", "b", "m"), thing("Service", "c", "other"))
    cache = WatchCache()
    assert list_all(cluster, cache, ("n", "m")) == 2
    assert list_all(cluster, cache, ("n",)) == 1
    assert cache.get(SERVICE, "m", "b") is not None
    assert cache.get(SERVICE, "other", "c") is None


def test_what_vanished_unseen_is_dropped_and_what_was_made_again_is_taken() -> None:
    cluster = cluster_with(thing("Service", "gone"), thing("Service", "again"))
    cache = WatchCache()
    list_all(cluster, cache, ())
    before = cache.get(SERVICE, "n", "again")
    for name in ("gone", "again"):
        cluster.remove(SERVICE, "n", name)
    cluster.put(thing("Service", "again"))
    list_all(cluster, cache, ())
    assert cache.get(SERVICE, "n", "gone") is None
    after = cache.get(SERVICE, "n", "again")
    assert before is not None
    assert after is not None
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


def test_an_object_that_was_made_during_the_listing_is_not_taken_for_a_ghost() -> None:
    cluster = cluster_with()
    cache = WatchCache()
    listing = cluster.list

    def list_and_make(*arguments: Any, **more: Any) -> list[Manifest]:
        listed = listing(*arguments, **more)
        if arguments[0] == SERVICE:
            cache.put(cluster.put(thing("Service", "young")))
        return listed

    cluster.list = list_and_make  # type: ignore[method-assign]
    list_all(cluster, cache, ())
    assert cache.get(SERVICE, "n", "young") is not None


def test_delays_are_spread_between_the_limits() -> None:
    assert (next_delay(lambda: 0.0), next_delay(lambda: 1.0)) == (SHORTEST, LONGEST)


@pytest.mark.parametrize(
    ("obj", "woken"),
    [
        pytest.param(thing("ModelDeployment", "fraud"), {Key("n", "fraud")}, id="a ModelDeployment wakes itself"),
        pytest.param(thing("Deployment", "x"), {Key("n", "fraud")}, id="a child wakes the one in its label"),
        pytest.param(thing("Service", "x", owner=""), set(), id="a child without a label wakes nobody"),
    ],
)
def test_who_is_woken(obj: Manifest, woken: set[Key]) -> None:
    seen: set[Key] = set()
    stored = cluster_with().put(obj)
    intake = Intake(WatchCache(), seen.add)
    intake.see(stored)
    assert seen == woken
    seen.clear()
    intake.see_gone(stored)
    assert seen == woken


def test_a_child_whose_label_moves_wakes_both_and_an_old_copy_wakes_nobody() -> None:
    cluster, seen = FakeCluster(), set[Key]()
    intake = Intake(WatchCache(), seen.add)
    old = cluster.put(thing("Service", "x"))
    intake.see(old)
    seen.clear()
    intake.see(cluster.put(thing("Service", "x", owner="other")))
    assert seen == {Key("n", "fraud"), Key("n", "other")}
    seen.clear()
    intake.see(old)
    intake.see_gone(old)
    assert seen == set()
