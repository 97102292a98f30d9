"""Run replicates of many cells on all cores, in rounds, until each cell has what it aims at or the time is over.

In rounds, so that a run that is cut short has something of every cell. Which replicates exist depends on the time; what
each of them gives does not, for its chance comes from the cell's name and its number.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass

from benchmarks.decisions.cells import Cell
from benchmarks.decisions.replicate import Result, play
from benchmarks.decisions.store import Store

CHUNK = 20
"""Replicates in one task."""
ROUNDS = (0.05, 0.2, 0.5, 1.0)
"""Shares of its aim that every cell has reached after each round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Some replicates of a cell."""

    cell: Cell
    replicates: tuple[int, ...]


def run(
    cells: Sequence[Cell],
    aim: Callable[[Cell], int],
    store: Store,
    *,
    seconds: float,
    workers: int = 2,
    tell: Callable[[str], None] = print,
) -> bool:
    """Run what is missing.

    Args:
        cells: to run, each name once.
        aim: replicates that a cell is to have.
        store: results; replicates that it has are not run again.
        seconds: after these no task is begun any more.
        workers: processes.
        tell: where progress goes.

    Returns:
        Whether every cell has what it aims at.
    """
    begin = time.monotonic()
    tasks = list(_tasks(cells, aim, store))
    total, told, done = len(tasks), begin, 0
    waiting: dict[Future[list[Result]], Task] = {}
    queue = iter(tasks)
    with ProcessPoolExecutor(max_workers=workers, initializer=_alone) as pool:
        while True:
            while len(waiting) < 2 * workers and time.monotonic() - begin < seconds:
                task = next(queue, None)
                if task is None:
                    break
                waiting[pool.submit(_play_all, task.cell, task.replicates)] = task
            if not waiting:
                break
            finished, _ = wait(waiting, timeout=10.0, return_when=FIRST_COMPLETED)
            for future in finished:
                store.add(waiting.pop(future).cell.name, future.result())
                done += 1
            if time.monotonic() - told > 30.0 and done:
                told = time.monotonic()
                left = min((told - begin) / done * (total - done), seconds - (told - begin))
                tell(f"{done} of {total} tasks, about {left / 60:.0f} min left")
    return done == total


def _tasks(cells: Sequence[Cell], aim: Callable[[Cell], int], store: Store) -> Iterator[Task]:
    known = {cell.name: {each.replicate for each in store.results(cell.name)} for cell in cells}
    reached = dict.fromkeys(known, 0)
    for share in ROUNDS:
        for cell in cells:
            upto = max(round(aim(cell) * share), min(aim(cell), CHUNK))
            missing = [i for i in range(reached[cell.name], upto) if i not in known[cell.name]]
            reached[cell.name] = max(reached[cell.name], upto)
            for first in range(0, len(missing), CHUNK):
                yield Task(cell=cell, replicates=tuple(missing[first : first + CHUNK]))


def _play_all(cell: Cell, replicates: tuple[int, ...]) -> list[Result]:
    return [play(cell, replicate) for replicate in replicates]


def _alone() -> None:
    """Keep numerical libraries from starting threads of their own in each process."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
