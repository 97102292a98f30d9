"""Read stored rows back as what came out of each cell, for Serinus and for each peer."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.decisions.cells import Cell
from benchmarks.decisions.lines import ROLLOUT_POLICIES, OurLine, PeersLine, RolloutLine
from benchmarks.decisions.policy import NEVER
from benchmarks.decisions.replicate import Result
from benchmarks.decisions.rollouts import Ending, Endings, RolloutCell, rollout_cells, sum_up
from benchmarks.decisions.store import Store
from benchmarks.decisions.suites import all_cells
from benchmarks.decisions.summary import Share, Summary, quantile, summarise, times_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSummary:
    """A cell under a peer."""

    rolled_back: Share
    """At any tick for a null cell, after the onset for a bad one."""
    median_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """All that was run."""

    cells: Mapping[str, tuple[Cell, Summary]]
    peers: Mapping[str, Mapping[str, PeerSummary]]
    """By cell and peer."""
    rollouts: Mapping[str, tuple[RolloutCell, Mapping[str, Endings]]]
    """By cell: endings by policy."""


def read_outcomes(store: Store) -> Outcomes:
    """Sum up all rows of a store."""
    cells, peers = {}, {}
    for cell in all_cells():
        rows = store.rows(OurLine(cell).key)
        if rows:
            cells[cell.name] = cell, summarise(cell, [Result(**each) for each in rows])
        if rows := store.rows(PeersLine(cell).key):
            peers[cell.name] = _peers(cell, rows)
    rollouts = {}
    for rollout in rollout_cells():
        by_policy = {
            policy.name: sum_up([Ending(**each) for each in rows])
            for policy in ROLLOUT_POLICIES
            if (rows := store.rows(RolloutLine(rollout, policy).key))
        }
        if by_policy:
            rollouts[rollout.name] = rollout, by_policy
    return Outcomes(cells=cells, peers=peers, rollouts=rollouts)


def _peers(cell: Cell, rows: list) -> dict[str, PeerSummary]:  # type: ignore[type-arg]
    names = [name for name in rows[0] if name != "replicate"]
    found = {}
    for name in names:
        ticks = np.array([each[name] for each in rows], dtype=np.int64)
        hits = (ticks != NEVER) if cell.null else np.isfinite(times_of(ticks, cell))
        found[name] = PeerSummary(
            rolled_back=Share(hits=int(hits.sum()), of=len(rows)), median_seconds=quantile(times_of(ticks, cell), 0.5)
        )
    return found
