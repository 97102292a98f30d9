"""The seven bars, as findings: what was measured, what was wanted, whether it holds.

A share or a median is said to miss its bar only if chance does not explain it: if its exact bound at three standard
errors (one set of replicates in 740 is wrong by more) lies beyond the bar. What is beyond its bar by less than that is
counted apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import hypot, isfinite

from benchmarks.decisions.cells import Cell
from benchmarks.decisions.outcomes import Outcomes, PeerSummary
from benchmarks.decisions.serinus import CALM
from benchmarks.decisions.summary import Share, Summary

OURS = "Serinus"
YARDSTICK = "Poc*"
NO_PEERS = (YARDSTICK, "ECST")
"""Fitted to a cell, or told when it ends; they are printed and no bar but the yardstick's."""

ROLLS_BACK = 0.95
"""Share of replicates from which on a policy is said to roll back a cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One bar in one cell."""

    bar: int
    cell: str
    measured: str
    wanted: str
    holds: bool
    """Within the bar, or beyond it by no more than chance explains."""
    plainly: bool = True
    """Within the bar as measured."""


def findings(outcomes: Outcomes) -> list[Finding]:
    """Return all findings that what was run can carry."""
    return [
        *_false_rollbacks(outcomes),
        *_speed(outcomes),
        *_stated_times(outcomes),
        *_promotions(outcomes),
        *_harm(outcomes),
        *_shares(outcomes),
        *_reasons(outcomes),
    ]


def _false_rollbacks(outcomes: Outcomes) -> Iterator[Finding]:
    """Bars 1, 6 and 7: null cells."""
    for name, (cell, summary) in outcomes.cells.items():
        if cell.null and cell.bar is not None:
            share = summary.rolled_back
            yield Finding(
                bar=7 if cell.scenario == "S12" else 6 if cell.scenario == "S8" and cell.bar == 0.01 else 1,
                cell=name,
                measured=told(share),
                wanted=f"at most {cell.bar:g}",
                holds=share.lower() <= cell.bar,
                plainly=share.value <= cell.bar,
            )
        elif cell.onset_tick:
            yield Finding(
                bar=1,
                cell=name,
                measured=f"before the onset {told(summary.early)}",
                wanted=f"at most {cell.conditions.alpha:g}",
                holds=summary.early.lower() <= cell.conditions.alpha,
                plainly=summary.early.value <= cell.conditions.alpha,
            )


def _speed(outcomes: Outcomes) -> Iterator[Finding]:
    """Bar 2: the grid, against the yardstick and against every peer that holds bar 1 on the null cells of S1 to S3."""
    sound = sound_peers(outcomes)
    for name, (cell, summary) in outcomes.cells.items():
        if cell.scenario != "S1" or cell.null or cell.conditions.margin == 0.0:
            continue
        peers = outcomes.peers.get(name, {})
        limits = {f"1.6 x {YARDSTICK} + 60 s": _limit(peers.get(YARDSTICK), 1.6, 60.0)}
        limits |= {f"{peer} + 30 s": _limit(peers.get(peer), 1.0, 30.0) for peer in sound}
        for which, limit in limits.items():
            if limit is not None:
                yield _within(2, cell, summary, limit, which)
        if cell.most_seconds is not None:
            yield _within(2, cell, summary, cell.most_seconds, "catastrophe")


def sound_peers(outcomes: Outcomes, scenarios: tuple[str, ...] = ("S1", "S2", "S3")) -> tuple[str, ...]:
    """Return the peers that hold bar 1 at alpha 0.05 in all null cells of these scenarios that were run."""
    nulls = [
        (level_of(outcomes.cells[name][0]), peers)
        for name, peers in outcomes.peers.items()
        if name in outcomes.cells and _is_null_of(outcomes.cells[name][0], scenarios)
    ]
    names = dict.fromkeys(each for _, peers in nulls for each in peers if each not in NO_PEERS)
    return tuple(
        name
        for name in names
        if all(peers[name].rolled_back.lower() <= level for level, peers in nulls if name in peers)
    )


def _is_null_of(cell: Cell, scenarios: tuple[str, ...]) -> bool:
    return cell.null and cell.bar is not None and cell.scenario in scenarios


def level_of(cell: Cell) -> float:
    """Return the largest share of good canaries that a peer may roll back by bar 1, at alpha 0.05."""
    return 0.075 if cell.scenario in ("S4", "S5") else 0.05


def _limit(peer: PeerSummary | None, factor: float, more: float) -> float | None:
    return peer.median_seconds * factor + more if peer and isfinite(peer.median_seconds) else None


def _within(bar: int, cell: Cell, summary: Summary, limit: float, which: str) -> Finding:
    return Finding(
        bar=bar,
        cell=cell.name,
        measured=f"{summary.median_seconds:g} s",
        wanted=f"at most {limit:g} s ({which})",
        holds=summary.median_lower <= limit,
        plainly=summary.median_seconds <= limit,
    )


def _stated_times(outcomes: Outcomes) -> Iterator[Finding]:
    """Bar 3: late onset and latency."""
    for cell, summary in outcomes.cells.values():
        if cell.scenario in ("S2", "S7") and cell.most_seconds is not None:
            yield _within(3, cell, summary, cell.most_seconds, "stated")


def _promotions(outcomes: Outcomes) -> Iterator[Finding]:
    """Bar 4: a canary at the unacceptable excess is not promoted by ``Wait``; a good one is, soon.

    At 1 request/s a proof takes longer than two hours in a part of all rollouts, so that the share of good canaries
    that get through is asked of ``PromoteIfCalm`` after ten minutes in a step, as in the published table.
    """
    for name, (cell, by_policy) in outcomes.rollouts.items():
        ours = by_policy.get(OURS)
        if ours is None:
            continue
        rate, excess = cell.world.requests_per_second, cell.world.canary - cell.world.base
        if excess >= cell.conditions.unacceptable - 1e-12:
            beta = cell.conditions.beta
            yield Finding(
                bar=4,
                cell=name,
                measured=f"promoted {told(ours.promoted)}",
                wanted=f"at most {beta:g}",
                holds=ours.promoted.lower() <= beta,
                plainly=ours.promoted.value <= beta,
            )
        elif excess <= 0:
            if rate == 1 and (calm := by_policy.get(CALM.name)):
                yield Finding(
                    bar=4,
                    cell=f"{name}, PromoteIfCalm",
                    measured=f"promoted {told(calm.promoted)}",
                    wanted="at least 0.94",
                    holds=calm.promoted.upper() >= 0.94,
                    plainly=calm.promoted.value >= 0.94,
                )
            minutes = {100: 5.0, 10: 10.0}.get(int(rate))
            if minutes is not None:
                yield Finding(
                    bar=4,
                    cell=name,
                    measured=f"{ours.minutes_to_promote:g} min",
                    wanted=f"at most {minutes:g} min",
                    holds=ours.minutes_to_promote <= minutes,
                )


def _harm(outcomes: Outcomes) -> Iterator[Finding]:
    """Bar 5: fewer users see a bad canary than under Flagger and Argo, wherever both roll back.

    That is, at least 0.95 of their replicates: of those that are promoted instead the harm has no end, and leaving them
    out would make a policy the better the more of the hard ones it promotes.
    """
    for name, (cell, by_policy) in outcomes.rollouts.items():
        ours = by_policy.get(OURS)
        if ours is None or cell.world.is_null or ours.rolled_back.value < ROLLS_BACK:
            continue
        for peer, theirs in by_policy.items():
            if peer not in (OURS, CALM.name) and theirs.rolled_back.value >= ROLLS_BACK:
                yield Finding(
                    bar=5,
                    cell=name,
                    measured=f"{ours.excess:.1f} ± {ours.excess_error:.1f} failed requests",
                    wanted=f"below {theirs.excess:.1f} ± {theirs.excess_error:.1f} ({peer})",
                    holds=ours.excess - theirs.excess <= 3.0 * hypot(ours.excess_error, theirs.excess_error),
                    plainly=ours.excess < theirs.excess,
                )


def _shares(outcomes: Outcomes) -> Iterator[Finding]:
    """Bar 6: drift that is large enough is found."""
    for name, (cell, summary) in outcomes.cells.items():
        if cell.least_share is not None:
            yield Finding(
                bar=6,
                cell=name,
                measured=told(summary.rolled_back),
                wanted=f"at least {cell.least_share:g}",
                holds=summary.rolled_back.upper() >= cell.least_share,
                plainly=summary.rolled_back.value >= cell.least_share,
            )


def _reasons(outcomes: Outcomes) -> Iterator[Finding]:
    """Bar 7: no rollback of a scenario with errors is for anything but errors."""
    for name, (cell, summary) in outcomes.cells.items():
        if cell.scenario == "S6" and summary.reasons:
            wrong = sum(count for reason, count in summary.reasons if reason != "ErrorsWorse")
            yield Finding(
                bar=7, cell=name, measured=f"{wrong} rolled back for another reason", wanted="none", holds=wrong == 0
            )
        if "both moved" in name:
            told_so = dict(summary.last_words).get("WorldChanged", 0)
            yield Finding(
                bar=6,
                cell=name,
                measured=f"the world was said to have changed in {told_so} of {summary.rolled_back.of}",
                wanted="at least 0.95",
                holds=told_so >= 0.95 * summary.rolled_back.of,
            )


def told(share: Share) -> str:
    """Write a share with its Monte-Carlo standard error."""
    return f"{share.value:.3f} ± {share.standard_error:.3f} of {share.of}"
