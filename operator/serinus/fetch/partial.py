"""Files that are not whole yet, on disk: a container that starts again goes on where the last one ended.

Beside each unfinished file lies a list of its parts that are there. Names are made from everything that identifies the
content, so that what was left of an older artifact is never taken for a newer one's; and from the machine's boot: what
was written before that one may never have reached the disk. Knows no store.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.paths import PARTIAL
from serinus.fetch.remote import RemoteFile

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class PartialFile:
    """One unfinished file; several threads may write different parts of it."""

    def __init__(self, directory: Path, file: RemoteFile, part_bytes: int) -> None:
        """Find what an earlier run left of a file."""
        identity = json.dumps(
            [file.path, file.key, file.size, file.etag, file.version, file.sha256, file.git_blob, part_bytes, boot()]
        )
        name = hashlib.sha256(identity.encode()).hexdigest()[:40]
        self.path = directory / PARTIAL / name
        self._list = directory / PARTIAL / f"{name}.parts"
        self._lock = Lock()

    @property
    def names(self) -> tuple[str, str]:
        """What it is called, and its list of parts."""
        return self.path.name, self._list.name

    def done(self) -> frozenset[int]:
        """Return the indices of the parts that are on disk."""
        try:
            lines = self._list.read_text().split("\n")
            self.path.stat()
        except FileNotFoundError:
            return frozenset()
        # The last line lacks its end if the container died while writing it.
        return frozenset(int(line) for line in lines[:-1] if line.isdigit())

    def prepare(self, size: int) -> None:
        """Make room for a file of so many bytes, keeping what is there."""
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as out:
                out.truncate(size)

    def restart(self) -> None:
        """Forget everything that is on disk."""
        self.path.unlink(missing_ok=True)
        self._list.unlink(missing_ok=True)

    def write(self, start: int, blocks: Iterable[bytes], limit: int | None) -> Iterator[int]:
        """Write blocks from a position on, at most ``limit`` bytes; yields the size of each block once written."""
        with writing(self.path):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            position = start
            for block in blocks:
                kept = block if limit is None else block[: limit - (position - start)]
                with writing(self.path):
                    _write_all(descriptor, kept, position)
                position += len(kept)
                if kept:
                    yield len(kept)
                if limit is not None and position - start >= limit:
                    return
        finally:
            os.close(descriptor)

    def finish_part(self, index: int) -> None:
        """Remember that a part is on disk."""
        with self._lock, writing(self._list), self._list.open("a") as out:
            out.write(f"{index}\n")

    def move_to(self, target: Path) -> None:
        """Give the finished file its name, under which nothing unfinished ever stands."""
        self.path.chmod(0o644)
        self.path.replace(target)
        self._list.unlink(missing_ok=True)


def boot() -> str:
    """Return a name for the time since the machine was started; empty where it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def clear_others(directory: Path, kept: Iterable[PartialFile]) -> None:
    """Remove what earlier runs left of anything but these files: it would only take up room."""
    names = {name for partial in kept for name in partial.names}
    for path in (directory / PARTIAL).glob("*"):
        if path.name not in names:
            path.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into its reason.

    Raises:
        FetchFailed: The volume is full, or may not be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise FetchFailed(Reason.NO_SPACE, _no_space(path)) from error
        raise FetchFailed(
            Reason.UNSUPPORTED, f"{path} cannot be written: {error.strerror}. Which volume is mounted there?"
        ) from error


def refuse_without_space(directory: Path, needed: int) -> None:
    """Refuse before the first byte if the volume has less room than the rest of the model needs.

    Args:
        directory: Where the model goes.
        needed: Bytes still to come.

    Raises:
        FetchFailed: It does not fit.
    """
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise FetchFailed(
            Reason.NO_SPACE, f"The model needs {needed} bytes more and {_no_space(directory)} ({free} bytes free)"
        )


def _no_space(path: Path) -> str:
    return f"the volume at {path} is full. Give the pod more ephemeral storage, or mount a larger volume there."


def _write_all(descriptor: int, data: bytes, position: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, position)
        view, position = view[written:], position + written
