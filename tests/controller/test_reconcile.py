"""Worlds in, worlds out: the whole loop against an imitated cluster, traffic and Prometheus."""

from datetime import timedelta

import pytest

from serinus import contract
from serinus.cluster.kinds import CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT, MODEL_DEPLOYMENT, ROLLOUT_REPORT, SERVICE
from support.fake_pods import Fault
from support.world import NAMESPACE, World, model_deployment

QUICK = {"steps": [{"weight": 25}, {"weight": 50}], "maxWait": "1m", "keepOld": "10s"}


def serving(first: str = "model:1", **spec: object) -> tuple[World, str]:
    """Return a world in which a first revision serves, and that revision."""
    world = World()
    world.apply(model_deployment(first, **spec))
    world.run_until(lambda w: w.condition("Ready").get("status") == "True")
    return world, world.status()["stable"]["revision"]


def with_canary(**spec: object) -> tuple[World, str, str]:
    """Return a world in which a second revision is analysed at step 0, and both revisions."""
    world, stable = serving(**spec)
    world.apply(model_deployment("model:2", **spec))
    world.run_until(lambda w: w.status().get("canary", {}).get("state") == "Analysing")
    return world, stable, world.status()["canary"]["revision"]


def truth(world: World) -> tuple[str, str, str]:
    return tuple(world.condition(each).get("status", "") for each in ("Ready", "Reconciling", "Stalled"))  # type: ignore[return-value]


def test_a_first_revision_serves_when_ready_and_only_then_is_ready() -> None:
    world = World()
    world.cluster.pods.faults = {}
    world.apply(model_deployment())
    world.reconcile()
    assert truth(world) == ("False", "True", "False")
    assert world.condition("Available")["status"] == "False"
    world.run(3)
    assert truth(world) == ("True", "False", "False")
    assert world.selected() == world.status()["stable"]["revision"]
    assert world.status()["replicas"] == 3
    assert world.status()["observedGeneration"] == 1


def test_a_first_revision_that_cannot_start_is_never_rejected_and_may_be_replaced() -> None:
    world = World()
    world.apply(model_deployment("model:bad"))
    world.reconcile()
    bad = world.status()["stable"]["revision"]
    world.fail(bad, Fault.IMAGE_PULL)
    world.run(20)
    assert truth(world) == ("False", "True", "False")
    assert world.condition("Ready")["reason"] == contract.REASON_IMAGE_PULL_FAILED
    assert "rejected" not in world.status()
    world.apply(model_deployment("model:good"))
    world.run_until(lambda w: w.condition("Ready")["status"] == "True")
    assert world.status()["stable"]["revision"] != bad
    assert world.pods_of(bad) == []


def test_a_good_canary_is_promoted_with_the_very_pods_that_were_analysed() -> None:
    world, first, second = with_canary(rollout=QUICK)
    analysed = world.pods_of(second)
    assert analysed
    world.run_until(lambda w: w.status()["stable"]["revision"] == second)
    assert set(analysed) <= set(world.pods_of(second))
    assert len(world.pods_of(second)) == 3
    assert world.selected() == second
    assert len(world.pods_of(first)) == 3, "old pods stay while they drain"
    world.run(15)
    assert world.pods_of(first) == []
    assert truth(world) == ("True", "False", "False")
    outcome = world.reports()[0]["status"]["outcome"]
    assert outcome["result"] == "Promoted"


def test_weights_rise_by_the_steps_and_the_actual_share_is_what_pods_give() -> None:
    world, _, second = with_canary(rollout=QUICK)
    seen = []
    while world.status().get("canary"):
        canary = world.status()["canary"]
        if not seen or seen[-1] != (canary["step"], canary["weight"], canary.get("actualWeight")):
            seen.append((canary["step"], canary["weight"], canary.get("actualWeight")))
        world.step()
    assert [each[:2] for each in seen if each[2]] == sorted(each[:2] for each in seen if each[2])
    assert (0, 25, 25) in seen
    assert (1, 50, 40) in seen
    assert "WeightUnreachable" in world.told.reasons()
    assert world.status()["stable"]["revision"] == second


def test_a_bad_canary_is_rolled_back_in_the_reconcile_of_its_verdict() -> None:
    world, first, second = with_canary()
    world.error_share[second] = 0.1
    world.run_until(lambda w: w.status().get("rejected"))
    # No further step was taken: status, Service and scale moved in one reconcile.
    assert "canary" not in world.status()
    assert world.selected() == first
    assert world.cluster.get(DEPLOYMENT, NAMESPACE, f"fraud-{second}")["spec"]["replicas"] == 0
    assert truth(world) == ("False", "False", "True")
    assert world.condition("Available")["status"] == "True"
    stalled = world.condition("Stalled")
    assert stalled["reason"] == contract.REASON_ERRORS_WORSE
    assert "canary requests failed" in stalled["message"]
    assert world.reports()[0]["status"]["outcome"]["result"] == "Rejected"


def test_equal_errors_on_both_sides_roll_nothing_back() -> None:
    world, first, second = with_canary(rollout=QUICK | {"maxWait": "2h"})
    world.error_share = {first: 0.08, second: 0.08}
    world.run(300)
    assert "rejected" not in world.status()


@pytest.mark.parametrize("again", ["same manifest", "restart", "steps edited", "status lost"])
def test_a_rejected_revision_is_not_tried_again_by_itself(again: str) -> None:
    world, first, second = with_canary()
    world.fail(second, Fault.CRASH_LOOP)
    world.run_until(lambda w: w.status().get("rejected"))
    world.run(5)
    world.cluster.writes.clear()
    if again == "same manifest":
        world.apply(model_deployment("model:2"))
    elif again == "restart":
        world.restart()
    elif again == "steps edited":
        world.apply(model_deployment("model:2", rollout={"steps": [{"weight": 10}]}))
    else:
        body = world.body()
        body["status"] = {}
        world.cluster.put(body)
    world.run(30)
    assert not [each for each in world.cluster.changes if each.kind in {"Deployment", "Service", "RolloutReport"}]
    assert truth(world) == ("False", "False", "True")
    assert world.status()["stable"]["revision"] == first
    assert [each["revision"] for each in world.status()["rejected"]] == [second]


def test_retry_starts_the_rejected_revision_once() -> None:
    world, _, second = with_canary()
    world.fail(second, Fault.CRASH_LOOP)
    world.run_until(lambda w: w.status().get("rejected"))
    world.annotate("fraud", "retry", f"{second}/1")
    world.run(3)
    assert "canary" not in world.status(), "the attempt wanted is 2"
    assert "CommandIgnored" in world.told.reasons()
    world.annotate("fraud", "retry", f"{second}/2")
    world.run_until(lambda w: w.status().get("canary"))
    assert world.status()["canary"]["attempt"] == 2
    world.run_until(lambda w: len(w.status().get("rejected", [])) == 2)
    world.run(20)
    assert "canary" not in world.status()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.CRASH_LOOP, contract.REASON_CRASH_LOOP),
        (Fault.IMAGE_PULL, contract.REASON_IMAGE_PULL_FAILED),
        (Fault.OOM_KILLED, contract.REASON_OOM_KILLED),
        (Fault.UNSCHEDULABLE, contract.REASON_UNSCHEDULABLE),
        (Fault.REFUSED, contract.REASON_PODS_REFUSED),
        (Fault.NOT_READY, contract.REASON_PROGRESS_DEADLINE),
    ],
)
def test_facts_about_canary_pods_roll_back(fault: Fault, reason: str) -> None:
    deadline = {"steps": [{"weight": 25}], "progressDeadline": "40s"}
    world, first = serving(rollout=deadline)
    world.apply(model_deployment("model:2", rollout=deadline))
    world.reconcile()
    world.fail(world.status()["canary"]["revision"], fault)
    took = world.run_until(lambda w: w.status().get("rejected"))
    assert took <= 45
    assert world.status()["rejected"][0]["reason"] == reason
    assert world.selected() == first
    assert not world.prometheus.asked, "no traffic ever reached it, so nothing was measured"


def test_a_paused_newcomer_leaves_no_ruling_in_the_report_of_its_predecessor() -> None:
    world, _, second = with_canary()
    world.apply(model_deployment("model:3", rollout={"steps": [{"weight": 25}], "paused": True}))
    world.run(2)
    old = next(each for each in world.reports() if each["spec"]["revision"] == second)
    assert [each["action"] for each in old["status"]["decisions"]][-1] == "Superseded"


def test_a_newer_spec_supersedes_and_starts_at_step_0_once_the_other_pods_are_gone() -> None:
    world, first, second = with_canary()
    world.apply(model_deployment("model:3"))
    world.step()
    third = world.status()["canary"]["revision"]
    assert third not in {first, second}
    assert world.status()["canary"] | {"step": 0, "weight": 0} == world.status()["canary"]
    assert world.selected() == first, "no user may meet a third revision"
    world.run_until(lambda w: w.selected() is None)
    assert world.pods_of(second) == []
    outcomes = {each["spec"]["revision"]: each["status"].get("outcome") for each in world.reports()}
    assert outcomes[second]["result"] == "Superseded"
    assert "rejected" not in world.status()


def test_the_stable_spec_again_ends_the_attempt_at_once_without_a_verdict() -> None:
    world, first, second = with_canary()
    world.apply(model_deployment("model:1"))
    world.step()
    assert "canary" not in world.status()
    assert world.selected() == first
    assert world.pods_of(second) == [] or (world.step() is None and world.pods_of(second) == [])
    assert truth(world) == ("True", "False", "False")
    assert "rejected" not in world.status()
    assert world.reports()[0]["status"]["outcome"]["result"] == "Returned"


def test_without_traffic_nothing_is_decided_until_max_wait_then_it_goes_on_by_itself() -> None:
    world, _, second = with_canary(rollout=QUICK)
    world.rate = 0
    world.run(50)
    assert world.status()["canary"]["step"] == 0
    world.run_until(lambda w: w.condition("Paused")["status"] == "True", limit=60)
    assert world.condition("Paused")["reason"] == contract.REASON_INCONCLUSIVE
    world.run(60)
    assert world.status()["canary"]["step"] == 0
    world.rate = 20
    world.run_until(lambda w: w.status()["stable"]["revision"] == second)


@pytest.mark.parametrize(
    ("choice", "ends"), [("Rollback", "Rejected"), ("Wait", None), ("Pause", None), ("PromoteIfCalm", None)]
)
def test_max_wait_does_what_the_plan_says(choice: str, ends: str | None) -> None:
    world, _, _ = with_canary(rollout=QUICK | {"onInconclusive": choice})
    world.rate = 0
    world.run(150)
    outcome = world.reports()[0]["status"].get("outcome") or {}
    assert outcome.get("result") == ends


def test_a_prometheus_that_is_down_holds_and_says_so() -> None:
    world, _, second = with_canary()
    step = world.status()["canary"]["step"]
    world.prometheus.down = True
    world.run(120)
    assert world.status()["canary"]["step"] == step
    assert world.condition("MetricsAvailable")["status"] == "False"
    assert world.condition("MetricsAvailable")["reason"] == contract.REASON_PROMETHEUS_UNAVAILABLE
    world.prometheus.down = False
    world.run_until(lambda w: w.status()["stable"]["revision"] == second)


def test_nothing_is_written_while_nothing_happens() -> None:
    world, _ = serving()
    world.run(40)
    world.cluster.writes.clear()
    world.run(60)
    assert world.cluster.writes == []
    world.restart()
    world.run(5)
    assert world.cluster.writes == []


def test_an_unanswered_analysis_writes_once_not_each_tick() -> None:
    world, _, _ = with_canary(rollout=QUICK | {"maxWait": "2h"})
    world.rate = 0
    world.run(60)
    world.cluster.writes.clear()
    world.run(120)
    assert len(world.cluster.writes) <= 1


def test_editing_steps_restarts_nothing_and_shows_as_outdated() -> None:
    world, _, second = with_canary()
    pods = world.pods_of(second)
    world.apply(model_deployment("model:2", rollout={"steps": [{"weight": 30}]}))
    world.run(3)
    assert world.pods_of(second) == pods
    assert world.status()["canary"]["attempt"] == 1
    assert world.status()["canary"]["planOutdated"] is True
    assert world.reports()[0]["spec"]["steps"][0]["weight"] == 25


def test_pause_holds_weights_and_resume_goes_on() -> None:
    world, _, second = with_canary(rollout=QUICK)
    world.annotate("fraud", "pause", f"{second}/1")
    world.step()
    before = world.status()["canary"]
    assert world.condition("Paused")["status"] == "True"
    world.run(120)
    assert world.status()["canary"] == before
    world.annotate("fraud", "resume", f"{second}/1")
    world.run_until(lambda w: w.status()["stable"]["revision"] == second)
    assert [(each["type"], each["obeyed"]) for each in world.status()["commands"]] == [
        ("pause", True),
        ("resume", True),
    ]


def test_a_paused_canary_that_does_harm_is_still_rolled_back() -> None:
    world, first, second = with_canary(rollout=QUICK)
    world.annotate("fraud", "pause", f"{second}/1")
    world.step()
    world.error_share[second] = 0.3
    world.run_until(lambda w: w.status().get("rejected"), limit=60)
    assert world.selected() == first


def test_promote_skips_what_is_left_and_abort_ends() -> None:
    world, _, second = with_canary()
    world.rate = 0
    world.annotate("fraud", "promote", f"{second}/1")
    world.run_until(lambda w: w.status()["stable"]["revision"] == second, limit=20)
    world.apply(model_deployment("model:3"))
    world.run_until(lambda w: w.status().get("canary"))
    third = world.status()["canary"]["revision"]
    world.annotate("fraud", "abort", f"{third}/1")
    world.step()
    assert world.selected() == second
    assert world.status()["rejected"][0]["reason"] == contract.REASON_ABORTED


def test_what_a_person_promotes_is_promoted_whatever_the_evidence() -> None:
    world, _, second = with_canary()
    world.error_share[second] = 0.3
    world.annotate("fraud", "promote", f"{second}/1")
    world.run_until(lambda w: w.status()["stable"]["revision"] == second, limit=30)


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


def test_an_approval_waits_for_its_own_step() -> None:
    steps = {"steps": [{"weight": 25}, {"approval": {}}, {"weight": 50}], "maxWait": "1m", "keepOld": "10s"}
    world, _, second = with_canary(rollout=steps)
    world.run_until(lambda w: w.condition("Ready")["reason"] == contract.REASON_WAITING_FOR_APPROVAL)
    world.run(120)
    assert world.status()["canary"]["step"] == 1
    world.annotate("fraud", "approve", f"{second}/1/2")
    world.run(3)
    assert world.status()["canary"]["step"] == 1, "step 2 is no approval"
    world.annotate("fraud", "approve", f"{second}/1/1")
    world.step()
    assert world.status()["canary"]["step"] == 2
    world.run_until(lambda w: w.status()["stable"]["revision"] == second)


def test_a_command_for_another_revision_does_nothing_but_is_told_once() -> None:
    world, _, _ = with_canary()
    world.annotate("fraud", "promote", "bcdfghjklm/1")
    world.run(5)
    assert world.told.reasons().count("CommandIgnored") == 1
    assert world.status()["commands"][0]["obeyed"] is False


def test_a_restart_in_mid_flight_keeps_step_and_times_and_writes_nothing_twice() -> None:
    world, _, _ = with_canary()
    before = world.status()
    world.cluster.writes.clear()
    world.restart()
    world.reconcile()
    assert world.status()["canary"] == before["canary"]
    assert not [each for each in world.cluster.writes if each.kind != "RolloutReport"]


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


def test_scaling_is_followed_up_at_once_and_down_only_after_the_attempt() -> None:
    world, first, _ = with_canary()
    world.apply(model_deployment("model:2", replicas=5))
    world.run(2)
    assert len(world.pods_of(first)) == 5
    world.apply(model_deployment("model:2", replicas=2))
    world.run(2)
    assert len(world.pods_of(first)) == 5


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


def test_every_message_of_a_requeue_is_positive() -> None:
    world, _, _ = with_canary()
    wait = world.reconcile()
    assert wait is not None
    assert timedelta(0) < wait <= timedelta(seconds=5)
