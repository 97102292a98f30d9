"""Scenarios 3 and 5: a worse revision loses its traffic with the verdict; a broken one never gets any."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from e2e.api_server import ApiServer, Object
from e2e.manifests import ABSENT_IMAGE, model_spec, pod_template, weights
from e2e.model import Model, Models, canary_of, condition, is_true, parse_time, stable_of
from e2e.operator_process import OperatorProcess

WRITE_DELAY = timedelta(seconds=3)
"""Between the decision and the effect of its write: two times rounded to seconds, and a busy machine. A tick is 5 s."""
LOOK = timedelta(seconds=8)
"""Pods that start are looked at every 5 s."""
EXPOSURE = timedelta(seconds=90)
FIRST_FAILURE_TO_ROLLBACK = timedelta(seconds=60)


def test_worse_revision_loses_its_traffic_with_the_verdict(models: Models) -> None:
    model = models("worse")
    steps = weights(25, 50)
    model.apply(model_spec(replicas=3, steps=steps))
    first = model.wait_ready()
    untouched = _identity(model, first)
    with model.load(new_per_second=20) as load:
        model.apply(model_spec(replicas=3, steps=steps, template=pod_template(env={"ERROR_SHARE": "0.1"})))
        third = model.wait_canary(after=first)["revision"]
        rejection = model.wait_rejected()
        switched_at = _last_write_of_selector(model.service())
        model.wait_gone(third)
        answers = load.counts().answers_of(first)
        load.wait_for(lambda counts: counts.answers_of(first) > answers + 40, 60)

    seen = model.seen()
    assert (rejection["revision"], rejection["reason"]) == (third, "ErrorsWorse")
    _assert_counts_in_sentence(model, rejection["message"], third)
    stalled = condition(seen, "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "ErrorsWorse")
    assert rejection["message"] in stalled["message"]
    assert (is_true(seen, "Ready"), is_true(seen, "Available")) == (False, True)

    assert not canary_of(seen)
    assert (stable_of(seen)["revision"], stable_of(seen)["weight"]) == (first, 100)
    assert model.served_revision() == first
    assert model.deployment(third)["spec"]["replicas"] == 0
    assert _identity(model, first) == untouched

    counts, decided_at = load.counts(), parse_time(rejection["at"])
    met = counts.revisions[third]
    assert met.bad > 0
    assert abs(switched_at - decided_at) <= WRITE_DELAY, "weight 0 did not come with the verdict"
    assert met.last is not None
    assert met.first is not None
    assert met.last - decided_at <= WRITE_DELAY
    assert met.last - met.first <= EXPOSURE
    assert counts.new.failed == 0, counts.to_wire()


def _identity(model: Model, revision: str) -> dict[str, Any]:
    deployment = model.deployment(revision)
    pods = {
        pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in model.pods(revision)
    }
    return {
        "generation": deployment["metadata"]["generation"],
        "replicas": deployment["spec"]["replicas"],
        "pods": pods,
    }


def _last_write_of_selector(service: Object) -> Any:
    times = [each["time"] for each in service["metadata"]["managedFields"] if each["manager"] == "serinus"]
    return max(parse_time(time) for time in times)


def _assert_counts_in_sentence(model: Model, sentence: str, revision: str) -> None:
    evidence = model.evidence(revision)
    numbers = {int(text.replace(",", "")) for text in re.findall(r"\d[\d,]*", sentence)}
    for key in ("canaryBad", "canaryTotal", "stableBad", "stableTotal"):
        assert evidence[key] in numbers, f"{key} {evidence[key]} is not in: {sentence}"
    assert evidence["canaryBad"] > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A ModelDeployment with a broken canary, and what served before."""

    model: Model
    stable: str
    untouched: dict[str, Any]


# What is wrong with the container, the reason to give, and patterns of the sentence.
BROKEN: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "image-absent": (
        {"image": ABSENT_IMAGE},
        "ImagePullFailed",
        [re.escape(ABSENT_IMAGE), "no such host|not found|denied|refused|i/o timeout"],
    ),
    "crash-loop": (
        {"env": {"CRASH_AFTER": "0", "EXIT_CODE": "3", "LAST_WORDS": "weights.bin is damaged"}},
        "CrashLoop",
        [r"container model\b", r"exit code 3\b", "weights.bin is damaged"],
    ),
    "out-of-memory": (
        {"env": {"MEMORY_HOG": "1"}, "resources": {"limits": {"memory": "64Mi"}}},
        "OOMKilled",
        [r"container model\b", "memory"],
    ),
    "unschedulable": (
        {"resources": {"requests": {"cpu": "1000"}}},
        "Unschedulable",
        ["Insufficient cpu"],
    ),
}


@pytest.fixture(scope="module")
def broken(api: ApiServer, namespace: str, started_operator: OperatorProcess) -> Iterator[dict[str, Broken]]:
    """Return ModelDeployments that serve, each with a canary of another fault: they fail side by side."""
    models = {fault: Model(api, namespace, f"broken-{fault}") for fault in BROKEN}
    for model in models.values():
        model.apply(model_spec(replicas=1))
    served = {}
    for fault, model in models.items():
        stable = model.wait_ready()
        served[fault] = Broken(model=model, stable=stable, untouched=_identity(model, stable))
    for fault, model in models.items():
        model.apply(model_spec(replicas=1, template=pod_template(**BROKEN[fault][0])))
    yield served
    for model in models.values():
        model.delete()


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_revision_is_rolled_back_by_its_fact(broken: dict[str, Broken], models: Models, fault: str) -> None:
    model, (_, reason, words) = models.take(broken[fault].model), BROKEN[fault]
    rejection = model.wait_rejected(within=90)

    assert rejection["reason"] == reason, rejection
    for word in words:
        assert re.search(word, rejection["message"]), f"no {word!r} in: {rejection['message']}"
    seen = model.seen()
    assert condition(seen, "Stalled")["reason"] == reason
    assert rejection["message"] in condition(seen, "Stalled")["message"]
    assert is_true(seen, "Available")
    assert model.served_revision() == broken[fault].stable
    assert _identity(model, broken[fault].stable) == broken[fault].untouched
    since = _first_failure(model, rejection["revision"])
    assert parse_time(rejection["at"]) - since <= FIRST_FAILURE_TO_ROLLBACK
    model.wait_gone(rejection["revision"])


def _first_failure(model: Model, revision: str) -> Any:
    """Return when a Kubernetes Event first told of trouble with a revision's pods."""
    prefix = f"{model.name}-{revision}-"
    events = [each for each in model.api.list("Event", model.namespace) if each["type"] == "Warning"]
    about = [each for each in events if each["involvedObject"].get("name", "").startswith(prefix)]
    assert about, f"no Warning about the pods of {revision}"
    return min(parse_time(each.get("firstTimestamp") or each["eventTime"]) for each in about)


def test_canary_that_never_gets_ready_meets_the_deadline(models: Models) -> None:
    model = models("never-ready")
    model.apply(model_spec())
    first = model.wait_ready()
    rollout = {"progressDeadline": "15s"}
    model.apply(model_spec(template=pod_template(env={"READY": "never"}), rollout=rollout))
    waiting = model.wait_waiting()
    rejection = model.wait_rejected(within=60)

    assert rejection["reason"] == "ProgressDeadlineExceeded"
    took = parse_time(rejection["at"]) - parse_time(waiting["stepSince"])
    assert timedelta(seconds=15) <= took <= timedelta(seconds=15) + LOOK
    assert model.served_revision() == first
