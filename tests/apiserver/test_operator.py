"""The operator as a process against a real API server: it starts, works, rests and stops."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import yaml

from apiserver.conftest import TOKEN, ApiServer, free_port

pytestmark = pytest.mark.api

PATIENCE_SECONDS = 30
OPERATOR = Path(__file__).parents[2] / "operator"
WRITES = ("create", "apply", "patch", "patch_status", "replace", "delete")


class Operator:
    """One process of the operator."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, liveness: int, metrics: int) -> None:
        self.process = process
        self.log = log
        self.health_url = f"http://127.0.0.1:{liveness}/healthz"
        self.metrics_url = f"http://127.0.0.1:{metrics}/metrics"

    def wait_for(self, what: str, seen: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the operator ended with {self.process.returncode}:\n{self.log.read_text()}")
            try:
                if seen():
                    return
            except requests.ConnectionError:
                pass  # its port is not open yet
            time.sleep(0.05)
        raise AssertionError(f"never seen: {what}\n{self.log.read_text()}")

    def metrics(self) -> dict[str, float]:
        text = requests.get(self.metrics_url, timeout=5).text
        return {key: float(value) for key, value in re.findall(r"^(\w+(?:\{.*\})?) (\S+)$", text, re.MULTILINE)}

    def runs(self) -> float:
        return self.metrics().get('serinus_reconcile_duration_seconds_count{outcome="ok"}', 0)

    def writes(self) -> dict[str, float]:
        return {
            key: value
            for key, value in self.metrics().items()
            if "api_call_duration_seconds_count" in key and any(f'verb="{verb}"' in key for verb in WRITES)
        }

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)


@contextmanager
def operator(kubeconfig: Path, **settings: str) -> Iterator[Operator]:
    liveness, metrics = free_port(), free_port()
    log = kubeconfig.with_suffix(f".{liveness}.log")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SERINUS_", "KUBERNETES_"))}
    environment |= {
        "PYTHONPATH": str(OPERATOR),
        "KUBECONFIG": str(kubeconfig),
        "SERINUS_LIVENESS_PORT": str(liveness),
        "SERINUS_METRICS_PORT": str(metrics),
        **settings,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "serinus", "run"], env=environment, stdout=output, stderr=output
        )
    try:
        yield Operator(process, log, liveness, metrics)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def write_kubeconfig(path: Path, url: str, certificate: str) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url, "certificate-authority": certificate}}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> Path:
    return write_kubeconfig(tmp_path / "kubeconfig", server.url, str(server.session.verify))


def apply_model(server: ApiServer, namespace: str) -> None:
    pods = {"spec": {"containers": [{"name": "server", "image": "registry.example/fraud:1"}]}}
    model = {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "fraud"},
        "spec": {"replicas": 2, "template": pods},
    }
    made = server.create(f"/apis/serinus.dev/v1alpha1/namespaces/{namespace}/modeldeployments", model)
    assert made.code == 201, made.message


def services(server: ApiServer, namespace: str) -> set[str]:
    found = server.request("GET", f"/api/v1/namespaces/{namespace}/services").body["items"]
    return {each["metadata"]["name"] for each in found}


def test_it_works_rests_without_a_write_and_stops_at_once(server: ApiServer, namespace: str, kubeconfig: Path) -> None:
    with operator(kubeconfig, SERINUS_NAMESPACES=namespace) as running:
        running.wait_for("its health", lambda: requests.get(running.health_url, timeout=5).text == "ok\n")
        apply_model(server, namespace)
        wanted = {"fraud", "fraud-stable", "fraud-canary"}
        running.wait_for("the Services", lambda: services(server, namespace) == wanted)
        # No Deployment controller runs here, so the first revision stays on its way up and is looked at again.
        rested = running.runs() + 1
        running.wait_for("rest after its own writes", lambda: running.runs() >= rested)
        before, rested = running.writes(), running.runs() + 2
        assert before
        running.wait_for("two more looks", lambda: running.runs() >= rested)
        assert running.writes() == before
        started = time.monotonic()
        assert running.stop() == 0, running.log.read_text()
        assert time.monotonic() - started < 5
        assert "Traceback" not in running.log.read_text()


def test_a_child_that_somebody_deletes_comes_back(server: ApiServer, namespace: str, kubeconfig: Path) -> None:
    with operator(kubeconfig, SERINUS_NAMESPACES=namespace) as running:
        apply_model(server, namespace)
        running.wait_for("the Services", lambda: "fraud-canary" in services(server, namespace))
        path = f"/api/v1/namespaces/{namespace}/services/fraud-canary"
        before = server.request("GET", path).body["metadata"]["uid"]
        assert server.request("DELETE", path).code == 200
        running.wait_for(
            "a new Service", lambda: server.request("GET", path).body["metadata"].get("uid", before) != before
        )
        assert running.stop() == 0


def test_of_two_only_one_acts_and_the_other_takes_over(server: ApiServer, namespace: str, kubeconfig: Path) -> None:
    election = {"SERINUS_LEADER_ELECTION": "true", "SERINUS_POD_NAMESPACE": namespace, "SERINUS_NAMESPACES": namespace}
    with (
        operator(kubeconfig, **election, SERINUS_POD_NAME="one") as one,
        operator(kubeconfig, **election, SERINUS_POD_NAME="two") as two,
    ):

        def leads(each: Operator) -> bool:
            return each.metrics().get("serinus_leader") == 1

        one.wait_for("a leader", lambda: leads(one) or leads(two))
        first, second = (one, two) if leads(one) else (two, one)
        second.wait_for("the other standing by", lambda: "standing by" in second.log.read_text())
        assert requests.get(second.health_url, timeout=5).status_code == 200
        assert not leads(second)
        assert first.stop() == 0
        second.wait_for("the other in charge", lambda: leads(second))
        apply_model(server, namespace)
        second.wait_for("its work", lambda: "fraud-stable" in services(server, namespace))
        assert second.stop() == 0


def test_without_an_answer_it_says_what_it_waits_for_and_can_be_stopped(tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", f"https://127.0.0.1:{free_port()}", requests.certs.where())
    with operator(kubeconfig) as running:
        running.wait_for("its health", lambda: requests.get(running.health_url, timeout=5).status_code == 200)
        running.wait_for("a reason", lambda: "waiting: no answer from the API server" in running.log.read_text())
        assert running.stop() == 0
