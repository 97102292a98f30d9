import asyncio
from collections.abc import Callable
from datetime import timedelta

from serinus.controller.queue import Key, WorkQueue
from serinus.controller.workers import Workers
from serinus.errors import ClusterUnavailable, Conflict
from support.simulated_loop import run_simulated

A, B, C = Key("n", "a"), Key("n", "b"), Key("n", "c")


class Bench:
    """Workers with a reconcile that tests script, and a record of its runs."""

    def __init__(self, work: Callable[[Key, int], timedelta | None], *, count: int = 2, takes_seconds: float = 0.0):
        self.loop = asyncio.get_running_loop()
        self.runs: list[tuple[float, Key]] = []
        self.outcomes: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self._work = work
        self._takes = takes_seconds
        self.workers = Workers(
            WorkQueue(now=self.loop.time, chance=lambda: 0.0),
            self._reconcile,
            count,
            lambda outcome, seconds: self.outcomes.append(outcome),
        )
        self.workers.start()

    async def _reconcile(self, key: Key) -> timedelta | None:
        self.runs.append((round(self.loop.time(), 3), key))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self._takes)
            return self._work(key, len(self.runs))
        finally:
            self.at_once -= 1


def test_a_requeue_comes_when_it_was_asked_for() -> None:
    async def main() -> None:
        bench = Bench(lambda key, run: timedelta(seconds=30) if run < 3 else None)
        bench.workers.wake(A)
        await asyncio.sleep(1000)
        assert bench.runs == [(0.0, A), (30.0, A), (60.0, A)]
        assert await bench.workers.stop(1)

    run_simulated(main())


def test_a_wake_interrupts_a_long_wait() -> None:
    async def main() -> None:
        bench = Bench(lambda key, run: timedelta(seconds=300))
        bench.workers.wake(A)
        await asyncio.sleep(7)
        bench.workers.wake(A)
        await asyncio.sleep(100)
        assert bench.runs == [(0.0, A), (7.0, A)]
        assert await bench.workers.stop(1)

    run_simulated(main())


def test_no_more_run_at_once_than_there_are_workers_and_all_get_their_turn() -> None:
    async def main() -> None:
        bench = Bench(lambda key, run: None, count=2, takes_seconds=1)
        for key in (A, B, C):
            bench.workers.wake(key)
        await asyncio.sleep(10)
        assert bench.runs == [(0.0, A), (0.0, B), (1.0, C)]
        assert bench.most_at_once == 2
        assert await bench.workers.stop(1)

    run_simulated(main())


def test_errors_are_told_apart_and_retried_with_backoff() -> None:
    def work(key: Key, run: int) -> None:
        if run == 1:
            raise Conflict("stale")
        if run == 2:
            raise ClusterUnavailable("down")
        if run == 3:
            raise ZeroDivisionError

    async def main() -> None:
        bench = Bench(work)
        bench.workers.wake(A)
        await asyncio.sleep(100)
        assert bench.outcomes == ["conflict", "unavailable", "error", "ok"]
        assert [at for at, _ in bench.runs] == [0.0, 0.02, 1.02, 3.02]
        assert await bench.workers.stop(1)

    run_simulated(main())


def test_stopping_waits_for_what_is_under_way_and_starts_nothing_more() -> None:
    async def main() -> None:
        bench = Bench(lambda key, run: None, count=1, takes_seconds=3)
        bench.workers.wake(A)
        bench.workers.wake(B)
        await asyncio.sleep(1)
        assert await bench.workers.stop(5)
        assert bench.loop.time() == 3
        assert bench.runs == [(0.0, A)]
        assert bench.outcomes == ["ok"]

    run_simulated(main())


def test_stopping_gives_up_after_its_patience() -> None:
    async def main() -> None:
        bench = Bench(lambda key, run: None, takes_seconds=30)
        bench.workers.wake(A)
        await asyncio.sleep(1)
        assert not await bench.workers.stop(5)
        assert bench.loop.time() == 6
        await asyncio.sleep(1)

    run_simulated(main())


def test_a_success_lets_the_next_failure_start_with_the_first_delay() -> None:
    def work(key: Key, run: int) -> timedelta:
        if run != 3:
            raise ClusterUnavailable("down")
        return timedelta(seconds=10)

    async def main() -> None:
        bench = Bench(work)
        bench.workers.wake(A)
        await asyncio.sleep(12.1)
        # Failures at 0 and 0.5, success at 1.5, then a failure at 11.5 that waits 0.5 again.
        assert [at for at, _ in bench.runs] == [0.0, 0.5, 1.5, 11.5, 12.0]
        assert await bench.workers.stop(1)

    run_simulated(main())
