"""Whether the canary gets the share of traffic that was set. Never a reason to roll back: routing is not the model."""

from collections.abc import Iterable

from serinus.judge import words
from serinus.judge.measurements import ExpectedShare, HistogramMeasurement, Measurement, RateMeasurement
from serinus.rollout.assessment import TrafficShare
from serinus.stats.capital import reaches
from serinus.stats.traffic_share import TrafficShareState


def moved(
    before: TrafficShareState | None,
    last: float | None,
    expected: ExpectedShare | None,
    measurements: Iterable[Measurement | None],
) -> tuple[TrafficShareState | None, float | None]:
    """Return what is known of the traffic after a tick, and the share that was expected of it.

    Requests are those of the first signal that has any. A tick whose share is new is not compared: pods may have gone
    in the midst of it. Nor is a share of nothing or of everything: one side has no pods then.

    Args:
        before: what was known before the tick.
        last: share that was expected of the tick before that counted requests; None if none was.
        expected: of this tick.
        measurements: of this tick, in the plan's order.
    """
    if expected is None:
        return before, last
    canary, stable = next((each for each in map(_requests, measurements) if any(each)), (0, 0))
    if canary + stable == 0:
        return before, last
    if expected.share != last or not 0.0 < expected.share < 1.0:
        return before, expected.share
    return (before or TrafficShareState()).plus(canary, stable, expected.share), last


def share(state: TrafficShareState | None, sure: float) -> TrafficShare | None:
    """Return what is known in words; None before anything was counted."""
    if state is None or state.expected is None or state.observed is None:
        return None
    off = reaches(state.evidence, sure)
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
