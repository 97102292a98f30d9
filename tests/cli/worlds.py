"""Wire objects for the tests of the command line: builders set only what a case is about."""

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
STABLE, CANARY = "bcd4fgh2kl", "x7mn2pqr5s"


def conditions(**states: tuple[str, str, str]) -> list[dict[str, str]]:
    return [
        {"type": type_, "status": status, "reason": reason, "message": message}
        for type_, (status, reason, message) in states.items()
    ]


def model_deployment(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "fraud", "namespace": "risk"},
        "spec": spec,
        "status": status or {},
    }


def progressing(**canary: Any) -> dict[str, Any]:
    return {
        "phase": "Progressing",
        "stable": {"revision": STABLE, "weight": 75, "replicas": 3, "readyReplicas": 3},
        "canary": {
            "revision": CANARY,
            "attempt": 1,
            "weight": 25,
            "actualWeight": 25,
            "step": 0,
            "state": "Analysing",
            "since": "2026-11-22T11:58:00Z",
            "stepSince": "2026-11-22T11:58:00Z",
            "readySince": "2026-11-22T11:59:26Z",
            "report": f"fraud-{CANARY}-1",
            **canary,
        },
        "conditions": conditions(
            Ready=("False", "Progressing", ""),
            Reconciling=("True", "Analysing", "errors: safety 8.1 of 20 needed"),
            Stalled=("False", "Progressing", ""),
            Available=("True", "PodsReady", ""),
        ),
    }


def rejected() -> dict[str, Any]:
    sentence = "errors: 41 of 402 canary requests failed (10.2 %) against 3 of 1,204 (0.2 %) of stable"
    stalled = (
        f"revision {CANARY} was rolled back: {sentence};"
        f" stable serves; apply another spec, or annotate serinus.dev/retry={CANARY}/2"
    )
    return {
        "phase": "Rejected",
        "stable": {"revision": STABLE, "weight": 100, "replicas": 3, "readyReplicas": 3},
        "rejected": [
            {
                "revision": CANARY,
                "attempt": 1,
                "reason": "ErrorsWorse",
                "message": sentence,
                "at": "2026-11-22T11:59:00Z",
                "report": f"fraud-{CANARY}-1",
            }
        ],
        "conditions": conditions(
            Ready=("False", "ErrorsWorse", sentence),
            Reconciling=("False", "ErrorsWorse", ""),
            Stalled=("True", "ErrorsWorse", stalled),
            Available=("True", "PodsReady", ""),
        ),
    }


def signal(**values: Any) -> dict[str, Any]:
    return {
        "name": "errors",
        "kind": "Errors",
        "action": "Rollback",
        "verdict": "INCONCLUSIVE",
        "evidence": 0.6,
        "safety": 8.1,
        "canaryTotal": 402,
        "canaryBad": 1,
        "stableTotal": 1204,
        "stableBad": 3,
        **values,
    }


def report(
    *signals: dict[str, Any],
    revision: str = CANARY,
    attempt: int = 1,
    steps: list[dict[str, Any]] | None = None,
    status: dict[str, Any] | None = None,
) -> dict[str, Any]:
    assessment = {
        "at": "2026-11-22T11:59:55Z",
        "step": 0,
        "verdict": "INCONCLUSIVE",
        "evidence": 0.6,
        "threshold": 20.0,
        "because": "errors: safety 8.1 of 20 needed",
        "signals": list(signals or [signal()]),
    }
    return {
        "metadata": {"name": f"fraud-{revision}-{attempt}"},
        "spec": {
            "revision": revision,
            "attempt": attempt,
            "startedAt": f"2026-11-22T11:5{attempt}:00Z",
            "steps": steps or [{"kind": "weight", "weight": 25, "atLeast": "60s"}, {"kind": "weight", "weight": 50}],
            "signals": [
                {"name": "errors", "kind": "Errors"},
                {"name": "gpu", "kind": "Query", "maximum": 85.0},
                {"name": "size", "kind": "Comparison", "margin": 0.1},
            ],
            "falsePromotionRate": 0.05,
            "stableRevision": STABLE,
        },
        "status": {"assessment": assessment, **(status or {})},
    }


def pod(revision: str, number: int, *, ready: bool = True, restarts: int = 0, waiting: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    return {
        "metadata": {
            "name": f"fraud-{revision}-7d9f8b6c5-{number}",
            "creationTimestamp": "2026-11-22T10:00:00Z",
            "labels": {"serinus.dev/revision": revision, "serinus.dev/model-deployment": "fraud"},
        },
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [{"restartCount": restarts, "state": state}],
        },
    }
