"""Compare what the operator counted through Prometheus with what the client counted itself."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from demo.counts import Counts

from e2e.api_server import Object
from e2e.model import Model
from e2e.waiting import eventually

COUNTED_WITHIN = 45
"""Seconds from the last answer to the tick that holds it: scrape, delay, interval and the operator's look, twice."""
SETTLED_SECONDS = 11
"""Longer than two ticks: each pod has its own phase of scrapes, so one tick may hold only one side's last requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Requests of one side."""

    total: int
    bad: int

    def __sub__(self, other: "Totals") -> "Totals":
        return Totals(total=self.total - other.total, bad=self.bad - other.bad)


def judged(evidence: Object, side: str) -> Totals:
    """Return what the judge was given about a side since the attempt began."""
    return Totals(total=evidence.get(f"{side}Total", 0), bad=evidence.get(f"{side}Bad", 0))


def answered(counts: Counts, revision: str) -> Totals:
    """Return what the client saw of a revision."""
    tally = counts.revisions.get(revision)
    return Totals(total=tally.good + tally.bad, bad=tally.bad) if tally else Totals(total=0, bad=0)


def wait_for_same_counts(
    model: Model, sides: Mapping[str, str], counts: Counts, *, since: Object | None = None
) -> None:
    """Wait until the judge's counts are the client's, for each revision with its side.

    Args:
        model: with a canary that is the only one since the load began.
        sides: ``stable`` or ``canary`` for each revision.
        counts: what the client counted, all in.
        since: the evidence from before the load; None: there was none.
    """
    canary = next(revision for revision, side in sides.items() if side == "canary")
    truth = {side: answered(counts, revision) for revision, side in sides.items()}
    seen: dict[str, Totals] = {}

    def same() -> bool:
        evidence = model.evidence(canary)
        seen.update({side: judged(evidence, side) - judged(since or {}, side) for side in truth})
        too_many = [side for side in truth if seen[side].total > truth[side].total or seen[side].bad > truth[side].bad]
        assert not too_many, f"counted more than there was: {seen}, truth: {truth}"
        return seen == truth

    try:
        eventually("the operator's counts are the client's", same, within=COUNTED_WITHIN)
    except AssertionError as error:
        msg = f"counted {seen}, truth: {truth}"
        raise AssertionError(msg) from error


def settled_evidence(model: Model, canary: str) -> Object:
    """Return the evidence once all that was answered so far is counted: when no count has moved for two ticks."""
    last, since = model.evidence(canary), time.monotonic()

    def settled() -> tuple[Object] | None:
        nonlocal last, since
        now = model.evidence(canary)
        if any(judged(now, side) != judged(last, side) for side in ("canary", "stable")):
            last, since = now, time.monotonic()
        return (last,) if time.monotonic() - since > SETTLED_SECONDS else None

    return eventually("the counts no longer move", settled, within=COUNTED_WITHIN)[0]
