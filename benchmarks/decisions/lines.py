"""Lines of work: what is run for one cell, by Serinus or by its peers, as rows that can be stored."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.against_reference import AgainstReference, play_against_reference
from benchmarks.decisions.cells import Cell, Errors
from benchmarks.decisions.policy import BatchPolicy, Policy
from benchmarks.decisions.replicate import play
from benchmarks.decisions.rollouts import RolloutCell, roll_out
from benchmarks.decisions.serinus import CALM, Serinus
from benchmarks.decisions.store import Row
from benchmarks.decisions.whole_path import WholePath, play_whole
from benchmarks.peers.catalogue import (
    FROM_REFERENCE,
    ON_COUNTS,
    ON_DRIFT,
    ON_LATENCIES,
    WHOLE_ROLLOUTS,
    WITH_HORIZON,
    YARDSTICK,
    ValuesPolicy,
)

CALIBRATION = 1_000
"""Null replicates from which the oracle boundary of a cell is made; its level errs by 0.7 points (one sigma)."""
_CALIBRATION_SEEDS = 1_000_000

ROLLOUT_POLICIES: tuple[Policy, ...] = (Serinus(), CALM, *WHOLE_ROLLOUTS)


class Line(Protocol):
    """Something that can be run replicate by replicate."""

    @property
    def key(self) -> str:
        """Name under which rows are kept."""

    def rows(self, replicates: Sequence[int]) -> list[Row]:
        """Run some replicates."""


@dataclass(frozen=True, slots=True)
class OurLine:
    """A cell under Serinus."""

    cell: Cell

    @property
    def key(self) -> str:
        """Return the cell's name."""
        return self.cell.name

    def rows(self, replicates: Sequence[int]) -> list[Row]:
        """Judge some replicates."""
        run = play
        if isinstance(self.cell.source, WholePath):
            run = play_whole
        elif isinstance(self.cell.source, AgainstReference):
            run = play_against_reference
        return [asdict(run(self.cell, replicate)) for replicate in replicates]


@dataclass(frozen=True, slots=True)
class PeersLine:
    """A cell under all peers that can look at it: for each the tick of its rollback, on the very same counts."""

    cell: Cell

    @property
    def key(self) -> str:
        """Return the cell's name and a mark."""
        return f"{self.cell.name} peers"

    def rows(self, replicates: Sequence[int]) -> list[Row]:
        """Run all peers on some replicates."""
        plays = [self.cell.source.play(self.cell.rng(each), self.cell) for each in replicates]
        found: dict[str, NDArray[np.int64]] = {}
        if plays[0].counts is not None:
            counts = np.stack([each.counts for each in plays if each.counts is not None])
            for peer in count_peers(self.cell):
                found[peer.name] = peer.first_rollbacks(counts, self.cell.conditions)
        elif plays[0].values is not None:
            ours, theirs = (np.stack([each.values[side] for each in plays if each.values]) for side in (0, 1))
            for values_peer in values_peers(self.cell):
                found[values_peer.name] = values_peer.first_flags(ours, theirs, self.cell.conditions)
        return [
            {"replicate": replicate, **{name: int(ticks[index]) for name, ticks in found.items()}}
            for index, replicate in enumerate(replicates)
        ]


@dataclass(frozen=True, slots=True)
class RolloutLine:
    """A whole rollout under one policy."""

    cell: RolloutCell
    policy: Policy

    @property
    def key(self) -> str:
        """Return the cell's name and the policy's."""
        return f"{self.cell.name} {self.policy.name}"

    def rows(self, replicates: Sequence[int]) -> list[Row]:
        """Run some rollouts."""
        return [asdict(roll_out(self.policy, self.cell, replicate)) for replicate in replicates]


def count_peers(cell: Cell) -> tuple[BatchPolicy, ...]:
    """Return the peers for a cell of error counts; in the grid also those that are fitted to it."""
    if cell.scenario != "S1":
        return ON_COUNTS
    return (*ON_COUNTS, *WITH_HORIZON, _boundary(_null_of(cell)))


def values_peers(cell: Cell) -> tuple[ValuesPolicy, ...]:
    """Return the peers for a cell of histograms."""
    if cell.scenario == "S7":
        return ON_LATENCIES
    return FROM_REFERENCE if isinstance(cell.source, AgainstReference) else ON_DRIFT


def _null_of(cell: Cell) -> Cell:
    assert isinstance(cell.source, Errors)
    world = cell.source.world
    null = replace(world, canary=world.base)
    name = f"null {world.requests_per_second:g} {world.base:g} {cell.conditions.steps} {cell.conditions.ticks}"
    conditions = replace(cell.conditions, margin=0.0, unacceptable=0.001)
    return replace(
        cell,
        name=name,
        source=Errors(world=null),
        conditions=conditions,
        null=True,
        bar=None,
        most_seconds=None,
        compare=False,
        signals=(),
    )


@lru_cache(maxsize=64)
def _boundary(null: Cell) -> BatchPolicy:
    counts = []
    for replicate in range(CALIBRATION):
        played = null.source.play(null.rng(_CALIBRATION_SEEDS + replicate), null)
        assert played.counts is not None
        counts.append(played.counts)
    return YARDSTICK.calibrated(np.stack(counts), null.conditions)
