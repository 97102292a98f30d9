import asyncio
from typing import Any

import kopf
import pytest

from serinus.cluster.kinds import MODEL_DEPLOYMENT, SERVICE, Kind
from serinus.controller.cache import WatchCache
from serinus.controller.handlers import make_kopf_settings, make_registry
from serinus.controller.intake import Intake
from serinus.controller.queue import Key
from support.fake_cluster import FakeCluster


def handlers(cache: WatchCache, woken: list[Key], told: list[Kind]) -> dict[str, Any]:
    registry = make_registry(Intake(cache, woken.append), told.append)
    return {str(handler.id): handler.fn for handler in registry._watching.get_all_handlers()}


def test_one_event_handler_per_watched_kind_and_nothing_that_makes_kopf_write() -> None:
    registry = make_registry(Intake(WatchCache(), lambda key: None), lambda kind: None)
    watched = registry._watching.get_all_handlers()
    assert {str(handler.id) for handler in watched} == {"see_modeldeployments", "see_deployments", "see_services"}
    for writing in (registry._changing, registry._spawning, registry._indexing, registry._webhooks):
        assert not writing.get_all_handlers()


def test_children_are_filtered_at_the_server_and_model_deployments_are_not() -> None:
    settings = make_kopf_settings()
    selectors = {str(key): value for key, value in settings.watching.label_selectors.items()}
    assert len(selectors) == 2
    assert set(selectors.values()) == {"app.kubernetes.io/managed-by=serinus"}
    assert not any("modeldeployments" in key for key in selectors)
    assert not settings.posting.enabled
    assert settings.scanning.disabled


def test_the_storages_keep_and_write_nothing() -> None:
    settings, patch = make_kopf_settings(), kopf.Patch()
    body = kopf.Body({"metadata": {"name": "x"}, "spec": {"a": 1}})
    diffs, progress = settings.persistence.diffbase_storage, settings.persistence.progress_storage
    assert diffs.build(body=body) == diffs.fetch(body=body)
    diffs.store(body=body, patch=patch, essence=diffs.build(body=body))
    progress.touch(body=body, patch=patch, value="now")
    assert dict(patch) == {}


@pytest.mark.parametrize("type_", [None, "ADDED", "MODIFIED"])
def test_what_is_seen_is_cached_and_wakes_its_owner_and_nothing_is_returned(type_: str | None) -> None:
    cache, woken, told = WatchCache(), list[Key](), list[Kind]()
    labels = {"serinus.dev/model-deployment": "fraud"}
    # Items of a list have no type.
    obj = {"metadata": {"namespace": "n", "name": "fraud-canary", "uid": "u", "resourceVersion": "5", "labels": labels}}
    see = handlers(cache, woken, told)["see_services"]
    assert asyncio.run(see(event={"type": type_, "object": obj})) is None
    assert cache.get(SERVICE, "n", "fraud-canary") is not None
    assert woken == [Key("n", "fraud")]
    assert told == [SERVICE]


def test_a_deletion_empties_the_cache_and_wakes_the_owner() -> None:
    cache, woken = WatchCache(), list[Key]()
    stored = FakeCluster().put(
        {
            "apiVersion": "serinus.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"namespace": "n", "name": "fraud"},
        }
    )
    see = handlers(cache, woken, [])["see_modeldeployments"]
    asyncio.run(see(event={"type": "ADDED", "object": stored}))
    asyncio.run(see(event={"type": "DELETED", "object": stored}))
    assert cache.get(MODEL_DEPLOYMENT, "n", "fraud") is None
    assert woken == [Key("n", "fraud"), Key("n", "fraud")]
