"""The reference OCI registry behind a password."""

import hashlib
import json
import os

import pytest
import requests

from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.patience import Patience
from serinus.fetch.run import fetch, resolve
from stores.conftest import Store

pytestmark = pytest.mark.stores
IMPATIENT = Patience(attempts=2, first_wait_seconds=0.01)
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LOGIN = ("u", "open-sesame")
FILES = {"model.bin": os.urandom(40_000_000), "config.json": b"{}", "sub/a b": b"x"}


def digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def push_blob(base: str, content: bytes) -> None:
    started = requests.post(f"{base}/blobs/uploads/", auth=LOGIN, timeout=30)
    started.raise_for_status()
    where = started.headers["Location"]
    where = f"{where}{'&' if '?' in where else '?'}digest={digest(content)}"
    requests.put(where, data=content, auth=LOGIN, timeout=30).raise_for_status()


def push(store: Store, repository: str, tag: str, files: dict[str, bytes]) -> str:
    """Push files as `oras push` does, and return the manifest's digest."""
    base = f"{store.url}/v2/{repository}"
    layers = [
        {
            "mediaType": "application/octet-stream",
            "digest": digest(content),
            "size": len(content),
            "annotations": {"org.opencontainers.image.title": name},
        }
        for name, content in files.items()
    ]
    for content in (b"{}", *files.values()):
        push_blob(base, content)
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest(b"{}"), "size": 2}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "model", "config": config, "layers": layers}
    body = json.dumps(manifest).encode()
    headers = {"Content-Type": MANIFEST}
    requests.put(f"{base}/manifests/{tag}", data=body, headers=headers, auth=LOGIN, timeout=30).raise_for_status()
    return digest(body)


def uri(store: Store, reference: str) -> str:
    return f"oci://{store.url.removeprefix('http://')}/{reference}"


def contents(directory):
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and not path.name.startswith(".serinus")
    }


def test_a_tag_that_moves_on(registry, secret, tmp_path):
    first = push(registry, "team/fraud", "v1", FILES)
    told = resolve(uri(registry, "team/fraud:v1"), registry.secret, IMPATIENT)
    assert (told["digest"], told["files"]) == (first, 3)
    second = push(registry, "team/fraud", "v1", {"model.bin": b"newer"})
    assert resolve(uri(registry, "team/fraud:v1"), registry.secret, IMPATIENT)["digest"] == second
    fetch(uri(registry, "team/fraud:v1"), tmp_path / "m", registry.secret, pin_text=str(told["pin"]))
    assert contents(tmp_path / "m") == FILES
    fetch(uri(registry, f"team/fraud@{second}"), tmp_path / "n", registry.secret, digest=second)
    assert contents(tmp_path / "n") == {"model.bin": b"newer"}


def test_a_manifest_that_was_removed(registry, secret, tmp_path):
    first = push(registry, "team/gone", "v1", {"m": b"gone"})
    told = resolve(uri(registry, "team/gone:v1"), registry.secret, IMPATIENT)
    url = f"{registry.url}/v2/team/gone/manifests/{first}"
    requests.delete(url, auth=LOGIN, timeout=30).raise_for_status()
    with pytest.raises(FetchFailed, match="was removed") as failed:
        fetch(uri(registry, "team/gone:v1"), tmp_path / "m", registry.secret, pin_text=str(told["pin"]))
    assert failed.value.reason is Reason.REPLACED


def test_the_login_of_docker_is_understood(registry, secret):
    push(registry, "team/docker", "latest", {"m": b"x"})
    host = registry.url.removeprefix("http://")
    config = json.dumps({"auths": {host: {"username": LOGIN[0], "password": LOGIN[1]}}})
    environment = {"SERINUS_FETCH_ALLOW_HTTP": "true", ".dockerconfigjson": config}
    assert resolve(uri(registry, "team/docker"), environment, IMPATIENT)["files"] == 1


@pytest.mark.parametrize(("password", "reason"), [(None, Reason.CREDENTIALS_MISSING), ("wrong-one", Reason.FORBIDDEN)])
def test_without_the_right_password(registry, secret, password, reason):
    environment = {"SERINUS_FETCH_ALLOW_HTTP": "true"}
    if password:
        environment |= {"OCI_USERNAME": "u", "OCI_PASSWORD": password}
    with pytest.raises(FetchFailed) as failed:
        resolve(uri(registry, "team/fraud:v1"), environment, IMPATIENT)
    assert failed.value.reason is reason
    assert "wrong-one" not in failed.value.message


@pytest.mark.parametrize("reference", ["team/fraud:nothing", "team/nothing:v1"])
def test_what_is_not_there(registry, secret, reference):
    with pytest.raises(FetchFailed) as failed:
        resolve(uri(registry, reference), registry.secret, IMPATIENT)
    assert failed.value.reason is Reason.NOT_FOUND
