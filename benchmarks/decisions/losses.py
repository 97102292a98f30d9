"""Where a peer does better than Serinus, and who rolls good canaries back: hard to see in tables of all cells."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import hypot, isfinite

from benchmarks.decisions.bars import NO_PEERS, OURS, level_of, sound_peers
from benchmarks.decisions.cells import Cell
from benchmarks.decisions.outcomes import Outcomes, PeerSummary
from benchmarks.decisions.summary import Share, Summary

_COUNTS = ("S1", "S2", "S3")
_CLUSTERED = ("S4", "S5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A cell with a bad canary that some peer rolls back sooner, by name of the peer."""

    cell: Cell
    ours: Summary
    sound: Mapping[str, PeerSummary]
    """Peers that hold bar 1."""
    unsound: Mapping[str, PeerSummary]
    """Peers that roll too many good canaries back in other cells of this sort."""
    told_more: Mapping[str, PeerSummary]
    """What nobody has in practice: fitted to the cell, or told when it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What a policy does to good canaries at alpha 0.05."""

    cells: int
    beyond: int
    """Cells with more than alpha, in S4 and S5 1.5 alpha, by more than three Monte-Carlo standard errors."""
    worst: Share
    worst_cell: str


def losses(outcomes: Outcomes) -> list[Loss]:
    """Return the cells that a peer wins, those first in which it is one that holds bar 1."""
    found = []
    for name, (cell, summary) in outcomes.cells.items():
        better = {} if cell.null else {k: v for k, v in outcomes.peers.get(name, {}).items() if _beats(v, summary)}
        if not better:
            continue
        sound = sound_peers(outcomes, _alike(cell.scenario))
        found.append(
            Loss(
                cell=cell,
                ours=summary,
                sound={k: v for k, v in better.items() if k in sound},
                unsound={k: v for k, v in better.items() if k not in sound and k not in NO_PEERS},
                told_more={k: v for k, v in better.items() if k in NO_PEERS},
            )
        )
    return sorted(found, key=lambda each: (not each.sound, not each.unsound))


def _alike(scenario: str) -> tuple[str, ...]:
    """Return the scenarios in whose null cells a peer must hold bar 1 to be called sound in this one."""
    if scenario in _COUNTS:
        return _COUNTS
    return (*_COUNTS, scenario) if scenario in _CLUSTERED else (scenario,)


def _beats(peer: PeerSummary, ours: Summary) -> bool:
    if isfinite(peer.median_seconds) or isfinite(ours.median_seconds):
        return peer.median_seconds < ours.median_seconds
    more = peer.rolled_back.value - ours.rolled_back.value
    return more > 3.0 * hypot(peer.rolled_back.standard_error, ours.rolled_back.standard_error)


def levels(outcomes: Outcomes) -> Mapping[str, Level]:
    """Return by policy what it does to good canaries, over all null cells that peers were run in, too."""
    shares: dict[str, list[tuple[Share, Cell]]] = {}
    for cell, policy, share in _null_shares(outcomes):
        shares.setdefault(policy, []).append((share, cell))
    return {policy: _level(found) for policy, found in shares.items()}


def _null_shares(outcomes: Outcomes) -> Iterator[tuple[Cell, str, Share]]:
    for name, (cell, summary) in outcomes.cells.items():
        if cell.null and cell.conditions.alpha == 0.05 and outcomes.peers.get(name):
            yield cell, OURS, summary.rolled_back
            for peer, theirs in outcomes.peers[name].items():
                yield cell, peer, theirs.rolled_back


def _level(found: list[tuple[Share, Cell]]) -> Level:
    share, cell = max(found, key=lambda each: each[0].value)
    beyond = sum(share.lower() > level_of(cell) for share, cell in found)
    return Level(cells=len(found), beyond=beyond, worst=share, worst_cell=cell.name)
