"""The other signals: requests that are too slow, and a number of the user's own."""

from typing import Any

from e2e.manifests import model_spec, pod_template
from e2e.model import Models, condition, stable_of


def analysed_by(**signal: Any) -> dict[str, Any]:
    return {"interval": "5s", "signals": [{"name": "own", **signal}]}


def test_slower_revision_is_rolled_back(models: Models) -> None:
    model = models("slower")
    analysis = analysed_by(kind="Latency", bound="250ms", margin="5%", unacceptable="10%")
    model.apply(model_spec(analysis=analysis))
    first = model.wait_ready()
    slow = pod_template(env={"LATENCY_MS": "300", "SLOW_SHARE": "0.3"})
    with model.load(new_per_second=20) as load:
        model.apply(model_spec(analysis=analysis, template=slow))
        model.wait_canary(after=first)
        rejection = model.wait_rejected()
    assert rejection["reason"] == "LatencyWorse"
    assert load.counts().new.bad == 0, "nothing failed: it was latency alone"
    seen = model.seen()
    assert condition(seen, "Stalled")["reason"] == "LatencyWorse"
    assert stable_of(seen)["revision"] == first
    evidence = model.evidence(rejection["revision"], "own")
    assert evidence["canaryBad"] > 0
    assert evidence["stableBad"] == 0


def test_number_out_of_bounds_rolls_back_without_a_request(models: Models) -> None:
    model = models("out-of-bounds")
    analysis = analysed_by(kind="Query", query="max(up{$selector}) + 41", max=1)
    model.apply(model_spec(replicas=1, analysis=analysis))
    first = model.wait_ready()
    model.apply(model_spec(replicas=1, analysis=analysis, template=pod_template(env={"VERSION": "2"})))
    model.wait_canary(after=first)
    rejection = model.wait_rejected()
    assert rejection["reason"] == "QueryOutOfBounds"
    assert "42" in rejection["message"]
    assert model.served_revision() == first
