"""Lookups of models against a real API server, in a namespace that enforces the restricted Pod Security Standard."""

import json
from pathlib import Path
from typing import Any

import pytest

from apiserver.conftest import ApiServer
from apiserver.test_operator import operator, write_kubeconfig

pytestmark = pytest.mark.api

DIGEST = "sha256:" + "a" * 64
LOCKED = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def apply_model(server: ApiServer, namespace: str) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    server.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})
    image = {"name": "server", "image": "registry.example/fraud:1", "securityContext": LOCKED}
    model = {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "fraud"},
        "spec": {
            "model": {"uri": "s3://models/fraud", "secretRef": {"name": "store"}},
            "template": {"spec": {"serviceAccountName": "reader", "containers": [image]}},
        },
    }
    made = server.create(f"/apis/serinus.dev/v1alpha1/namespaces/{namespace}/modeldeployments", model)
    assert made.code == 201, made.message


def start_pod(server: ApiServer, namespace: str, name: str, template: dict[str, Any], uid: str) -> str:
    """Make a pod of a template, as a controller would; return its path."""
    labels = {**template["metadata"]["labels"], "batch.kubernetes.io/controller-uid": uid}
    pod = {"metadata": {"name": name, "labels": labels}, "spec": template["spec"]}
    made = server.create(f"/api/v1/namespaces/{namespace}/pods", pod)
    assert made.code == 201, made.message
    return f"/api/v1/namespaces/{namespace}/pods/{name}"


def end_pod(server: ApiServer, path: str, message: dict[str, Any]) -> None:
    """Let the only container of a pod succeed with these last words, as a kubelet would."""
    ended = {"exitCode": 0, "message": json.dumps(message), "finishedAt": "2026-11-22T12:00:05Z"}
    status = {
        "name": "serinus-fetch",
        "image": "serinus:1",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": {"terminated": ended},
    }
    changed = server.patch(f"{path}/status", {"status": {"phase": "Succeeded", "containerStatuses": [status]}})
    assert changed.code == 200, changed.message


def items(server: ApiServer, path: str) -> list[dict[str, Any]]:
    return list(server.request("GET", path).body["items"])


def test_what_a_lookup_found_is_pinned_in_pods_that_the_server_admits(
    server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    model = f"/apis/serinus.dev/v1alpha1/namespaces/{namespace}/modeldeployments/fraud"
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", server.url, str(server.session.verify))
    with operator(
        kubeconfig, SERINUS_NAMESPACES=namespace, SERINUS_FETCH_IMAGE="registry.example/serinus:1"
    ) as running:
        apply_model(server, namespace)
        running.wait_for("the Job", lambda: bool(items(server, jobs)))
        (job,) = items(server, jobs)
        path = start_pod(server, namespace, "lookup", job["spec"]["template"], job["metadata"]["uid"])
        running.wait_for("its reason", lambda: "ResolvingModel" in json.dumps(server.request("GET", model).body))
        assert not items(server, deployments)
        end_pod(server, path, {"schema": 1, "digest": DIGEST, "pin": "etag of today", "files": 1, "bytes": 9})
        running.wait_for("the Deployment", lambda: bool(items(server, deployments)))
        (deployment,) = items(server, deployments)
        template = deployment["spec"]["template"]
        assert template["spec"]["initContainers"][0]["args"][-2:] == ["--pin", "etag of today"]
        start_pod(server, namespace, "serving", template, "none")
        running.wait_for("its status", lambda: bool(server.request("GET", model).body["status"].get("model")))
        seen = server.request("GET", model).body["status"]["model"]
        assert seen == {"uri": "s3://models/fraud", "digest": DIGEST, "resolvedAt": "2026-11-22T12:00:05Z"}
        assert running.stop() == 0
        assert "Traceback" not in running.log.read_text()
