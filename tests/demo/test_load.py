"""The load generator against servers that misbehave in every way that it tells apart."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from demo.counts import Counts, Failure, Mode
from demo.load import Load

ROOT = Path(__file__).parents[2]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-pod: a-1\r\nx-revision: a\r\n\r\nok"
BROKEN = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\nno"


def read_request(peer: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += peer.recv(65536)
    return head + b"\r\n\r\n" + body


def answer_ever(peer: socket.socket) -> None:
    while read_request(peer):
        peer.sendall(OK)


def answer_500_and_close(peer: socket.socket) -> None:
    read_request(peer)
    peer.sendall(BROKEN)


def answer_in_chunks(peer: socket.socket) -> None:
    while read_request(peer):
        peer.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")


def answer_then_close_silently(peer: socket.socket) -> None:
    read_request(peer)
    peer.sendall(OK)


def break_off(peer: socket.socket) -> None:
    read_request(peer)
    peer.sendall(OK[:-1])


def reset(peer: socket.socket) -> None:
    read_request(peer)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def babble(peer: socket.socket) -> None:
    read_request(peer)
    peer.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")


def stay_silent(peer: socket.socket) -> None:
    read_request(peer)
    peer.recv(1)


@contextmanager
def server(behave: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[int]]]:
    """Serve each connection with a function, then close it; yield the URL and a list that grows by connection."""
    connections: list[int] = []
    threads: list[threading.Thread] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve_one(peer: socket.socket) -> None:
        with peer, suppress(OSError):
            behave(peer)

    def accept() -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                connections.append(peer.fileno())
                threads.append(threading.Thread(target=serve_one, args=[peer]))
                threads[-1].start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/predict", connections
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for each in threads:
            each.join()


def run(url: str, *, mode: Mode, limit: int = 6, kept_connections: int = 1, timeout_seconds: float = 5.0) -> Counts:
    load = Load(
        url,
        new_per_second=100 if mode is Mode.NEW else 0,
        kept_per_second=100 if mode is Mode.KEPT else 0,
        kept_connections=kept_connections,
        limit=limit,
        timeout_seconds=timeout_seconds,
    )
    load.start()
    return load.join()


@pytest.mark.parametrize(
    ("behave", "mode", "met", "is_one_connection"),
    [
        pytest.param(answer_ever, Mode.NEW, 200, False, id="a new connection for each request"),
        pytest.param(answer_ever, Mode.KEPT, 200, True, id="one kept connection for all"),
        pytest.param(answer_in_chunks, Mode.KEPT, 200, True, id="chunked answers keep the connection"),
        pytest.param(answer_500_and_close, Mode.KEPT, 500, False, id="a 500 is an answer, its connection is left"),
        pytest.param(break_off, Mode.NEW, Failure.EOF, False, id="half an answer"),
        pytest.param(reset, Mode.NEW, Failure.RESET, False, id="connection reset"),
        pytest.param(babble, Mode.NEW, Failure.MALFORMED, False, id="no HTTP"),
    ],
)
def test_each_request_is_counted_once(
    behave: Callable[[socket.socket], None], mode: Mode, met: int | Failure, is_one_connection: bool
) -> None:
    with server(behave) as (url, opened):
        counts = run(url, mode=mode)
    tally = counts.modes[mode]
    # On a busy machine a request may be due while the only kept connection is still in use.
    assert tally.sent + tally.skipped == 6
    assert {**tally.answers, **tally.failures} == {met: tally.sent}
    assert len(opened) == (1 if is_one_connection else tally.sent)
    assert counts.modes[Mode.KEPT if mode is Mode.NEW else Mode.NEW].sent == 0


def test_an_idle_connection_that_the_server_closed_costs_one_failure_of_the_kept_mode() -> None:
    with server(answer_then_close_silently) as (url, opened):
        kept = run(url, mode=Mode.KEPT, limit=6).kept
    assert kept.answers[200] == len(opened)
    assert 1 <= kept.failed == kept.sent - len(opened)


def test_a_refused_connection_is_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    assert dict(run(url, mode=Mode.NEW, limit=2).new.failures) == {Failure.CONNECT: 2}


def test_silence_is_a_timeout() -> None:
    with server(stay_silent) as (url, _):
        counts = run(url, mode=Mode.NEW, limit=1, timeout_seconds=0.1)
    assert dict(counts.new.failures) == {Failure.TIMEOUT: 1}


def test_a_busy_pool_skips_what_is_due_instead_of_piling_up() -> None:
    with server(stay_silent) as (url, _):
        counts = run(url, mode=Mode.KEPT, limit=5, timeout_seconds=0.3)
    assert (counts.kept.sent, counts.kept.skipped) == (1, 4)


def test_pods_and_revisions_come_from_the_headers() -> None:
    with server(answer_ever) as (url, _), Load(url, new_per_second=50, kept_per_second=50) as load:
        counts = load.wait_for(lambda seen: seen.answers_of("a") >= 10, timeout_seconds=10)
    assert set(counts.pods) == {"a-1"}
    first, last = counts.revisions["a"].first, counts.revisions["a"].last
    assert first is not None
    assert last is not None
    assert first <= last


def test_waiting_in_vain_says_what_was_counted() -> None:
    with server(answer_ever) as (url, _), Load(url) as load, pytest.raises(TimeoutError, match="answers"):
        load.wait_for(lambda seen: seen.answers_of("b") > 0, timeout_seconds=0.2)


def test_the_report_survives_the_wire() -> None:
    with server(answer_500_and_close) as (url, _):
        counts = run(url, mode=Mode.NEW, limit=2)
    assert Counts.from_wire(json.loads(json.dumps(counts.to_wire()))).to_wire() == counts.to_wire()
    assert counts.new.bad == 2


def test_the_command_serves_its_report_and_prints_totals_at_sigterm() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with server(answer_ever) as (url, opened):
        command = [sys.executable, "-m", "demo.load", url, "--new-per-second", "100", "--port", str(port)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            report = poll_report(process, port)
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert opened
    assert Counts.from_wire(report).new.answers[200] > 0
    totals = Counts.from_wire(json.loads(output))
    assert totals.new.sent == totals.new.answers[200] + totals.new.failed


def poll_report(process: "subprocess.Popen[str]", port: int) -> dict[str, object]:
    """Ask for the report until it has an answer in it, or the command has ended."""
    while process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/report", timeout=5) as response:
            report: dict[str, object] = json.load(response)
            if Counts.from_wire(report).new.answers[200]:
                return report
    raise AssertionError("the load generator ended early")
