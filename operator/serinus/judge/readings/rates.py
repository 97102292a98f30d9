"""Signals that count bad requests: errors, wrong or implausible answers, requests slower than a bound.

Beside the comparison with stable there may be an ``slo``, a bound on the canary's own share. Each of the two then has
half of the signal's share of the false rollback rate: it runs to twice the threshold, and evidence is their mean.
"""

from collections.abc import Sequence
from dataclasses import replace

from serinus import contract
from serinus.judge import words
from serinus.judge.course import Course, Moment
from serinus.judge.measurements import HistogramMeasurement, Measurement, Missing, RateMeasurement
from serinus.judge.readings import contests
from serinus.judge.readings.reading import WORSE, Charge, Heard, Hearing, Reading, mismatch, nothing, wrong_sort
from serinus.judge.states import BoundState, RateState, Scatter, SignalState
from serinus.judge.wire import as_remembered
from serinus.rollout.types import Signal, SignalKind
from serinus.stats import share_bound
from serinus.stats.counts import lower_share
from serinus.stats.risk_difference import HALF_LIFE_TICKS

_DECAY = 0.5 ** (1.0 / HALF_LIFE_TICKS)
_WHAT = {
    SignalKind.ERRORS: "requests failed",
    SignalKind.CLIENT_ERRORS: "requests were refused as the client's errors",
    SignalKind.ACCURACY: "answers were wrong",
    SignalKind.IMPLAUSIBLE: "predictions were implausible",
}


def read(
    signal: Signal, course: Course, before: SignalState | None, measurement: Measurement, moment: Moment
) -> Reading:
    """Judge a signal that counts bad requests on both sides.

    Raises:
        BrokenInvariant: something else was measured.
    """
    start = _state(signal, course, before)
    hearing, rates = _hear(signal, measurement)
    state = start
    if rates is not None:
        if hearing.heard is Heard.TOLD:
            state = _compared(signal, course, state, rates, moment)
        if state.bound is not None and any(total for total, _ in rates.canary.values()):
            bound = _bounded(signal, course, state.bound, rates, moment, start.scatter)
            state = replace(state, bound=bound)
        state = as_remembered(state)
    return _reading(signal, course, hearing, start, state, rates, moment)


def learn(signal: Signal, course: Course, past: Sequence[Measurement]) -> RateState:
    """Return the state after stable's ticks from before the rollout."""
    state = _state(signal, course, None)
    told = [rates for _, rates in (_hear(signal, each) for each in past) if rates is not None]
    for rates in told:
        state = replace(
            state,
            contest=contests.learnt(state.contest, rates.counts),
            scatter=contests.scattered(state.scatter, rates),
        )
    lasting = state.scatter.dispersion.learn([contests.outcomes(rates) for rates in told])
    return as_remembered(replace(state, scatter=replace(state.scatter, dispersion=lasting)))


def _state(signal: Signal, course: Course, before: SignalState | None) -> RateState:
    if isinstance(before, RateState):
        return before
    bound = None if signal.slo is None else BoundState(capital=share_bound.fresh())
    return RateState(contest=contests.fresh(course), bound=bound)


def _hear(signal: Signal, measurement: Measurement) -> tuple[Hearing, RateMeasurement | None]:
    if isinstance(measurement, Missing):
        return nothing(measurement), None
    if isinstance(measurement, HistogramMeasurement) and signal.bound_seconds is not None:
        if signal.bound_seconds not in measurement.edges:
            edges = ", ".join(map(words.seconds, measurement.edges))
            bound = words.seconds(signal.bound_seconds)
            return mismatch(f"the bound {bound} is no edge of the histogram; take one of {edges}"), None
        measurement = measurement.above(signal.bound_seconds)
    if not isinstance(measurement, RateMeasurement):
        raise wrong_sort(signal, measurement)
    return contests.hear(measurement.counts), measurement


def _processes(state: RateState) -> int:
    return 1 if state.bound is None else 2


def _compared(signal: Signal, course: Course, state: RateState, rates: RateMeasurement, moment: Moment) -> RateState:
    dispersion = state.scatter.dispersion.factor
    contest = contests.moved(
        signal,
        course,
        state.contest,
        rates.counts,
        moment,
        threshold=course.threshold * _processes(state),
        dispersion=dispersion,
        null_odds=state.scatter.spread.null_odds(*contests.pods(rates), 1.0 / course.threshold),
    )
    return replace(state, contest=contest, scatter=contests.scattered(state.scatter, rates))


def _bounded(
    signal: Signal, course: Course, before: BoundState, rates: RateMeasurement, moment: Moment, scatter: Scatter
) -> BoundState:
    """Return the bound after a tick; where stable has no pods, the canary's own scatter stands in from the next on."""
    counts, dispersion = rates.counts, before.dispersion
    if not counts.stable_total:
        dispersion = dispersion.plus([(total - bad, bad) for total, bad in rates.canary.values()])
    capital = share_bound.advance(
        before.capital,
        total=counts.canary_total,
        bad=counts.canary_bad,
        bound=signal.slo or 0.0,
        start=before.schedule.start(course, moment),
        threshold=2.0 * course.threshold,
        confirm_ticks=course.confirm_ticks,
        dispersion=max(scatter.dispersion.factor, before.dispersion.factor),
    )
    # Without a baseline nothing is bet before failures have shown how they come: the first burst would weigh too much.
    bets = counts.stable_total > 0 or before.dispersion.ticks + scatter.dispersion.ticks > 0
    return BoundState(
        capital=capital if bets else before.capital,
        dispersion=dispersion,
        schedule=before.schedule.after(moment, capital.value) if bets else before.schedule,
        total=before.total + counts.canary_total,
        bad=before.bad + counts.canary_bad,
        recent_total=before.recent_total * _DECAY + counts.canary_total,
        recent_bad=before.recent_bad * _DECAY + counts.canary_bad,
    )


def _reading(
    signal: Signal,
    course: Course,
    hearing: Hearing,
    before: RateState,
    state: RateState,
    rates: RateMeasurement | None,
    moment: Moment,
) -> Reading:
    contest, factor = state.contest, state.scatter.dispersion.factor
    alone = 1.0 if state.bound is None else state.bound.dispersion.factor
    charges = [contests.charge(signal, contest, before.contest, WORSE[signal.kind])]
    ticks = contest.schedule.ticks
    if state.bound is not None and before.bound is not None:
        charges.append(_charge_of_bound(signal, before.bound, state.bound))
        ticks = max(ticks, state.bound.schedule.ticks)
    overall = contest.difference.overall
    return Reading(
        signal=signal,
        course=course,
        hearing=hearing,
        state=state,
        charges=tuple(charges),
        ticks=ticks,
        moved=state != before,
        heard_in_step=contest.schedule.is_in(moment),
        told=_told(signal, course, state, charges),
        modest=contests.is_modest(signal, contest, moment),
        safety=contest.exposure.safety(moment.next_weight),
        more_requests=contests.more_requests(signal, course, contest, moment, factor),
        canary_requests=contests.requests_per_tick(contest),
        canary_pods=None if rates is None else contests.pods(rates)[0],
        effect=overall.estimate,
        effect_standard_error=overall.standard_error,
        dispersion=max(factor, alone) if contest.counts.stable_total == 0 else factor,
        counts=contest.counts,
    )


def _charge_of_bound(signal: Signal, before: BoundState, bound: BoundState) -> Charge:
    lower = max(lower_share(bound.bad, bound.total), lower_share(bound.recent_bad, bound.recent_total))
    return Charge(
        evidence=bound.capital.value,
        before=before.capital.value,
        peak=bound.schedule.peak,
        practical=bound.total > 0 and lower >= (signal.slo or 0.0),
        reason=contract.REASON_SLO_MISSED,
    )


def _told(signal: Signal, course: Course, state: RateState, charges: list[Charge]) -> str:
    evidence = sum(charge.evidence for charge in charges) / len(charges)
    against = contests.against(evidence, course.threshold)
    told = contests.told(signal, state.contest, _what(signal), against)
    if state.bound is not None and state.bound.total:
        share = state.bound.bad / state.bound.total
        own = f"{state.bound.bad:,} of {state.bound.total:,} ({words.percent(share)})"
        told += ("; " if told else "") + (
            f"slo {words.percent(signal.slo or 0.0)}, the canary's own share {own}, "
            f"evidence that it is missed {words.evidence(state.bound.capital.value)}"
        )
        if not state.contest.counts.compares:
            told += f", {against}"
    return told + words.scatter(state.scatter.dispersion.factor) if told else ""


def _what(signal: Signal) -> str:
    if signal.kind is SignalKind.LATENCY:
        return f"requests took longer than {words.seconds(signal.bound_seconds or 0.0)}"
    return _WHAT[signal.kind]
