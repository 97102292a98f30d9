"""Latency without a bound: canary and stable are compared by all buckets of their real histograms."""

from typing import Any

from e2e.manifests import model_spec, pod_template
from e2e.model import Models, condition, is_ready_at, stable_of

# Log-normal, as latencies are: the middle 95 % of stable's requests take 15 to 107 ms.
USUAL = {"LATENCY_MS": "40", "LATENCY_SPREAD": "0.5"}
SLOWER = {"LATENCY_MS": "60", "LATENCY_SPREAD": "0.5"}
ANALYSIS: dict[str, Any] = {
    "interval": "5s",
    "signals": [{"name": "latency", "kind": "Latency", "margin": "8%", "unacceptable": "25%"}],
}


def test_slower_revision_is_found_by_its_histogram(models: Models) -> None:
    model = models("slower-half")
    model.apply(model_spec(replicas=1, analysis=ANALYSIS, template=pod_template(env=USUAL)))
    first = model.wait_ready()
    with model.load(new_per_second=20) as load:
        model.apply(model_spec(replicas=1, analysis=ANALYSIS, template=pod_template(env=SLOWER)))
        second = model.wait_canary(after=first)["revision"]
        rejection = model.wait_rejected()
    assert (rejection["revision"], rejection["reason"]) == (second, "LatencyWorse")
    assert rejection["message"] in condition(model.seen(), "Stalled")["message"]
    assert stable_of(model.seen())["revision"] == first
    assert load.counts().new.bad == 0, "nothing failed: it was latency alone"
    evidence = model.evidence(second, "latency")
    assert evidence["verdict"] == "FAIL"
    assert evidence["effect"] > 0.1, "at 50 ms a third becomes two thirds"


def test_equally_slow_revision_is_promoted_by_its_histogram(models: Models) -> None:
    model = models("as-slow")
    model.apply(model_spec(replicas=1, analysis=ANALYSIS, template=pod_template(env=USUAL)))
    first = model.wait_ready()
    with model.load(new_per_second=30):
        model.apply(model_spec(replicas=1, analysis=ANALYSIS, template=pod_template(env={**USUAL, "VERSION": "2"})))
        second = model.wait_canary(after=first)["revision"]
        model.wait_promoted(second)
    evidence = model.evidence(second, "latency")
    assert evidence["verdict"] == "PASS"
    assert evidence["safety"] >= 20, "a proof at the level of falsePromotionRate"
    assert is_ready_at(model.seen(), second)
