"""What needs no baseline, what only holds, and what is only told."""

from typing import Any

from e2e.manifests import ANALYSIS, model_spec, pod_template, weights
from e2e.model import Models, canary_of, condition, is_ready_at, rejections_of

FAULTY = {"ERROR_SHARE": "0.12"}
QUEUE = {"name": "queue", "kind": "Comparison", "query": "avg(model_queue_length{$selector})"}


def analysed_by(*signals: dict[str, Any], interval: str = "5s") -> dict[str, Any]:
    return {"interval": interval, "signals": list(signals)}


def test_bound_of_its_own_is_missed_though_stable_is_no_better(models: Models) -> None:
    model = models("slo")
    analysis = analysed_by({"name": "errors", "kind": "Errors", "margin": "5%", "unacceptable": "30%", "slo": "3%"})
    # The approval keeps the rollout from ending first: compared with stable the canary is good enough.
    spec = {"replicas": 1, "steps": [*weights(50), {"approval": {}}], "analysis": analysis}
    model.apply(model_spec(**spec, template=pod_template(env=FAULTY)))
    first = model.wait_ready()
    with model.load(new_per_second=30) as load:
        model.apply(model_spec(**spec, template=pod_template(env={**FAULTY, "VERSION": "2"})))
        second = model.wait_canary(after=first)["revision"]
        rejection = model.wait_rejected()
    assert (rejection["revision"], rejection["reason"]) == (second, "SLOMissed")
    assert "3.0 %" in rejection["message"]
    assert condition(model.seen(), "Stalled")["reason"] == "SLOMissed"
    evidence = model.evidence(second)
    assert evidence["stableBad"] > 0
    assert abs(evidence["effect"]) < 0.1, "both fail alike"
    assert load.counts().revisions[first].bad > 0


def test_compared_number_holds_until_a_person_decides(models: Models) -> None:
    model = models("queue")
    errors = {"name": "errors", "kind": "Errors", "margin": "10%", "unacceptable": "30%"}
    analysis = analysed_by(errors, QUEUE, interval="1s")
    spec = {"replicas": 1, "steps": weights(50, at_least="3m"), "analysis": analysis}
    model.apply(model_spec(**spec))
    first = model.wait_ready()
    with model.load(new_per_second=20):
        model.apply(model_spec(**spec, template=pod_template(env={"QUEUE_LENGTH": "20"})))
        second = model.wait_canary(after=first)["revision"]
        held = model.wait_assessed(
            second,
            lambda found: (
                {"queue": "FAIL", "errors": "PASS"}.items()
                <= {each["name"]: each["verdict"] for each in found["signals"]}.items()
            ),
            what="the queue is worse and errors are not",
            within=120,
        )
        seen = model.seen()
        assert not rejections_of(seen)
        assert canary_of(seen)["step"] == 0
        assert (held["verdict"], held["rollback"], held["promote"]) == ("INCONCLUSIVE", False, False)
        assert "queue" in held["because"]
        queue = model.evidence(second, "queue")
        assert queue["reason"] == "ComparisonWorse"
        assert queue["effect"] > 0.5, "twice as long"
        model.order("promote", f"{second}/1")
        model.wait_promoted(second)
    assert is_ready_at(model.seen(), second)


def test_share_of_kept_connections_is_told_and_changes_nothing(models: Models) -> None:
    model = models("kept")
    model.apply(model_spec(replicas=1, analysis=ANALYSIS))
    first = model.wait_ready()
    # Connections that were open before the canary came stay where they are.
    with model.load(new_per_second=10, kept_per_second=40) as load:
        load.wait_for(lambda counts: counts.kept.good > 10, 30)
        model.apply(model_spec(replicas=1, analysis=ANALYSIS, template=pod_template(env={"VERSION": "2"})))
        second = model.wait_canary(after=first)["revision"]
        event = model.wait_event("TrafficShareOff", within=60)
        traffic = model.assessment(second)["traffic"]
        model.wait_promoted(second)
    assert "50" in event["message"]
    assert traffic["expected"] == 0.5
    assert traffic["observed"] < 0.4
