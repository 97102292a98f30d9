"""The example server of serinus-instrument runs as it stands, and counts in the edges of its training profile."""

import json
import os
from pathlib import Path

import pytest
import requests

from serinus.signals.presets import preset
from servers.environments import ROOT, environment
from servers.processes import free_ports, running
from support.expositions import counted, read_text

pytestmark = pytest.mark.servers

EXAMPLE = ROOT / "examples" / "instrument"
REVISION = "bcdfghjklm"
GOOD = {"amount": 20.0, "hour": 14, "country": "de"}
NIGHT = {"amount": None, "hour": 3, "country": "it"}


def test_it_serves_and_counts(tmp_path: Path) -> None:
    home = environment("fastapi")
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    argv = [home / "bin" / "python", "-m", "uvicorn", "server:app", "--host", "127.0.0.1", "--port", str(port)]
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{EXAMPLE}:{ROOT / 'instrument'}",
        "PYTHONPYCACHEPREFIX": str(home / "pycache"),
        "SERINUS_REVISION": REVISION,
        "SERINUS_MODEL": "fraud-instrumented",
        "SERINUS_OUTCOMES_TOKEN": "s3cret",
    }
    with running(argv, tmp_path, variables, f"{url}/healthz"):
        answer = requests.post(f"{url}/predict", json={"rows": [GOOD, GOOD, NIGHT]}, timeout=10)
        requests.post(f"{url}/predict", json={"rows": [GOOD]}, headers={"X-Serinus-Gate": "x/1"}, timeout=10)
        by = answer.headers["X-Serinus-Revision"]
        outcome = {"revision": by, "predicted": answer.json()["predictions"][0], "truth": 0}
        assert requests.post(f"{url}/serinus/outcomes", json=[outcome], timeout=10).status_code == 401
        known = {"Authorization": "Bearer s3cret"}
        told = requests.post(f"{url}/serinus/outcomes", json=[outcome], headers=known, timeout=10)
        text = requests.get(f"{url}/metrics", timeout=10).text
    assert (by, told.json()) == (REVISION, {"counted": 1})
    about = {"model": "fraud-instrumented", "other": {"$revision": REVISION, "$feature": "amount"}}
    trained = json.loads((EXAMPLE / "serinus-profile.json").read_text())
    shown = read_text("instrument", "example", text, about)
    assert counted(shown.bind(preset("instrument")), shown) == {
        "implausible": [3, 0],
        "accuracy": [1, 0],
        "predictions": [[2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0], {}],
        "features": [[0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0], {}],
        "training_predictions": [trained["prediction"]["counts"], {}],
        "training_features": [trained["features"]["amount"]["counts"], {}],
    }
    # The request of the gate is none, nor are outcomes and probes.
    assert 'http_requests_total{handler="/serinus/outcomes"' not in text
