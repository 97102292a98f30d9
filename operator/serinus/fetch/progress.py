"""Says in the log how far a fetch has come, every few seconds. Knows no store."""

import logging
import time
from collections.abc import Callable
from threading import Lock

logger = logging.getLogger("serinus.fetch")
_EVERY_SECONDS = 5.0
_UNIT = 1000.0


class Progress:
    """Counts of one fetch, added to by several threads."""

    def __init__(self, *, files: int, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the clock.

        Args:
            files: How many files there are.
            size: Their bytes together, as far as known.
            clock: Seconds since any moment.
        """
        self._files, self._size, self._clock = files, size, clock
        self._lock = Lock()
        self._done_files = self._kept = self._read = 0
        self._started = self._told = clock()

    @property
    def read(self) -> int:
        """Bytes that came over the network in this run."""
        return self._read

    def seconds(self) -> float:
        """Return how long it has taken so far."""
        return self._clock() - self._started

    def keep(self, size: int) -> None:
        """Count bytes that an earlier run had left."""
        with self._lock:
            self._kept += size

    def add(self, size: int) -> None:
        """Count bytes that have come, and say so if it is time."""
        with self._lock:
            self._read += size
            now = self._clock()
            if now - self._told < _EVERY_SECONDS:
                return
            self._told = now
            line = self._line()
        logger.info("%s", line)

    def finish_file(self) -> None:
        """Count a file that is whole."""
        with self._lock:
            self._done_files += 1

    def tell_end(self) -> None:
        """Say what it came to."""
        logger.info("%s, done", self._line())

    def _line(self) -> str:
        seconds = max(self.seconds(), 1e-9)
        of = f" of {readable(self._size)}" if self._size else ""
        return (
            f"{self._done_files} of {self._files} files, {readable(self._kept + self._read)}{of}, "
            f"{self._read / seconds / 1e6:.1f} MB/s"
        )


def readable(size: float) -> str:
    """Return bytes in a unit that a person reads, for example ``2.1 GB`` (10⁹ bytes)."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < _UNIT:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= _UNIT
    return f"{size:.1f} TB"
