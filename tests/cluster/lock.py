"""Who may do what with the machine's one cluster: one command at a time, and no `down` under those who use it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cluster.errors import ClusterInUse
from cluster.paths import Layout
from cluster.progress import Reporter

LOCKS = Path("/proc/locks")


@contextmanager
def exclusive(layout: Layout, reporter: Reporter) -> Iterator[None]:
    """Hold the machine's lock; wait for another holder, and say so. The kernel frees it when we die."""
    layout.lock.parent.mkdir(parents=True, exist_ok=True)
    with layout.lock.open("w") as file:
        _wait(file, fcntl.LOCK_EX, reporter, "Another command works on the cluster right now; waiting for it.")
        yield


@contextmanager
def in_use(layout: Layout, reporter: Reporter) -> Iterator[None]:
    """Keep the cluster from being taken down meanwhile. Any number may use it; the kernel knows when one dies."""
    file = _open_users(layout)
    if file is None:
        yield
        return
    with file:
        _wait(file, fcntl.LOCK_SH, reporter, "The cluster is being taken down right now; waiting for the end of it.")
        yield


@contextmanager
def out_of_use(layout: Layout) -> Iterator[None]:
    """Let nobody begin to use the cluster meanwhile. Raises `ClusterInUse` at once if somebody does."""
    layout.users.parent.mkdir(parents=True, exist_ok=True)
    with layout.users.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClusterInUse(_holders(layout.users)) from None
        yield


def _wait(file: IO[str], kind: int, reporter: Reporter, why: str) -> None:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        reporter.say(why)
        fcntl.flock(file, kind)


def _open_users(layout: Layout) -> IO[str] | None:
    """Open the file, made if we may; None for a user who may not where root has never made one."""
    try:
        layout.users.parent.mkdir(parents=True, exist_ok=True)
        return layout.users.open("a")
    except PermissionError:
        return layout.users.open() if layout.users.exists() else None


def _holders(path: Path) -> tuple[str, ...]:
    """Return who holds a lock on the file, as far as the kernel tells: process and folder."""
    inode = str(path.stat().st_ino)
    lines = LOCKS.read_text().splitlines() if LOCKS.exists() else ()
    held = [words for words in (line.split() for line in lines) if words[1] == "FLOCK" and "->" not in words]
    pids = sorted({words[4] for words in held if words[5].rpartition(":")[2] == inode})
    return tuple(_describe(pid) for pid in pids)


def _describe(pid: str) -> str:
    try:
        return f"process {pid} in {Path('/proc', pid, 'cwd').readlink()}"
    except OSError:
        return f"process {pid}"
