"""The story of attempts: newest first, each decision with its reason."""

from typing import Any

from cli.test_tree import drawn
from cli.worlds import CANARY, NOW, STABLE, model_deployment, progressing, report, signal
from serinus.cli.tree import make_tree
from serinus.cli.why import make_story

DECISIONS: list[dict[str, Any]] = [
    {"at": "2026-11-22T11:52:00Z", "step": 0, "action": "StartStep", "reason": "StepStarted", "message": "weight 25"},
    {
        "at": "2026-11-22T11:53:10Z",
        "step": 1,
        "verdict": "FAIL",
        "action": "Rollback",
        "reason": "ErrorsWorse",
        "message": "errors: 41 of 402 canary requests failed",
    },
]
OUTCOME = {"result": "Rejected", "at": "2026-11-22T11:53:10Z", "reason": "ErrorsWorse", "message": "worse than stable"}


def test_the_newest_attempt_with_all_its_decisions() -> None:
    newest = report(signal(canaryBad=41), attempt=2, status={"decisions": DECISIONS, "outcome": OUTCOME})
    text = drawn(make_story([report(), newest], NOW))
    assert f"attempt 2 against {STABLE}: Rejected" in text
    assert "ErrorsWorse: worse than stable" in text
    assert "2026-11-22 11:53:10  2     FAIL     Rollback" in text
    assert "41 of 402 (10.2 %)" in text
    assert "attempt 1" not in text
    assert "1 earlier attempts: add --all" in text


def test_all_attempts_newest_first() -> None:
    text = drawn(make_story([report(), report(attempt=2)], NOW, latest_only=False))
    assert text.index("attempt 2") < text.index("attempt 1")
    assert "under way" in text


def test_without_any_attempt_it_says_what_happens() -> None:
    assert "first revision serves" in drawn(make_story([], NOW))


def test_the_artifact_that_was_tried_stands_in_its_story() -> None:
    tried = report()
    digest = "sha256:" + "ab" * 32
    tried["spec"]["model"] = {"uri": "s3://models/fraud", "digest": digest, "resolvedAt": "2026-11-22T11:50:00Z"}
    text = " ".join(drawn(make_story([tried], NOW)).split())
    assert f"model s3://models/fraud {digest} looked up 10m00s ago" in text


def test_by_what_metrics_are_read() -> None:
    metrics = {
        "stable": {
            "revision": STABLE,
            "runtime": "knative-1.0",
            "recognised": True,
            "because": "its metric is exported",
        },
        "canary": {
            "revision": CANARY,
            "runtime": "knative-1.21",
            "data": "instrument",
            "recognised": True,
            "contradicts": True,
            "because": "it exports others",
        },
    }
    text = drawn(make_story([report()], NOW, status={"metrics": metrics}))
    assert f"stable {STABLE} is read as knative-1.0: its metric is exported" in text
    assert f"canary {CANARY} is read as knative-1.21, data as instrument: it exports others" in text
    tree = drawn(make_tree(model_deployment(progressing() | {"metrics": metrics}), [], [], NOW))
    assert "weight 75 %, read as knative-1.0" in tree
    assert "old, read as knative-1.21 and instrument" in tree
    assert "it exports others" in tree
    metrics["canary"].pop("contradicts")
    assert "it exports others" not in drawn(
        make_tree(model_deployment(progressing() | {"metrics": metrics}), [], [], NOW)
    )
