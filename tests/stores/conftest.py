"""Real stores, each started once for all tests: S3 by moto, MLflow's tracking server, the reference OCI registry."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster import binaries, toolchain
from cluster.binaries import Tool
from cluster.paths import Layout
from cluster.progress import Reporter
from servers.environments import environment
from servers.processes import free_ports, running

GO_MODULES = Path(__file__).parent / "go"
REGISTRY = Tool(
    name="registry",
    module="registry",
    package="github.com/distribution/distribution/v3/cmd/registry",
    directory=GO_MODULES,
)
FAKE_GCS = Tool(
    name="fake-gcs-server",
    module="fake-gcs-server",
    package="github.com/fsouza/fake-gcs-server",
    directory=GO_MODULES,
)
REGISTRY_CONFIG = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: test, path: {folder}/passwords}}}}
log: {{level: error}}
"""
# bcrypt of open-sesame.
PASSWORDS = "u:$2b$04$1Fft7dly44jX9a5OA2FLg.0lliDLXWTldiVvWpRZVVVar2m8LGUYG\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A store that runs, and what a Secret would hold."""

    url: str
    secret: Mapping[str, str]


def clean() -> dict[str, str]:
    """Return our environment without what could be meant for a store."""
    ours = ("AWS_", "AZURE_", "GOOGLE_", "MLFLOW_", "HF_", "OCI_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def built(tool: Tool) -> Path:
    """Return a Go program, built now unless the cache has it."""
    cache = Layout.from_environment().cache
    reporter = Reporter(cache)
    return binaries.build(tool, toolchain.ensure(cache, reporter), cache, reporter)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """An S3 API that checks credentials is more than moto is; it has versions, conditions and ranges."""
    (port,) = free_ports(1)
    python = environment("s3", "test") / "bin" / "python"
    server = [python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    url = f"http://127.0.0.1:{port}"
    with running(server, tmp_path_factory.mktemp("s3"), clean(), f"{url}/moto-api/"):
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret-key", "AWS_REGION": "us-east-1"}
        yield Store(url=url, secret={**keys, "AWS_ENDPOINT_URL": url})


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The registry that the specification was written after, behind a password."""
    (port,) = free_ports(1)
    folder = tmp_path_factory.mktemp("registry")
    (folder / "passwords").write_text(PASSWORDS)
    (folder / "config").write_text(REGISTRY_CONFIG.format(folder=folder, port=port))
    url = f"http://127.0.0.1:{port}"
    with running([built(REGISTRY), "serve", folder / "config"], folder, clean(), f"{url}/"):
        secret = {"OCI_USERNAME": "u", "OCI_PASSWORD": "open-sesame", "SERINUS_FETCH_ALLOW_HTTP": "true"}
        yield Store(url=url, secret=secret)


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The server with which obstore's own makers test Google Cloud Storage."""
    (port,) = free_ports(1)
    folder = tmp_path_factory.mktemp("gcs")
    url = f"http://127.0.0.1:{port}"
    where = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-public-host", url.removeprefix("http://")]
    with running([built(FAKE_GCS), "-backend", "memory", *where], folder, clean(), f"{url}/storage/v1/b"):
        yield Store(url=url, secret={"GOOGLE_BASE_URL": url, "GOOGLE_SKIP_SIGNATURE": "true"})


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A tracking server with a registry, which keeps artifacts on its own disk."""
    (port,) = free_ports(1)
    folder = tmp_path_factory.mktemp("mlflow")
    home = environment("mlflow", "test") / "bin"
    server = [home / "python", "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    kept = ["--backend-store-uri", f"sqlite:///{folder}/db", "--artifacts-destination", str(folder / "artifacts")]
    url = f"http://127.0.0.1:{port}"
    variables = clean() | {"PATH": f"{home}:{os.environ['PATH']}", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with running([*server, *kept], folder, variables, f"{url}/health"):
        yield Store(url=url, secret={"MLFLOW_TRACKING_URI": url})


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of the fetch container: only what a test puts there, as obstore reads the process' own."""
    for name in set(os.environ) - set(clean()):
        monkeypatch.delenv(name)
    return {}
