"""Send requests at a steady rate and count every answer and every failure.

Two kinds of clients are counted apart, because Kubernetes treats them differently: one opens a connection for each
request, the other keeps a pool of connections alive (kube-proxy never moves those). A request fails in transport when
it gets no HTTP answer at all; a 500 is an answer. Runs in a pod (``python3 -m demo.load URL``), and is imported by
tests and by the demo. Standard library only. It knows nothing of Serinus and of Kubernetes.
"""

import argparse
import asyncio
import json
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from demo.connection import Answer, Connection, TransportError
from demo.counts import Counts, Mode, Tally

IN_FLIGHT_LIMIT = 64


class Load:
    """A steady stream of requests in a thread of its own; a context manager.

    Rates are requests per second and open loop: a slow server gets no fewer requests, until 64 are in flight.
    """

    def __init__(
        self,
        url: str,
        *,
        new_per_second: float = 15.0,
        kept_per_second: float = 5.0,
        kept_connections: int = 4,
        bodies: Sequence[bytes] = (b"{}",),
        timeout_seconds: float = 5.0,
        limit: int | None = None,
    ) -> None:
        """Prepare the load.

        Args:
            url: ``http://`` address that every request goes to.
            new_per_second: Rate of requests that each open a connection; 0 switches this mode off.
            kept_per_second: Rate of requests over the pool of kept-alive connections; 0 switches it off.
            kept_connections: Size of that pool, at least 1.
            bodies: Bodies in turn; an empty one makes the request a GET.
            timeout_seconds: Of a whole request, connecting included.
            limit: Stop by itself after so many requests of each mode.
        """
        self._url, self._bodies, self._timeout_seconds, self._limit = url, tuple(bodies), timeout_seconds, limit
        self._rates = {Mode.NEW: new_per_second, Mode.KEPT: kept_per_second}
        self._kept_connections = kept_connections
        self._modes = {mode: Tally() for mode in Mode}
        self._revisions: dict[str, Tally] = {}
        self._pods: dict[str, Tally] = {}
        self._changed = threading.Condition()
        self._started = self._ended = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run_in_thread, name="load", daemon=True)

    def __enter__(self) -> Self:
        """Start sending."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop sending."""
        self.stop()

    def start(self) -> None:
        """Start the thread that sends."""
        self._started = monotonic()
        self._thread.start()

    def stop(self) -> Counts:
        """Stop sending, wait for what is in flight, and return the totals."""
        with self._changed:
            loop, stop = self._loop, self._stop
        if loop is not None and stop is not None:
            with suppress(RuntimeError):  # the loop may have ended by itself, at the limit
                loop.call_soon_threadsafe(stop.set)
        self._thread.join()
        return self.counts()

    def join(self) -> Counts:
        """Wait until the limit is reached and return the totals."""
        self._thread.join()
        return self.counts()

    def counts(self) -> Counts:
        """Return a snapshot of the counts."""
        with self._changed:
            return Counts(
                modes={mode: tally.copy() for mode, tally in self._modes.items()},
                revisions={name: tally.copy() for name, tally in self._revisions.items()},
                pods={name: tally.copy() for name, tally in self._pods.items()},
                elapsed_seconds=(self._ended or monotonic()) - self._started if self._started else 0.0,
            )

    def wait_for(self, reached: Callable[[Counts], bool], timeout_seconds: float) -> Counts:
        """Wait until the counts satisfy a condition and return them.

        Raises:
            TimeoutError: They do not in time; the message has the counts.
        """
        deadline = monotonic() + timeout_seconds
        with self._changed:
            while not reached(counts := self.counts()):
                remaining = deadline - monotonic()
                if remaining <= 0 or not self._changed.wait(remaining):
                    raise TimeoutError(f"the load's counts never got there: {json.dumps(counts.to_wire())}")
            return counts

    def _run_in_thread(self) -> None:
        asyncio.run(self.run())

    async def run(self) -> None:
        """Send until stopped or at the limit."""
        with self._changed:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            self._started = self._started or monotonic()
        async with asyncio.TaskGroup() as group:
            for mode, rate in self._rates.items():
                if rate > 0:
                    group.create_task(self._send_steadily(mode, rate, self._stop))
        with self._changed:
            self._ended = monotonic()
            self._changed.notify_all()

    def request_stop(self) -> None:
        """Ask a running ``run`` to end; to be called in its event loop."""
        if self._stop is not None:
            self._stop.set()

    async def _send_steadily(self, mode: Mode, rate: float, stop: asyncio.Event) -> None:
        size = self._kept_connections if mode is Mode.KEPT else IN_FLIGHT_LIMIT
        # First in, first out: a kept-alive pool uses its connections in turn.
        idle = [Connection(self._url, self._timeout_seconds) for _ in range(size)]
        running: set[asyncio.Task[None]] = set()
        begin, number = monotonic(), 0
        while not stop.is_set() and (self._limit is None or number < self._limit):
            if idle:
                task = asyncio.create_task(
                    self._send(mode, idle.pop(0), idle, self._bodies[number % len(self._bodies)])
                )
                running.add(task)
                task.add_done_callback(running.discard)
            else:
                with self._changed:
                    self._modes[mode].skipped += 1
            number += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, begin + number / rate - monotonic())):
                    await stop.wait()
        if running:
            await asyncio.wait(running, timeout=self._timeout_seconds + 1)
        for connection in idle:
            await connection.close()

    async def _send(self, mode: Mode, connection: Connection, idle: list[Connection], body: bytes) -> None:
        with self._changed:
            self._modes[mode].sent += 1
        try:
            answer = await connection.request(body)
        except TransportError as failure:
            with self._changed:
                self._modes[mode].failures[failure.kind] += 1
                self._changed.notify_all()
        else:
            self._count(mode, answer)
        if mode is Mode.NEW:
            await connection.close()
        idle.append(connection)

    def _count(self, mode: Mode, answer: Answer) -> None:
        now = datetime.now(UTC)
        with self._changed:
            for tally in (
                self._modes[mode],
                self._revisions.setdefault(answer.revision, Tally()),
                self._pods.setdefault(answer.pod, Tally()),
            ):
                tally.count_answer(answer.status, now)
            self._changed.notify_all()


async def _serve_report(load: Load, port: int) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await reader.readuntil(b"\r\n\r\n")
            body = json.dumps(load.counts().to_wire()).encode()
            head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            writer.write(head.encode() + b"connection: close\r\n\r\n" + body)
            await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, port=port)


async def _main(load: Load, *, port: int | None, seconds: float | None) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, load.request_stop)
    server = await _serve_report(load, port) if port is not None else None
    if seconds is not None:
        loop.call_later(seconds, load.request_stop)
    await load.run()
    if server is not None:
        server.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the load until SIGTERM, the limit or the time, and print the totals as JSON."""
    parser = argparse.ArgumentParser(description="Send requests at a steady rate and count every answer and failure.")
    parser.add_argument("url", help="http:// address that every request goes to")
    parser.add_argument("--new-per-second", type=float, default=15.0, help="requests that each open a connection")
    parser.add_argument("--kept-per-second", type=float, default=5.0, help="requests over kept-alive connections")
    parser.add_argument("--kept-connections", type=int, default=4, help="size of the kept-alive pool")
    parser.add_argument("--bodies", type=Path, help="file with one JSON body per line, sent in turn")
    parser.add_argument("--timeout-seconds", type=float, default=5.0, help="of a whole request")
    parser.add_argument("--limit", type=int, help="stop after so many requests of each mode")
    parser.add_argument("--seconds", type=float, help="stop after so long")
    parser.add_argument("--port", type=int, help="serve the report as JSON on this port while running")
    options = parser.parse_args(arguments)
    load = Load(
        options.url,
        new_per_second=options.new_per_second,
        kept_per_second=options.kept_per_second,
        kept_connections=options.kept_connections,
        bodies=options.bodies.read_bytes().splitlines() if options.bodies else (b"{}",),
        timeout_seconds=options.timeout_seconds,
        limit=options.limit,
    )
    asyncio.run(_main(load, port=options.port, seconds=options.seconds))
    counts = load.counts()
    sys.stdout.write(json.dumps(counts.to_wire(), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
