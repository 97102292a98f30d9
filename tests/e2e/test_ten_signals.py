"""One bad metric among ten: each of them may roll back, nine are healthy, and the reason names the tenth."""

from typing import Any

from e2e.manifests import model_spec, pod_template
from e2e.model import Models, condition, stable_of

PREDICTED = 'http_requests_total{path="/predict"}'
FAILED = 'http_requests_total{path="/predict",status="500"}'
IMPLAUSIBLE = {"total": "predictions_total", "bad": "predictions_implausible_total"}
TOLERANT = {"margin": "5%", "unacceptable": "20%"}
SIGNALS: list[dict[str, Any]] = [
    {"name": "errors", "kind": "Errors", **TOLERANT},
    {"name": "own-errors", "kind": "Errors", "metrics": {"total": PREDICTED, "bad": FAILED}, **TOLERANT},
    {"name": "refused", "kind": "ClientErrors", "action": "Rollback", **TOLERANT},
    {"name": "slow", "kind": "Latency", "bound": "100ms", **TOLERANT},
    {"name": "too-slow", "kind": "Latency", "bound": "500ms", **TOLERANT},
    {"name": "latency", "kind": "Latency", **TOLERANT},
    {
        "name": "answers",
        "kind": "PredictionDrift",
        "action": "Rollback",
        "metrics": {"categories": "predictions_total", "label": "answer"},
    },
    {
        "name": "scores",
        "kind": "PredictionDrift",
        "action": "Rollback",
        "metrics": {"buckets": "prediction_score_bucket"},
    },
    {"name": "files", "kind": "Query", "query": "max(process_open_fds{$selector})", "max": 900},
    {"name": "nonsense", "kind": "Implausible", "metrics": IMPLAUSIBLE, "margin": "1%", "unacceptable": "2%"},
]
ANALYSIS: dict[str, Any] = {"interval": "5s", "signals": SIGNALS}
USUAL = {"LATENCY_MS": "20", "LATENCY_SPREAD": "0.5"}


def test_single_bad_signal_among_ten_rolls_back_and_is_named(models: Models) -> None:
    model = models("one-of-ten")
    model.apply(model_spec(replicas=1, analysis=ANALYSIS, template=pod_template(env=USUAL)))
    first = model.wait_ready()
    with model.load(new_per_second=20) as load:
        bad = pod_template(env={**USUAL, "IMPLAUSIBLE_SHARE": "0.15"})
        model.apply(model_spec(replicas=1, analysis=ANALYSIS, template=bad))
        second = model.wait_canary(after=first)["revision"]
        rejection = model.wait_rejected()
    assert (rejection["revision"], rejection["reason"]) == (second, "ImplausibleWorse")
    assert "nonsense" in rejection["message"]
    assert rejection["message"] in condition(model.seen(), "Stalled")["message"]
    assert stable_of(model.seen())["revision"] == first
    assert load.counts().new.bad == 0
    verdicts = {each["name"]: each["verdict"] for each in model.assessment(second)["signals"]}
    assert verdicts.pop("nonsense") == "FAIL"
    assert len(verdicts) == 9
    assert not {"FAIL", "NO_DATA"} & set(verdicts.values()), f"nine are healthy, and all are measured: {verdicts}"
    assert model.assessment(second)["threshold"] == 20, "ten signals share one falseRollbackRate of 5 %"
