"""Run replicates of many lines on all cores, in rounds, until each line has what it aims at or the time is over.

In rounds, so that a run that is cut short has something of every line. Which replicates exist depends on the time; what
each of them gives does not, for its chance comes from the cell's name and its number.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context

from benchmarks.decisions.lines import Line
from benchmarks.decisions.store import Row, Store

CHUNK = 20
"""Replicates in one task."""
ROUNDS = (0.05, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of its aim that every line has reached after each round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Some replicates of a line."""

    line: Line
    replicates: tuple[int, ...]


def run(
    aims: Mapping[Line, int],
    store: Store,
    *,
    seconds: float,
    workers: int = 2,
    tell: Callable[[str], None] = print,
) -> bool:
    """Run what is missing.

    Args:
        aims: for each line how many replicates it is to have.
        store: results; replicates that it has are not run again.
        seconds: after these no task is begun any more.
        workers: processes.
        tell: where progress goes.

    Returns:
        Whether every line has what it aims at.
    """
    begin = told = time.monotonic()
    tasks = list(_tasks(aims, store))
    total, done = sum(len(each.replicates) for each in tasks), 0
    waiting: dict[Future[list[Row]], Task] = {}
    queue = iter(tasks)
    # Spawned: a process that has threads, as that of the tests may, must not be forked.
    with ProcessPoolExecutor(max_workers=workers, mp_context=get_context("spawn")) as pool:
        while True:
            while len(waiting) < 2 * workers and time.monotonic() - begin < seconds:
                task = next(queue, None)
                if task is None:
                    break
                waiting[pool.submit(task.line.rows, task.replicates)] = task
            if not waiting:
                break
            finished, _ = wait(waiting, timeout=10.0, return_when=FIRST_COMPLETED)
            for future in finished:
                task = waiting.pop(future)
                store.add(task.line.key, future.result())
                done += len(task.replicates)
            if done and time.monotonic() - told > 30.0:
                told = time.monotonic()
                left = min((told - begin) / done * (total - done), seconds - (told - begin))
                tell(f"{done} of {total} replicates, about {left / 60:.0f} min left")
    return done == total


def _tasks(aims: Mapping[Line, int], store: Store) -> Iterator[Task]:
    known = {line: {each["replicate"] for each in store.rows(line.key)} for line in aims}
    reached = dict.fromkeys(aims, 0)
    for share in ROUNDS:
        for line, aim in aims.items():
            upto = max(round(aim * share), min(aim, CHUNK))
            missing = [each for each in range(reached[line], upto) if each not in known[line]]
            reached[line] = max(reached[line], upto)
            for first in range(0, len(missing), CHUNK):
                yield Task(line=line, replicates=tuple(missing[first : first + CHUNK]))
