"""Scenario 9: an operator that is killed goes on where it was: same step, same deadline, nothing written twice."""

from datetime import timedelta

from e2e.manifests import model_spec, pod_template, weights
from e2e.model import Beacon, Models, canary_of, is_ready_at, parse_time, rejections_of, stable_of
from e2e.operator_process import OperatorProcess

DEADLINE = timedelta(seconds=25)


def test_killed_at_a_step_and_started_again(models: Models, operator: OperatorProcess, beacon: Beacon) -> None:
    model = models("killed")
    model.apply(model_spec())
    first = model.wait_ready()
    model.apply(model_spec(template=pod_template(env={"VERSION": "2"})))
    canary = model.wait_canary(after=first)
    second = canary["revision"]
    model.wait_assessed(second, lambda _: True, what="a first tick", within=30)
    beacon.settle()
    operator.kill()
    seen, versions, uids = model.seen(), model.versions(), model.pod_uids(first) | model.pod_uids(second)
    with model.recording() as recording:
        operator.start()
        beacon.settle()
        assert canary_of(model.seen()) == canary_of(seen)
        assert model.versions() == versions, "a child was written again"
        assert not recording.objects, "the status was written again"
    assert model.pod_uids(first) | model.pod_uids(second) == uids
    assert stable_of(model.seen())["revision"] == first

    with model.load(new_per_second=25):
        model.wait_promoted(second)


def test_deadline_does_not_begin_again(models: Models, operator: OperatorProcess) -> None:
    model = models("killed-deadline")
    rollout = {"progressDeadline": f"{DEADLINE.seconds}s"}
    model.apply(model_spec(rollout=rollout))
    first = model.wait_ready()
    model.apply(model_spec(rollout=rollout, template=pod_template(env={"READY": "never"})))
    waiting = model.wait_waiting()
    model.wait("its pod runs", lambda _: model.pods(waiting["revision"]), within=20)
    operator.kill()
    operator.start()
    rejection = model.wait_rejected(within=70)
    assert rejection["reason"] == "ProgressDeadlineExceeded"
    took = parse_time(rejection["at"]) - parse_time(waiting["stepSince"])
    assert DEADLINE <= took <= DEADLINE + timedelta(seconds=8)
    assert stable_of(model.seen())["revision"] == first


def test_what_happened_while_it_was_away_is_found(models: Models, operator: OperatorProcess) -> None:
    model = models("killed-away")
    model.apply(model_spec(replicas=1))
    first = model.wait_ready()
    model.apply(model_spec(replicas=1, template=pod_template(env={"VERSION": "2"})))
    second = model.wait_canary(after=first)["revision"]
    operator.kill()
    model.apply(model_spec(replicas=2, steps=weights(10)))
    operator.start()
    seen = model.wait(
        "back at the first revision, with two pods",
        lambda obj: is_ready_at(obj, first) and stable_of(obj).get("readyReplicas") == 2,
        within=60,
    )
    assert not rejections_of(seen)
    model.wait_gone(second)


def test_lost_status_is_read_back(models: Models, operator: OperatorProcess, beacon: Beacon) -> None:
    model = models("lost-status")
    model.apply(model_spec(replicas=1))
    first = model.wait_ready()
    model.apply(model_spec(replicas=1, template=pod_template(env={"CRASH_AFTER": "0", "EXIT_CODE": "3"})))
    rejection = model.wait_rejected(within=90)
    model.wait_gone(rejection["revision"])
    uids = model.pod_uids(first)
    operator.stop()
    model.api.patch("ModelDeployment", model.namespace, model.name, {"status": None}, subresource="status")
    operator.start()
    beacon.settle()
    seen = model.wait("has a status again", stable_of, within=20)
    assert stable_of(seen)["revision"] == first
    assert [each["revision"] for each in rejections_of(seen)] == [rejection["revision"]]
    assert not canary_of(seen)
    assert model.pod_uids(first) == uids
    assert model.served_revision() == first
