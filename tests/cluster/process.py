"""Starts and ends the long-running processes. A pid file carries the start time, so a reused pid is never killed."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cluster import packages
from cluster.commands import SYSTEM_PATH
from cluster.errors import HarnessError
from cluster.paths import Layout

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """One process as a value: what it is called, its command line, and the files that it reads."""

    name: str
    argv: tuple[str, ...]
    """The first word is a path, or the name of a system command."""
    files: Mapping[Path, str] = field(default_factory=dict)
    """Configuration files with their content; part of the fingerprint."""


def start(daemon: Daemon, layout: Layout) -> str:
    """Write the daemon's files, start it in a session of its own, and record its pid. Returns the name."""
    for path, content in daemon.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    log = layout.log(daemon.name)
    log.parent.mkdir(parents=True, exist_ok=True)
    # posix_spawn and not Popen: the process outlives us, and nobody will wait for a Popen object.
    pid = os.posix_spawn(
        packages.find(daemon.argv[0]),
        daemon.argv,
        {"PATH": SYSTEM_PATH, "HOME": str(Path.home()), "LANG": "C.UTF-8"},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    record = layout.pid(daemon.name)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"pid": pid, "started": start_ticks(pid), "boot": BOOT_ID.read_text().strip()}))
    return daemon.name


def find(name: str, layout: Layout) -> int | None:
    """Return the pid of a daemon that we started and that still runs, or None."""
    try:
        record = json.loads(layout.pid(name).read_text())
        pid = int(record["pid"])
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
    started = start_ticks(pid)
    # A process that died in its first moment has no start time on record.
    same = started is not None and record["started"] == started and record["boot"] == BOOT_ID.read_text().strip()
    return pid if same else None


def stop(name: str, layout: Layout, *, grace_seconds: float = 10) -> None:
    """End a daemon (SIGTERM, then SIGKILL after the grace) and wait until it has gone. Does nothing if it is gone."""
    pid = find(name, layout)
    if pid is not None:
        end(pid, grace_seconds=grace_seconds)
    layout.pid(name).unlink(missing_ok=True)


def end(pid: int, *, grace_seconds: float) -> None:
    """End one process and wait until it has gone. Raises `HarnessError` if even SIGKILL does not end it."""
    started = start_ticks(pid)
    for sign, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 10.0)):
        if seconds <= 0:
            continue
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if started is None or start_ticks(pid) != started:
                return
            time.sleep(0.02)
    raise HarnessError(f"Process {pid} does not end, not even by SIGKILL; look at /proc/{pid}/stack.")


def start_ticks(pid: int) -> int | None:
    """Return the start time of a living process in clock ticks since boot; None if it is gone or a zombie."""
    # A daemon that this very process started stays a zombie until somebody reaps it.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the name in brackets and may hold anything, brackets and spaces too.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def log_tail(name: str, layout: Layout, lines: int = 15) -> str:
    """Return the last lines of a daemon's log."""
    try:
        text = layout.log(name).read_text(errors="replace")
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:])
