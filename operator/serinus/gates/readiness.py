"""Ask a model server whether it serves a model, in its own protocol. Pure: requests to make, answers to read."""

import json
from collections.abc import Mapping
from typing import Any

from serinus.gates.answers import Answer, shortened
from serinus.rollout.smoke import GateRequest

_MODEL_PROTOCOLS = frozenset({"v1", "v2", "openai", "ray", "bentoml", "torchserve"})
# Ray answers /-/healthz as soon as its proxy runs, and lists a route when the application behind it is there.
_FIXED = {"ray": "/-/routes", "bentoml": "/readyz", "torchserve": "/ping"}


def readiness_request(protocol: str, quoted: str, probe_path: str | None) -> GateRequest | None:
    """Return the request that a server answers when it serves a model; None where a ready pod is all there is.

    Args:
        protocol: of the runtime's preset.
        quoted: the name that the server knows the model by, quoted for a path.
        probe_path: the preset's readiness path, asked where the protocol has no better one.
    """
    paths = {"v1": f"/v1/models/{quoted}", "v2": f"/v2/models/{quoted}/ready", "openai": "/v1/models", **_FIXED}
    if protocol == "openai" and probe_path is not None and probe_path.endswith("/models"):
        path: str | None = probe_path  # KServe serves the protocol under a prefix
    else:
        path = paths.get(protocol, probe_path)
    return None if path is None else GateRequest(path=path, method="GET")


def is_unknown(protocol: str, answer: Answer) -> bool:
    """Tell whether a server says that it does not know the name; one that is loading a model knows it."""
    return protocol in {"v1", "v2"} and answer.status == 404


def why_not_ready(protocol: str, model: str, answer: Answer) -> str:
    """Return why an answer means that a model is not served; empty if it is."""
    if is_unknown(protocol, answer):
        return f"does not know the model {model} (404): set spec.model.name if it has another name"
    # Where nothing but a probe's path is known, what pleases the kubelet is enough.
    if not 200 <= answer.status < (300 if protocol in _MODEL_PROTOCOLS else 400):
        return f"answered {answer.status}"
    body = _parse(answer.body)
    if protocol == "v1":
        return _v1(body)
    if protocol == "openai":
        return _openai(body, model)
    if protocol == "ray" and not body:
        return "says that no application is deployed"
    if protocol == "torchserve" and str(body.get("status", "Healthy")) != "Healthy":
        return f"says {shortened(str(body['status']))!r}"
    return ""


def _v1(body: Mapping[str, Any]) -> str:
    """Read KServe's ``{"ready": true}`` and TensorFlow Serving's ``{"model_version_status": […]}``."""
    if str(body.get("ready", True)).lower() != "true":
        return "says that the model is not ready"
    versions = body.get("model_version_status")
    if not isinstance(versions, list):
        return ""
    states = sorted({str(each.get("state")) for each in versions if isinstance(each, dict)})
    return (
        ""
        if "AVAILABLE" in states
        else f"says that no version is available: {shortened(', '.join(states)) or 'it has none'}"
    )


def _openai(body: Mapping[str, Any], model: str) -> str:
    served = body.get("data")
    names = [str(each.get("id")) for each in served if isinstance(each, dict)] if isinstance(served, list) else []
    if model in names:
        return ""
    served_names = shortened(", ".join(names[:5])) or "no model"
    return f"serves {served_names}, not {model}: set spec.model.name to the name it serves"


def _parse(text: str) -> Mapping[str, Any]:
    """Return a JSON object, an empty one where there is none: for many servers the status is the whole answer."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
