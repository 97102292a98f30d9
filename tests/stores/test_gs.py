"""Google Cloud Storage, as fake-gcs-server speaks it: generations of a versioned bucket, and of one that keeps none."""

import os

import pytest
import requests

from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.patience import Patience
from serinus.fetch.run import fetch, resolve
from stores.conftest import Store

pytestmark = pytest.mark.stores
IMPATIENT = Patience(attempts=2, first_wait_seconds=0.01)
FILES = {"model.bin": os.urandom(20_000_000), "deep/a b": b"x"}


def put(store: Store, bucket: str, name: str, content: bytes) -> None:
    url = f"{store.url}/upload/storage/v1/b/{bucket}/o"
    query = {"uploadType": "media", "name": name}
    requests.post(url, params=query, data=content, timeout=30).raise_for_status()


@pytest.fixture(params=[False, True], ids=["unversioned", "versioned"])
def bucket(request, gcs: Store, secret, monkeypatch) -> str:
    for name, value in gcs.secret.items():
        monkeypatch.setenv(name, value)
    name = f"models-{request.node.callspec.id}-{request.node.originalname.replace('_', '-')}"[:60]
    body = {"name": name, "versioning": {"enabled": request.param}}
    requests.post(f"{gcs.url}/storage/v1/b", json=body, timeout=30).raise_for_status()
    for path, content in FILES.items():
        put(gcs, name, f"fraud/7/{path}", content)
    return name


def contents(directory):
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and not path.name.startswith(".serinus")
    }


def test_all_below_a_prefix_comes(gcs, bucket, tmp_path):
    told = resolve(f"gs://{bucket}/fraud/7", gcs.secret, IMPATIENT)
    assert (told["files"], told["bytes"]) == (2, 20_000_001)
    fetch(f"gs://{bucket}/fraud/7", tmp_path / "m", gcs.secret, pin_text=str(told["pin"]))
    assert contents(tmp_path / "m") == FILES


def test_an_overwritten_artifact(gcs, bucket, tmp_path):
    told = resolve(f"gs://{bucket}/fraud/7", gcs.secret, IMPATIENT)
    put(gcs, bucket, "fraud/7/deep/a b", b"newer")
    assert resolve(f"gs://{bucket}/fraud/7", gcs.secret, IMPATIENT)["digest"] != told["digest"]
    if "-versioned-" in bucket:
        fetch(f"gs://{bucket}/fraud/7", tmp_path / "m", gcs.secret, pin_text=str(told["pin"]))
        assert contents(tmp_path / "m") == FILES
        return
    with pytest.raises(FetchFailed) as failed:
        fetch(f"gs://{bucket}/fraud/7", tmp_path / "m", gcs.secret, pin_text=str(told["pin"]))
    assert failed.value.reason is Reason.REPLACED


def test_what_is_not_there(gcs, bucket):
    with pytest.raises(FetchFailed) as failed:
        resolve(f"gs://{bucket}/fraud/8", gcs.secret, IMPATIENT)
    assert failed.value.reason is Reason.NOT_FOUND


def test_without_credentials(gcs, bucket, monkeypatch):
    monkeypatch.delenv("GOOGLE_SKIP_SIGNATURE")
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:1")
    with pytest.raises(FetchFailed, match="GOOGLE_SERVICE_ACCOUNT_KEY") as failed:
        resolve(f"gs://{bucket}/fraud/7", gcs.secret, IMPATIENT)
    assert failed.value.reason is Reason.CREDENTIALS_MISSING


def test_credentials_that_are_none(gcs, bucket, monkeypatch):
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", '{"private_key": "-----BEGIN hunter22')
    with pytest.raises(FetchFailed) as failed:
        resolve(f"gs://{bucket}/fraud/7", gcs.secret, IMPATIENT)
    assert failed.value.exit_code == 2
    assert "hunter22" not in failed.value.message
