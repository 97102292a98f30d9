"""A model server that fails on request: what end-to-end tests roll out.

It answers ``/predict`` (GET and POST) and exports the two metrics that most Python servers have,
``http_requests_total{method,path,status}`` and ``http_request_duration_seconds``. Its faults are switched on by
environment variables, so that a pod template says what will go wrong:

==================  ====================================================================================
ERROR_SHARE         share of predictions answered with 500, in [0, 1]; spread evenly, not at random
SLOW_SHARE          share of predictions that take LATENCY_MS, in [0, 1]; default 1
LATENCY_MS          what a slow prediction takes, in milliseconds; default 0
CRASH_AFTER         end with EXIT_CODE so many seconds after the start
EXIT_CODE           default 1
LAST_WORDS          the last line of the log before a crash
MEMORY_HOG          take memory until the kernel ends the container
READY               ``never``: ``/healthz`` answers 503 for ever
DRAIN_SECONDS       after SIGTERM, answer so long; default 0
==================  ====================================================================================

POD_NAME and REVISION (from the downward API) come back in the headers ``x-pod`` and ``x-revision`` and in the body.
"""

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Self
from urllib.parse import urlsplit

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What this server does wrong."""

    pod: str = "unnamed"
    revision: str = "unnamed"
    error_share: float = 0.0
    slow_share: float = 1.0
    latency_seconds: float = 0.0
    crash_after_seconds: float | None = None
    exit_code: int = 1
    last_words: str = ""
    memory_hog: bool = False
    ready: bool = True
    drain_seconds: float = 0.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the behaviour from environment variables; unset and empty ones mean the default."""
        text = {name: value for name, value in environment.items() if value}
        crash_after = text.get("CRASH_AFTER")
        return cls(
            pod=text.get("POD_NAME", socket.gethostname()),
            revision=text.get("REVISION", "unnamed"),
            error_share=float(text.get("ERROR_SHARE", "0")),
            slow_share=float(text.get("SLOW_SHARE", "1")),
            latency_seconds=float(text.get("LATENCY_MS", "0")) / 1000,
            crash_after_seconds=float(crash_after) if crash_after is not None else None,
            exit_code=int(text.get("EXIT_CODE", "1")),
            last_words=text.get("LAST_WORDS", ""),
            memory_hog=text.get("MEMORY_HOG", "").lower() in {"1", "true", "yes"},
            ready=text.get("READY", "") != "never",
            drain_seconds=float(text.get("DRAIN_SECONDS", "0")),
        )


def is_hit(number: int, share: float) -> bool:
    """Tell whether request ``number`` (from 0) is among the share that is hit; exact over any long run."""
    return int((number + 1) * share) > int(number * share)


class Metrics:
    """The two metrics of most Python servers."""

    def __init__(self) -> None:
        self.requests = Counter("http_requests", "Requests by method, path and status.", ["method", "path", "status"])
        self.durations = Histogram("http_request_duration_seconds", "Time to answer, in seconds.", ["method", "path"])

    def observe(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests.labels(method, path, str(status)).inc()
        self.durations.labels(method, path).observe(seconds)


class ToyServer(ThreadingHTTPServer):
    """Listens on every address; one thread per connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.metrics = Metrics()
        self.predictions = count()
        self.draining = threading.Event()
        super().__init__(("", port), ToyHandler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent about clients that went away."""


class ToyHandler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: ToyServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment per answer: else Nagle and delayed ACK cost 40 ms
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer a GET."""
        path = urlsplit(self.path).path
        if path == "/metrics":
            self._answer(200, generate_latest(), CONTENT_TYPE_LATEST)
        elif path == "/healthz":
            ready = self.server.behaviour.ready
            self._answer(200 if ready else 503, b"ready\n" if ready else b"not ready\n", "text/plain")
        else:
            self._predict("GET", path)

    def do_POST(self) -> None:
        """Answer a POST."""
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self._predict("POST", urlsplit(self.path).path)

    def _predict(self, method: str, path: str) -> None:
        started = time.perf_counter()
        if path != "/predict":
            self._answer(404, b'{"error": "try /predict"}\n', "application/json")
            return
        behaviour, number = self.server.behaviour, next(self.server.predictions)
        if behaviour.latency_seconds and is_hit(number, behaviour.slow_share):
            time.sleep(behaviour.latency_seconds)
        status = 500 if is_hit(number, behaviour.error_share) else 200
        body = {"prediction": 1, "pod": behaviour.pod, "revision": behaviour.revision}
        # Counted before the answer leaves: a scrape never lags behind what a client has seen.
        self.server.metrics.observe(method, path, status, time.perf_counter() - started)
        text = json.dumps(body if status == 200 else {"error": "out of luck"})
        self._answer(status, text.encode(), "application/json")

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-pod", self.server.behaviour.pod)
        self.send_header("x-revision", self.server.behaviour.revision)
        if self.server.draining.is_set():
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the log free of access lines: its last line matters."""


def crash(behaviour: Behaviour) -> None:
    """End the process as the behaviour says, last words last."""
    sys.stdout.write(f"{behaviour.last_words or 'model file is damaged'}\n")
    sys.stdout.flush()
    os._exit(behaviour.exit_code)


def take_memory() -> None:
    """Take memory until the kernel ends the container."""
    hoard = []
    while True:
        hoard.append(bytearray(b"x" * (16 * MEBIBYTE)))


def serve(port: int, behaviour: Behaviour) -> None:
    """Serve until SIGTERM, then drain and return."""
    server = ToyServer(port, behaviour)

    def drain(*_: object) -> None:
        server.draining.set()
        threading.Timer(behaviour.drain_seconds, server.shutdown).start()

    signal.signal(signal.SIGTERM, drain)
    if behaviour.crash_after_seconds is not None:
        threading.Timer(behaviour.crash_after_seconds, crash, [behaviour]).start()
    if behaviour.memory_hog:
        threading.Thread(target=take_memory, daemon=True).start()
    sys.stdout.write(f"serving revision {behaviour.revision} on port {server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever(poll_interval=0.05)
    server.server_close()


def main() -> int:
    """Run the server."""
    behaviour = Behaviour.from_environment(os.environ)
    if behaviour.crash_after_seconds == 0:
        crash(behaviour)
    serve(int(os.environ.get("PORT", "8080")), behaviour)
    return 0


if __name__ == "__main__":
    sys.exit(main())
