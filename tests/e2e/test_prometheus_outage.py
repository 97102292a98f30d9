"""Scenario 8: without Prometheus a rollout holds; when it is back, it goes on with everything that was missed."""

import time

import pytest

from e2e.counting import wait_for_same_counts
from e2e.manifests import model_spec, pod_template
from e2e.model import Models, canary_of, condition, is_ready_at, is_true, rejections_of, stable_of
from e2e.place import Place
from e2e.waiting import eventually

OUTAGE_SECONDS = 120
# About 300 canary requests prove that it is good: more than come before the outage, fewer than come during it.
ANALYSIS = {
    "interval": "5s",
    "signals": [{"name": "errors", "kind": "Errors", "margin": "0.5%", "unacceptable": "1%"}],
}


@pytest.fixture
def prometheus_runs_again(place: Place) -> object:
    yield
    place.start_prometheus()


@pytest.mark.usefixtures("prometheus_runs_again")
def test_rollout_holds_without_prometheus_and_goes_on_afterwards(models: Models, place: Place) -> None:
    model = models("outage")
    steps = [{"weight": 50}, {"approval": {}}]
    model.apply(model_spec(steps=steps, analysis=ANALYSIS))
    first = model.wait_ready()
    model.apply(model_spec(steps=steps, analysis=ANALYSIS, template=pod_template(env={"VERSION": "2"})))
    second = model.wait_canary(after=first)["revision"]
    model.wait_assessed(second, lambda seen: seen["verdict"] == "NO_DATA", what="a first tick", within=30)

    with model.load(new_per_second=20) as load, model.recording() as recording:
        model.wait_assessed(
            second, lambda _: model.evidence(second)["canaryTotal"] > 0, what="a first comparison", within=40
        )
        place.stop_prometheus()
        stopped = time.monotonic()
        blind = model.wait(
            "says that Prometheus does not answer",
            lambda obj: condition(obj, "MetricsAvailable").get("reason") == "PrometheusUnavailable",
            within=30,
        )
        assert condition(blind, "MetricsAvailable")["status"] == "False"
        before = canary_of(blind)
        eventually("the outage is over", lambda: time.monotonic() > stopped + OUTAGE_SECONDS, within=180)
        held = model.seen()
        assert canary_of(held) == before
        assert stable_of(held)["revision"] == first
        assert condition(held, "MetricsAvailable")["reason"] == "PrometheusUnavailable"
        assert model.served_revision() is None, "both sides serve on"
        place.start_prometheus()
        model.wait("measures again", lambda obj: is_true(obj, "MetricsAvailable"), within=60, never=rejections_of)
        passed = model.wait(
            "passes the step", lambda obj: canary_of(obj).get("step") == 1, within=60, never=rejections_of
        )

    assert canary_of(passed)["attempt"] == 1
    assert {canary_of(obj)["step"] for obj in recording.objects if canary_of(obj)} == {0, 1}
    wait_for_same_counts(model, {first: "stable", second: "canary"}, load.counts())
    model.order("approve", f"{second}/1/1")
    model.wait("promoted", lambda obj: is_ready_at(obj, second), within=60, never=rejections_of)
