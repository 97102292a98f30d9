"""Whether the canary gets the share of traffic that was set. Never a reason to roll back: routing is not the model."""

from collections.abc import Iterable

from serinus.judge import words
from serinus.judge.measurements import ExpectedShare, HistogramMeasurement, Measurement, RateMeasurement
from serinus.rollout.types import TrafficShare
from serinus.stats.capital import REACHED_TOLERANCE
from serinus.stats.traffic_share import TrafficShareState


def moved(
    before: TrafficShareState | None, expected: ExpectedShare | None, measurements: Iterable[Measurement | None]
) -> TrafficShareState | None:
    """Return what is known of the traffic after a tick, counted by the first signal that has requests.

    A share of nothing or of everything is not checked: one side has no pods then.
    """
    if expected is None or not 0.0 < expected.share < 1.0:
        return before
    for measurement in measurements:
        canary, stable = _requests(measurement)
        if canary + stable:
            return (before or TrafficShareState()).plus(canary, stable, expected.share)
    return before


def share(state: TrafficShareState | None, sure: float) -> TrafficShare | None:
    """Return what is known in words; None before anything was counted."""
    if state is None or state.expected is None or state.observed is None:
        return None
    off = state.evidence >= sure - REACHED_TOLERANCE
    got = f"the canary gets {words.percent(state.observed)} of the requests, {words.percent(state.expected)} were set"
    because = f"{got}; evidence that it is off by more than a fifth {words.evidence(state.evidence)} of "
    return TrafficShare(
        expected=state.expected,
        observed=state.observed,
        evidence=state.evidence,
        off=off,
        because=because + f"{words.evidence(sure)} needed" + ("; look at the route" if off else ""),
    )


def _requests(measurement: Measurement | None) -> tuple[int, int]:
    if isinstance(measurement, RateMeasurement):
        return measurement.counts.canary_total, measurement.counts.stable_total
    if isinstance(measurement, HistogramMeasurement):
        return sum(map(sum, measurement.canary.values())), sum(map(sum, measurement.stable.values()))
    return 0, 0
