"""The verdict over all signals of a rollout: the one function that the operator asks.

**Two keys turn a rollback.** Evidence: the weighted sum of the Rollback signals' e-values has reached ``1/alpha``; it
stays turned. Practical effect: the lower estimate of the excess is at least the margin, at the very tick of the
rollback. Whose effect? That of a signal whose own e-value was ever ``1/alpha`` or more. Such a signal always exists
when the key turns (the largest is no smaller than the mean); a weaker rule, say any signal with an e-value above 1,
would let a trifle that is certain and a noisy effect that is not roll back together, with neither being both.

**Promotion has its own proof**: see ``exposure``. Missing data never promotes and never rolls back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from serinus import contract
from serinus.errors import NotSupportedYet
from serinus.judge import sentences
from serinus.judge.course import course_of
from serinus.judge.measurements import HistogramMeasurement, Measurement, Missing, RateMeasurement, Tick
from serinus.judge.readings import Heard, Moment, Reading, read_rate, read_value
from serinus.judge.running import RolledBack, Running
from serinus.judge.states import RateState, ValueState
from serinus.rollout.types import (
    Assessment,
    RolloutPlan,
    Signal,
    SignalAction,
    SignalEvidence,
    SignalKind,
    StepKind,
    Verdict,
)
from serinus.stats.capital import REACHED_TOLERANCE

RATE_KINDS = frozenset({SignalKind.ERRORS, SignalKind.LATENCY})
VALUE_KINDS = frozenset({SignalKind.QUERY})
TICKS_PER_STEP = 2

_WORSE = {
    SignalKind.ERRORS: contract.REASON_ERRORS_WORSE,
    SignalKind.LATENCY: contract.REASON_LATENCY_WORSE,
    SignalKind.QUERY: contract.REASON_QUERY_OUT_OF_BOUNDS,
}
_MOST_OBSTACLES = 3


def assess(plan: RolloutPlan, running: Running, tick: Tick) -> tuple[Running, Assessment]:
    """Judge one tick.

    Deterministic; no clock, no I/O. A tick that tells nothing returns ``running`` as it is, so that nothing needs to
    be written; so does a tick that is not later than the newest one that counted, for no request counts twice.

    Args:
        plan: frozen at the start of the attempt.
        running: what the tick before returned; ``Running()`` at the start of an attempt.
        tick: measurements of this tick.

    Raises:
        NotSupportedYet: the plan has a signal of a kind that is not built yet.
        BrokenInvariant: a measurement is of the wrong sort for its signal.
    """
    if not plan.signals:
        return running, _nothing_to_prove(plan, tick)
    readings, after = _read_all(plan, running, tick)
    after = _counted(readings, running, after, tick)
    after = _keys(plan, readings, after)
    return after, _assessment(plan, readings, after, tick)


def learn(plan: RolloutPlan, running: Running, ticks: Sequence[Tick]) -> Running:
    """Learn from stable's ticks of before the rollout; a rollout that has begun learns nothing any more."""
    if running.ticks > 0:
        return running
    rates = dict(running.rates)
    for signal in plan.signals:
        for tick in ticks:
            measurement = tick.measurements.get(signal.name)
            if isinstance(measurement, RateMeasurement):
                state = rates.get(signal.name, RateState())
                history = state.exposure.history.plus(measurement.counts)
                rates[signal.name] = replace(state, exposure=replace(state.exposure, history=history))
    return replace(running, rates=rates)


def _nothing_to_prove(plan: RolloutPlan, tick: Tick) -> Assessment:
    return Assessment(
        at=tick.at,
        step=tick.step,
        verdict=Verdict.PASS,
        rollback=False,
        promote=True,
        calm=True,
        evidence=1.0,
        threshold=1.0 / plan.false_rollback_rate,
        reason=contract.REASON_NOT_MEASURED,
        because="the rollout has no signals, so nothing is measured and only the steps' atLeast paces it",
        ticks_in_step=0,
    )


def _read_all(plan: RolloutPlan, running: Running, tick: Tick) -> tuple[tuple[Reading, ...], Running]:
    rates, values = dict(running.rates), dict(running.values)
    in_plan = 0 <= tick.step < len(plan.steps)
    moment = Moment(
        step=tick.step,
        is_weight_step=in_plan and plan.steps[tick.step].kind is StepKind.WEIGHT,
        next_weight=min(max(tick.next_weight, 1), 100),
    )
    readings = []
    for signal in plan.signals:
        course, measurement = course_of(plan, signal), _measurement(signal, running.at, tick)
        if signal.kind in RATE_KINDS:
            rate, reading = read_rate(signal, course, rates.get(signal.name, RateState()), measurement, moment)
            if reading.heard is Heard.TOLD:
                rates[signal.name] = rate
        elif signal.kind in VALUE_KINDS:
            value, reading = read_value(signal, course, values.get(signal.name, ValueState()), measurement, moment)
            if reading.heard is Heard.TOLD:
                values[signal.name] = value
        else:
            raise NotSupportedYet(f"signal {signal.name}: kind {signal.kind} cannot be judged yet; remove it")
        readings.append(reading)
    told = any(reading.heard is Heard.TOLD for reading in readings)
    return tuple(readings), replace(running, rates=rates, values=values) if told else running


def _measurement(signal: Signal, newest: datetime | None, tick: Tick) -> Measurement:
    if newest is not None and tick.at <= newest:
        return Missing(
            reason=contract.REASON_NOT_MEASURED,
            message="this tick was judged before, and no request counts twice; the next tick will tell",
        )
    nothing = Missing(reason=contract.REASON_NOT_MEASURED, message="nothing was measured at this tick")
    measurement = tick.measurements.get(signal.name, nothing)
    if isinstance(measurement, HistogramMeasurement) and signal.bound_seconds is not None:
        return measurement.above(signal.bound_seconds)
    return measurement


def _counted(readings: tuple[Reading, ...], before: Running, after: Running, tick: Tick) -> Running:
    if after is before:
        return before
    after = replace(after, at=tick.at, ticks=before.ticks + 1)
    if not _compares(readings):
        return after
    earlier = before.ticks_in_step if before.step == tick.step else 0
    return replace(after, step=tick.step, ticks_in_step=earlier + 1)


def _gating(readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """Return the signals that a promotion has to hear of: the first of these groups that has any."""
    groups = (
        [each for each in readings if _rolls_back(each) and each.safety is not None],
        [each for each in readings if _rolls_back(each)],
        [each for each in readings if each.signal.action is SignalAction.HOLD],
        list(readings),
    )
    return tuple(next(group for group in groups if group))


def _compares(readings: tuple[Reading, ...]) -> bool:
    return any(reading.heard is Heard.TOLD for reading in _gating(readings))


def _rolls_back(reading: Reading) -> bool:
    return reading.signal.action is SignalAction.ROLLBACK


def _evidence(readings: tuple[Reading, ...]) -> float:
    """Return the mean of the Rollback signals' e-values: their sum with equal weights."""
    values = [reading.evidence for reading in readings if _rolls_back(reading)]
    return sum(values) / len(values) if values else 1.0


def _keys(plan: RolloutPlan, readings: tuple[Reading, ...], after: Running) -> Running:
    if after.rolled_back:
        return after
    threshold = 1.0 / plan.false_rollback_rate
    if not after.turned and _evidence(readings) >= threshold - REACHED_TOLERANCE:
        after = replace(after, turned=True)
    accused = [each for each in readings if _rolls_back(each) and _fails(each, after, plan)]
    if not accused:
        return after
    leading = max(accused, key=lambda reading: reading.evidence)
    because = sentences.because_of(leading)
    peers = sum(1 for each in readings if _rolls_back(each))
    if peers > 1:
        because += "; " + sentences.together(peers, _evidence(readings), threshold)
    return replace(after, rolled_back=RolledBack(reason=_WORSE[leading.signal.kind], because=because))


def _fails(reading: Reading, after: Running, plan: RolloutPlan) -> bool:
    """Tell whether both keys have turned for a signal, by what this tick told."""
    turned = after.turned and reading.weighty if _rolls_back(reading) else reading.convincing
    confirmed = after.ticks >= plan.confirm_ticks
    return turned and confirmed and reading.practical and reading.heard is Heard.TOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    verdict: Verdict
    reason: str
    because: str


def _assessment(plan: RolloutPlan, readings: tuple[Reading, ...], after: Running, tick: Tick) -> Assessment:
    ticks_in_step = after.ticks_in_step if after.step == tick.step else 0
    silences = _silences(readings)
    restless = [each for each in readings if each.signal.action is not SignalAction.OBSERVE and not each.calm]
    waits = [*silences, *map(sentences.obstacle_of_unrest, restless)]
    waits += [sentences.obstacle_of_proof(each) for each in readings if _rolls_back(each) and not each.proven]
    if ticks_in_step < TICKS_PER_STEP:
        waits.append(f"{ticks_in_step} of {TICKS_PER_STEP} ticks of this step carried a comparison")
    deciding = [each for each in readings if each.signal.action is not SignalAction.OBSERVE]
    answer = _answer(readings, after, waits)
    return Assessment(
        at=tick.at,
        step=tick.step,
        verdict=answer.verdict,
        rollback=after.rolled_back is not None,
        promote=answer.verdict is Verdict.PASS,
        calm=(
            not (after.rolled_back or silences or restless)
            and ticks_in_step >= TICKS_PER_STEP
            and all(each.modest for each in deciding)
        ),
        evidence=_evidence(readings),
        threshold=1.0 / plan.false_rollback_rate,
        reason=answer.reason,
        because=answer.because,
        signals=tuple(_signal_evidence(each, _verdict(each, after, plan)) for each in readings),
        ticks_in_step=ticks_in_step,
    )


def _silences(readings: tuple[Reading, ...]) -> list[str]:
    """Say which data is missing that a promotion has to see at its tick."""
    gating = _gating(readings)
    quiet = [] if _compares(readings) else list(gating)
    mute = [each for each in readings if _rolls_back(each) and each.heard is Heard.NOTHING and each not in quiet]
    return [sentences.obstacle_of_silence(each) for each in (*quiet, *mute)]


def _answer(readings: tuple[Reading, ...], after: Running, waits: list[str]) -> _Answer:
    if after.rolled_back:
        return _Answer(verdict=Verdict.FAIL, reason=after.rolled_back.reason, because=after.rolled_back.because)
    if not waits:
        told = "; ".join(sentences.praise_of(each) for each in _gating(readings)[:_MOST_OBSTACLES])
        return _Answer(verdict=Verdict.PASS, reason=contract.REASON_CANARY_PASSES, because=told)
    because = "; ".join(waits[:_MOST_OBSTACLES])
    if all(each.heard is Heard.NOTHING for each in readings):
        return _Answer(verdict=Verdict.NO_DATA, reason=readings[0].reason, because=because)
    reasons = {each.reason for each in _gating(readings)}
    reason = reasons.pop() if len(reasons) == 1 else ""
    return _Answer(verdict=Verdict.INCONCLUSIVE, reason=reason or contract.REASON_UNDECIDED, because=because)


def _verdict(reading: Reading, after: Running, plan: RolloutPlan) -> Verdict:
    if reading.heard is Heard.NOTHING:
        return Verdict.NO_DATA
    if _fails(reading, after, plan):
        return Verdict.FAIL
    passes = reading.heard is Heard.TOLD and reading.calm and reading.proven
    settled = reading.state.process.ticks >= TICKS_PER_STEP
    return Verdict.PASS if passes and settled else Verdict.INCONCLUSIVE


def _signal_evidence(reading: Reading, verdict: Verdict) -> SignalEvidence:
    words = {Verdict.FAIL: _WORSE[reading.signal.kind], Verdict.PASS: contract.REASON_CANARY_PASSES}
    common = SignalEvidence(
        name=reading.signal.name,
        kind=reading.signal.kind,
        action=reading.signal.action,
        verdict=verdict,
        evidence=reading.evidence,
        safety=reading.safety,
        reason=reading.reason or words.get(verdict, contract.REASON_UNDECIDED),
        because=sentences.because_of(reading),
    )
    state = reading.state
    if isinstance(state, ValueState):
        return replace(common, value=state.value)
    overall, counts = state.difference.overall, state.counts
    return replace(
        common,
        effect=overall.estimate,
        effect_standard_error=overall.standard_error,
        canary_total=counts.canary_total,
        canary_bad=counts.canary_bad,
        stable_total=counts.stable_total,
        stable_bad=counts.stable_bad,
    )
