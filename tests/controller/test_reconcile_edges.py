"""Worlds in, worlds out: lost memory, wrong specs, taken names, histories, and other places where loops go wrong."""

from datetime import timedelta

import pytest

from serinus import contract
from serinus.cluster.kinds import CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT, MODEL_DEPLOYMENT, ROLLOUT_REPORT, SERVICE
from serinus.errors import Refused
from support.fake_pods import Fault
from support.situations import QUICK, serving, truth, with_canary
from support.world import NAMESPACE, World, model_deployment


def test_another_port_than_stables_stalls_before_anything_starts() -> None:
    world, first = serving()
    template = {"spec": {"containers": [{"name": "m", "image": "model:2", "ports": [{"containerPort": 9090}]}]}}
    world.cluster.writes.clear()
    world.apply(model_deployment(template=template))
    world.run(10)
    assert world.condition("Stalled")["reason"] == contract.REASON_INVALID_SPEC
    assert "another port" in world.condition("Stalled")["message"]
    assert {each.kind for each in world.cluster.changes} == {"ModelDeployment"}
    assert len(world.cluster.changes) == 1
    assert world.selected() == first


def test_a_lost_status_is_read_back_in_mid_flight() -> None:
    world, first, second = with_canary()
    body = world.body()
    body["status"] = {}
    world.cluster.put(body)
    world.step()
    assert world.status()["stable"]["revision"] == first
    assert world.status()["canary"]["revision"] == second
    assert world.status()["canary"]["attempt"] == 1, "the open report is gone on with"
    assert len(world.reports()) == 1


def test_an_unreadable_status_changes_nothing() -> None:
    world, _, _ = with_canary()
    body = world.body()
    body["status"]["canary"]["state"] = "Dancing"
    world.cluster.put(body)
    world.cluster.writes.clear()
    world.run(10)
    assert {each.kind for each in world.cluster.changes} <= {"ModelDeployment"}
    assert world.condition("Stalled")["reason"] == contract.REASON_STATUS_UNREADABLE
    assert world.status()["canary"]["state"] == "Dancing"


def test_a_changed_config_map_is_a_new_revision_with_its_own_copy() -> None:
    template = {
        "spec": {
            "containers": [{"name": "model", "image": "model:1", "envFrom": [{"configMapRef": {"name": "thresholds"}}]}]
        }
    }
    world = World()
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "thresholds", "namespace": NAMESPACE},
        "data": {"cut": "0.5"},
    }
    world.apply(model_deployment(template=template))
    world.run(2)
    assert world.condition("Stalled")["reason"] == contract.REASON_CONFIG_MAP_MISSING
    world.cluster.put(settings)
    world.run_until(lambda w: w.condition("Ready").get("status") == "True")
    first = world.status()["stable"]["revision"]
    world.cluster.put({**settings, "data": {"cut": "0.7"}})
    world.run_until(lambda w: w.status().get("canary"))
    second = world.status()["canary"]["revision"]
    copies = {each: world.cluster.get(CONFIG_MAP, NAMESPACE, f"thresholds-{each}") for each in (first, second)}
    assert copies[first]["data"] == {"cut": "0.5"}
    assert copies[second]["data"] == {"cut": "0.7"}
    container = world.cluster.get(DEPLOYMENT, NAMESPACE, f"fraud-{second}")["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"][0]["configMapRef"]["name"] == f"thresholds-{second}"


def test_two_objects_of_one_template_and_one_config_map_both_serve() -> None:
    template = {
        "spec": {
            "containers": [{"name": "model", "image": "model:1", "envFrom": [{"configMapRef": {"name": "thresholds"}}]}]
        }
    }
    world = World()
    metadata = {"name": "thresholds", "namespace": NAMESPACE}
    world.cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"cut": "0.5"}})
    for name in ("fraud-eu", "fraud-us"):
        world.apply(model_deployment(name=name, template=template))
        world.run(4, name)
        assert world.condition("Ready", name)["status"] == "True"
    assert len(world.cluster.list(CONFIG_MAP, NAMESPACE)) == 3


def test_a_refusal_of_a_child_is_told_on_the_object() -> None:
    world = World()
    world.cluster.refuse = lambda verb, obj: "quota of Services exceeded" if obj["kind"] == "Service" else None
    world.apply(model_deployment())
    with pytest.raises(Refused):
        world.reconcile()
    note = world.told.notes[-1]
    assert note.reason == contract.REASON_WRITE_REFUSED
    assert "quota of Services exceeded" in note.message


def test_a_template_that_the_server_refuses_stalls_with_its_sentence() -> None:
    world, first = serving()
    world.cluster.refuse = lambda verb, obj: "spec.template: nonsense" if obj["kind"] == "Deployment" else None
    world.apply(model_deployment("model:2"))
    world.run(5)
    assert world.condition("Stalled")["reason"] == contract.REASON_TEMPLATE_REFUSED
    assert "nonsense" in world.condition("Stalled")["message"]
    assert "canary" not in world.status()
    assert world.selected() == first


@pytest.mark.parametrize("controlled", [True, False])
def test_a_name_that_is_taken_stalls_and_adoption_frees_it(controlled: bool) -> None:
    world = World()
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "fraud", "namespace": NAMESPACE},
        "spec": {"selector": {"app": "other"}, "ports": [{"port": 80}]},
    }
    if controlled:
        service["metadata"]["ownerReferences"] = [
            {"apiVersion": "v1", "kind": "Thing", "name": "other", "uid": "u-other", "controller": True}
        ]
    world.cluster.put(service)
    world.apply(model_deployment())
    world.run(3)
    stalled = world.condition("Stalled")
    assert stalled["reason"] == contract.REASON_NAME_TAKEN
    assert ("Thing other" if controlled else "nobody") in stalled["message"]
    assert world.cluster.get(SERVICE, NAMESPACE, "fraud")["spec"]["selector"] == {"app": "other"}
    patch = {"metadata": {"annotations": {contract.ANNOTATION_ADOPT: "fraud"}}}
    world.cluster.edit(SERVICE, NAMESPACE, "fraud", patch)
    world.run(5)
    assert (world.condition("Ready")["status"] == "True") is not controlled


def test_what_is_not_built_yet_stalls_and_touches_nothing_that_serves() -> None:
    world, first = serving()
    world.cluster.writes.clear()
    world.apply(model_deployment("model:2", rollout={"steps": [{"weight": 25}], "bake": {"for": "1h"}}))
    world.run(5)
    assert world.condition("Stalled")["reason"] == contract.REASON_NOT_SUPPORTED_YET
    assert {each.kind for each in world.cluster.changes} == {"ModelDeployment"}
    assert world.selected() == first


@pytest.mark.parametrize("crash_at", [None, 1, 2, 3, 4])
def test_a_canary_whose_spec_cannot_be_followed_any_more_leaves_users_at_once(crash_at: int | None) -> None:
    world, first, second = with_canary()
    assert world.selected() is None
    if crash_at is not None:
        world.cluster.fail_at(crash_at)
    world.apply(model_deployment("model:3", hooks=[{"name": "h"}]))
    world.run(1 if crash_at is None else 3)
    assert world.condition("Stalled")["reason"] == contract.REASON_NOT_SUPPORTED_YET
    assert world.selected() == first
    assert world.cluster.get(DEPLOYMENT, NAMESPACE, f"fraud-{second}")["spec"]["replicas"] == 0
    assert "canary" not in world.status()
    assert world.status()["stable"]["weight"] == 100
    assert world.reports()[0]["status"]["outcome"]["result"] == "Superseded"
    world.apply(model_deployment("model:2"))
    world.run_until(lambda w: w.status().get("canary"))
    assert world.status()["canary"]["attempt"] == 2


def test_old_revisions_and_reports_are_forgotten_beyond_their_limits() -> None:
    limits = {"steps": [{"weight": 50}], "revisionHistoryLimit": 2, "historyLimit": 2, "keepOld": "5s"}
    no_proof = {"interval": "1s", "signals": [{"name": "errors", "kind": "Errors", "action": "Observe"}]}
    world, _ = serving(rollout=limits, analysis=no_proof)
    for number in range(2, 8):
        before = world.status()["stable"]["revision"]
        world.apply(model_deployment(f"model:{number}", rollout=limits, analysis=no_proof))
        world.run_until(lambda w, before=before: w.status()["stable"]["revision"] != before)
        world.run(12)
    assert len(world.cluster.list(DEPLOYMENT, NAMESPACE)) == 3
    assert len(world.cluster.list(CONTROLLER_REVISION, NAMESPACE)) == 3
    assert len(world.cluster.list(ROLLOUT_REPORT, NAMESPACE)) <= 3


def test_a_revision_is_rendered_once() -> None:
    """What stands in the ControllerRevision is repeated, whatever a newer operator would render."""
    world, first = serving()
    stored = world.cluster.get(CONTROLLER_REVISION, NAMESPACE, f"fraud-{first}")
    stored["data"]["template"]["metadata"]["annotations"]["example.com/rendered-by"] = "an older operator"
    world.cluster.put(stored)
    world.run(2)
    deployment = world.cluster.get(DEPLOYMENT, NAMESPACE, f"fraud-{first}")
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations["example.com/rendered-by"] == "an older operator"
    assert world.status()["stable"]["revision"] == first


def test_a_deleted_object_is_left_to_the_garbage_collector() -> None:
    world, _ = serving()
    world.cluster.edit(
        MODEL_DEPLOYMENT, NAMESPACE, "fraud", {"metadata": {"deletionTimestamp": "2026-11-22T12:10:00Z"}}
    )
    world.cluster.writes.clear()
    assert world.reconcile() is None
    assert world.cluster.writes == []


def test_a_stored_revision_that_vanished_stalls_and_stable_keeps_serving() -> None:
    world, first, _ = with_canary()
    world.cluster.remove(CONTROLLER_REVISION, NAMESPACE, f"fraud-{first}")
    pods = world.pods_of(first)
    world.run(5)
    assert world.condition("Stalled")["reason"] == contract.REASON_REVISION_MISSING
    assert world.pods_of(first) == pods
    assert world.selected() == first


def orphaned(world: World) -> None:
    """Delete the ModelDeployment as ``kubectl delete --cascade=orphan`` does."""
    for kind in (DEPLOYMENT, SERVICE, CONTROLLER_REVISION, ROLLOUT_REPORT):
        for obj in world.cluster.list(kind, NAMESPACE):
            obj["metadata"]["ownerReferences"] = []
            world.cluster.put(obj)
    world.cluster.remove(MODEL_DEPLOYMENT, NAMESPACE, "fraud")


def test_orphans_and_another_spec_are_an_ordinary_rollout() -> None:
    world, first = serving(rollout=QUICK)
    orphaned(world)
    world.apply(model_deployment("model:2", rollout=QUICK))
    world.restart()
    world.run(1)
    assert world.selected() == first
    assert world.status()["stable"]["revision"] == first, "it serves, whoever owned it"
    second = world.status()["canary"]["revision"]
    world.run_until(lambda w: w.status()["stable"]["revision"] == second)
    world.run(20)
    assert world.pods_of(first) == []
    uid = world.body()["metadata"]["uid"]
    for kind in (DEPLOYMENT, SERVICE, CONTROLLER_REVISION, ROLLOUT_REPORT):
        for obj in world.cluster.list(kind, NAMESPACE):
            assert [each["uid"] for each in obj["metadata"]["ownerReferences"]] == [uid], obj["metadata"]["name"]


def test_a_rejection_outlives_the_object_that_it_was_about() -> None:
    world, first, second = with_canary()
    world.fail(second, Fault.CRASH_LOOP)
    world.run_until(lambda w: w.status().get("rejected"))
    orphaned(world)
    world.apply(model_deployment("model:2"))
    world.restart()
    world.run(10)
    assert world.selected() == first
    assert truth(world) == ("False", "False", "True")
    assert world.status()["rejected"][0]["revision"] == second


def test_a_report_of_a_late_owner_is_waited_for() -> None:
    world, _ = serving()
    world.apply(model_deployment("model:2"))
    world.step()
    report = world.reports()[0]
    second = report["spec"]["revision"]
    report["metadata"]["ownerReferences"][0]["uid"] = "somebody-late"
    world.cluster.put(report)
    body = world.body()
    body["status"].pop("canary")
    world.cluster.put(body)
    world.run(3)
    assert "canary" not in world.status()
    world.cluster.remove(ROLLOUT_REPORT, NAMESPACE, report["metadata"]["name"])
    world.run(2)
    assert world.status()["canary"]["revision"] == second


def test_a_deleted_report_is_made_again_and_the_attempt_is_judged() -> None:
    world, _, second = with_canary(rollout=QUICK)
    world.cluster.remove(ROLLOUT_REPORT, NAMESPACE, world.reports()[0]["metadata"]["name"])
    world.run_until(lambda w: w.status()["stable"]["revision"] == second)
    assert world.reports()[0]["status"]["outcome"]["result"] == "Promoted"


def test_a_revision_that_was_rejected_and_then_promoted_may_come_back() -> None:
    world, first, second = with_canary(rollout=QUICK)
    world.annotate("fraud", "abort", f"{second}/1")
    world.run(3)
    world.annotate("fraud", "retry", f"{second}/2")
    world.run_until(lambda w: w.status()["stable"]["revision"] == second)
    world.apply(model_deployment("model:3", rollout=QUICK))
    world.run_until(lambda w: w.status()["stable"]["revision"] not in {first, second})
    world.apply(model_deployment("model:2", rollout=QUICK))
    world.run(2)
    assert world.status()["canary"]["revision"] == second
    assert world.status()["canary"]["attempt"] == 3


def test_old_pods_are_not_taken_down_in_the_run_that_moves_the_service() -> None:
    world, first, second = with_canary(rollout=QUICK)
    world.run_until(lambda w: w.status().get("canary", {}).get("state") == "Promoting")
    world.run_until(lambda w: len(w.pods_of(second)) == 3)
    world.cluster.fail_at(3)  # report, status, then the Service: the operator dies between intent and effect …
    world.step()
    assert world.status()["stable"]["revision"] == second
    world.now += timedelta(minutes=5)  # … and comes back late
    world.restart()
    world.step()
    assert world.selected() == second
    assert len(world.pods_of(first)) == 3
    world.run(12)
    assert world.pods_of(first) == []


def test_harm_that_shows_only_while_promoting_is_still_rolled_back() -> None:
    world, first, second = with_canary(rollout=QUICK)
    world.run_until(lambda w: w.status()["canary"]["state"] == "Promoting")
    world.cluster.settle = lambda: None  # type: ignore[method-assign]  # the last pods take their time
    world.error_share[second] = 0.3
    world.run_until(lambda w: w.status().get("rejected"), limit=60)
    assert world.status()["rejected"][0]["reason"] == contract.REASON_ERRORS_WORSE
    assert world.selected() == first


def test_a_long_pause_is_no_lack_of_a_verdict() -> None:
    world, _, second = with_canary(rollout=QUICK | {"onInconclusive": "Rollback", "maxWait": "30s"})
    world.rate = 0
    world.annotate("fraud", "pause", f"{second}/1")
    world.run(120)
    world.annotate("fraud", "resume", f"{second}/1")
    world.run(20)
    assert world.status()["canary"]["revision"] == second
    world.run_until(lambda w: w.status().get("rejected"), limit=20)


def test_orphans_are_adopted_by_a_recreated_object() -> None:
    world, first = serving()
    body = world.body()
    for kind in (DEPLOYMENT, SERVICE, CONTROLLER_REVISION):
        for obj in world.cluster.list(kind, NAMESPACE):
            obj["metadata"]["ownerReferences"] = []
            world.cluster.put(obj)
    pods = world.pods_of(first)
    world.cluster.remove(MODEL_DEPLOYMENT, NAMESPACE, "fraud")
    body["metadata"] = {"name": "fraud", "namespace": NAMESPACE}
    body["status"] = {}
    world.cluster.put(body)
    world.restart()
    world.run(5)
    assert world.status()["stable"]["revision"] == first
    assert world.pods_of(first) == pods
    owner = world.cluster.get(DEPLOYMENT, NAMESPACE, f"fraud-{first}")["metadata"]["ownerReferences"][0]
    assert owner["uid"] == world.body()["metadata"]["uid"]


PROFILE = '{"schema": 1, "prediction": {"edges": [0.5], "counts": [70, 30]}}'


def test_a_training_profile_is_read_frozen_and_missed() -> None:
    score = {
        "name": "score",
        "kind": "PredictionDrift",
        "metrics": {"buckets": "score_bucket"},
        "reference": {"configMapKeyRef": {"name": "profile", "key": "profile.json"}},
    }
    analysis = {"interval": "5s", "signals": [{"name": "errors", "kind": "Errors"}, score]}
    world, first = serving()
    world.apply(model_deployment("model:2", analysis=analysis))
    world.run(5)
    assert world.condition("Stalled")["reason"] == contract.REASON_CONFIG_MAP_MISSING
    assert "spec.analysis.signals[1] (score): " in world.condition("Stalled")["message"]
    assert world.selected() == first
    metadata = {"namespace": NAMESPACE, "name": "profile"}
    profile = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"profile.json": PROFILE}}
    world.cluster.put(profile)
    world.run_until(lambda it: (it.status().get("canary") or {}).get("state") == "Analysing")
    (report,) = world.reports()
    assert report["spec"]["signals"][1]["reference"] == {
        "counts": [70, 30],
        "edges": [0.5],
        "categories": [],
    }
    world.cluster.put(profile | {"data": {"profile.json": PROFILE.replace("70", "71")}})
    world.run(2)
    assert world.status()["canary"]["planOutdated"] is True
    assert world.reports()[0]["spec"] == report["spec"]


@pytest.mark.parametrize(("pull", "told"), [(1.0, 0), (0.2, 1)])
def test_a_canary_that_gets_another_share_than_its_pods_give_is_reported_and_goes_on(pull: float, told: int) -> None:
    world, _, second = with_canary()
    world.pull[second] = pull
    step = world.status()["canary"]["step"]
    world.run_until(lambda it: (it.status().get("canary") or {}).get("step") != step)
    assert world.told.reasons().count(contract.REASON_TRAFFIC_SHARE_OFF) == told
    available = world.condition("MetricsAvailable")
    assert available["status"] == "True"
    assert ("does not get the share of requests" in available["message"]) is bool(told)
    assert world.reports()[0]["status"]["assessment"]["traffic"]["off"] is bool(told)
    world.run_until(lambda it: it.selected() == second)


def test_the_judge_learns_from_stables_past_once() -> None:
    world, _ = serving()
    world.run(60)
    world.apply(model_deployment("model:2"))
    world.run_until(lambda it: any("running" in (each.get("status") or {}) for each in it.reports()))
    learnt = world.reports()[0]["status"]["running"]["learnt"]
    assert learnt >= 10
    world.run(30)
    assert world.reports()[0]["status"]["running"]["learnt"] == learnt
