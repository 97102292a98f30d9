"""Before an attempt servers are recognised, and what could never be measured stalls; afterwards nothing does."""

from typing import Any

import pytest

from serinus import contract
from serinus.cluster.kinds import DEPLOYMENT
from support.situations import QUICK
from support.world import NAMESPACE, World, model_deployment

KSERVE, DATA = "request_preprocess_seconds_count", "serinus_predictions_total"
SLOW = {"name": "slow", "kind": "Latency", "bound": "3s"}
DRIFT = {"name": "drift", "kind": "PredictionDrift", "action": "Hold"}


def spec(image: str = "model:1", *signals: dict[str, Any], **fields: Any) -> dict[str, Any]:
    analysis = {"interval": "5s", **({"signals": list(signals)} if signals else {})}
    return model_deployment(image, analysis=analysis, **{"rollout": QUICK, **fields})


def serving(**fields: Any) -> tuple[World, str]:
    """Return a world whose first revision has served users for a while."""
    world = World()
    world.apply(spec(**fields))
    world.run_until(lambda w: w.condition("Ready").get("status") == "True")
    world.run(4)
    return world, world.status()["stable"]["revision"]


def stalled(world: World, reason: str, *words: str) -> None:
    """Check that nothing began, and that a person can read why."""
    world.run(3)
    found = world.condition("Stalled")
    assert (found["status"], found["reason"]) == ("True", reason)
    assert [word for word in words if word not in found["message"]] == []
    assert reason in world.told.reasons()
    assert "canary" not in world.status()


def begun(world: World) -> str:
    world.run_until(lambda w: "canary" in w.status(), limit=20)
    return str(world.status()["canary"]["revision"])


def test_a_server_is_recognised_before_its_first_rollout_and_that_is_told_once() -> None:
    world, first = serving()
    world.prometheus.exports = {first: (KSERVE, DATA)}
    world.apply(spec("model:2"))
    second = begun(world)
    published = world.status()["metrics"]
    assert published["stable"] == {
        "revision": first,
        "runtime": "kserve",
        "data": "instrument",
        "recognised": True,
        "because": f"its metric {KSERVE} is exported",
    }
    assert published["canary"]["runtime"] == "kserve"
    assert "recognised" not in published["canary"]
    world.prometheus.exports[second] = (KSERVE, DATA)
    world.run_until(lambda w: w.status()["metrics"]["canary"].get("recognised"))
    world.run(10)
    told = [each.message for each in world.told.notes if each.reason == contract.REASON_SERVER_RECOGNISED]
    assert [message.split(":")[0] for message in told] == [
        f"stable {first} is read as kserve, and its data as instrument",
        f"canary {second} is read as kserve, and its data as instrument",
    ]


def test_what_was_recognised_moves_with_the_promotion() -> None:
    world, first = serving()
    world.prometheus.exports = {first: ("http_requests_total",)}
    world.apply(spec("model:2"))
    second = begun(world)
    world.prometheus.exports[second] = ("http_requests_total",)
    world.run_until(lambda w: w.status()["stable"]["revision"] == second, limit=900)
    assert world.status()["metrics"]["stable"]["revision"] == second
    assert "canary" not in world.status()["metrics"]


def test_a_first_revision_with_an_impossible_signal_is_refused_from_the_preset_alone() -> None:
    world = World()
    world.prometheus.down = True
    world.apply(spec("model:1", SLOW | {"bound": "15s"}, runtime="kserve"))
    stalled(world, contract.REASON_SIGNAL_IMPOSSIBLE, "signal slow", "15 s", "10 s")
    assert world.pods_of(world.status().get("stable", {}).get("revision", "none")) == []


def test_a_bound_that_one_generation_of_a_family_can_tell_is_let_through_until_it_is_known_which_runs() -> None:
    world = World()
    world.apply(spec("model:1", SLOW | {"bound": "15s"}, runtime="knative"))
    world.run_until(lambda w: w.condition("Ready").get("status") == "True")
    first = world.status()["stable"]["revision"]
    world.prometheus.exports = {first: ("kn_serving_invocation_duration_seconds_count",)}
    world.apply(spec("model:2", SLOW | {"bound": "15s"}, runtime="knative"))
    stalled(world, contract.REASON_SIGNAL_IMPOSSIBLE, "kn_serving_invocation_duration_seconds_bucket, 10 s")
    world.prometheus.exports = {first: ("revision_app_request_count",)}
    begun(world)


def test_a_bound_above_stables_last_bucket_begins_no_attempt_until_it_is_mended() -> None:
    world, first = serving()
    world.prometheus.edges = {first: ("0.1", "0.5", "1.0", "+Inf")}
    world.apply(spec("model:2", SLOW))
    stalled(world, contract.REASON_SIGNAL_IMPOSSIBLE, "the bound 3 s is above", "1 s")
    assert world.selected() == first
    assert world.reports() == []
    assert len(world.pods_of(first)) == 3
    world.apply(spec("model:2", SLOW | {"bound": "1s"}))
    assert begun(world) != first


def test_stable_follows_its_scale_while_an_attempt_may_not_begin_and_what_was_recognised_is_told() -> None:
    world, first = serving()
    world.prometheus.exports = {first: (KSERVE,)}
    world.prometheus.edges = {first: ("0.1", "1.0", "+Inf")}
    world.apply(spec("model:2", SLOW))
    stalled(world, contract.REASON_SIGNAL_IMPOSSIBLE, "the bound 3 s is above")
    world.apply(spec("model:2", SLOW, replicas=5))
    world.run(10)
    assert len(world.pods_of(first)) == 5
    assert world.status()["replicas"] == 5
    assert world.status()["phase"] == contract.PHASE_STALLED
    assert (world.condition("Ready")["status"], world.condition("Available")["status"]) == ("False", "True")
    assert world.status()["metrics"]["stable"]["runtime"] == "kserve"
    assert world.told.reasons().count(contract.REASON_SIGNAL_IMPOSSIBLE) == 1
    world.apply(spec("model:1", SLOW, replicas=5))
    world.run_until(lambda w: w.condition("Ready")["status"] == "True", limit=20)


def test_an_observed_signal_that_cannot_be_measured_holds_nothing_up() -> None:
    world, first = serving()
    world.prometheus.edges = {first: ("0.1", "+Inf")}
    world.apply(spec("model:2", {"name": "errors", "kind": "Errors"}, SLOW | {"action": "Observe"}))
    begun(world)


def test_an_attempt_under_way_is_left_alone_whatever_turns_impossible() -> None:
    world, first = serving()
    world.apply(spec("model:2", SLOW))
    second = begun(world)
    world.prometheus.edges = {first: ("0.1", "1.0", "+Inf")}
    world.prometheus.exports = {first: ("model_infer_request_duration_count",)}
    world.apply(spec("model:2", SLOW | {"bound": "20s"}))
    world.run(20)
    assert world.status()["canary"]["revision"] == second
    assert world.condition("Stalled")["status"] == "False"


def test_a_newer_spec_with_an_impossible_signal_withdraws_the_canary_and_stable_serves() -> None:
    world, first = serving()
    world.apply(spec("model:2", SLOW))
    begun(world)
    world.prometheus.edges = {first: ("0.1", "1.0", "+Inf")}
    world.apply(spec("model:3", SLOW))
    stalled(world, contract.REASON_SIGNAL_IMPOSSIBLE, "the bound 3 s is above")
    assert world.selected() == first
    assert "canary" not in world.status().get("metrics", {})


def test_a_canary_whose_status_was_lost_leaves_users_when_it_may_not_begin_anew() -> None:
    world, first = serving()
    world.apply(spec("model:2", SLOW))
    second = begun(world)
    world.run_until(lambda w: w.status()["canary"]["weight"] > 0, limit=60)
    world.prometheus.edges = {first: ("0.1", "1.0", "+Inf")}
    body = world.body()
    body["status"] = {}
    world.cluster.put(body)
    world.run(5)
    assert world.condition("Stalled")["reason"] == contract.REASON_SIGNAL_IMPOSSIBLE
    assert world.selected() == first
    assert world.pods_of(second) == []


def test_a_retry_of_an_impossible_signal_waits_for_the_mending_and_then_begins() -> None:
    world, first = serving()
    world.apply(spec("model:2", SLOW))
    second = begun(world)
    world.annotate("fraud", "abort", f"{second}/1")
    world.run_until(lambda w: "canary" not in w.status())
    world.prometheus.edges = {first: ("0.1", "1.0", "+Inf")}
    world.annotate("fraud", "retry", f"{second}/2")
    stalled(world, contract.REASON_SIGNAL_IMPOSSIBLE, "the bound 3 s is above")
    world.prometheus.edges = {}
    assert begun(world) == second
    assert world.status()["canary"]["attempt"] == 2


def test_a_rejected_revision_is_no_start_and_keeps_its_own_reason() -> None:
    world, first = serving()
    world.apply(spec("model:2", SLOW))
    world.annotate("fraud", "abort", f"{begun(world)}/1")
    world.run_until(lambda w: "canary" not in w.status())
    world.prometheus.edges = {first: ("0.1", "1.0", "+Inf")}
    world.run(5)
    assert world.condition("Stalled")["reason"] == contract.REASON_ABORTED


def test_another_server_than_declared_stalls_and_naming_the_right_one_begins() -> None:
    world, first = serving(runtime="mlserver")
    world.prometheus.exports = {first: (KSERVE,)}
    world.apply(spec("model:2", runtime="mlserver"))
    stalled(world, contract.REASON_RUNTIME_MISMATCH, "set spec.runtime to kserve", f"revision {first} serves on")
    world.apply(spec("model:2", runtime="kserve"))
    begun(world)
    assert world.status()["metrics"]["stable"]["runtime"] == "kserve"


def test_a_runtime_of_long_ago_that_is_not_known_any_more_is_read_as_any_server() -> None:
    world, first = serving()
    deployment = world.cluster.get(DEPLOYMENT, NAMESPACE, f"fraud-{first}")
    assert deployment is not None
    deployment["spec"]["template"]["metadata"]["annotations"][contract.ANNOTATION_RUNTIME] = "tgi-0.1"
    world.cluster.put(deployment)
    world.apply(spec("model:2"))
    begun(world)
    world.run(10)
    assert world.status()["metrics"]["stable"]["runtime"] == "generic"
    assert world.condition("Stalled")["status"] == "False"


def test_without_traffic_another_servers_metrics_prove_nothing() -> None:
    world = World(rate=0.0)
    world.apply(spec(runtime="mlserver"))
    world.run_until(lambda w: w.condition("Ready").get("status") == "True")
    world.prometheus.exports = {world.status()["stable"]["revision"]: (KSERVE,)}
    world.apply(spec("model:2", runtime="mlserver"))
    begun(world)


@pytest.mark.parametrize(("rate", "exported", "begins"), [(20.0, (), False), (20.0, (DATA,), False), (0.0, (), True)])
def test_drift_without_instrumentation_is_refused_once_there_was_traffic(
    rate: float, exported: tuple[str, ...], begins: bool
) -> None:
    world = World(rate=rate)
    world.apply(spec())
    world.run_until(lambda w: w.condition("Ready").get("status") == "True")
    world.run(4)
    world.prometheus.exports = {world.status()["stable"]["revision"]: (KSERVE, *exported)}
    # Nobody exports a distribution: with the instrumentation there, what it lacks is said.
    world.apply(spec("model:2", DRIFT | {"kind": "FeatureDrift", "feature": "age"}))
    if begins:
        begun(world)
    else:
        stalled(world, contract.REASON_SIGNAL_IMPOSSIBLE, "the feature 'age'" if exported else "serinus-instrument")


def test_a_question_of_ours_that_is_refused_ends_no_reconcile() -> None:
    world, first = serving()
    world.prometheus.refuses_names = True
    world.apply(spec("model:2"))
    second = begun(world)
    world.run(20)
    assert world.status()["metrics"]["stable"]["runtime"] == "generic"
    world.annotate("fraud", "abort", f"{second}/1")
    world.run_until(lambda w: "canary" not in w.status(), limit=10)
    assert world.selected() == first


def test_without_prometheus_an_attempt_begins_and_waits_for_its_proof() -> None:
    world, first = serving()
    world.prometheus.down = True
    world.apply(spec("model:2", SLOW, DRIFT))
    begun(world)
    assert world.status()["metrics"]["stable"]["runtime"] == "generic"
    assert "recognised" not in world.status()["metrics"]["stable"]
    world.run(30)
    assert world.condition("Stalled")["status"] == "False"
    assert world.status()["stable"]["revision"] == first


def test_a_stable_whose_requests_do_not_say_which_failed_begins_no_attempt() -> None:
    world, first = serving()
    world.prometheus.renamed = {first}
    world.apply(spec("model:2"))
    stalled(world, contract.REASON_SIGNAL_IMPOSSIBLE, "the pods of stable count in http_requests_total without a label")
    world.prometheus.renamed = set()
    begun(world)


def test_a_canary_whose_requests_do_not_say_which_failed_is_held_with_the_reason() -> None:
    world, _ = serving()
    world.apply(spec("model:2"))
    world.prometheus.renamed = {begun(world)}
    world.run_until(lambda w: w.condition("MetricsAvailable").get("status") == "False", limit=60)
    found = world.condition("MetricsAvailable")
    assert found["reason"] == contract.REASON_SIGNAL_IMPOSSIBLE
    assert "the pods of canary count in http_requests_total" in found["message"]
    world.run(30)
    assert world.status()["canary"]["step"] == 0
