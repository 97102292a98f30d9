"""Azure Blob Storage: a server that answers the three requests of a fetch as Azure's documentation says.

No emulator of Azure installs from the indices that these tests may use, so that signatures are not tried here.
"""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.patience import Patience
from serinus.fetch.run import fetch, resolve

IMPATIENT = Patience(attempts=2, first_wait_seconds=0.001)
DATE = "Sun, 22 Nov 2026 13:00:00 GMT"
BLOB = (
    "<Blob><Name>{name}</Name><Properties><Last-Modified>{date}</Last-Modified><Etag>{etag}</Etag>"
    "<Content-Length>{size}</Content-Length><Content-Type>x/y</Content-Type></Properties></Blob>"
)


class Container:
    """Blobs with all their contents, of which the last one counts."""

    def __init__(self, *, versioned: bool) -> None:
        self.versioned, self.status = versioned, 0
        self.blobs: dict[str, list[bytes]] = {}

    def list(self, prefix: str) -> bytes:
        blobs = "".join(
            BLOB.format(name=name, date=DATE, etag=f"0x{len(kept)}", size=len(kept[-1]))
            for name, kept in self.blobs.items()
            if name.startswith(prefix)
        )
        return f"<EnumerationResults><Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>".encode()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        container: Container = self.server.container  # type: ignore[attr-defined]
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        kept = container.blobs.get(unquote(parts.path).removeprefix("/models/"))
        if container.status:
            self.answer(container.status)
        elif "comp" in query:
            self.answer(200, container.list(query["prefix"][0]))
        elif kept is None:
            self.answer(404)
        else:
            number = int(query["versionid"][0]) if "versionid" in query else len(kept)
            etag = f"0x{number}"
            if self.headers["If-Match"] not in {None, etag}:
                self.answer(412)
            else:
                version = {"x-ms-version-id": str(number)} if container.versioned else {}
                self.answer(200, kept[number - 1], ETag=etag, **{"Last-Modified": DATE, **version})

    do_HEAD = do_GET  # noqa: N815

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture(params=[False, True], ids=["unversioned", "versioned"])
def container(request, monkeypatch) -> Iterator[Container]:
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.container = Container(versioned=request.param)  # type: ignore[attr-defined]
    server.container.blobs = {"fraud/7/m.bin": [b"hello"], "fraud/7/a b": [b"x"]}  # type: ignore[attr-defined]
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AZURE_SKIP_SIGNATURE", "true")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.container  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir() if not path.name.startswith(".serinus")}


def test_an_overwritten_artifact(container, tmp_path):
    told = resolve("az://models@account/fraud/7", os.environ, IMPATIENT)
    container.blobs["fraud/7/m.bin"].append(b"newer")
    if container.versioned:
        fetch("az://models@account/fraud/7", tmp_path / "m", os.environ, pin_text=str(told["pin"]))
        assert contents(tmp_path / "m") == {"m.bin": b"hello", "a b": b"x"}
        return
    with pytest.raises(FetchFailed) as failed:
        fetch("az://models@account/fraud/7", tmp_path / "m", os.environ, pin_text=str(told["pin"]))
    assert failed.value.reason is Reason.REPLACED


@pytest.mark.parametrize(
    ("status", "reason"), [(403, Reason.FORBIDDEN), (401, Reason.FORBIDDEN), (404, Reason.NOT_FOUND)]
)
def test_why_it_is_refused(container, status, reason):
    container.status = status
    with pytest.raises(FetchFailed) as failed:
        resolve("az://models@account/fraud/7", os.environ, IMPATIENT)
    assert failed.value.reason is reason


def test_without_an_account(container, monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_ENDPOINT")
    with pytest.raises(FetchFailed, match="AZURE_STORAGE_ACCOUNT_NAME") as failed:
        resolve("az://models/fraud/7", os.environ, IMPATIENT)
    assert failed.value.reason is Reason.CREDENTIALS_MISSING
