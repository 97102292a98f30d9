"""S3, as moto serves it: versions, conditions, ranges, listings of many pages."""

import hashlib
import os
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from urllib.parse import quote

import pytest
import requests

from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.patience import Patience
from serinus.fetch.run import fetch, resolve
from servers.processes import wait_until
from stores.conftest import Store

pytestmark = pytest.mark.stores
BIG = os.urandom(40_000_000)
FILES = {"model.bin": BIG, "a b/ünï+%20&.txt": b"hi", "empty": b"", "deep/er/x": b"y"}
IMPATIENT = Patience(attempts=2, first_wait_seconds=0.01)
VERSIONED = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


class Bucket:
    """One bucket, written past any client library."""

    def __init__(self, store: Store, name: str, *, versioned: bool = False) -> None:
        self._url = f"{store.url}/{name}"
        self._auth = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/s3/aws4_request"}
        self.uri = f"s3://{name}"
        self._session = requests.Session()
        self._put("")
        if versioned:
            self._put("?versioning", VERSIONED.encode())

    def _put(self, path: str, content: bytes = b"") -> None:
        self._session.put(f"{self._url}{path}", data=content, headers=self._auth, timeout=10).raise_for_status()

    def put(self, key: str, content: bytes) -> None:
        self._put(f"/{quote(key)}", content)

    def delete(self, key: str) -> None:
        requests.delete(f"{self._url}/{quote(key)}", headers=self._auth, timeout=10).raise_for_status()

    def delete_versions(self, key: str) -> None:
        answer = requests.get(f"{self._url}?versions&prefix={quote(key)}", headers=self._auth, timeout=10)
        names = {"s": "http://s3.amazonaws.com/doc/2006-03-01/"}
        for version in ET.fromstring(answer.text).findall(".//s:VersionId", names):
            path = f"{self._url}/{quote(key)}?versionId={version.text}"
            requests.delete(path, headers=self._auth, timeout=10).raise_for_status()


@pytest.fixture
def environment(s3: Store, secret, monkeypatch) -> dict[str, str]:
    for name, value in s3.secret.items():
        monkeypatch.setenv(name, value)
    return dict(s3.secret)


@pytest.fixture(params=[False, True], ids=["unversioned", "versioned"])
def bucket(request, s3: Store) -> Bucket:
    made = Bucket(s3, f"b{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}", versioned=request.param)
    made.versioned = request.param
    for name, content in FILES.items():
        made.put(f"fraud/7/{name}", content)
    # What consoles leave behind, and a neighbour with a similar name.
    for marker in ("fraud/7/", "fraud/7/deep/", "fraud/7/hollow/"):
        made.put(marker, b"")
    made.put("fraud/70/other", b"no")
    return made


def contents(directory):
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and not path.name.startswith(".serinus")
    }


@pytest.mark.parametrize("slash", ["", "/"])
def test_all_below_a_prefix_comes(bucket, environment, tmp_path, slash):
    told = resolve(f"{bucket.uri}/fraud/7{slash}", environment, IMPATIENT)
    assert (told["files"], told["bytes"]) == (4, sum(map(len, FILES.values())))
    fetch(f"{bucket.uri}/fraud/7{slash}", tmp_path / "m", environment, pin_text=str(told["pin"]))
    assert contents(tmp_path / "m") == FILES


def test_one_object_comes_under_its_name(bucket, environment, tmp_path):
    digest = f"sha256:{hashlib.sha256(BIG).hexdigest()}"
    fetch(f"{bucket.uri}/fraud/7/model.bin", tmp_path / "m", environment, digest=digest)
    assert contents(tmp_path / "m") == {"model.bin": BIG}


def test_an_overwritten_artifact(bucket, environment, tmp_path):
    before = resolve(f"{bucket.uri}/fraud/7", environment, IMPATIENT)
    bucket.put("fraud/7/model.bin", BIG[::-1])
    after = resolve(f"{bucket.uri}/fraud/7", environment, IMPATIENT)
    assert after["digest"] != before["digest"]
    if bucket.versioned:
        # A versioned bucket still gives what stood there.
        fetch(f"{bucket.uri}/fraud/7", tmp_path / "m", environment, pin_text=str(before["pin"]))
        assert contents(tmp_path / "m") == FILES
        return
    with pytest.raises(FetchFailed) as failed:
        fetch(f"{bucket.uri}/fraud/7", tmp_path / "m", environment, pin_text=str(before["pin"]))
    assert failed.value.reason is Reason.REPLACED
    assert "model.bin" not in contents(tmp_path / "m")
    # Put back, the same bytes are the same artifact.
    bucket.put("fraud/7/model.bin", BIG)
    assert resolve(f"{bucket.uri}/fraud/7", environment, IMPATIENT)["digest"] == before["digest"]
    fetch(f"{bucket.uri}/fraud/7", tmp_path / "m", environment, pin_text=str(before["pin"]))
    assert contents(tmp_path / "m") == FILES


def test_a_removed_artifact(bucket, environment, tmp_path):
    told = resolve(f"{bucket.uri}/fraud/7", environment, IMPATIENT)
    bucket.delete("fraud/7/deep/er/x")
    if bucket.versioned:
        fetch(f"{bucket.uri}/fraud/7", tmp_path / "m", environment, pin_text=str(told["pin"]))
        bucket.delete_versions("fraud/7/deep/er/x")
    with pytest.raises(FetchFailed, match="was removed") as failed:
        fetch(f"{bucket.uri}/fraud/7", tmp_path / "n", environment, pin_text=str(told["pin"]))
    assert failed.value.reason is Reason.REPLACED


def test_an_added_file_does_not_come(bucket, environment, tmp_path):
    told = resolve(f"{bucket.uri}/fraud/7", environment, IMPATIENT)
    bucket.put("fraud/7/new", b"newer")
    fetch(f"{bucket.uri}/fraud/7", tmp_path / "m", environment, pin_text=str(told["pin"]))
    assert contents(tmp_path / "m") == FILES


def test_more_files_than_a_page_and_a_pin_hold(s3, environment, tmp_path):
    bucket = Bucket(s3, "many")
    for i in range(1003):
        bucket.put(f"m/{i}", str(i).encode())
    told = resolve(f"{bucket.uri}/m", environment, IMPATIENT)
    assert (told["files"], len(str(told["pin"])) < 2500) == (1003, True)
    fetch(f"{bucket.uri}/m", tmp_path / "m", environment, pin_text=str(told["pin"]))
    assert contents(tmp_path / "m") == {str(i): str(i).encode() for i in range(1003)}
    bucket.put("m/7", b"other")
    with pytest.raises(FetchFailed) as failed:
        fetch(f"{bucket.uri}/m", tmp_path / "n", environment, pin_text=str(told["pin"]))
    assert failed.value.reason is Reason.REPLACED


def test_versions_that_no_pin_holds_are_looked_up(s3, environment, tmp_path):
    bucket = Bucket(s3, "many-versions", versioned=True)
    files = {f"ü {i}": str(i).encode() for i in range(90)}
    for name, content in files.items():
        bucket.put(f"m/{name}", b"older")
        bucket.put(f"m/{name}", content)
    bucket.put("m/hollow/", b"")
    told = resolve(f"{bucket.uri}/m", environment, IMPATIENT)
    assert told["files"] == 90
    # S3 knows the time of a version to the second.
    begun = int(time.time())
    wait_until(lambda: int(time.time()) > begun, 2, str)
    bucket.put("m/ü 7", b"newer")
    bucket.delete("m/ü 8")
    bucket.put("m/added", b"newer")
    fetch(f"{bucket.uri}/m", tmp_path / "m", environment, pin_text=str(told["pin"]))
    assert contents(tmp_path / "m") == files
    without_keys = {name: value for name, value in environment.items() if "KEY" not in name}
    with pytest.raises(FetchFailed, match="list versions") as failed:
        fetch(f"{bucket.uri}/m", tmp_path / "n", without_keys, pin_text=str(told["pin"]))
    assert failed.value.reason is Reason.REPLACED
    bucket.delete_versions("m/ü 7")
    with pytest.raises(FetchFailed) as failed:
        fetch(f"{bucket.uri}/m", tmp_path / "o", environment, pin_text=str(told["pin"]))
    assert failed.value.reason is Reason.REPLACED


@pytest.mark.parametrize("uri", ["{}/nothing", "{}/fraud/7/model", "s3://no-such-bucket/x"])
def test_what_is_not_there(bucket, environment, uri):
    with pytest.raises(FetchFailed, match="Is the path right") as failed:
        resolve(uri.format(bucket.uri), environment, IMPATIENT)
    assert failed.value.reason is Reason.NOT_FOUND


def test_without_credentials(bucket, environment, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    # Nobody is where a cloud's metadata service would be; on a cloud, the node's role would be taken.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(FetchFailed, match="AWS_ACCESS_KEY_ID") as failed:
        resolve(f"{bucket.uri}/fraud/7", environment, IMPATIENT)
    assert failed.value.reason is Reason.CREDENTIALS_MISSING


def test_a_store_that_is_not_there(environment, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(FetchFailed) as failed:
        resolve("s3://bucket/x", environment, replace(IMPATIENT, attempts=1))
    assert failed.value.reason is Reason.UNREACHABLE
    assert "test-secret-key" not in failed.value.message


def test_an_endpoint_without_tls_is_explicit_enough_but_another_is_not(bucket, environment, monkeypatch):
    with pytest.raises(FetchFailed):
        resolve(f"{bucket.uri}/fraud/7", {}, replace(IMPATIENT, attempts=1))
    assert resolve(f"{bucket.uri}/fraud/7", environment, IMPATIENT)["files"] == 4
