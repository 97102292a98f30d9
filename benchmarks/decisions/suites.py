"""Which lines are run, and how many replicates each is to have: the quick suite and the full one."""

from collections.abc import Callable, Iterable, Mapping

from benchmarks.decisions.against_reference import reference_cells
from benchmarks.decisions.cells import Cell
from benchmarks.decisions.faulty import faulty_cells
from benchmarks.decisions.grid import count_cells
from benchmarks.decisions.lines import ROLLOUT_POLICIES, Line, OurLine, PeersLine, RolloutLine
from benchmarks.decisions.rollouts import RolloutCell, rollout_cells
from benchmarks.decisions.scenarios import other_cells

QUICK = {
    "S1 1/s w5 base 1% canary 1% alpha 0.05": 100,
    "S1 10/s w5 base 1% canary 1% alpha 0.05": 100,
    "S1 100/s w50 base 1% canary 1% alpha 0.05": 100,
    "S1 1/s w5 base 1% canary 20%": 60,
    "S1 1/s w50 base 1% canary 5%": 60,
    "S1 10/s w5 base 1% canary 5%": 60,
    "S1 10/s w50 base 1% canary 2%": 60,
    "S1 100/s w50 base 1% canary 2%": 60,
    "S1 100/s w5 base 1% canary 20%": 60,
    "S2 bad after 10 min, 10/s w10 canary 5%": 60,
    "S3 outages 100/s alpha 0.05": 60,
    "S3 errors rise in the ramp-up 10/s alpha 0.05": 60,
    "S4 bursts of 10 100/s alpha 0.05": 60,
    "S4 bursts of 3 10/s canary 5%": 60,
    "S5 pods differ, 1 of 6 100/s alpha 0.05": 60,
    "S6 all of it, same": 6,
    "S6 all of it, canary 5%": 6,
    "S7 latency none 10/s alpha 0.05": 60,
    "S7 latency +25% 10/s": 60,
    "S8 drift n 1000 shift 0": 60,
    "S8 drift n 200 shift 0.5": 60,
    "S8 drift both moved from a reference of 10000": 20,
    "S8 reference of 10000, n 200 shift 0.5": 100,
    "S8 reference of 10000, n 50 shift 0": 100,
    "S9 labels same": 20,
    "S10 20 signals, one 5% alpha 0.05": 20,
    "S12 no requests": 2,
    "S12 only stable has requests, and all fail": 2,
    "S12 only the canary has requests, and all fail": 2,
    "S12 no Prometheus": 2,
    "rollout 10/s canary 1%": 30,
    "rollout 10/s canary 5%": 30,
}
"""Cells of the quick suite and their replicates."""

_WHOLE_PATH = 60
_NULL = 800
_BAD = 300
_PEERS = 200
_ROLLOUTS = 300
_SLOW = {"S10": 160, "S7": 400, "S9": 200, "S11": 300, "S12": 20}
"""Scenarios whose replicates cost more, or where nothing is left to chance."""
_TEMPERED = {"S4": 500, "S5": 500}
"""Null cells whose bar is wider."""


def all_cells() -> tuple[Cell, ...]:
    """Return all cells of constant or scheduled weight."""
    return (*count_cells(), *faulty_cells(), *other_cells(), *reference_cells())


def full_aims(scale: float = 1.0) -> Mapping[Line, int]:
    """Return the lines of the full run.

    Args:
        scale: multiplies every aim; for a machine with more or less time.
    """
    aims: dict[Line, int] = {}
    for cell in all_cells():
        aims[OurLine(cell)] = round(scale * _aim(cell))
        if cell.compare:
            aims[PeersLine(cell)] = round(scale * _PEERS)
    aims |= _rollouts(rollout_cells(), lambda _: round(scale * _ROLLOUTS))
    return aims


def quick_aims() -> Mapping[Line, int]:
    """Return the lines of the quick suite."""
    aims: dict[Line, int] = {OurLine(cell): QUICK[cell.name] for cell in all_cells() if cell.name in QUICK}
    some = (cell for cell in rollout_cells() if cell.name in QUICK)
    aims |= _rollouts(some, lambda cell: QUICK[cell.name])
    grid = [cell for cell in all_cells() if cell.name in QUICK and cell.scenario == "S1" and not cell.null]
    aims |= {PeersLine(cell): QUICK[cell.name] for cell in grid}
    return aims


def _aim(cell: Cell) -> int:
    if cell.scenario == "S6":
        return _WHOLE_PATH
    if cell.scenario in _SLOW:
        return _SLOW[cell.scenario]
    if cell.null and cell.bar is not None:
        return _TEMPERED.get(cell.scenario, _NULL)
    return _BAD


def _rollouts(cells: Iterable[RolloutCell], aim: Callable[[RolloutCell], int]) -> dict[Line, int]:
    return {RolloutLine(cell, policy): aim(cell) for cell in cells for policy in ROLLOUT_POLICIES}
