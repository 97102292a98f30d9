"""One comparison of bad requests: how a tick moves it, and what it says. Shared by rates and latency histograms."""

from dataclasses import replace

from serinus.judge.course import Course, Moment
from serinus.judge.exposure import excess_at
from serinus.judge.measurements import RateMeasurement
from serinus.judge.readings.reading import NO_BASELINE, NO_TRAFFIC, TOLD, Charge, Hearing
from serinus.judge.states import Contest, Scatter
from serinus.judge.words import evidence, percent
from serinus.rollout.types import Signal
from serinus.stats import count_process, margin_test, strict
from serinus.stats.capital import Capital
from serinus.stats.counts import Counts


def hear(counts: Counts) -> Hearing:
    """Tell whether there is anything to compare."""
    if counts.canary_total == 0:
        return NO_TRAFFIC
    return TOLD if counts.stable_total else NO_BASELINE


def fresh(course: Course) -> Contest:
    """Return a contest before the first tick."""
    return Contest(capital=strict.fresh()) if course.strict else Contest()


def learnt(contest: Contest, counts: Counts) -> Contest:
    """Add stable's requests from before the rollout."""
    return replace(contest, exposure=replace(contest.exposure, history=contest.exposure.history.plus(counts)))


def pods(measurement: RateMeasurement) -> tuple[int, int]:
    """Return how many pods served the canary's and stable's requests."""
    canary, stable = (
        sum(1 for total, _ in side.values() if total) for side in (measurement.canary, measurement.stable)
    )
    return canary, stable


def moved(
    signal: Signal,
    course: Course,
    before: Contest,
    counts: Counts,
    moment: Moment,
    *,
    threshold: float,
    dispersion: float,
    null_odds: float,
) -> Contest:
    """Return the contest after a tick that compares.

    Args:
        signal: whose margin and unacceptable excess count.
        course: of the signal.
        before: the contest before the tick.
        counts: increments of this tick.
        moment: of this tick.
        threshold: of this process alone.
        dispersion: phi, of past ticks.
        null_odds: what unlike pods allow, of past ticks.
    """
    capital = _advanced(
        signal, course, before, counts, moment, threshold=threshold, dispersion=dispersion, null_odds=null_odds
    )
    return Contest(
        capital=capital,
        schedule=before.schedule.after(moment, capital.value),
        difference=before.difference.plus(counts),
        exposure=before.exposure.plus(
            counts,
            unacceptable=signal.unacceptable,
            next_weight=moment.next_weight,
            tracked=course.tracked_weights,
            most=course.max_proofs,
            dispersion=dispersion,
            target=course.proof,
        ),
        counts=before.counts.plus(counts),
    )


def _advanced(
    signal: Signal,
    course: Course,
    before: Contest,
    counts: Counts,
    moment: Moment,
    *,
    threshold: float,
    dispersion: float,
    null_odds: float,
) -> Capital:
    start = before.schedule.start(course, moment)
    if course.strict:
        return strict.advance(
            before.capital,
            counts,
            before.exposure.history,
            margin=signal.margin,
            start=start,
            threshold=threshold,
            confirm_ticks=course.confirm_ticks,
            dispersion=dispersion,
        )
    return count_process.advance(
        before.capital,
        counts,
        start=start,
        threshold=threshold,
        confirm_ticks=course.confirm_ticks,
        null_odds=null_odds,
        dispersion=dispersion,
    )


def scattered(before: Scatter, measurement: RateMeasurement) -> Scatter:
    """Add what a tick tells of stable's pods; it is used from the next tick on."""
    rows = outcomes(measurement).values()
    return Scatter(dispersion=before.dispersion.plus(rows), spread=before.spread.plus(measurement.stable))


def outcomes(measurement: RateMeasurement) -> dict[str, tuple[int, int]]:
    """Return stable's pods, name to (good, bad)."""
    return {pod: (total - bad, bad) for pod, (total, bad) in measurement.stable.items()}


def charge(signal: Signal, contest: Contest, before: Contest, reason: str) -> Charge:
    """Return what a contest says against the canary; ``before`` is the contest before the tick."""
    return Charge(
        evidence=contest.capital.value,
        before=before.capital.value,
        peak=contest.schedule.peak,
        practical=contest.difference.exceeds(signal.margin),
        reason=reason,
    )


def is_modest(signal: Signal, contest: Contest, moment: Moment) -> bool:
    """Tell whether the effect is at most half of what would be unacceptable next."""
    estimate = contest.difference.overall.estimate
    return estimate is None or estimate <= excess_at(signal.unacceptable, moment.next_weight) / 2.0


def more_requests(signal: Signal, course: Course, contest: Contest, moment: Moment, dispersion: float) -> float:
    """Return the canary requests that the proof for the next weight needs yet, infinite before a comparison."""
    if not contest.counts.compares:
        return float("inf")
    excess = excess_at(signal.unacceptable, moment.next_weight)
    return margin_test.requests_needed(
        contest.exposure.proof(moment.next_weight),
        course.proof,
        contest.exposure.history.rate(excess),
        excess,
        contest.counts.stable_total / contest.counts.canary_total,
        dispersion=dispersion,
        per_tick=requests_per_tick(contest),
    )


def requests_per_tick(contest: Contest) -> float:
    """Return the canary's requests per tick that compared."""
    return contest.counts.canary_total / max(contest.schedule.ticks, 1)


def told(signal: Signal, contest: Contest, what: str, of_evidence: str) -> str:
    """Say counts, shares, evidence and effect; nothing before the first comparison.

    Args:
        signal: whose margin counts.
        contest: after the tick.
        what: noun and verb between the counts, such as "requests failed".
        of_evidence: the signal's evidence against its bound.
    """
    counts = contest.counts
    if not counts.compares:
        return ""
    noun, verb = what.split(" ", 1)
    recent = contest.difference.exceeds(signal.margin) and contest.difference.leads_recently
    excess = contest.difference.recent if recent else contest.difference.overall
    lately = " lately" if recent else ""
    return (
        f"{counts.canary_bad:,} of {counts.canary_total:,} canary {noun} {verb} "
        f"({percent(counts.canary_bad / counts.canary_total)}) against {counts.stable_bad:,} of "
        f"{counts.stable_total:,} ({percent(counts.stable_bad / counts.stable_total)}) of stable; "
        f"{of_evidence}, excess{lately} {percent(excess.estimate or 0.0)} ± {percent(excess.standard_error or 0.0)}, "
        f"margin {percent(signal.margin)}"
    )


def against(value: float, needed: float) -> str:
    """Say evidence against its bound."""
    return f"evidence {evidence(value)} of {evidence(needed)} needed"
