"""One request to a real HTTP server on the loopback: what goes out, and what may come back."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from serinus.gates.answers import NoAnswer, NotAddressable
from serinus.gates.send import MOST_BYTES, Target, send, target_of
from serinus.rollout.smoke import GateRequest

SEEN: list[tuple[str, str, dict[str, str], bytes]] = []


class Handler(BaseHTTPRequestHandler):
    """Answers by path."""

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        SEEN.append((self.command, self.path, dict(self.headers.items()), self.rfile.read(length)))
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            return
        body = {"/big": b"x" * (MOST_BYTES + 10), "/odd": b"\xff\xfe"}.get(self.path, b'{"ok": true}')
        self.send_response(500 if self.path == "/bad" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):
            if self.path == "/drip":
                for each in body:
                    self.wfile.write(bytes([each]))
                    time.sleep(0.1)
            else:
                self.wfile.write(body)

    do_POST = do_PUT = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield Target(pod="fraud-1", ip="127.0.0.1", port=server.server_port)
        server.shutdown()
        thread.join()


def ask(target: Target, path: str = "/", timeout: float = 5.0, **rest: Any) -> Any:
    SEEN.clear()
    return send(target, GateRequest(path=path, method=rest.pop("method", "GET"), **rest), "rev/2", timeout)


def test_a_request_goes_out_as_it_is_written_and_marked(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    answer = ask(target, "/v2/infer?a=1", method="POST", headers={"X-Key": "é".encode().hex()}, body="{'ü'}")
    assert (answer.status, answer.body, answer.is_cut) == (200, '{"ok": true}', False)
    method, path, headers, body = SEEN[0]
    assert (method, path, body.decode()) == ("POST", "/v2/infer?a=1", "{'ü'}")
    assert headers["X-Serinus-Gate"] == "rev/2"
    assert headers["X-Key"] == "c3a9"
    assert "Authorization" not in headers
    assert headers["Accept-Encoding"] == "identity"


def test_a_redirect_is_an_answer_and_not_followed(target: Target) -> None:
    assert ask(target, "/redirect").status == 302
    assert len(SEEN) == 1


def test_errors_are_answers(target: Target) -> None:
    assert ask(target, "/bad").status == 500


def test_a_body_is_read_up_to_a_limit(target: Target) -> None:
    answer = ask(target, "/big")
    assert answer.is_cut
    assert len(answer.body) == MOST_BYTES


def test_what_is_no_text_is_replaced(target: Target) -> None:
    assert ask(target, "/odd").body == "��"


def test_a_server_that_drips_has_no_more_time_than_others(target: Target) -> None:
    began = time.monotonic()
    with pytest.raises(NoAnswer, match="within"):
        ask(target, "/drip", timeout=0.3)
    assert time.monotonic() - began < 1.0


def test_nothing_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NoAnswer, match=f"nothing listens on port {port}"):
        ask(Target(pod="p", ip="127.0.0.1", port=port))


@contextmanager
def silent() -> Iterator[Target]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield Target(pod="p", ip="127.0.0.1", port=server.getsockname()[1])


def test_a_server_that_never_answers() -> None:
    with silent() as target, pytest.raises(NoAnswer, match=r"no answer within 0\.2 s"):
        ask(target, timeout=0.2)


@contextmanager
def says(raw: bytes) -> Iterator[Target]:
    """Listen for one connection, say a few bytes and hang up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(raw)

        thread = threading.Thread(target=speak)
        thread.start()
        yield Target(pod="p", ip="127.0.0.1", port=server.getsockname()[1])
        thread.join()


def test_what_is_not_http() -> None:
    with says(b"SSH-2.0-OpenSSH\r\n") as target, pytest.raises(NoAnswer, match="BadStatusLine"):
        ask(target)


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"Content-Length: 1000\r\n\r\n", r"the answer \(200\) broke off after 5 of 1000 bytes"),
        (b"Content-Length: 9000000\r\n\r\n", r"broke off after 5 of 9000000 bytes"),
        (b"Transfer-Encoding: chunked\r\n\r\n8\r\n", "IncompleteRead"),
    ],
)
def test_an_answer_that_breaks_off_is_none(head: bytes, why: str) -> None:
    with says(b"HTTP/1.1 200 OK\r\n" + head + b'{"a":') as target, pytest.raises(NoAnswer, match=why):
        ask(target)


@pytest.mark.parametrize(("method", "head"), [("HEAD", b"200 OK\r\nContent-Length: 9"), ("GET", b"204 No Content")])
def test_an_answer_that_has_no_body_is_whole(method: str, head: bytes) -> None:
    with says(b"HTTP/1.1 " + head + b"\r\n\r\n") as target:
        assert ask(target, method=method).body == ""


def pod(ip: str | None = "10.0.0.7", **spec: Any) -> dict[str, Any]:
    containers = [{"name": "model", "ports": [{"name": "http", "containerPort": 9000}]}]
    return {"metadata": {"name": "p"}, "spec": {"containers": containers, **spec}, "status": {"podIP": ip}}


def test_where_a_pod_listens() -> None:
    assert target_of(pod(), 8080) == Target(pod="p", ip="10.0.0.7", port=8080)
    assert target_of(pod("fd00::7"), "http") == Target(pod="p", ip="fd00::7", port=9000)


@pytest.mark.parametrize(
    ("given", "port", "says"),
    [
        (pod(hostNetwork=True), 8080, "remove hostNetwork"),
        (pod(None), 8080, "no address of its own"),
        (pod("127.0.0.1"), 8080, "no address of its own"),
        (pod("169.254.169.254"), 80, "no address of its own"),
        (pod("example.org"), 80, "no address of its own"),
        (pod(), "grpc", "no port named grpc"),
    ],
)
def test_what_is_no_pods_address_is_never_asked(given: dict[str, Any], port: int | str, says: str) -> None:
    with pytest.raises(NotAddressable, match=says):
        target_of(given, port)
