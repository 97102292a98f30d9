"""What an MLflow server says of its files, also where it differs from the ones that tests/stores starts."""

import json
import os
from typing import Any

import pytest

from fetch.web_server import Item, WebServer
from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.patience import Patience
from serinus.fetch.pins import parse_pin
from serinus.fetch.run import fetch, resolve

CONTENT = os.urandom(100)
IMPATIENT = Patience(attempts=2, first_wait_seconds=0.001)
API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
URI = "models:/m@prod"


def answer(value: Any) -> Item:
    return Item(json.dumps(value).encode())


def serve(web: WebServer, where: str, **told: Any) -> dict[str, str]:
    """Serve version 3 of a model with one file; returns the environment that leads there."""
    web.items[f"{API}/registered-models/alias"] = answer({"model_version": {"name": "m", "version": "3"}})
    web.items[f"{API}/model-versions/get-download-uri"] = answer({"artifact_uri": where})
    web.items[FILES] = answer({"files": [{"path": "m.bin", "is_dir": False, **told}]})
    web.items[f"{FILES}/1/a/m.bin"] = Item(CONTENT)
    return {"MLFLOW_TRACKING_URI": web.url(), "SERINUS_FETCH_ALLOW_HTTP": "true"}


@pytest.mark.parametrize(
    ("told", "item"),
    [
        ({"file_size": 100}, {}),
        ({}, {}),
        ({"file_size": None}, {}),
        ({}, {"ranges": False}),
        ({}, {"etag": ""}),
    ],
)
def test_a_file_comes_whole_whatever_the_server_says_of_its_size(web, tmp_path, told, item):
    environment = serve(web, "mlflow-artifacts:/1/a", **told)
    web.items[f"{FILES}/1/a/m.bin"] = Item(CONTENT, **item)
    resolved = resolve(URI, environment, IMPATIENT)
    assert resolved["bytes"] == 100
    fetch(URI, tmp_path / "m", environment, pin_text=str(resolved["pin"]))
    assert (tmp_path / "m" / "m.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("size", [0, 99, 101])
def test_a_server_that_contradicts_itself_is_refused(web, size):
    environment = serve(web, "mlflow-artifacts:/1/a", file_size=size)
    with pytest.raises(FetchFailed, match=f"lists m.bin with {size} bytes and sends 100") as failed:
        resolve(URI, environment, IMPATIENT)
    assert failed.value.reason is Reason.UNSUPPORTED


def test_a_signature_that_the_registry_hands_out_is_not_pinned(web, tmp_path, monkeypatch):
    monkeypatch.setattr("serinus.fetch.mlflow._ELSEWHERE", ("http://",))
    web.items["/m.bin"] = Item(CONTENT)
    environment = serve(web, web.url("/m.bin?sig=SECRET0123"))
    told = resolve(URI, environment, IMPATIENT)
    assert "SECRET0123" not in repr(parse_pin(str(told["pin"]))) + json.dumps(told)
    # The alias moves on; the pinned version is asked for, with the signature of today.
    web.items[f"{API}/registered-models/alias"] = answer({"model_version": {"name": "m", "version": "4"}})
    fetch(URI, tmp_path / "m", environment, pin_text=str(told["pin"]))
    assert (tmp_path / "m" / "m.bin").read_bytes() == CONTENT
    assert any("version=3" in asked.path for asked in web.asked[-3:])
