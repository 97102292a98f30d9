"""Write ModelDeployments around the toy server, as a user would: plain dicts in the wire's notation."""

import hashlib
from pathlib import Path
from typing import Any

from e2e.toy_image import toy_reference

ABSENT_IMAGE = "serinus.local/no-such-model:1"
API_VERSION = "serinus.dev/v1alpha1"

# The toy's metrics are scraped each second; a block of 5 s then holds enough requests for the judge at test loads.
ANALYSIS: dict[str, Any] = {
    "interval": "5s",
    "signals": [{"name": "errors", "kind": "Errors", "margin": "2%", "unacceptable": "4%"}],
}
# A number that is always fine: a rollout that needs no request, for tests of everything but the judge.
CALM: dict[str, Any] = {
    "interval": "5s",
    "signals": [{"name": "calm", "kind": "Query", "query": "vector(1)", "min": 0}],
}


def checkout_namespace(checkout: Path) -> str:
    """Return the namespace of a checkout, so that two of them can share a cluster."""
    return f"serinus-e2e-{hashlib.sha256(str(checkout).encode()).hexdigest()[:6]}"


def pod_template(*, image: str | None = None, env: dict[str, str] | None = None, **container: Any) -> dict[str, Any]:
    """Return a pod template with the toy server; ``env`` switches its faults on."""
    downward = {"POD_NAME": "metadata.name", "REVISION": "metadata.labels['serinus.dev/revision']"}
    return {
        "metadata": {
            "annotations": {
                "prometheus.io/scrape": "true",
                "prometheus.io/port": "8080",
                "prometheus.io/path": "/metrics",
            }
        },
        "spec": {
            "containers": [
                {
                    "name": "model",
                    "image": image or toy_reference(),
                    "imagePullPolicy": "IfNotPresent",
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "env": [{"name": key, "value": value} for key, value in (env or {}).items()]
                    + [{"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}} for key, path in downward.items()],
                    "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
                    "resources": {"requests": {"cpu": "10m", "memory": "24Mi"}},
                    **container,
                }
            ]
        },
    }


def weights(*percents: int, at_least: str | None = None) -> list[dict[str, Any]]:
    """Return weight steps."""
    return [{"weight": percent, **({"atLeast": at_least} if at_least else {})} for percent in percents]


def model_spec(
    *,
    replicas: int = 2,
    template: dict[str, Any] | None = None,
    steps: list[dict[str, Any]] | None = None,
    analysis: dict[str, Any] | None = None,
    rollout: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a ModelDeployment's spec."""
    return {
        "replicas": replicas,
        "runtime": "generic",
        "template": template or pod_template(),
        "service": {"port": 80, "targetPort": 8080},
        "rollout": {
            "steps": steps or weights(50),
            "progressDeadline": "2m",
            "maxWait": "10m",
            "keepOld": "1s",
            **(rollout or {}),
        },
        "analysis": analysis or ANALYSIS,
        **more,
    }


def model_deployment(namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Return a ModelDeployment."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelDeployment",
        "metadata": {"namespace": namespace, "name": name},
        "spec": spec,
    }
