"""Give each end-to-end test a cluster, an operator with its ServiceAccount's rights, and its own ModelDeployments."""

import re
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from e2e.api_server import ApiServer
from e2e.installation import install_crds, install_operator_account, operator_kubeconfig
from e2e.manifests import checkout_namespace
from e2e.model import Beacon, Model, Models
from e2e.operator_process import OperatorProcess
from e2e.place import Place, find_place
from e2e.story import tell

HERE = Path(__file__).parent
KOPF_ENDS_A_WATCH = "RuntimeError: generator didn't stop after athrow()"
"""Python's complaint when kopf ends a watch in the very moment that an event comes: seen at SIGTERM, harmless."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test here, so that none can be forgotten."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


def models_in(fixture: object) -> list[Model]:
    """Return the ModelDeployments that a fixture's value holds."""
    if isinstance(fixture, Models):
        return fixture.made
    return [fixture] if isinstance(fixture, Model) else []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure what the cluster looked like."""
    report = yield
    values = getattr(item, "funcargs", {}).values()
    operator = next((each for each in values if isinstance(each, OperatorProcess)), None)
    if report.failed and report.when in {"setup", "call"} and operator is not None:
        report.sections.extend(tell([model for each in values for model in models_in(each)], operator))
    return report


@pytest.fixture(scope="session")
def place() -> Place:
    """Return the cluster."""
    return find_place()


@pytest.fixture(scope="session")
def api(place: Place) -> Iterator[ApiServer]:
    """Return the API server as an administrator sees it."""
    proxy = subprocess.Popen(place.kubectl.command("proxy", "--port=0"), stdout=subprocess.PIPE, text=True)
    assert proxy.stdout is not None
    address = re.search(r"127\.0\.0\.1:\d+", proxy.stdout.readline())
    assert address, "kubectl proxy did not start"
    server = ApiServer(f"http://{address.group()}")
    yield server
    server.close()
    proxy.terminate()
    proxy.wait(timeout=10)
    proxy.stdout.close()


@pytest.fixture(scope="session")
def namespace(place: Place, api: ApiServer, pytestconfig: pytest.Config) -> Iterator[str]:
    """Return this checkout's own namespace, empty, with the CRDs, the toy image and the operator's account in place."""
    name = checkout_namespace(pytestconfig.rootpath)
    install_crds(place.kubectl)
    place.kubectl.run("delete", "namespace", name, "--ignore-not-found", "--wait", "--timeout=120s", within=130)
    place.kubectl.run("create", "namespace", name)
    install_operator_account(place.kubectl, name)
    place.load_toy_image()
    yield name
    place.kubectl.run("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def started_operator(
    place: Place, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """Return the operator of this run."""
    folder = tmp_path_factory.mktemp("operator")
    operator = OperatorProcess(
        kubeconfig=operator_kubeconfig(place.kubectl, namespace, folder),
        environment={
            "SERINUS_NAMESPACES": namespace,
            "SERINUS_PROMETHEUS_URL": place.prometheus_url,
            "SERINUS_SCRAPE_TIMEOUT": "1s",
            "SERINUS_METRICS_PORT": "0",
            "SERINUS_FETCH_IMAGE": place.fetch_image,
            "SERINUS_TRACK_INTERVAL": "10s",
        },
        log=folder / "operator.log",
    )
    operator.start()
    yield operator
    if operator.running:
        status = operator.stop()
        assert status == 0, f"SIGTERM ended the operator with {status}:\n{operator.log_tail(40)}"
    # Over all scenarios: it never wanted a right that the chart does not give, and never met a bug of its own.
    for word in ("forbidden", "Traceback"):
        met = [each for each in operator.log_lines(word) if KOPF_ENDS_A_WATCH not in each]
        assert not met, f"{len(met)} times {word!r} in the operator's log, first:\n{met[0]}"


@pytest.fixture
def operator(started_operator: OperatorProcess) -> Iterator[OperatorProcess]:
    """Return the running operator; a test that ends it gets it started again afterwards."""
    if not started_operator.running:
        started_operator.start()
    yield started_operator
    if not started_operator.running:
        started_operator.start()


@pytest.fixture(scope="session")
def beacon(api: ApiServer, namespace: str) -> Beacon:
    """Return what tells when the operator has seen everything."""
    return Beacon(api, namespace)


@pytest.fixture
def models(api: ApiServer, namespace: str, operator: OperatorProcess) -> Iterator[Models]:
    """Make ModelDeployments by name; they are deleted after the test, and shown when it fails."""
    factory = Models(api, namespace)
    yield factory
    for model in factory.made:
        model.delete()
