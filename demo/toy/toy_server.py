"""A model server that fails on request: what end-to-end tests roll out.

It answers ``/predict`` (GET and POST) and exports the two metrics that most Python servers have,
``http_requests_total{method,path,status}`` and ``http_request_duration_seconds``, three about what it says,
``predictions_total{answer}``, ``predictions_implausible_total`` and the histogram ``prediction_score``, and the gauge
``model_queue_length``. Its faults are switched on by environment variables, so that a pod template says what will go
wrong:

==================  ====================================================================================
ERROR_SHARE         share of predictions answered with 500, in [0, 1]; spread evenly, not at random
SLOW_SHARE          share of predictions that take LATENCY_MS, in [0, 1]; default 1
LATENCY_MS          what a slow prediction takes, in milliseconds; default 0
LATENCY_SPREAD      sigma of a log-normal distribution around LATENCY_MS, its median; default 0, no spread
IMPLAUSIBLE_SHARE   share of predictions that cannot be true, in [0, 1]; spread evenly
QUEUE_LENGTH        mean of the gauge, which is another number at each scrape; default 10
BURST_SHARE         share of predictions answered with 500 for BURST_SECONDS (2) after a SIGUSR1; default 1
CRASH_AFTER         end with EXIT_CODE so many seconds after the start
EXIT_CODE           default 1
LAST_WORDS          the last line of the log before a crash
MEMORY_HOG          take memory until the kernel ends the container
READY               ``never``: ``/healthz`` answers 503 for ever
DRAIN_SECONDS       after SIGTERM, answer so long; default 0
==================  ====================================================================================

A body with the key ``poison`` is answered with 500 by every server: a fault of the request, not of the model.
POD_NAME and REVISION (from the downward API) come back in the headers ``x-pod`` and ``x-revision`` and in the body.
"""

import json
import math
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
from statistics import NormalDist
from typing import Self
from urllib.parse import urlsplit

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

MEBIBYTE = 1024 * 1024
GOLDEN = (math.sqrt(5) - 1) / 2
POISON = b'"poison"'
SCORES = tuple(tenth / 10 for tenth in range(1, 10))


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What this server does wrong."""

    pod: str = "unnamed"
    revision: str = "unnamed"
    error_share: float = 0.0
    slow_share: float = 1.0
    latency_seconds: float = 0.0
    latency_spread: float = 0.0
    implausible_share: float = 0.0
    queue_length: float = 10.0
    burst_share: float = 1.0
    burst_seconds: float = 2.0
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
            latency_spread=float(text.get("LATENCY_SPREAD", "0")),
            implausible_share=float(text.get("IMPLAUSIBLE_SHARE", "0")),
            queue_length=float(text.get("QUEUE_LENGTH", "10")),
            burst_share=float(text.get("BURST_SHARE", "1")),
            burst_seconds=float(text.get("BURST_SECONDS", "2")),
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


def score_of(number: int) -> float:
    """Return a number in (0, 1) for request ``number`` (from 0); evenly spread over any run, as if drawn at random."""
    return (number + 0.5) * GOLDEN % 1.0


def delay_of(number: int, behaviour: Behaviour) -> float:
    """Return the seconds that prediction ``number`` takes beyond the work itself."""
    if not behaviour.latency_seconds or not is_hit(number, behaviour.slow_share):
        return 0.0
    return behaviour.latency_seconds * math.exp(behaviour.latency_spread * NormalDist().inv_cdf(score_of(number)))


class Metrics:
    """The two metrics of most Python servers, and what the predictions were."""

    def __init__(self, queue_length: float) -> None:
        self._scrapes = count()
        self.queue = Gauge("model_queue_length", "Requests that wait.")
        self.queue.set_function(lambda: queue_length * (0.5 + score_of(next(self._scrapes))))
        self.requests = Counter("http_requests", "Requests by method, path and status.", ["method", "path", "status"])
        self.durations = Histogram("http_request_duration_seconds", "Time to answer, in seconds.", ["method", "path"])
        self.predictions = Counter("predictions", "Predictions by answer.", ["answer"])
        self.implausible = Counter("predictions_implausible", "Predictions that cannot be true.")
        self.scores = Histogram("prediction_score", "Score of each prediction.", buckets=SCORES)

    def observe(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests.labels(method, path, str(status)).inc()
        self.durations.labels(method, path).observe(seconds)

    def observe_prediction(self, score: float, *, implausible: bool) -> None:
        """Count one prediction by what it says."""
        self.predictions.labels("yes" if score > 0.3 else "no").inc()
        self.implausible.inc(implausible)
        self.scores.observe(score)


class ToyServer(ThreadingHTTPServer):
    """Listens on every address; one thread per connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.metrics = Metrics(behaviour.queue_length)
        self.predictions = count()
        self.answers = count()
        self.draining = threading.Event()
        self._burst_until = 0.0
        super().__init__(("", port), ToyHandler)

    def burst(self) -> None:
        """Fail BURST_SHARE of the predictions from now on, for BURST_SECONDS."""
        self._burst_until = time.monotonic() + self.behaviour.burst_seconds

    def error_share(self) -> float:
        """Return the share of predictions that fail now."""
        bursting = time.monotonic() < self._burst_until
        return self.behaviour.burst_share if bursting else self.behaviour.error_share

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
            self._predict("GET", path, b"")

    def do_POST(self) -> None:
        """Answer a POST."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self._predict("POST", urlsplit(self.path).path, body)

    def _predict(self, method: str, path: str, question: bytes) -> None:
        started = time.perf_counter()
        if path != "/predict":
            self._answer(404, b'{"error": "try /predict"}\n', "application/json")
            return
        behaviour, number = self.server.behaviour, next(self.server.predictions)
        if delay := delay_of(number, behaviour):
            time.sleep(delay)
        failed = POISON in question or is_hit(number, self.server.error_share())
        status = 500 if failed else 200
        if not failed:
            answered = next(self.server.answers)
            implausible = is_hit(answered, behaviour.implausible_share)
            self.server.metrics.observe_prediction(score_of(answered), implausible=implausible)
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
    signal.signal(signal.SIGUSR1, lambda *_: server.burst())
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
