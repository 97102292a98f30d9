"""The adapter against a server that misbehaves in each known way."""

import json
import math
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from serinus.errors import BadQuery, MetricsUnavailable
from serinus.prometheus.auth import TokenFile
from serinus.prometheus.client import Prometheus
from serinus.signals.samples import Sample

AT = datetime(2026, 11, 22, 7, 0, 0, 250_000, UTC)
EMPTY = {"status": "success", "data": {"resultType": "vector", "result": []}}


@dataclass
class Answer:
    """What the server says to every request."""

    status: int = 200
    body: bytes | dict = field(default_factory=lambda: EMPTY)
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[BaseHTTPRequestHandler], bool] = lambda handler: True
    """Called first; False: say nothing more."""


@dataclass
class Server:
    url: str
    requests: list[tuple[str, dict[str, str], dict[str, list[str]]]]


@contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    seen: list[tuple[str, dict[str, str], dict[str, list[str]]]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            seen.append((self.path, dict(self.headers), form))
            if not answer.before(self):
                self.close_connection = True
                return
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Server(url=f"http://127.0.0.1:{server.server_port}", requests=seen)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def vector(*values: str) -> dict:
    result = [{"metric": {"pod": f"p{i}"}, "value": [1.0, value]} for i, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def error(kind: str, text: str) -> dict:
    return {"status": "error", "errorType": kind, "error": text}


def test_a_query_is_a_form_in_the_body_with_its_instant_and_time_limit() -> None:
    long_query = "up" + " or up" * 4000
    with serving(Answer()) as server, Prometheus(f"{server.url}/prefix/", timeout_seconds=3) as prometheus:
        assert prometheus.instant(long_query, AT).samples == ()
    path, headers, form = server.requests[0]
    assert path == "/prefix/api/v1/query"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert form == {"query": [long_query], "time": [f"{AT.timestamp():.3f}"], "timeout": ["3s"]}


def test_samples_are_typed_and_strange_numbers_are_kept() -> None:
    with serving(Answer(body=vector("4", "NaN", "+Inf", "-Inf"))) as server, Prometheus(server.url) as prometheus:
        samples = prometheus.instant("x", AT).samples
    assert samples[0] == Sample(labels={"pod": "p0"}, value=4.0)
    assert math.isnan(samples[1].value)
    assert [each.value for each in samples[2:]] == [math.inf, -math.inf]


def test_a_scalar_is_a_sample_without_labels() -> None:
    body = {"status": "success", "data": {"resultType": "scalar", "result": [1, "42"]}}
    with serving(Answer(body=body)) as server, Prometheus(server.url) as prometheus:
        assert prometheus.instant("42", AT).samples == (Sample(labels={}, value=42.0),)


def test_raw_samples_carry_their_times() -> None:
    result = [{"metric": {"pod": "p"}, "values": [[1795330800.25, "1"], [1795330801.25, "2"]]}]
    body = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    with serving(Answer(body=body)) as server, Prometheus(server.url) as prometheus:
        (track,) = prometheus.matrix("x[1m]", AT).tracks
    assert track.points == ((AT, 1.0), (AT.replace(second=1), 2.0))


def test_remarks_about_the_query_are_kept() -> None:
    body = {**EMPTY, "infos": ["PromQL info: metric might not be a counter"]}
    with serving(Answer(body=body)) as server, Prometheus(server.url) as prometheus:
        assert prometheus.instant("x", AT).warnings == ("PromQL info: metric might not be a counter",)


HTML = Answer(body=b"<html>please log in</html>", headers={"Content-Type": "text/html"})
UNAVAILABLE = {
    "500": (Answer(status=500, body=error("internal", "disk on fire")), "internal .HTTP 500.: disk on fire"),
    "503 while it starts": (Answer(status=503, body=b"Service Unavailable"), "answered with HTTP 503"),
    "503 for a slow query": (Answer(status=503, body=error("timeout", "query timed out")), "timeout"),
    "429 with a long wait": (Answer(status=429, body=b"", headers={"Retry-After": "3600"}), "HTTP 429"),
    "400 from a proxy": (Answer(status=400, body=b"<html>"), "HTTP 400"),
    "404": (Answer(status=404, body=b"not found"), "HTTP 404"),
    "401": (Answer(status=401, body=b"no"), "check the token"),
    "redirect": (Answer(status=302, headers={"Location": "http://login.invalid/"}), "redirects elsewhere"),
    "a login page": (HTML, "not JSON"),
    "JSON of something else": (Answer(body=b"[1, 2]"), "not that of a Prometheus"),
    "no data": (Answer(body={"status": "success"}), "not that of a Prometheus"),
    "no list": (Answer(body={"status": "success", "data": {"resultType": "vector", "result": None}}), "no list"),
    "no labels": (
        Answer(body={"status": "success", "data": {"resultType": "vector", "result": [1]}}),
        "without labels",
    ),
    "a value that is no number": (Answer(body=vector("many")), "no number"),
    "half an answer": (
        Answer(
            body=b'{"status": "succ',
            headers={"Content-Length": "9999"},
        ),
        "broke off|reached",
    ),
    "silence": (Answer(before=lambda _: False), "cannot be reached"),
    "a part of the data": (Answer(body={**EMPTY, "warnings": ["store 2 is down"]}), "part of the data only: store 2"),
}


@pytest.mark.parametrize(("answer", "message"), UNAVAILABLE.values(), ids=UNAVAILABLE)
def test_no_usable_answer(answer: Answer, message: str) -> None:
    if "9999" in answer.headers.values():
        answer = Answer(body=answer.body, headers=answer.headers, before=_close_afterwards)
    with (
        serving(answer) as server,
        Prometheus(server.url) as prometheus,
        pytest.raises(MetricsUnavailable, match=message),
    ):
        prometheus.instant("x", AT)


def _close_afterwards(handler: BaseHTTPRequestHandler) -> bool:
    handler.close_connection = True
    return True


BAD = {
    "parse error": (
        Answer(status=400, body=error("bad_data", "1:4: parse error: unexpected <eof>")),
        "unexpected <eof>",
    ),
    "cannot be evaluated": (Answer(status=422, body=error("execution", "many-to-many matching")), "many-to-many"),
    "a range": (Answer(body={"status": "success", "data": {"resultType": "matrix", "result": []}}), "gives a matrix"),
    "a text": (
        Answer(body={"status": "success", "data": {"resultType": "string", "result": [1, "a"]}}),
        "gives a string",
    ),
    "a native histogram": (
        Answer(
            body={"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "histogram": []}]}}
        ),
        "native histogram",
    ),
}


@pytest.mark.parametrize(("answer", "message"), BAD.values(), ids=BAD)
def test_a_wrong_query(answer: Answer, message: str) -> None:
    with serving(answer) as server, Prometheus(server.url) as prometheus, pytest.raises(BadQuery, match=message):
        prometheus.instant("x", AT)


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening
        port = taken.getsockname()[1]
        with (
            Prometheus(f"http://127.0.0.1:{port}") as prometheus,
            pytest.raises(MetricsUnavailable, match="cannot be reached"),
        ):
            prometheus.instant("x", AT)


def test_a_server_that_hangs_is_left_after_two_tries() -> None:
    released = threading.Event()

    def hang(_: BaseHTTPRequestHandler) -> bool:
        return not released.wait(10)

    with serving(Answer(before=hang)) as server, Prometheus(server.url, timeout_seconds=0.1) as prometheus:
        with pytest.raises(MetricsUnavailable, match="did not answer in time"):
            prometheus.instant("x", AT)
        released.set()
        assert len(server.requests) <= 2


def test_a_connection_that_the_server_closed_is_replaced() -> None:
    tries: list[int] = []

    def second_only(_: BaseHTTPRequestHandler) -> bool:
        tries.append(1)
        return len(tries) != 1

    with serving(Answer(before=second_only)) as server, Prometheus(server.url) as prometheus:
        assert prometheus.instant("x", AT).samples == ()


def test_an_unknown_address_is_unavailable() -> None:
    with Prometheus("prometheus:9090") as prometheus, pytest.raises(MetricsUnavailable, match="check its address"):
        prometheus.instant("x", AT)


def test_a_token_is_read_anew_and_never_told(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with serving(Answer(status=403, body=b"")) as server, Prometheus(server.url, auth=TokenFile(file)) as prometheus:
        for secret in ("first-secret", "second-secret"):
            file.write_text(f"{secret}\n")
            with pytest.raises(MetricsUnavailable) as caught:
                prometheus.instant("x", AT)
            assert secret not in _everything(caught.value)
    assert [headers["Authorization"] for _, headers, _ in server.requests] == [
        "Bearer first-secret",
        "Bearer second-secret",
    ]


def test_a_token_that_cannot_be_read_is_unavailable(tmp_path: Path) -> None:
    with serving(Answer()) as server, Prometheus(server.url, auth=TokenFile(tmp_path / "none")) as prometheus:
        with pytest.raises(MetricsUnavailable, match="token"):
            prometheus.instant("x", AT)
        assert server.requests == []


def test_credentials_in_the_address_are_used_and_never_told() -> None:
    with serving(Answer(status=500, body=b"")) as server:
        url = server.url.replace("http://", "http://me:p%40ss-word@")
        with Prometheus(url) as prometheus, pytest.raises(MetricsUnavailable) as caught:
            prometheus.instant("x", AT)
        assert server.requests[0][1]["Authorization"] == "Basic bWU6cEBzcy13b3Jk"
    assert "ss-word" not in _everything(caught.value)


def test_headers_and_no_proxies_or_cookies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    answer = Answer(headers={"Set-Cookie": "a=b"})
    with serving(answer) as server, Prometheus(server.url, headers={"X-Scope-OrgID": "team"}) as prometheus:
        prometheus.instant("x", AT)
        prometheus.instant("x", AT)
    assert [headers["X-Scope-OrgID"] for _, headers, _ in server.requests] == ["team", "team"]
    assert not any("Cookie" in headers for _, headers, _ in server.requests)


def _everything(caught: BaseException) -> str:
    told = [caught]
    while told[-1].__cause__ is not None:
        told.append(told[-1].__cause__)
    return " ".join(f"{each} {each!r}" for each in told)
