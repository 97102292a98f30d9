"""Worlds in, worlds out: the life of a rollout against an imitated cluster, traffic and Prometheus."""

from datetime import timedelta

import pytest

from serinus import contract
from serinus.cluster.kinds import DEPLOYMENT
from support.fake_pods import Fault
from support.situations import QUICK, serving, truth, with_canary
from support.world import NAMESPACE, World, model_deployment


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
    world.run(150)
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
    asked = world.prometheus.asked
    world.fail(world.status()["canary"]["revision"], fault)
    took = world.run_until(lambda w: w.status().get("rejected"))
    assert took <= 45
    assert world.status()["rejected"][0]["reason"] == reason
    assert world.selected() == first
    assert world.prometheus.asked == asked, "no traffic ever reached it, so nothing was measured"


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


def test_scaling_is_followed_up_at_once_and_down_only_after_the_attempt() -> None:
    world, first, _ = with_canary()
    world.apply(model_deployment("model:2", replicas=5))
    world.run(2)
    assert len(world.pods_of(first)) == 5
    world.apply(model_deployment("model:2", replicas=2))
    world.run(2)
    assert len(world.pods_of(first)) == 5


def test_the_next_look_is_soon_and_never_now() -> None:
    world, _, _ = with_canary()
    wait = world.reconcile()
    assert wait is not None
    assert timedelta(0) < wait <= timedelta(seconds=5)
