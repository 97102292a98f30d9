"""Signals that are one number per tick: against bounds (Query), or canary against stable (Comparison)."""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite, nan

from serinus.judge import words
from serinus.judge.course import Course, Moment
from serinus.judge.measurements import Measurement, Missing, PairMeasurement, ValueMeasurement
from serinus.judge.readings.contests import against
from serinus.judge.readings.reading import NOT_A_NUMBER, TOLD, WORSE, Charge, Hearing, Reading, nothing, wrong_sort
from serinus.judge.states import PairState, SignalState, ValueState
from serinus.judge.wire import as_remembered
from serinus.rollout.types import Signal, Worse
from serinus.stats import breaches
from serinus.stats.breaches import TOLERATED_SHARE


def read_query(
    signal: Signal, course: Course, before: SignalState | None, measurement: Measurement, moment: Moment
) -> Reading:
    """Judge one number of the canary against bounds: how often is it outside, counting independent observations.

    Raises:
        BrokenInvariant: something else was measured.
    """
    start = before if isinstance(before, ValueState) else ValueState()
    state, hearing, value = start, NOT_A_NUMBER, nan
    if isinstance(measurement, Missing):
        hearing = nothing(measurement)
    elif not isinstance(measurement, ValueMeasurement):
        raise wrong_sort(signal, measurement)
    elif isfinite(measurement.value):
        hearing, value = TOLD, measurement.value
        state = as_remembered(_with_value(signal, course, start, value, moment))
    share = state.share
    charge = Charge(
        evidence=state.capital.value,
        before=start.capital.value,
        peak=state.schedule.peak,
        practical=share.lower > TOLERATED_SHARE,
        reason=WORSE[signal.kind],
    )
    return Reading(
        signal=signal,
        course=course,
        hearing=hearing,
        state=state,
        charges=(charge,),
        ticks=share.ticks,
        moved=state != start,
        heard_in_step=state.schedule.is_in(moment),
        told=_told_value(signal, course, state),
        out_of_bounds=breaches_bounds(signal, value),
        value=state.value,
    )


def breaches_bounds(signal: Signal, value: float) -> bool:
    """Tell whether a value is outside the signal's bounds; NaN never is."""
    below = signal.minimum is not None and value < signal.minimum
    above = signal.maximum is not None and value > signal.maximum
    return below or above


def bounds(signal: Signal) -> str:
    """Say the bounds of a signal."""
    both = [("min", signal.minimum), ("max", signal.maximum)]
    return ", ".join(f"{name} {bound:.6g}" for name, bound in both if bound is not None) or "no bounds"


def _with_value(signal: Signal, course: Course, before: ValueState, value: float, moment: Moment) -> ValueState:
    breach = breaches_bounds(signal, value)
    thinning = before.thinning.plus(value, tick_seconds=course.interval_seconds, window_seconds=signal.window_seconds)
    after = replace(before, thinning=thinning, share=before.share.plus(breach), value=value)
    if not thinning.counted:
        return after
    capital = breaches.advance(
        before.capital,
        breach,
        start=breaches.start_mass(before.schedule.ticks),
        threshold=course.threshold,
        confirm_ticks=course.confirm_ticks,
    )
    return replace(after, capital=capital, schedule=before.schedule.after(moment, capital.value))


def _told_value(signal: Signal, course: Course, state: ValueState) -> str:
    if state.value is None:
        return ""
    share = state.share
    thinned = state.schedule.ticks < share.ticks
    return (
        f"{state.value:.6g} now, {bounds(signal)}; out of bounds at {share.breaches:,} of {share.ticks:,} "
        f"ticks, {words.percent(TOLERATED_SHARE)} are tolerated"
        + (f"; {state.schedule.ticks:,} of them count as independent" if thinned else "")
        + f"; {against(state.capital.value, course.threshold)}"
    )


def read_comparison(
    signal: Signal, course: Course, before: SignalState | None, measurement: Measurement, moment: Moment
) -> Reading:
    """Judge one number of the canary against the same number of stable, tick by tick.

    Raises:
        BrokenInvariant: something else was measured.
    """
    start = before if isinstance(before, PairState) else PairState()
    state, hearing = start, NOT_A_NUMBER
    if isinstance(measurement, Missing):
        hearing = nothing(measurement)
    elif not isinstance(measurement, PairMeasurement):
        raise wrong_sort(signal, measurement)
    elif isfinite(measurement.canary) and isfinite(measurement.stable):
        hearing = TOLD
        state = as_remembered(_with_pair(signal, course, start, measurement, moment))
    return _reading_of_pair(signal, course, hearing, start, state, moment)


def learn_comparison(past: Sequence[Measurement]) -> PairState:
    """Return the state after stable's values from before the rollout."""
    process = PairState().process
    for measurement in past:
        if isinstance(measurement, PairMeasurement):
            process = process.learn(measurement.stable)
    return as_remembered(PairState(process=process))


def _with_pair(signal: Signal, course: Course, before: PairState, pair: PairMeasurement, moment: Moment) -> PairState:
    process = before.process.plus(
        pair.canary,
        pair.stable,
        ratio=1.0 + signal.margin,
        threshold=course.threshold,
        confirm_ticks=course.confirm_ticks,
        lower_is_worse=signal.worse is Worse.LOWER,
    )
    return PairState(
        process=process,
        schedule=before.schedule.after(moment, process.evidence),
        canary=pair.canary,
        stable=pair.stable,
    )


def _reading_of_pair(
    signal: Signal, course: Course, hearing: Hearing, before: PairState, state: PairState, moment: Moment
) -> Reading:
    process = state.process
    effect, error = process.effect, process.effect_standard_error
    charge = Charge(
        evidence=process.evidence,
        before=before.process.evidence,
        peak=state.schedule.peak,
        practical=effect is not None and error is not None and effect - error >= signal.margin,
        reason=WORSE[signal.kind],
    )
    return Reading(
        signal=signal,
        course=course,
        hearing=hearing,
        state=state,
        charges=(charge,),
        ticks=state.schedule.ticks,
        moved=state != before,
        heard_in_step=state.schedule.is_in(moment),
        told=_told_pair(signal, course, state),
        modest=not charge.practical,
        effect=effect,
        effect_standard_error=error,
        value=state.canary,
    )


def _told_pair(signal: Signal, course: Course, state: PairState) -> str:
    if state.canary is None or state.stable is None:
        return ""
    process = state.process
    effect = "not known yet" if process.effect is None else words.percent(process.effect)
    error = process.effect_standard_error
    return (
        f"{state.canary:.6g} on the canary, {state.stable:.6g} on stable ({signal.worse.lower()} is worse); "
        f"excess over {process.blocks:,} blocks of ticks {effect}"
        + ("" if error is None else f" ± {words.percent(error)}")
        + f", margin {words.percent(signal.margin)}; {against(process.evidence, course.threshold)}"
    )
