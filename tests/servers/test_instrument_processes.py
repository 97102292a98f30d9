"""serinus-instrument in MLServer with parallel workers: the counts of all processes stand at the one endpoint."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from servers.catalogue import SERVERS
from servers.environments import ROOT
from servers.mix import GOOD
from servers.processes import wait_until
from servers.server import Place
from servers.starting import APPS, started

pytestmark = pytest.mark.servers

REVISION = "bcdfghjklm"
GATE = {"X-Serinus-Gate": f"{REVISION}/1"}


def parallel_mlserver(at: Place) -> list[str | Path]:
    models = at.folder / "models"
    shutil.copytree(APPS / "instrumented_mlserver", models)
    settings = {
        "host": "127.0.0.1", "http_port": at.port, "metrics_port": at.metrics, "grpc_port": at.spare[0],
        "parallel_workers": 1, "metrics_dir": str(at.folder / "shared"),
    }  # fmt: skip
    (models / "settings.json").write_text(json.dumps(settings))
    # Its workers do not start with the uvloop that its own requirements bring.
    (models / "uvloop.py").write_text("raise ImportError")
    return [at.bin / "mlserver", "start", models]


def test_workers_are_added_up_and_gates_left_out(tmp_path: Path) -> None:
    (server,) = (each for each in SERVERS if each.name == "mlserver")
    variables = {
        **server.variables,
        "SERINUS_REVISION": REVISION,
        "PYTHONPATH": f"$HOME/models:{APPS}:{ROOT / 'instrument'}",
    }
    body = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [GOOD]}]}
    with started(replace(server, command=parallel_mlserver, variables=variables), tmp_path) as running:

        def exported() -> dict[str, float]:
            text = requests.get(f"http://{running.metrics_target}/metrics", timeout=10).text
            found: dict[str, float] = {}
            for family in text_string_to_metric_families(text):
                for each in family.samples:
                    found[each.name] = found.get(each.name, 0.0) + each.value
            return found

        for headers in (GATE, {}, {}, GATE, {}, {}):
            answer = requests.post(running.url + server.path, json=body, headers=headers, timeout=10)
            assert answer.headers["X-Serinus-Revision"] == REVISION
        # Each process writes its counts once a second.
        wait_until(lambda: exported().get("serinus_predictions_total", 0) >= 4, 20, lambda: "predictions are missing")
        found = exported()
    assert found["serinus_predictions_total"] == 4
    assert found["serinus_feature_sum"] == 4 * GOOD
    assert found["serinus_instrument_errors_total"] == 0
    assert found["model_infer_request_success_total"] == 6
