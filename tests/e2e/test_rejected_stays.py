"""Scenario 4: what was rejected stays rejected, until somebody asks for it by name."""

from e2e.manifests import model_spec, pod_template, weights
from e2e.model import Beacon, Model, Models, canary_of, condition, rejections_of
from e2e.operator_process import OperatorProcess


def test_rejected_revision_is_retried_only_by_name(
    models: Models, operator: OperatorProcess, beacon: Beacon, namespace: str
) -> None:
    model = models("rejected")
    model.apply(model_spec())
    model.wait_ready()
    crashes = pod_template(env={"CRASH_AFTER": "0", "EXIT_CODE": "3"})
    bad = model_spec(template=crashes)
    model.apply(bad)
    revision = model.wait_rejected(within=90)["revision"]
    model.wait_gone(revision)

    with model.api.recording("Pod", namespace) as pods:
        model.apply(bad)
        beacon.settle()
        _assert_nothing_started(model, revision)
        operator.stop()
        operator.start()
        beacon.settle()
        _assert_nothing_started(model, revision)
        model.apply(model_spec(template=crashes, steps=weights(10, 20)))
        beacon.settle()
        _assert_nothing_started(model, revision)
    assert not [pod for pod in pods.objects if pod["metadata"]["name"].startswith(f"{model.name}-{revision}")]

    model.order("retry", f"{revision}/2")
    again = canary_of(model.wait("a second attempt", lambda obj: canary_of(obj).get("attempt") == 2, within=20))
    assert (again["revision"], again["step"]) == (revision, 0)
    assert model.report(revision, attempt=2)["spec"]["steps"][0]["weight"] == 10, "the plan of now is frozen"
    assert model.wait_rejected(within=90, attempt=2)["reason"] == "CrashLoop"
    model.order("retry", f"{revision}/2")
    beacon.settle()
    assert not canary_of(model.seen()), "an order acted twice"


def _assert_nothing_started(model: Model, revision: str) -> None:
    seen = model.seen()
    assert not canary_of(seen)
    assert [each["revision"] for each in rejections_of(seen)] == [revision]
    assert (condition(seen, "Stalled")["status"], condition(seen, "Stalled")["reason"]) == ("True", "CrashLoop")
    assert condition(seen, "Stalled")["observedGeneration"] == seen["metadata"]["generation"]
    assert [each["metadata"]["name"] for each in model.owned("RolloutReport")] == [f"{model.name}-{revision}-1"]
