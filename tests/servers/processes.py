"""Start a server on loopback, wait until it answers, and end all its processes. Must not know what it serves."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

START_SECONDS = 120
"""Ray needs 15 s on two idle cores."""


def free_ports(number: int) -> list[int]:
    """Return ports that nobody listens on, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def running(
    argv: Sequence[object], folder: Path, environment: Mapping[str, str], ready_url: str, holds: str = ""
) -> Iterator[None]:
    """Run a command until the block ends; the block begins when ``ready_url`` answers 200 with a certain text."""
    log = folder / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [str(word) for word in argv],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    try:
        wait_until(lambda: answers(ready_url, holds), START_SECONDS, lambda: _complaint(process, log))
        yield
    finally:
        _end(process)


def wait_until(condition: Callable[[], bool], seconds: float, complaint: Callable[[], str]) -> None:
    """Return when a condition holds.

    Raises:
        AssertionError: it did not in time, or ``complaint`` says "!" first: it cannot any more.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        told = complaint()
        assert not told.startswith("!"), told
        assert time.monotonic() < deadline, told
        time.sleep(0.1)


def answers(url: str, holds: str) -> bool:
    """Return whether something answers 200 there, and a certain text."""
    try:
        answer = requests.get(url, timeout=2)
        return answer.status_code == 200 and holds in answer.text
    except requests.RequestException:
        return False


def _complaint(process: subprocess.Popen[bytes], log: Path) -> str:
    ended = process.poll() is not None
    return f"{'!ended' if ended else 'not ready'}: {log.read_text(errors='replace')[-4000:]}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and all of its session: servers have workers, and Ray has daemons."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    deadline = time.monotonic() + 10
    while members := _session(process.pid):
        if time.monotonic() > deadline:
            for pid in members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    process.wait()


def _session(leader: int) -> list[int]:
    """Return the living processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # After the name in brackets, which may hold anything: state, parent, group, session.
                state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(session) == leader and state != "Z":
                    found.append(int(entry.name))
    return found
