"""Scenario 12: people's orders are obeyed at once, recorded, and never act on another attempt."""

from datetime import UTC, datetime, timedelta
from typing import Any

from e2e.api_server import Object
from e2e.manifests import CALM, model_spec, pod_template, weights
from e2e.model import Beacon, Model, Models, canary_of, condition, is_ready_at, is_true, rejections_of, stable_of
from e2e.place import Place
from e2e.waiting import eventually

AT_ONCE = 5
"""Seconds: an order is a watch event, so no tick and no timer has to come first."""


def second_template() -> dict[str, Any]:
    """Return the template of another revision that is as good."""
    return pod_template(env={"VERSION": "2"})


def begin(model: Model, **spec: object) -> tuple[str, str]:
    """Return stable's and the canary's revision once a canary is analysed at step 0."""
    model.apply(model_spec(replicas=1, **spec))  # type: ignore[arg-type]
    first = model.wait_ready()
    model.apply(model_spec(replicas=1, template=second_template(), **spec))  # type: ignore[arg-type]
    return first, model.wait_canary(after=first)["revision"]


def recorded(obj: Object, command: str, value: str) -> Object:
    """Return what status remembers about an order, empty if nothing."""
    found = [each for each in obj["status"].get("commands", []) if (each["type"], each["value"]) == (command, value)]
    return found[0] if found else {}


def test_promote_is_obeyed_without_evidence(models: Models) -> None:
    model = models("ordered-promote")
    _, second = begin(model)
    model.order("promote", f"{second}/1")
    seen = model.wait("promoted by a person's word", lambda obj: is_ready_at(obj, second), within=30)
    assert recorded(seen, "promote", f"{second}/1")["manager"] == "e2e-user"
    model.wait_event("CommandObeyed", containing=f"promote {second}/1")


def test_abort_is_obeyed_once_and_only_for_its_attempt(models: Models, beacon: Beacon) -> None:
    model = models("ordered-abort")
    first, second = begin(model)
    model.order("abort", f"{second}/1")
    seen = model.wait("aborted", rejections_of, within=AT_ONCE)
    assert (rejections_of(seen)[0]["reason"], stable_of(seen)["revision"]) == ("Aborted", first)
    assert condition(seen, "Stalled")["reason"] == "Aborted"
    assert model.served_revision() == first

    model.order("retry", f"{second}/2")
    model.wait("a second attempt", lambda obj: canary_of(obj).get("attempt") == 2, within=AT_ONCE)
    beacon.settle()
    assert canary_of(model.seen()).get("attempt") == 2, "the old order acted on the new attempt"


def test_pause_holds_until_resume_whatever_becomes_of_the_annotation(models: Models, beacon: Beacon) -> None:
    model = models("ordered-pause")
    first, second = begin(model, analysis=CALM, steps=weights(50, at_least="15s"))
    model.order("pause", f"{second}/1")
    seen = model.wait("paused", lambda obj: is_true(obj, "Paused"), within=AT_ONCE)
    assert recorded(seen, "pause", f"{second}/1")
    model.api.patch(
        "ModelDeployment", model.namespace, model.name, {"metadata": {"annotations": {"serinus.dev/pause": None}}}
    )
    due = datetime.fromisoformat(canary_of(seen)["readySince"]) + timedelta(seconds=21)
    eventually("the step would be over", lambda: datetime.now(UTC) > due, within=60)
    beacon.settle()
    paused = model.seen()
    assert is_true(paused, "Paused"), "pruning the annotation resumed the rollout"
    assert (canary_of(paused)["step"], stable_of(paused)["revision"]) == (0, first)

    model.order("resume", f"{second}/1")
    model.wait_promoted(second, within=40)
    assert not is_true(model.seen(), "Paused")


def test_paused_in_the_spec_keeps_users_away_and_is_ended_there_only(models: Models, beacon: Beacon) -> None:
    model = models("spec-paused")
    model.apply(model_spec(replicas=1, analysis=CALM))
    first = model.wait_ready()
    model.apply(model_spec(replicas=1, analysis=CALM, template=second_template(), rollout={"paused": True}))
    seen = model.wait("paused", lambda obj: is_true(obj, "Paused"), within=20)
    second = canary_of(seen)["revision"]
    model.wait("the canary's pod is ready", lambda _: ready_pods(model, second), within=30)
    model.order("resume", f"{second}/1")
    model.wait("the order is seen", lambda obj: recorded(obj, "resume", f"{second}/1"), within=AT_ONCE)
    beacon.settle()
    assert is_true(model.seen(), "Paused"), "an annotation overruled what stands in Git"
    assert model.served_revision() == first
    model.apply(model_spec(replicas=1, analysis=CALM, template=second_template()))
    model.wait_promoted(second, within=60)


def ready_pods(model: Model, revision: str) -> list[Object]:
    """Return the pods of a revision whose containers are all ready."""
    return [
        pod
        for pod in model.pods(revision)
        if all(each["ready"] for each in pod["status"].get("containerStatuses", [{"ready": False}]))
    ]


def test_approval_waits_for_its_own_step(models: Models) -> None:
    model = models("ordered-approve")
    steps = [{"weight": 50}, {"approval": {}, "name": "look"}]
    first, second = begin(model, analysis=CALM, steps=steps)
    waiting = model.wait(
        "waits for approval", lambda obj: canary_of(obj).get("step") == 1, within=60, never=rejections_of
    )
    model.wait(
        "says so", lambda obj: condition(obj, "Reconciling").get("reason") == "WaitingForApproval", within=AT_ONCE
    )
    assert canary_of(waiting)["weight"] == 50
    assert stable_of(waiting)["revision"] == first
    model.order("approve", f"{second}/1/0")
    model.wait_event("CommandIgnored", containing=f"approve {second}/1/0")
    assert canary_of(model.seen())["step"] == 1
    model.order("approve", f"{second}/1/1")
    seen = model.wait("promoted after approval", lambda obj: is_ready_at(obj, second), within=30)
    assert recorded(seen, "approve", f"{second}/1/1")


def test_orders_for_another_revision_are_ignored_with_an_event(models: Models, beacon: Beacon) -> None:
    model = models("ordered-other")
    first, _ = begin(model)
    before = canary_of(model.seen())
    orders = dict.fromkeys(("promote", "abort", "pause", "retry"), "zzzzzzzzzz/1")
    orders["approve"] = "zzzzzzzzzz/1/0"
    for command, value in orders.items():
        model.order(command, value)
    for command, value in orders.items():
        event = model.wait_event("CommandIgnored", containing=f"{command} {value}")
        assert event["type"] == "Warning"
    beacon.settle()
    seen = model.seen()
    assert canary_of(seen) == before
    assert (stable_of(seen)["revision"], rejections_of(seen)) == (first, [])
    for command, value in orders.items():
        assert recorded(seen, command, value), "an ignored order is latched too, so that it never acts later"


def test_kubectl_annotate_is_all_it_takes(models: Models, place: Place, namespace: str) -> None:
    model = models("ordered-kubectl")
    _, second = begin(model)
    place.kubectl.run("annotate", "-n", namespace, f"md/{model.name}", f"serinus.dev/promote={second}/1")
    place.kubectl.run("wait", "-n", namespace, "--for=condition=Ready", f"md/{model.name}", "--timeout=30s")
    assert stable_of(model.seen())["revision"] == second
