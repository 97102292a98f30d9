"""Which reading belongs to which kind of signal."""

from collections.abc import Sequence

from serinus.judge.course import DRIFT_KINDS, RATE_KINDS, Course, Moment, is_whole_latency
from serinus.judge.measurements import Measurement
from serinus.judge.readings import drift, latency, rates, values
from serinus.judge.readings.reading import Reading
from serinus.judge.states import SignalState
from serinus.rollout.types import Signal, SignalKind


def read_signal(
    signal: Signal, course: Course, before: SignalState | None, measurement: Measurement, moment: Moment
) -> Reading:
    """Judge one signal at one tick; ``before`` is None at the first.

    Raises:
        BrokenInvariant: the measurement does not belong to the kind of the signal.
    """
    if is_whole_latency(signal):
        return latency.read(signal, course, before, measurement, moment)
    if signal.kind in RATE_KINDS:
        return rates.read(signal, course, before, measurement, moment)
    if signal.kind in DRIFT_KINDS:
        return drift.read(signal, course, before, measurement, moment)
    if signal.kind is SignalKind.COMPARISON:
        return values.read_comparison(signal, course, before, measurement, moment)
    return values.read_query(signal, course, before, measurement, moment)


def learn_signal(signal: Signal, course: Course, past: Sequence[Measurement]) -> SignalState | None:
    """Return what stable's past teaches about a signal; None where it teaches nothing."""
    if is_whole_latency(signal):
        return latency.learn(course, past)
    if signal.kind in RATE_KINDS:
        return rates.learn(signal, course, past)
    if signal.kind in DRIFT_KINDS:
        return drift.learn(course, past)
    return values.learn_comparison(past) if signal.kind is SignalKind.COMPARISON else None
