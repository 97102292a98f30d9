"""MLflow's own tracking server: versions and aliases of its registry, artifacts that it keeps itself."""

import json
import os
from urllib.parse import quote

import pytest
import requests

from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.patience import Patience
from serinus.fetch.run import fetch, resolve
from stores.conftest import Store

pytestmark = pytest.mark.stores
IMPATIENT = Patience(attempts=2, first_wait_seconds=0.01)
FILES = {"MLmodel": b"flavors: {}\n", "data/model.bin": os.urandom(20_000_000), "data/a b.txt": b"x"}


class Registry:
    """One registered model, written by MLflow's REST interface."""

    def __init__(self, store: Store, name: str) -> None:
        self._base, self.name = f"{store.url}/api/2.0", name
        self._post("mlflow/registered-models/create", name=name)
        self._versions = 0

    def _post(self, path: str, **body: str) -> dict:
        answer = requests.post(f"{self._base}/{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def put(self, path: str, content: bytes) -> None:
        url = f"{self._base}/mlflow-artifacts/artifacts/{quote(path)}"
        requests.put(url, data=content, timeout=30).raise_for_status()

    def log(self, files: dict[str, bytes]) -> str:
        """Store files as a run's artifacts, register them, and return where they are."""
        run = self._post("mlflow/runs/create", experiment_id="0")["run"]["info"]
        source = f"{run['artifact_uri']}/model"
        for name, content in files.items():
            self.put(f"{source.removeprefix('mlflow-artifacts:/')}/{name}", content)
        self.register(source, run["run_id"])
        return source

    def register(self, source: str, run: str = "") -> None:
        self._post("mlflow/model-versions/create", name=self.name, source=source, **({"run_id": run} if run else {}))
        self._versions += 1

    def alias(self, alias: str, version: int) -> None:
        self._post("mlflow/registered-models/alias", name=self.name, alias=alias, version=str(version))


@pytest.fixture
def registry(mlflow: Store, request) -> Registry:
    return Registry(mlflow, f"the {request.node.name}".translate(str.maketrans("[]/@", "    ")).strip())


def contents(directory):
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and not path.name.startswith(".serinus")
    }


def test_a_version(mlflow, registry, secret, tmp_path):
    registry.log(FILES)
    told = resolve(f"models:/{registry.name}/1", mlflow.secret, IMPATIENT)
    assert (told["files"], told["bytes"]) == (3, sum(map(len, FILES.values())))
    fetch(f"models:/{registry.name}/1", tmp_path / "m", mlflow.secret, pin_text=str(told["pin"]))
    assert contents(tmp_path / "m") == FILES


def test_an_alias_that_moves_on(mlflow, registry, secret, tmp_path):
    registry.log(FILES)
    registry.log({"MLmodel": b"second\n"})
    registry.alias("champion", 1)
    uri = f"models:/{registry.name}@champion"
    before = resolve(uri, mlflow.secret, IMPATIENT)
    registry.alias("champion", 2)
    after = resolve(uri, mlflow.secret, IMPATIENT)
    assert before["digest"] != after["digest"]
    fetch(uri, tmp_path / "before", mlflow.secret, pin_text=str(before["pin"]))
    fetch(uri, tmp_path / "after", mlflow.secret, pin_text=str(after["pin"]))
    assert contents(tmp_path / "before") == FILES
    assert contents(tmp_path / "after") == {"MLmodel": b"second\n"}


def test_artifacts_that_are_overwritten_in_place(mlflow, registry, secret, tmp_path):
    source = registry.log(FILES)
    told = resolve(f"models:/{registry.name}/1", mlflow.secret, IMPATIENT)
    registry.put(f"{source.removeprefix('mlflow-artifacts:/')}/MLmodel", b"FLAVORS: {}\n")
    with pytest.raises(FetchFailed) as failed:
        fetch(f"models:/{registry.name}/1", tmp_path / "m", mlflow.secret, pin_text=str(told["pin"]))
    assert failed.value.reason is Reason.REPLACED


def test_artifacts_in_a_bucket(mlflow, registry, s3, secret, tmp_path, monkeypatch):
    for name, value in s3.secret.items():
        monkeypatch.setenv(name, value)
    keys = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/s3/aws4_request"}
    for path, content in {"": b"", "/1/model/MLmodel": b"in s3"}.items():
        requests.put(f"{s3.url}/mlflow{path}", data=content, headers=keys, timeout=10).raise_for_status()
    registry.register("s3://mlflow/1/model")
    secret = {**mlflow.secret, **s3.secret}
    told = resolve(f"models:/{registry.name}/1", secret, IMPATIENT)
    assert told["source"] == "s3://mlflow/1/model"
    fetch(f"models:/{registry.name}/1", tmp_path / "m", secret, pin_text=str(told["pin"]))
    assert contents(tmp_path / "m") == {"MLmodel": b"in s3"}


@pytest.mark.parametrize("which", ["/7", "@nobody", "-not/1"])
def test_what_is_not_there(mlflow, registry, secret, which):
    with pytest.raises(FetchFailed, match="MLflow says") as failed:
        resolve(f"models:/{registry.name}{which}", mlflow.secret, IMPATIENT)
    assert failed.value.reason is Reason.NOT_FOUND


def test_nobody_said_where_the_registry_is(secret):
    with pytest.raises(FetchFailed, match="MLFLOW_TRACKING_URI") as failed:
        resolve("models:/fraud/1", {}, IMPATIENT)
    assert failed.value.reason is Reason.CREDENTIALS_MISSING


def test_another_server_answers(s3, secret):
    with pytest.raises(FetchFailed) as failed:
        resolve("models:/fraud/1", {"MLFLOW_TRACKING_URI": s3.url}, IMPATIENT)
    assert failed.value.exit_code == 2
    assert json.dumps(failed.value.message)
