"""The running cluster does what tests count on: pods from our images, names, scrapes, a Prometheus that can be away."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from cluster import access
from cluster.images import image_name, python_image
from cluster.kubectl import Kubectl

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent
NAMESPACE = f"harness-{os.getpid()}"


def eventually(what: str, fetch: Callable[[], Any], timeout_seconds: float = 30) -> Any:
    """Poll until `fetch` returns something true."""
    deadline = time.monotonic() + timeout_seconds
    while not (found := fetch()):
        assert time.monotonic() < deadline, f"waited {timeout_seconds} s in vain for {what}"
        time.sleep(0.1)
    return found


def query(promql: str) -> list[dict[str, Any]]:
    answer = requests.post(f"{access.prometheus_url()}/api/v1/query", data={"query": promql}, timeout=5)
    result: list[dict[str, Any]] = answer.json()["data"]["result"]
    return result


@pytest.fixture(scope="module")
def image() -> Path:
    return python_image(
        "harness-test",
        HERE / "requirements.txt",
        {"/app/server.py": HERE / "server.py"},
        ["python3", "/app/server.py"],
        env={"GREETING": "hello"},
    )


@pytest.fixture
def server(kubectl: Kubectl, image: Path) -> Iterator[str]:
    """Run the image behind a Service; return the name of its pod."""
    access.load_images([image])
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}
    container = {
        "name": "server",
        "image": image_name(image),
        "ports": [{"containerPort": 8080}, {"containerPort": 8081}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "securityContext": {"runAsNonRoot": True, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
    }
    metadata = {"name": "server", "namespace": NAMESPACE, "labels": {"app": "server"}, "annotations": annotations}
    manifests = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": NAMESPACE},
            "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
        },
    ]
    kubectl.apply(yaml.safe_dump_all(manifests[:1]))
    account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"
    eventually("the service account", lambda: kubectl.fetch(account))
    kubectl.apply(yaml.safe_dump_all(manifests[1:]))
    kubectl("wait", "-n", NAMESPACE, "pod/server", "--for=condition=Ready", "--timeout=60s")
    yield "server"
    kubectl("delete", "namespace", NAMESPACE, "--wait=true")


def service_address(kubectl: Kubectl) -> str:
    service = kubectl.fetch(f"/api/v1/namespaces/{NAMESPACE}/services/web")
    assert service is not None
    return f"http://{service['spec']['clusterIP']}"


def test_pod_of_our_image_serves_and_resolves_names(kubectl: Kubectl, server: str) -> None:
    address = service_address(kubectl)

    def seen(name: str) -> dict[str, object]:
        answer: dict[str, object] = requests.get(f"{address}/resolve/{name}", timeout=5).json()
        return answer

    own = address.removeprefix("http://")
    expected = {"user": 65532, "bytecode": True, "greeting": "hello"}
    # the rules of a new Service take a moment
    eventually("the Service", lambda: _answers(address))
    assert seen("kubernetes.default.svc") == {**expected, "resolved": "10.96.0.1"}
    assert seen("web")["resolved"] == own
    assert seen(f"web.{NAMESPACE}.svc.cluster.local")["resolved"] == own
    assert seen("example.com")["resolved"] == "unknown"
    assert "prometheus_client" in kubectl("exec", "-n", NAMESPACE, server, "--", "ls", "/usr/lib/python3/dist-packages")


def test_prometheus_scrapes_it_once_with_the_labels_and_can_be_away(kubectl: Kubectl, server: str) -> None:
    series = f'harness_requests_total{{namespace="{NAMESPACE}"}}'
    (found,) = eventually("the first scrape", lambda: query(series))
    labels = {name: value for name, value in found["metric"].items() if name != "instance"}
    assert labels == {"__name__": "harness_requests_total", "namespace": NAMESPACE, "pod": "server", "job": "pods"}
    before_seconds = float(found["value"][0])

    access.stop_prometheus()
    assert access.is_up(), "a stopped Prometheus is not a stopped cluster"
    with pytest.raises(requests.ConnectionError):
        query(series)
    access.start_prometheus()
    restarted_seconds = time.time()

    eventually("scrapes after the pause", lambda: query(f"timestamp({series}) > {restarted_seconds:.3f}"))
    (kept,) = query(f"{series} @ {before_seconds}")
    assert kept["value"][1] == found["value"][1]


def test_up_finds_the_cluster_that_runs(kubectl: Kubectl) -> None:
    before = kubectl.fetch("/api/v1/namespaces/kube-system")
    assert before is not None

    access.bring_up()

    after = kubectl.fetch("/api/v1/namespaces/kube-system")
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=2).ok
    except requests.RequestException:
        return False
