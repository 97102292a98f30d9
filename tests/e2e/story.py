"""Tell what the cluster looked like when a test failed."""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from e2e.api_server import Object
from e2e.model import Model
from e2e.operator_process import OperatorProcess

LOG_LINES = 60
POD_LOG_LINES = 5


def tell(models: list[Model], operator: OperatorProcess) -> Iterator[tuple[str, str]]:
    """Yield titled sections: the objects, their Events and pods, and the operator's log."""
    for model in models:
        found = model.api.get("ModelDeployment", model.namespace, model.name)
        yield f"ModelDeployment {model.name}", _as_text(found) if found else "does not exist"
        for report in model.owned("RolloutReport"):
            yield f"RolloutReport {report['metadata']['name']}", _as_text(_without_bulk(report))
        yield f"Services of {model.name}", "\n".join(_service_line(each) for each in model.owned("Service"))
        yield f"Events of {model.name}", "\n".join(_event_line(each) for each in model.events())
        yield f"pods of {model.name}", "\n".join(_pod_lines(model))
    yield "the operator's log", operator.log_tail(LOG_LINES)


def _as_text(obj: Object) -> str:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return yaml.safe_dump({**obj, "metadata": metadata}, sort_keys=False, width=160)


def _without_bulk(report: Object) -> Object:
    status = {key: value for key, value in report.get("status", {}).items() if key not in {"running", "series"}}
    return {**report, "status": status}


def _service_line(service: Object) -> str:
    return f"{service['metadata']['name']}: selects {service['spec'].get('selector')}"


def _event_line(event: Object) -> str:
    when = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
    return f"{when} {event.get('type')} {event.get('reason')}: {event.get('message')}"


def _pod_lines(model: Model) -> Iterator[str]:
    labels = {"serinus.dev/model-deployment": model.name}
    for pod in model.api.list("Pod", model.namespace, labels):
        name, status = pod["metadata"]["name"], pod.get("status", {})
        states: list[Any] = [
            {key: each.get(key) for key in ("name", "ready", "restartCount", "state", "lastState")}
            for each in status.get("containerStatuses", [])
        ]
        ending = " (ending)" if "deletionTimestamp" in pod["metadata"] else ""
        yield f"{name}{ending}: {status.get('phase')} {json.dumps(states)}"
        yield f"    log: {model.api.pod_log(model.namespace, name, POD_LOG_LINES).strip()}"
