"""Fetch from loopback and print a table: MB/s, seconds and peak memory of the fetching process, by requests at a time.

The server is a process of its own that sends zeros from memory with `sendfile`, so what is measured is the fetch: its
HTTP, its writes, and with `digest` the comparison of what came. A second server waits before it answers, as stores do
that are not in the same room.
"""

import argparse
import os
import re
import socketserver
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from multiprocessing import Process, Queue, get_context
from pathlib import Path

from rich.console import Console
from rich.table import Table

_MIB = 1024 * 1024
_PROGRAM = """
import os, pathlib, resource, sys
from serinus.fetch.run import main
url, folder, parallel = sys.argv[1:]
status = main(url, pathlib.Path(folder), os.environ, pin="", digest="", parallel=int(parallel))
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(status)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of the table."""

    what: str
    size: int
    parallel: int
    delay_seconds: float = 0.0
    per_connection: float = 0.0
    """Bytes a second that the server gives to one connection; 0 for all it can."""


class _Handler(BaseHTTPRequestHandler):
    """Sends parts of one file of zeros."""

    protocol_version = "HTTP/1.1"
    size, delay_seconds, per_connection = 0, 0.0, 0.0
    path_of_zeros = ""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Send the part that was asked for."""
        time.sleep(self.delay_seconds)
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "bytes=0-")
        start = int(match[1]) if match else 0
        end = min(int(match[2]) + 1, self.size) if match and match[2] else self.size
        self.send_response(206 if self.headers["Range"] else 200)
        if self.headers["Range"]:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{self.size}")
        self.send_header("Content-Length", str(end - start))
        self.send_header("ETag", '"zeros"')
        self.end_headers()
        self.wfile.flush()
        self._send(start, end)

    def _send(self, start: int, end: int) -> None:
        step = _MIB if self.per_connection else 64 * _MIB
        with open(self.path_of_zeros, "rb") as zeros:
            while start < end:
                begun = time.monotonic()
                sent = os.sendfile(self.connection.fileno(), zeros.fileno(), start, min(step, end - start))
                start += sent
                if self.per_connection:
                    time.sleep(max(0.0, begun + sent / self.per_connection - time.monotonic()))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that go."""


def _serve(case: Case, zeros: str, port: "Queue[int]") -> None:
    names = {"size": case.size, "delay_seconds": case.delay_seconds, "per_connection": case.per_connection}
    handler = type("Handler", (_Handler,), {**names, "path_of_zeros": zeros})
    with _Server(("127.0.0.1", 0), handler) as server:
        port.put(server.server_address[1])
        server.serve_forever()


@contextmanager
def _serving(case: Case, folder: Path) -> Iterator[str]:
    zeros = folder / "zeros"
    with zeros.open("wb") as out:
        out.truncate(case.size)
    context = get_context("fork")
    port: Queue[int] = context.Queue()
    process: Process = context.Process(target=_serve, args=(case, str(zeros), port), daemon=True)  # type: ignore[assignment]
    process.start()
    try:
        yield f"http://127.0.0.1:{port.get(timeout=10)}/model.bin"
    finally:
        process.terminate()
        process.join()


def measure(case: Case, folder: Path) -> tuple[float, float]:
    """Return seconds, and the peak memory of the fetch in MiB."""
    with _serving(case, folder) as url:
        arguments = [sys.executable, "-c", _PROGRAM, url, str(folder / "model"), str(case.parallel)]
        environment = {**os.environ, "SERINUS_FETCH_ALLOW_HTTP": "true"}
        done = subprocess.run(arguments, env=environment, check=True, capture_output=True, text=True)
    seconds = float(re.search(r'"seconds": ([0-9.]+)', done.stdout)[1])  # type: ignore[index]
    peak = int(re.search(r"peak (\d+)", done.stdout)[1])  # type: ignore[index]
    return seconds, peak / 1024


def cases(size: int) -> Iterator[Case]:
    """Yield what is measured."""
    for parallel in (1, 8):
        yield Case(what="as fast as loopback", size=size, parallel=parallel)
    for parallel in (1, 8):
        yield Case(
            what="50 ms away, 25 MB/s a connection",
            size=size // 4,
            parallel=parallel,
            delay_seconds=0.05,
            per_connection=25e6,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fetch", description=__doc__.splitlines()[0])
    parser.add_argument("--gib", type=float, default=2.0, help="size of the file on loopback (default 2)")
    size = int(parser.parse_args().gib * 1024 * _MIB)
    table = Table(title="serinus fetch, one file")
    for name in ("store", "size", "requests at a time", "seconds", "MB/s", "peak memory"):
        table.add_column(name, justify="left" if name == "store" else "right")
    for case in cases(size):
        with tempfile.TemporaryDirectory(prefix="serinus-") as folder:
            seconds, peak = measure(case, Path(folder))
        figures = (f"{seconds:.1f}", f"{case.size / seconds / 1e6:.0f}", f"{peak:.0f} MiB")
        table.add_row(case.what, f"{case.size / _MIB:.0f} MiB", str(case.parallel), *figures)
    Console().print(table)


if __name__ == "__main__":
    main()
