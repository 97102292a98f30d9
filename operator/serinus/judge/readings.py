"""One signal at one tick: what it told, what is remembered of it now, and what that means for the keys and the proof.

Each kind of signal has one function that turns a measurement into a ``Reading``; the verdict over all signals
(``judge``) looks at readings only, so that a new kind needs no change there.
"""

from dataclasses import dataclass, replace
from enum import Enum
from math import isfinite

from serinus import contract
from serinus.errors import BrokenInvariant
from serinus.judge.course import Course
from serinus.judge.exposure import excess_at
from serinus.judge.measurements import Measurement, Missing, RateMeasurement, ValueMeasurement
from serinus.judge.states import Process, RateState, SignalState, ValueState
from serinus.rollout.types import Signal
from serinus.stats import breaches, count_process, margin_test
from serinus.stats.breaches import TOLERATED_SHARE
from serinus.stats.capital import REACHED_TOLERANCE
from serinus.stats.counts import Counts
from serinus.stats.starts import start_mass


class Heard(Enum):
    """What a signal delivered at a tick."""

    TOLD = "told"
    """Both sides had requests, or the query gave a number."""
    ONE_SIDED = "one-sided"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Where in the rollout a tick stands."""

    step: int
    is_weight_step: bool
    next_weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One signal after a tick."""

    signal: Signal
    course: Course
    heard: Heard
    state: SignalState
    practical: bool
    """The practical key: the lower estimate of the effect is as large as the margin."""
    modest: bool
    """The effect is at most half of what would be unacceptable next."""
    out_of_bounds: bool = False
    """The value of this very tick is outside its bounds."""
    safety: float | None = None
    """None: the signal needs no proof."""
    more_requests: float = 0.0
    """Canary requests that the proof still needs, if the canary is as good as stable."""
    reason: str = ""
    """Why it told nothing."""
    message: str = ""

    @property
    def evidence(self) -> float:
        """Return the e-value for harm."""
        return self.state.process.capital.value

    @property
    def convincing(self) -> bool:
        """Tell whether this signal alone turns the evidence key."""
        return self.state.process.capital.reached(self.course.threshold)

    @property
    def weighty(self) -> bool:
        """Tell whether the signal's own evidence was ever as large as all signals' together has to be."""
        return self.state.process.peak >= self.course.sure - REACHED_TOLERANCE

    @property
    def calm(self) -> bool:
        """Tell whether nothing is wrong now and evidence is not half the way to a rollback (in logarithms)."""
        return self.evidence < self.course.near and not self.out_of_bounds

    @property
    def proven(self) -> bool:
        """Tell whether the proof is there, or none is needed."""
        return self.safety is None or self.safety >= self.course.proof - REACHED_TOLERANCE


def read_rate(
    signal: Signal, course: Course, before: RateState, measurement: Measurement, moment: Moment
) -> tuple[RateState, Reading]:
    """Judge a signal that counts bad requests on both sides."""
    if isinstance(measurement, ValueMeasurement):
        raise BrokenInvariant(f"signal {signal.name} counts requests, but a single value was measured")
    heard, reason, message = _heard_rate(measurement)
    state = before
    if isinstance(measurement, RateMeasurement) and heard is Heard.TOLD:
        state = _rate_after(signal, course, before, measurement.counts, moment)
    estimate = state.difference.overall.estimate
    excess = excess_at(signal.unacceptable, moment.next_weight)
    return state, Reading(
        signal=signal,
        course=course,
        heard=heard,
        state=state,
        practical=state.difference.exceeds(signal.margin),
        modest=estimate is None or estimate <= excess / 2.0,
        safety=state.exposure.safety(moment.next_weight),
        more_requests=_more_requests(state, course, excess, moment.next_weight),
        reason=reason,
        message=message,
    )


def read_value(
    signal: Signal, course: Course, before: ValueState, measurement: Measurement, moment: Moment
) -> tuple[ValueState, Reading]:
    """Judge a signal that is one number of the canary against bounds; a breach counts once per tick."""
    if isinstance(measurement, RateMeasurement):
        raise BrokenInvariant(f"signal {signal.name} is a single value, but requests were counted")
    state, heard, reason, message = before, Heard.NOTHING, "", ""
    if isinstance(measurement, Missing):
        reason, message = measurement.reason, measurement.message
    elif not isfinite(measurement.value):
        reason = contract.REASON_NOT_A_NUMBER
        message = "the query gave NaN or infinity; make it give a number, or nothing"
    else:
        heard = Heard.TOLD
        state = _value_after(signal, course, before, measurement.value, moment)
    return state, Reading(
        signal=signal,
        course=course,
        heard=heard,
        state=state,
        practical=state.share.lower > TOLERATED_SHARE,
        modest=True,
        out_of_bounds=(
            heard is Heard.TOLD
            and isinstance(measurement, ValueMeasurement)
            and breaches_bounds(signal, measurement.value)
        ),
        reason=reason,
        message=message,
    )


def breaches_bounds(signal: Signal, value: float) -> bool:
    """Tell whether a value is outside the signal's bounds."""
    below = signal.minimum is not None and value < signal.minimum
    above = signal.maximum is not None and value > signal.maximum
    return below or above


def _heard_rate(measurement: RateMeasurement | Missing) -> tuple[Heard, str, str]:
    if isinstance(measurement, Missing):
        return Heard.NOTHING, measurement.reason, measurement.message
    counts = measurement.counts
    if counts.canary_total == 0:
        return (
            Heard.ONE_SIDED,
            contract.REASON_NO_TRAFFIC,
            "the canary got no request in this tick; send traffic, or wait for it",
        )
    if counts.stable_total == 0:
        return (
            Heard.ONE_SIDED,
            contract.REASON_NO_BASELINE,
            "stable got no request in this tick, so there is nothing to compare with; send it traffic",
        )
    return Heard.TOLD, "", ""


def _rate_after(signal: Signal, course: Course, before: RateState, counts: Counts, moment: Moment) -> RateState:
    capital = count_process.advance(
        before.process.capital,
        counts,
        start=_start(before.process, course, moment),
        threshold=course.threshold,
        confirm_ticks=course.confirm_ticks,
    )
    return RateState(
        process=_ticked(replace(before.process, capital=capital), moment),
        difference=before.difference.plus(counts),
        exposure=before.exposure.plus(
            counts,
            unacceptable=signal.unacceptable,
            next_weight=moment.next_weight,
            tracked=course.tracked_weights,
        ),
        counts=before.counts.plus(counts),
    )


def _value_after(signal: Signal, course: Course, before: ValueState, value: float, moment: Moment) -> ValueState:
    breach = breaches_bounds(signal, value)
    capital = breaches.advance(
        before.process.capital,
        breach,
        start=breaches.start_mass(before.process.ticks),
        threshold=course.threshold,
        confirm_ticks=course.confirm_ticks,
    )
    return ValueState(
        process=_ticked(replace(before.process, capital=capital), moment),
        share=before.share.plus(breach),
        value=value,
    )


def _starts_step(process: Process, moment: Moment) -> bool:
    return moment.is_weight_step and moment.step > process.started_step


def _start(process: Process, course: Course, moment: Moment) -> float:
    return start_mass(ticks_before=process.ticks, new_step=_starts_step(process, moment), steps=course.weight_steps)


def _ticked(process: Process, moment: Moment) -> Process:
    return replace(
        process,
        ticks=process.ticks + 1,
        started_step=moment.step if _starts_step(process, moment) else process.started_step,
        peak=max(process.peak, process.capital.value),
    )


def _more_requests(state: RateState, course: Course, excess: float, next_weight: int) -> float:
    if not state.counts.compares:
        return float("inf")
    return margin_test.requests_needed(
        state.exposure.proof(next_weight),
        course.proof,
        state.exposure.history.rate(excess),
        excess,
        state.counts.stable_total / state.counts.canary_total,
    )
