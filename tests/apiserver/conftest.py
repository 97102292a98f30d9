"""A kube-apiserver with its etcd, alone on loopback: schemas, CEL and server-side apply for real, without a cluster.

Binaries: the directory in SERINUS_BINARIES, else those that the test cluster built (`make cluster-up`).
"""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from cluster.access import built_binary

CRDS = Path(__file__).parents[2] / "crds"
PROGRAMS = ("etcd", "kube-apiserver")
TOKEN = "loopback-only"
START_TIMEOUT_SECONDS = 90
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


def find_binaries() -> dict[str, Path]:
    """Return the programs that are there."""
    given = os.environ.get("SERINUS_BINARIES")
    found = {name: Path(given) / name if given else built_binary(name) for name in PROGRAMS}
    return {name: path for name, path in found.items() if path and path.exists()}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(directory: Path, *command: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    log = directory / f"{Path(command[0]).name}.log"
    with log.open("wb") as output:
        running = subprocess.Popen([str(part) for part in command], stdout=output, stderr=output, cwd=directory)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(timeout=20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server said."""

    code: int
    body: dict[str, Any]

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


class ApiServer:
    """Plain requests, as close to the wire as can be."""

    def __init__(self, url: str, certificate: Path) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False  # REQUESTS_CA_BUNDLE would beat the certificate below
        self.session.headers["Authorization"] = f"Bearer {TOKEN}"
        self.session.verify = str(certificate)

    def request(self, method: str, path: str, body: Any = None, content_type: str = "", **parameters: str) -> Answer:
        answer = self.session.request(
            method,
            f"{self.url}{path}",
            params=parameters,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": content_type or "application/json"},
            timeout=20,
        )
        return Answer(code=answer.status_code, body=answer.json())

    def create(self, path: str, body: Any, **parameters: str) -> Answer:
        """Create strictly, as kubectl does: unknown fields are refused."""
        return self.request("POST", path, body, fieldValidation="Strict", **parameters)

    def apply(self, path: str, body: Any, manager: str, **parameters: str) -> Answer:
        name = body["metadata"]["name"]
        more = {"fieldManager": manager, "fieldValidation": "Strict"} | parameters
        return self.request("PATCH", f"{path}/{name}", body, APPLY, **more)

    def patch(self, path: str, body: Any, **parameters: str) -> Answer:
        return self.request("PATCH", path, body, MERGE, **parameters)


def wait_until_ready(server: ApiServer, programs: list[subprocess.Popen[bytes]], directory: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        for each in programs:
            if each.poll() is not None:
                logs = "\n".join(log.read_text()[-3000:] for log in directory.glob("*.log"))
                raise RuntimeError(f"{each.args} ended with {each.returncode}:\n{logs}")
        try:
            if server.session.get(f"{server.url}/readyz", timeout=5).status_code == requests.codes.ok:
                return
        except requests.exceptions.SSLError:
            raise
        except OSError:  # not listening yet, or its certificate is not written yet
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the API server was not ready within {START_TIMEOUT_SECONDS} s: see {directory}")


@contextmanager
def running_server(binaries: dict[str, Path], directory: Path) -> Iterator[ApiServer]:
    etcd, peers, secure = free_port(), free_port(), free_port()
    key = directory / "service-accounts.key"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    (directory / "tokens").write_text(f"{TOKEN},tests,tests,system:masters\n")
    with ExitStack() as stack:
        programs = [
            stack.enter_context(process(directory, *command))
            for command in (
                (
                    binaries["etcd"],
                    "--data-dir=etcd",
                    "--unsafe-no-fsync",
                    "--log-level=warn",
                    f"--listen-client-urls=http://127.0.0.1:{etcd}",
                    f"--advertise-client-urls=http://127.0.0.1:{etcd}",
                    f"--listen-peer-urls=http://127.0.0.1:{peers}",
                    f"--initial-advertise-peer-urls=http://127.0.0.1:{peers}",
                    f"--initial-cluster=default=http://127.0.0.1:{peers}",
                ),
                (
                    binaries["kube-apiserver"],
                    f"--etcd-servers=http://127.0.0.1:{etcd}",
                    "--bind-address=127.0.0.1",
                    "--advertise-address=127.0.0.1",
                    f"--secure-port={secure}",
                    "--cert-dir=certificates",
                    "--token-auth-file=tokens",
                    "--authorization-mode=RBAC",
                    "--endpoint-reconciler-type=none",
                    "--disable-admission-plugins=ServiceAccount",
                    "--service-cluster-ip-range=10.0.0.0/24",
                    "--service-account-issuer=https://127.0.0.1",
                    f"--service-account-key-file={key}",
                    f"--service-account-signing-key-file={key}",
                ),
            )
        ]
        server = ApiServer(f"https://127.0.0.1:{secure}", directory / "certificates" / "apiserver.crt")
        stack.callback(server.session.close)
        wait_until_ready(server, programs, directory)
        yield server


@pytest.fixture(scope="session")
def bare_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server without our CRDs."""
    binaries = find_binaries()
    if len(binaries) < len(PROGRAMS) or shutil.which("openssl") is None:
        pytest.skip(
            "LEFT OUT: all tests against a kube-apiserver, because there is none: run `make cluster-up` once, "
            "or set SERINUS_BINARIES to a directory with etcd and kube-apiserver (and install openssl)"
        )
    with running_server(binaries, tmp_path_factory.mktemp("apiserver")) as server:
        yield server


def install(server: ApiServer, crd: dict[str, Any]) -> dict[str, Any]:
    """Apply a CRD and return it once it is established."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    applied = server.apply(path, crd, "installer", force="true")
    assert applied.code in {200, 201}, applied.message
    name = crd["metadata"]["name"]
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        found = server.request("GET", f"{path}/{name}").body
        conditions = {each["type"]: each["status"] for each in found.get("status", {}).get("conditions") or []}
        if conditions.get("Established") == "True":
            return found
        time.sleep(0.05)
    raise AssertionError(f"{name} was not established: {found['status']}")


@pytest.fixture(scope="session")
def installed(bare_server: ApiServer) -> dict[str, dict[str, Any]]:
    """The four CRDs as the server has them, by plural."""
    crds = [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]
    return {crd["spec"]["names"]["plural"]: install(bare_server, crd) for crd in crds}


@pytest.fixture(scope="session")
def server(bare_server: ApiServer, installed: dict[str, dict[str, Any]]) -> ApiServer:
    """An API server that serves our kinds."""
    assert len(installed) == 4
    return bare_server


@pytest.fixture
def namespace(server: ApiServer, request: pytest.FixtureRequest) -> str:
    """A fresh namespace, so that no test sees another's objects."""
    made = server.create("/api/v1/namespaces", {"metadata": {"generateName": "serinus-"}})
    assert made.code == 201, f"{request.node.name}: {made.message}"
    return str(made.body["metadata"]["name"])
