"""The work queue: which ModelDeployment is reconciled next, with the semantics of client-go.

A plain state machine over an injected clock: it never sleeps, spawns nothing and does no I/O; ``workers`` drives it.
A key is in work at most once; what wakes it meanwhile runs it once more afterwards. One event loop owns it; only the
three figures at the end may be read from other threads.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple


class Key(NamedTuple):
    """Names one ModelDeployment."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Delays after failures: doubled each time, up to a limit, less a random part so that failures spread out."""

    first: timedelta = timedelta(milliseconds=500)
    limit: timedelta = timedelta(seconds=60)

    def delay_seconds(self, failures: int, chance: float) -> float:
        """Return the delay after the n-th failure in a row (from 1); ``chance`` in [0, 1) takes up to half away."""
        # The exponent is bounded because a float overflows long before a person notices the failures.
        full = min(self.limit.total_seconds(), self.first.total_seconds() * 2.0 ** min(failures - 1, 32))
        return full * (1 - chance / 2)


ERROR_BACKOFF = Backoff()
CONFLICT_BACKOFF = Backoff(first=timedelta(milliseconds=20), limit=timedelta(seconds=5))
"""Somebody wrote first: reading again is all that is needed."""


REST_SECONDS = 0.1
"""Pause before a key that was woken during its run runs again: a run's own writes wake it, and come in bursts."""


@dataclass(slots=True)
class WorkQueue:
    """Keys that wait, keys in work, and how often each failed in a row."""

    now: Callable[[], float]
    """Monotonic clock, seconds."""
    chance: Callable[[], float] = random.random
    """Source of jitter, in [0, 1)."""
    _waiting: dict[Key, float] = field(default_factory=dict)
    _heap: list[tuple[float, int, Key]] = field(default_factory=list)
    _order: "itertools.count[int]" = field(default_factory=itertools.count)
    _working: dict[Key, float] = field(default_factory=dict)
    _dirty: dict[Key, float] = field(default_factory=dict)
    _failures: dict[Key, int] = field(default_factory=dict)

    def add(self, key: Key) -> None:
        """Have a key reconciled as soon as possible: at once, or again after the run that is under way."""
        if key in self._working:
            self._dirty.setdefault(key, self.now())
        else:
            self._wait(key, self.now())

    def add_after(self, key: Key, delay_seconds: float) -> None:
        """Have a key reconciled after a delay; an earlier time that it already has stays."""
        self._wait(key, self.now() + max(0.0, delay_seconds))

    def add_failed(self, key: Key, backoff: Backoff = ERROR_BACKOFF) -> float:
        """Have a key reconciled after its backoff; return the delay in seconds."""
        self._failures[key] = self._failures.get(key, 0) + 1
        delay = backoff.delay_seconds(self._failures[key], self.chance())
        self.add_after(key, delay)
        return delay

    def forget_failures(self, key: Key) -> None:
        """Let the next failure of a key start with the first delay again."""
        self._failures.pop(key, None)

    def take(self) -> Key | None:
        """Return the key that has been due longest and mark it as in work; None if none is due now.

        Whatever else the key was waiting for is dropped with it: the run to come reads the world afresh and says
        itself when it wants to be called again.
        """
        next_due = self.next_due()
        if next_due is None or next_due > self.now():
            return None
        _, _, key = heapq.heappop(self._heap)
        del self._waiting[key]
        self._working[key] = self.now()
        return key

    def done(self, key: Key) -> None:
        """Mark a key as no longer in work; if it was woken meanwhile, it is due after a short rest."""
        del self._working[key]
        if key in self._dirty:
            del self._dirty[key]
            self._wait(key, self.now() + REST_SECONDS)
        if key in self._waiting:
            # While the key was in work its place in the heap was given up.
            self._push(key)

    def next_due(self) -> float | None:
        """Return when the next key may be taken, on the clock of ``now``; None if none waits."""
        while self._heap:
            due, _, key = self._heap[0]
            waiting = self._waiting.get(key)
            if waiting == due and key not in self._working:
                return due
            heapq.heappop(self._heap)
        return None

    def depth(self) -> int:
        """Count the keys that are due now, in work or not."""
        now = self.now()
        return len(self._dirty) + sum(1 for waiting in tuple(self._waiting.values()) if waiting <= now)

    def oldest_seconds(self) -> float:
        """Return how long the key that has been due longest has waited; 0 if none is due."""
        now = self.now()
        return max(now - since for since in (now, *self._waiting.values(), *self._dirty.values()))

    def longest_work_seconds(self) -> float:
        """Return for how long the longest run under way has gone on; 0 if there is none."""
        now = self.now()
        return max(now - since for since in (now, *self._working.values()))

    def _wait(self, key: Key, due: float) -> None:
        held = self._waiting.get(key)
        if held is None or due < held:
            self._waiting[key] = due
            self._push(key)

    def _push(self, key: Key) -> None:
        if len(self._heap) > 64 + 4 * len(self._waiting):
            # Times that were overtaken stay in the heap until they come up; a busy key would pile them up.
            self._heap = [(due, next(self._order), each) for each, due in self._waiting.items() if each != key]
            heapq.heapify(self._heap)
        heapq.heappush(self._heap, (self._waiting[key], next(self._order), key))
