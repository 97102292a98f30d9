"""Whole rollouts, in which each policy chooses its weights: how a good canary gets through, and what a bad one costs.

Serinus looks each 30 s and waits for its proof (``onInconclusive: Wait``) until the cell ends; and once more with
``PromoteIfCalm`` after ten minutes in a step.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.decisions.cells import SEED
from benchmarks.decisions.policy import Conditions, Outcome, Policy, TickData
from benchmarks.decisions.summary import Share, quantile
from benchmarks.decisions.traffic import Scene, World

STEPS = (5, 10, 25, 50)
TICKS = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutCell:
    """A service and a canary that is to be rolled out."""

    name: str
    world: World
    conditions: Conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How one rollout ended."""

    replicate: int
    outcome: str = ""
    """Empty: undecided when the cell ended."""
    tick: int = TICKS
    excess: float = 0.0
    """Expected bad requests that a good canary would not have given, until the end."""


def rollout_cells() -> Iterator[RolloutCell]:
    """Base 1 %, margin 0.5 points, unacceptable 1 point: as the published table, two hours at most."""
    for canary in (0.01, 0.02, 0.05, 0.2):
        for rate in (1, 10, 100):
            yield RolloutCell(
                name=f"rollout {rate}/s canary {canary * 100:g}%",
                world=World(requests_per_second=rate, canary=canary),
                conditions=Conditions(ticks=TICKS, steps=STEPS),
            )


def roll_out(policy: Policy, cell: RolloutCell, replicate: int) -> Ending:
    """Run one rollout. The service's day is the same for all policies; which requests come depends on the weights."""
    seeds = np.random.SeedSequence([SEED, zlib.crc32(cell.name.encode())], spawn_key=(replicate,))
    scene = Scene(cell.world, np.random.Generator(np.random.PCG64(seeds)), cell.conditions.ticks)
    history = tuple(_tick(number, 0, [], each) for number, each in enumerate(scene.history().tolist(), 1))
    run = policy.start(replace(cell.conditions, before=history))
    excess, split = 0.0, cell.world.canary_pods
    for number in range(1, cell.conditions.ticks + 1):
        weight = run.weight
        counts = scene.tick(number, weight).tolist()
        excess += sum(total for total, _ in counts[:split]) * (cell.world.canary - cell.world.base)
        outcome = run.on_tick(_tick(number, weight, counts[:split], counts[split:]))
        if outcome is not None:
            return Ending(replicate=replicate, outcome=str(outcome), tick=number, excess=excess)
    return Ending(replicate=replicate, excess=excess)


def _tick(number: int, weight: int, canary: Sequence[Sequence[int]], stable: Sequence[Sequence[int]]) -> TickData:
    return TickData(
        number=number,
        weight=weight,
        canary=tuple((total, bad) for total, bad in canary),
        stable=tuple((total, bad) for total, bad in stable),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Endings:
    """A rollout cell under one policy."""

    promoted: Share
    rolled_back: Share
    minutes_to_promote: float
    """Median over those that were promoted; NaN for none."""
    minutes_to_roll_back: float
    excess: float
    """Mean over those that were rolled back; NaN for none."""
    excess_error: float
    """Its standard error."""
    excess_all: float
    """Mean over all."""


def sum_up(endings: Sequence[Ending]) -> Endings:
    """Sum up the endings of a cell."""
    size, minutes = len(endings), 0.5
    promoted = [each for each in endings if each.outcome == Outcome.PROMOTE]
    rolled_back = [each for each in endings if each.outcome == Outcome.ROLLBACK]
    return Endings(
        promoted=Share(hits=len(promoted), of=size),
        rolled_back=Share(hits=len(rolled_back), of=size),
        minutes_to_promote=_median([each.tick * minutes for each in promoted]),
        minutes_to_roll_back=_median([each.tick * minutes for each in rolled_back]),
        excess=_mean([each.excess for each in rolled_back]),
        excess_error=float(np.std([each.excess for each in rolled_back]) / len(rolled_back) ** 0.5)
        if rolled_back
        else 0.0,
        excess_all=_mean([each.excess for each in endings]),
    )


def _median(values: list[float]) -> float:
    return quantile(np.array(values), 0.5) if values else float("nan")


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
