"""Workers: take keys from the queue and run the synchronous reconcile for them in threads, a bounded number at once.

Here is the loop's outer ring, the one place that catches every exception. Must not know what a reconcile does.
Runs inside one event loop; every task is made before kopf starts, because kopf ends all younger ones when it stops.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from serinus.controller.queue import CONFLICT_BACKOFF, Key, WorkQueue
from serinus.errors import ClusterError, Conflict, MetricsError

logger = logging.getLogger("serinus.workers")

Reconcile = Callable[[Key], Awaitable[timedelta | None]]
"""Reconcile one ModelDeployment; return when to look again, None: when something wakes it."""
Outcome = Callable[[str, float], None]
"""Told of each run: ok, conflict, unavailable or error; seconds."""


class Workers:
    """A number of workers on one queue."""

    def __init__(self, queue: WorkQueue, reconcile: Reconcile, count: int, told: Outcome) -> None:
        """Prepare; ``start`` begins.

        Args:
            queue: where keys come from; used from this event loop only.
            reconcile: what is done for a key.
            count: how many run at once.
            told: hears of each run's outcome.
        """
        self._queue = queue
        self._reconcile = reconcile
        self._count = count
        self._told = told
        self._woken = asyncio.Event()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start to work; needs a running event loop."""
        self._tasks = [asyncio.create_task(self._work(), name=f"worker {number}") for number in range(self._count)]

    def wake(self, key: Key) -> None:
        """Have a key reconciled as soon as possible."""
        self._queue.add(key)
        self._woken.set()

    async def stop(self, patience_seconds: float) -> bool:
        """Take no more keys and wait for the runs under way; tell whether all of them ended in time."""
        self._stopping = True
        self._woken.set()
        if not self._tasks:
            return True
        _, late = await asyncio.wait(self._tasks, timeout=patience_seconds)
        for task in late:
            task.cancel()
        return not late

    async def _work(self) -> None:
        while not self._stopping:
            key = self._queue.take()
            if key is not None:
                await self._run(key)
            else:
                await self._rest()

    async def _rest(self) -> None:
        """Wait until a key is due or something changed; others may have been quicker then, which the caller sees."""
        due = self._queue.next_due()
        loop = asyncio.get_running_loop()
        self._woken.clear()
        # No asyncio.wait_for: before Python 3.12 it makes a task, and kopf cancels tasks that are younger than itself.
        alarm = loop.call_later(max(0.0, due - self._queue.now()), self._woken.set) if due is not None else None
        try:
            await self._woken.wait()
        finally:
            if alarm is not None:
                alarm.cancel()

    async def _run(self, key: Key) -> None:
        started = self._queue.now()
        outcome = "error"
        try:
            outcome = await self._attempt(key)
        finally:
            self._queue.done(key)
            self._told(outcome, self._queue.now() - started)
            # The others sleep until the time that was next when they looked; it may be earlier now.
            self._woken.set()

    async def _attempt(self, key: Key) -> str:
        try:
            again = await self._reconcile(key)
        except Conflict as conflict:
            delay = self._queue.add_failed(key, CONFLICT_BACKOFF)
            logger.debug("%s: somebody else wrote first, again in %.2f s: %s", key, delay, conflict)
            return "conflict"
        except (ClusterError, MetricsError) as failure:
            delay = self._queue.add_failed(key)
            logger.warning("%s: %s: %s; again in %.1f s", key, type(failure).__name__, failure, delay)
            return "unavailable"
        except Exception:
            delay = self._queue.add_failed(key)
            logger.exception("%s: the reconcile failed, which is a bug; again in %.1f s", key, delay)
            return "error"
        self._queue.forget_failures(key)
        if again is not None:
            self._queue.add_after(key, again.total_seconds())
        return "ok"
