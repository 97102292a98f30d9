"""serinus-instrument within the real servers: its metrics stand beside theirs, and gate requests do not count."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from servers.environments import environment
from servers.processes import free_ports, running, wait_until

pytestmark = pytest.mark.servers

APPS = Path(__file__).parent / "apps"
SOURCE = Path(__file__).parents[2] / "instrument"
REVISION, OTHER = "bcdfghjklm", "npqrstvwxz"
COUNTED = [1.0, 2.0, 3.0, 9.0]
"""What is sent; the model doubles it, and more than 10 is not plausible."""
GATED = [7.0, 8.0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server with an instrumented model."""

    name: str
    packages: str
    command: Callable[[Path, Path, int, int], list[str | Path]]
    body: Callable[[float], object]
    path: str
    probe: str
    own: str
    """A metric of its own that has to be there as well."""
    takes_outcomes: bool = True
    own_metrics_port: bool = False


def _kserve(home: Path, _: Path, port: int, __: int) -> list[str | Path]:
    return [home / "bin" / "python", APPS / "instrumented_kserve.py", str(port)]


def _bentoml(home: Path, _: Path, port: int, __: int) -> list[str | Path]:
    return [home / "bin" / "bentoml", "serve", "instrumented_bentoml:Iris", "--host", "127.0.0.1", "--port", str(port)]


def _mlserver(workers: int) -> Callable[[Path, Path, int, int], list[str | Path]]:
    def command(home: Path, folder: Path, port: int, metrics: int) -> list[str | Path]:
        models = folder / "models"
        shutil.copytree(APPS / "instrumented_mlserver", models)
        (grpc,) = free_ports(1)
        settings = {
            "host": "127.0.0.1", "http_port": port, "metrics_port": metrics, "grpc_port": grpc,
            "parallel_workers": workers, "metrics_dir": str(folder / "shared"),
        }  # fmt: skip
        (models / "settings.json").write_text(json.dumps(settings))
        if workers:
            # Its workers do not start with the uvloop that its own requirements bring.
            (models / "uvloop.py").write_text("raise ImportError")
        return [home / "bin" / "mlserver", "start", models]

    return command


def _tensor(value: float) -> object:
    return {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [value]}]}


SERVERS = [
    Server(
        name="kserve-v1", packages="kserve", command=_kserve, body=lambda value: {"instances": [[value]]},
        path="/v1/models/iris:predict", probe="/v1/models/iris", own="request_predict_seconds_count",
    ),
    Server(
        name="kserve-v2", packages="kserve", command=_kserve, body=_tensor,
        path="/v2/models/iris/infer", probe="/v2/models/iris/ready", own="request_predict_seconds_count",
    ),
    Server(
        name="mlserver", packages="mlserver", command=_mlserver(0), body=_tensor, path="/v2/models/iris/infer",
        probe="/v2/models/iris/ready", own="model_infer_request_success_total", takes_outcomes=False,
        own_metrics_port=True,
    ),
    Server(
        name="mlserver-parallel", packages="mlserver", command=_mlserver(1), body=_tensor, path="/v2/models/iris/infer",
        probe="/v2/models/iris/ready", own="model_infer_request_success_total", takes_outcomes=False,
        own_metrics_port=True,
    ),
    Server(
        name="bentoml", packages="bentoml", command=_bentoml, body=lambda value: {"rows": [[value]]},
        path="/predict", probe="/readyz", own="bentoml_service_request_total",
    ),
]  # fmt: skip


@contextmanager
def started(server: Server, folder: Path) -> Iterator[tuple[str, str]]:
    """Run a server; give its address and that of its metrics."""
    port, metrics = free_ports(2)
    home = environment(server.packages)
    variables = {
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONPATH": f"{folder / 'models'}:{APPS}:{SOURCE}",
        "PYTHONPYCACHEPREFIX": str(home / "pycache"),
        "SERINUS_REVISION": REVISION,
        "BENTOML_HOME": str(folder / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    url = f"http://127.0.0.1:{port}"
    with running(server.command(home, folder, port, metrics), folder, variables, f"{url}{server.probe}"):
        yield url, f"http://127.0.0.1:{metrics if server.own_metrics_port else port}/metrics"


def exported(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(requests.get(url, timeout=10).text)
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


@pytest.mark.parametrize("server", SERVERS, ids=lambda each: each.name)
def test_counts_stand_beside_the_servers_own(server: Server, tmp_path: Path) -> None:
    model = {("model", "iris")}
    with started(server, tmp_path) as (url, metrics):

        def predicted() -> float:
            return exported(metrics).get(("serinus_predictions_total", frozenset(model)), 0)

        for value in GATED:
            gate = {"X-Serinus-Gate": f"{REVISION}/1"}
            requests.post(url + server.path, json=server.body(value), headers=gate, timeout=10).raise_for_status()
        for value in COUNTED:
            answer = requests.post(url + server.path, json=server.body(value), timeout=10)
            assert answer.status_code == 200
            assert answer.headers["X-Serinus-Revision"] == REVISION
            assert f"{value * 2:.1f}" in answer.text
            assert "headers" not in answer.text
        if server.takes_outcomes:
            late = [{"revision": OTHER, "predicted": 1, "truth": 0}, {"predicted": 1, "truth": 1}]
            told = requests.post(f"{url}/serinus/outcomes", json=late, timeout=10)
            assert told.json() == {"counted": 2}
        # Where several processes serve, counts are written once a second.
        wait_until(lambda: predicted() >= len(COUNTED), 20, lambda: f"{predicted()} predictions are exported")
        wait_until(
            lambda: (
                not server.takes_outcomes
                or ("serinus_outcomes_total", frozenset(model | {("revision", OTHER), ("result", "wrong")}))
                in exported(metrics)
            ),
            20,
            lambda: "no outcomes are exported",
        )
        found = exported(metrics)
    assert predicted_of(found) == len(COUNTED)
    assert found["serinus_implausible_predictions_total", frozenset(model | {("reason", "out_of_range")})] == 1
    (inputs,) = [n for (name, _), n in found.items() if name == "serinus_feature_sum"]
    (outputs,) = [n for (name, _), n in found.items() if name == "serinus_prediction_sum"]
    assert (inputs, outputs) == (sum(COUNTED), 2 * sum(COUNTED))
    assert not [labels for (name, labels), n in found.items() if name == "serinus_instrument_errors_total" and n]
    assert any(name == server.own for name, _ in found)
    if server.takes_outcomes:
        key = "serinus_outcomes_total", frozenset(model | {("revision", OTHER), ("result", "wrong")})
        assert found[key] == 1


def predicted_of(found: dict[tuple[str, frozenset[tuple[str, str]]], float]) -> float:
    return sum(n for (name, _), n in found.items() if name == "serinus_predictions_total")
