"""Registries that want a token, and the shapes of artifacts; a real registry is asked in tests/stores."""

import hashlib
import io
import json
import tarfile

import pytest

from fetch.web_server import Item, WebServer
from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.patience import Patience
from serinus.fetch.registry import login
from serinus.fetch.run import fetch, resolve

IMPATIENT = Patience(attempts=2, first_wait_seconds=0.001)
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
TITLE = "org.opencontainers.image.title"
PLAIN = {"SERINUS_FETCH_ALLOW_HTTP": "true"}


def digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def layer(web: WebServer, content: bytes, kind="application/octet-stream", **annotations):
    web.items[f"/v2/team/fraud/blobs/{digest(content)}"] = Item(content, etag="")
    return {"mediaType": kind, "digest": digest(content), "size": len(content), "annotations": annotations}


def push(web: WebServer, tag: str, body: dict) -> str:
    content = json.dumps(body).encode()
    for name in (tag, digest(content)):
        web.items[f"/v2/team/fraud/manifests/{name}"] = Item(content, etag="")
    return digest(content)


def packed(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def uri(web, reference=":v1"):
    return f"oci://127.0.0.1:{web.port}/team/fraud{reference}"


def contents(directory):
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and not path.name.startswith(".serinus")
    }


def test_a_tag_is_pinned_to_its_manifest(web, tmp_path):
    first = push(web, "v1", {"mediaType": MANIFEST, "layers": [layer(web, b"one", **{TITLE: "sub/m.bin"})]})
    told = resolve(uri(web), PLAIN, IMPATIENT)
    assert told["digest"] == first
    push(web, "v1", {"mediaType": MANIFEST, "layers": [layer(web, b"two", **{TITLE: "sub/m.bin"})]})
    fetch(uri(web), tmp_path / "m", PLAIN, pin_text=str(told["pin"]), digest=first)
    assert contents(tmp_path / "m") == {"sub/m.bin": b"one"}
    # The digest of the content is as good as that of the manifest.
    fetch(uri(web, f"@{first}"), tmp_path / "n", PLAIN, digest=digest(b"one"))
    del web.items[f"/v2/team/fraud/manifests/{first}"]
    with pytest.raises(FetchFailed) as failed:
        fetch(uri(web), tmp_path / "o", PLAIN, pin_text=str(told["pin"]))
    assert failed.value.reason is Reason.REPLACED


def test_neither_the_content_nor_the_manifest(web, tmp_path):
    push(web, "v1", {"mediaType": MANIFEST, "layers": [layer(web, b"one", **{TITLE: "m"})]})
    with pytest.raises(FetchFailed) as failed:
        fetch(uri(web), tmp_path / "m", PLAIN, digest=digest(b"two"))
    assert failed.value.reason is Reason.DIGEST_MISMATCH
    assert contents(tmp_path / "m") == {}


def test_another_manifest_than_its_digest_says_is_refused(web):
    first = push(web, "v1", {"mediaType": MANIFEST, "layers": [layer(web, b"one", **{TITLE: "m"})]})
    web.items[f"/v2/team/fraud/manifests/{first}"].content += b" "
    with pytest.raises(FetchFailed, match="another manifest") as failed:
        resolve(uri(web, f"@{first}"), PLAIN, IMPATIENT)
    assert failed.value.exit_code == 1


def test_what_the_kinds_of_layers_give(web, tmp_path):
    image = "application/vnd.oci.image.layer.v1.tar+gzip"
    layers = [
        layer(web, b"plain", **{TITLE: "a"}),
        layer(web, packed(b=b"2"), **{TITLE: "dir", "io.deis.oras.content.unpack": "true"}),
        layer(web, packed(c=b"3"), "application/vnd.cncf.model.weight.v1.tar+gzip", **{"org.cncf.model.filepath": "c"}),
        layer(web, b"raw", "application/vnd.cncf.model.doc.v1.raw", **{"org.cncf.model.filepath": "d"}),
        layer(web, packed(etc__passwd=b"no", models__e__f=b"4"), image),
    ]
    push(web, "v1", {"mediaType": MANIFEST, "layers": layers})
    fetch(uri(web), tmp_path / "m", PLAIN)
    assert contents(tmp_path / "m") == {"a": b"plain", "b": b"2", "c": b"3", "d": b"raw", "e/f": b"4"}


@pytest.mark.parametrize(
    ("architectures", "found"), [(["amd64", "arm64", "s390x"], True), (["s390x"], True), (["s390x", "riscv64"], False)]
)
def test_of_an_index_the_fitting_manifest_is_taken(web, tmp_path, architectures, found):
    entries = []
    for architecture in architectures:
        content = layer(web, architecture.encode(), **{TITLE: "m"})
        inner = push(web, architecture, {"mediaType": MANIFEST, "layers": [content]})
        entries.append({"digest": inner, "platform": {"architecture": architecture, "os": "linux"}})
    push(web, "v1", {"mediaType": INDEX, "manifests": entries})
    if not found:
        with pytest.raises(FetchFailed, match="Name one by its digest"):
            resolve(uri(web), PLAIN, IMPATIENT)
        return
    fetch(uri(web), tmp_path / "m", PLAIN)
    assert contents(tmp_path / "m")["m"] in {b"amd64", b"arm64", b"s390x"}


@pytest.mark.parametrize(
    "body",
    [
        {"mediaType": MANIFEST, "layers": []},
        {"mediaType": MANIFEST},
        {"mediaType": MANIFEST, "layers": [{"digest": "md5:1", "size": 1}]},
        {"mediaType": MANIFEST, "layers": [{"digest": digest(b""), "size": -1, "annotations": {TITLE: "a"}}]},
        {"mediaType": MANIFEST, "layers": [{"digest": digest(b""), "size": 0, "mediaType": "x/y"}]},
        {"mediaType": MANIFEST, "layers": [{"digest": digest(b""), "size": 0, "annotations": {TITLE: "../a"}}]},
        {"mediaType": INDEX, "manifests": []},
    ],
)
def test_what_cannot_be_a_model_is_refused(web, tmp_path, body):
    push(web, "v1", body)
    web.items[f"/v2/team/fraud/blobs/{digest(b'')}"] = Item(b"")
    with pytest.raises(FetchFailed) as failed:
        fetch(uri(web), tmp_path / "m", PLAIN)
    assert failed.value.reason is Reason.UNSUPPORTED


class Guarded:
    """A registry whose token service gives tokens for a password."""

    def __init__(self, web: WebServer) -> None:
        self.web = web
        push(web, "v1", {"mediaType": MANIFEST, "layers": [layer(web, b"one", **{TITLE: "m"})]})
        challenge = f'Bearer realm="{web.url("/token")}",service="r",scope="repository:team/fraud:pull"'
        for path, item in web.items.items():
            item.authorization = "Bearer tokentoken"
            item.headers["WWW-Authenticate"] = challenge
            assert path.startswith("/v2/")
        web.items["/token"] = Item(b'{"token": "tokentoken"}', authorization="Basic dTpoZW50ZXIy", etag="")


def test_a_token_is_asked_for(web, tmp_path):
    Guarded(web)
    fetch(uri(web), tmp_path / "m", {**PLAIN, "OCI_USERNAME": "u", "OCI_PASSWORD": "henter2"})
    assert contents(tmp_path / "m") == {"m": b"one"}
    asked = next(asked.path for asked in web.asked if asked.path.startswith("/token"))
    assert asked == "/token?service=r&scope=repository%3Ateam%2Ffraud%3Apull"


@pytest.mark.parametrize(
    ("environment", "reason"),
    [({}, Reason.CREDENTIALS_MISSING), ({"OCI_USERNAME": "u", "OCI_PASSWORD": "wrong-one"}, Reason.FORBIDDEN)],
)
def test_without_the_right_password_there_is_none(web, environment, reason):
    Guarded(web)
    with pytest.raises(FetchFailed) as failed:
        resolve(uri(web), PLAIN | environment, IMPATIENT)
    assert failed.value.reason is reason
    assert ".dockerconfigjson" in failed.value.message
    assert "wrong-one" not in failed.value.message


def test_a_token_that_expires_meanwhile_is_renewed(web, tmp_path):
    Guarded(web)
    blob = web.items[f"/v2/team/fraud/blobs/{digest(b'one')}"]
    blob.statuses = [401]
    fetch(uri(web), tmp_path / "m", {**PLAIN, "OCI_USERNAME": "u", "OCI_PASSWORD": "henter2"})
    assert contents(tmp_path / "m") == {"m": b"one"}


@pytest.mark.parametrize(
    ("config", "header"),
    [
        ({"auths": {"r:5000": {"auth": "dTpw"}}}, "Basic dTpw"),
        ({"auths": {"https://r:5000/v2/": {"auth": "dTpw"}}}, "Basic dTpw"),
        ({"auths": {"r:5000": {"username": "u", "password": "p"}}}, "Basic dTpw"),
        ({"auths": {"r": {"auth": "dTpw"}, "r:5000.evil": {"auth": "dTpw"}}}, ""),
        ({}, ""),
    ],
)
def test_what_docker_login_wrote_is_understood(config, header):
    assert login({".dockerconfigjson": json.dumps(config)}, "r:5000") == header


@pytest.mark.parametrize("text", ["hunter22", '["hunter22"]', '{"auths": {"r": "hunter22"}}'])
def test_what_it_did_not_write_is_refused_without_quoting(text):
    with pytest.raises(FetchFailed) as failed:
        login({".dockerconfigjson": text}, "r")
    assert "hunter22" not in failed.value.message


def test_a_registry_without_tls_needs_the_switch(web):
    with pytest.raises(FetchFailed):
        resolve(uri(web), {}, Patience(attempts=1))
    assert not [asked for asked in web.asked if "manifests" in asked.path]
