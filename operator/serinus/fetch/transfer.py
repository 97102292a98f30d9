"""Brings files into a directory: several at a time, large ones in parts, each going on where a connection broke.

Knows sources only through what all of them can do, and nothing of pins and digests of the whole.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock
from typing import TypeVar

from serinus.fetch import patience as waits
from serinus.fetch.archives import place, unpack
from serinus.fetch.failures import FetchFailed, Passing, RangeIgnored, Reason
from serinus.fetch.partial import PartialFile, clear_others, refuse_without_space
from serinus.fetch.paths import refuse_collisions, safe_path
from serinus.fetch.patience import Patience
from serinus.fetch.progress import Progress
from serinus.fetch.ranges import PART_BYTES, Part, missing, parts_of
from serinus.fetch.remote import Found, RemoteFile
from serinus.fetch.source import BLOCK_BYTES, Source, replaced

logger = logging.getLogger("serinus.fetch")
T = TypeVar("T")


class Transfer:
    """One run of a fetch."""

    def __init__(
        self,
        source: Source,
        directory: Path,
        *,
        parallel: int,
        patience: Patience,
        progress: Progress,
        part_bytes: int = PART_BYTES,
    ) -> None:
        """Prepare, without asking the store.

        Args:
            source: Where the files come from.
            directory: Where they go; exists.
            parallel: How many requests are under way at the same time, at least 1.
            patience: How often a failing request is repeated.
            progress: Is told what comes.
            part_bytes: Size of the parts of large files.
        """
        self._source, self._directory = source, directory
        self._parallel, self._patience, self._progress = parallel, patience, progress
        self._part_bytes = part_bytes
        self._sealed = False
        self._stop = Event()

    def run(self, found: Found) -> tuple[str, ...]:
        """Fetch all files, and return the paths that then stand in the directory, sorted.

        Raises:
            FetchFailed: It cannot be done, or not now; what has come stays for the next run.
        """
        refuse_collisions(safe_path(file.path) for file in found.files)
        self._sealed = found.sealed
        jobs = [_Job(self._directory, file, self._part_bytes) for file in found.files]
        clear_others(self._directory, (job.partial for job in jobs))
        for job in jobs:
            self._progress.keep(job.kept)
        refuse_without_space(self._directory, sum(max(0, job.file.size) - job.kept for job in jobs))
        # First one part of each file: it shows whether the store can send parts at all.
        self._in_parallel(self._begin, jobs)
        self._in_parallel(self._go_on, [(job, part) for job in jobs for part in job.waiting])
        # Archives may overwrite what came before them, so their order counts.
        landed = {path for job in jobs for path in self._land(job)}
        # A layer of an image may take back what an earlier one brought.
        return tuple(sorted((path for path in landed if (self._directory / path).is_file()), key=str.encode))

    def _in_parallel(self, work: Callable[[T], None], items: Iterable[T]) -> None:
        pool = ThreadPoolExecutor(self._parallel, thread_name_prefix="fetch")
        try:
            for _ in pool.map(work, items):
                pass
        except BaseException:
            self._stop.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _begin(self, job: "_Job") -> None:
        if job.whole:
            self._fetch_whole(job)
        else:
            job.partial.prepare(job.file.size)
            if job.waiting:
                part, *rest = job.waiting
                try:
                    self._fetch_part(job, part)
                    job.waiting = rest
                except RangeIgnored:
                    logger.warning("the store sends no parts of %s: it is fetched in one piece", job.file.path)
                    job.waiting = []
                    self._fetch_whole(job)
        if not job.waiting:
            self._finish(job)

    def _go_on(self, item: "tuple[_Job, Part]") -> None:
        job, part = item
        try:
            self._fetch_part(job, part)
        except RangeIgnored:
            raise FetchFailed(
                Reason.INTERRUPTED, f"The store sent some parts of {job.file.path} and then refused to send others."
            ) from None
        if job.end_part(part):
            self._finish(job)

    def _fetch_part(self, job: "_Job", part: Part) -> None:
        position = furthest = part.start
        failed = 0
        while position < part.end:
            # Asking for all of a small file needs no part, and some servers know none.
            end = None if part.start == position == 0 and part.end == job.file.size else part.end
            before = furthest
            try:
                with self._source.read(job.file, position, end) as blocks:
                    for size in job.partial.write(position, self._unless_stopped(blocks), part.end - position):
                        position += size
                        furthest = max(furthest, position)
                        self._progress.add(size)
                if position < part.end:
                    raise Passing(f"{job.file.path} ended {part.end - position} bytes early")
            except Passing as passing:
                failed = 1 if furthest > before else failed + 1
                self._wait(job, passing, failed, position)
            except RangeIgnored:
                if part.start != 0 or part.end != job.file.size:
                    raise
                # A small file broke off, and the rest alone cannot be had.
                position = 0
        job.partial.finish_part(part.index)

    def _fetch_whole(self, job: "_Job") -> None:
        failed = 0
        while True:
            job.partial.restart()
            position = 0
            job.partial.prepare(0)
            try:
                with self._source.read(job.file, 0, None) as blocks:
                    for size in job.partial.write(0, self._unless_stopped(blocks), None):
                        position += size
                        self._progress.add(size)
                if position < job.file.size:
                    raise Passing(f"{job.file.path} ended {job.file.size - position} bytes early")
                if 0 <= job.file.size < position:
                    raise FetchFailed(Reason.REPLACED, f"{job.file.path} has more bytes than when it was resolved.")
                return
            except Passing as passing:
                failed += 1
                self._wait(job, passing, failed, 0)

    def _wait(self, job: "_Job", passing: Passing, failed: int, position: int) -> None:
        if failed >= self._patience.attempts:
            raise FetchFailed(
                Reason.INTERRUPTED,
                f"{passing.message}; {failed} attempts in a row brought no byte more of {job.file.path}. "
                "What has come so far is kept: a restarted container goes on from there.",
            ) from passing
        wait = self._patience.wait_seconds(failed, passing)
        logger.warning("%s; going on at byte %d in %.1f s", passing.message, position, wait)
        waits.pause(wait, self._stop)

    def _unless_stopped(self, blocks: Iterable[bytes]) -> Iterable[bytes]:
        for block in blocks:
            if self._stop.is_set():
                raise FetchFailed(Reason.INTERRUPTED, "Another part of the fetch failed.")
            yield block

    def _finish(self, job: "_Job") -> None:
        _verify(job, self._sealed)
        self._progress.finish_file()

    def _land(self, job: "_Job") -> tuple[str, ...]:
        if job.file.unpack is not None:
            return unpack(job.partial.path, self._directory, job.file.unpack)
        place(self._directory, job.file.path, job.partial.move_to)
        return (job.file.path,)


class _Job:
    """One file, what is left of it to fetch, and how."""

    def __init__(self, directory: Path, file: RemoteFile, part_bytes: int) -> None:
        self.file = file
        self.partial = PartialFile(directory, file, part_bytes)
        self.whole = file.size < 0
        done = frozenset[int]() if self.whole else self.partial.done()
        self.waiting = [] if self.whole else list(missing(file.size, done, part_bytes))
        self.kept = sum(part.end - part.start for part in parts_of(max(0, file.size), part_bytes) if part.index in done)
        self._lock = Lock()

    def end_part(self, part: Part) -> bool:
        """Take a part off the list; True for whoever ended the last one."""
        with self._lock:
            self.waiting.remove(part)
            return not self.waiting


def _verify(job: _Job, sealed: bool) -> None:
    """Compare a file with what its store says of its content, where it says something."""
    file = job.file
    if not file.sha256 and not file.git_blob:
        return
    size = job.partial.path.stat().st_size
    wanted = (hashlib.sha256(), file.sha256) if file.sha256 else (_git_hash(size), file.git_blob)
    if hash_file(job.partial.path, wanted[0]) != wanted[1]:
        job.partial.restart()
        if not sealed:
            raise replaced(f"{file.path} has another content than when it was resolved")
        raise FetchFailed(
            Reason.INTERRUPTED,
            f"{file.path} came damaged: its store promises {wanted[1]}. What came was thrown away; it is fetched anew.",
        )


def _git_hash(size: int) -> "hashlib._Hash":
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def hash_file(path: Path, total: "hashlib._Hash") -> str:
    """Return the hexadecimal digest of what ``total`` has seen and a file's bytes."""
    with path.open("rb") as data:
        while block := data.read(BLOCK_BYTES):
            total.update(block)
    return total.hexdigest()
