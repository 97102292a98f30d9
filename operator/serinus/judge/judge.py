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
from math import isfinite

from serinus import contract
from serinus.judge import sentences, traffic
from serinus.judge.course import Moment, compares, courses_of
from serinus.judge.kinds import learn_signal, read_signal
from serinus.judge.measurements import Measurement, Missing, Tick
from serinus.judge.readings.reading import Heard, Reading
from serinus.judge.running import RolledBack, Running
from serinus.rollout.assessment import Assessment, SignalEvidence, TrafficShare, Verdict
from serinus.rollout.types import RolloutPlan, Signal, SignalAction, SignalKind
from serinus.stats.capital import reaches, rounded
from serinus.stats.counts import Counts

TICKS_PER_STEP = 2
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
        BrokenInvariant: a measurement is of the wrong sort for its signal.
    """
    if not plan.signals:
        return running, _nothing_to_prove(plan, tick)
    readings = _read_all(plan, running, tick)
    after = _remembered(plan, readings, running, tick)
    after = _keys(plan, readings, after)
    return after, _assessment(plan, readings, after, tick)


def learn(plan: RolloutPlan, running: Running, ticks: Sequence[Tick]) -> Running:
    """Learn from stable's ticks of before the rollout: base rates, scatter, the usual shape of histograms.

    Nothing of it is evidence. A rollout that has been judged, or has learnt already, is returned as it is.

    Args:
        plan: frozen at the start of the attempt.
        running: of an attempt at its start.
        ticks: in order; what they say of the canary is not looked at.
    """
    if running.ticks > 0 or running.learnt > 0 or not ticks:
        return running
    signals = {}
    for signal, course in zip(plan.signals, courses_of(plan), strict=True):
        past = [tick.measurements[signal.name] for tick in ticks if signal.name in tick.measurements]
        state = learn_signal(signal, course, past)
        if state is not None:
            signals[signal.name] = state
    return replace(running, learnt=len(ticks), signals=signals)


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


def _read_all(plan: RolloutPlan, running: Running, tick: Tick) -> tuple[Reading, ...]:
    moment = Moment(
        step=tick.step,
        is_weight_step=0 <= tick.step < len(plan.steps) and compares(plan.steps[tick.step]),
        next_weight=min(max(tick.next_weight, 1), 100),
    )
    return tuple(
        read_signal(signal, course, running.signals.get(signal.name), _measurement(signal, running.at, tick), moment)
        for signal, course in zip(plan.signals, courses_of(plan), strict=True)
    )


def _measurement(signal: Signal, newest: datetime | None, tick: Tick) -> Measurement:
    if _was_judged(newest, tick):
        return Missing(
            reason=contract.REASON_NOT_MEASURED,
            message="this tick was judged before, and no request counts twice; the next tick will tell",
        )
    nothing = Missing(reason=contract.REASON_NOT_MEASURED, message="nothing was measured at this tick")
    return tick.measurements.get(signal.name, nothing)


def _was_judged(newest: datetime | None, tick: Tick) -> bool:
    return newest is not None and tick.at <= newest


def _remembered(plan: RolloutPlan, readings: tuple[Reading, ...], before: Running, tick: Tick) -> Running:
    after = before
    moved = [reading for reading in readings if reading.moved]
    if moved:
        states = {reading.signal.name: reading.state for reading in moved}
        after = replace(before, at=tick.at, ticks=before.ticks + 1, signals={**before.signals, **states})
    if not _was_judged(before.at, tick):
        # Outcomes are counted when labels arrive, which says nothing of where requests go now.
        prompt = (signal.name for signal in plan.signals if signal.kind is not SignalKind.ACCURACY)
        measured = map(tick.measurements.get, prompt)
        share, expected = traffic.moved(before.traffic, before.expected, tick.expected, measured)
        if (share, expected) != (before.traffic, before.expected):
            after = replace(after, at=tick.at, traffic=share, expected=expected)
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
    """Return the sum of the Rollback signals' e-values, weighted by their shares of the rate."""
    shares = [reading.course.share * reading.evidence for reading in readings if _rolls_back(reading)]
    return sum(shares) if shares else 1.0


def _keys(plan: RolloutPlan, readings: tuple[Reading, ...], after: Running) -> Running:
    if after.rolled_back:
        return after
    threshold = 1.0 / plan.false_rollback_rate
    if not after.turned and _convinces(readings, threshold):
        after = replace(after, turned=True)
    accused = [each for each in readings if _rolls_back(each) and _fails(each, after)]
    if not accused:
        return after
    leading = max(accused, key=lambda reading: reading.evidence)
    because = sentences.accusation(leading)
    peers = sum(1 for each in readings if _rolls_back(each))
    if peers > 1:
        because += "; " + sentences.together(peers, _evidence(readings), threshold)
    return replace(after, rolled_back=RolledBack(reason=_charged(leading), because=because))


def _convinces(readings: tuple[Reading, ...], threshold: float) -> bool:
    """Tell whether this tick turns the evidence key: not a single burst, nor a tick that adds nothing after one."""
    ours = [each for each in readings if _rolls_back(each)]
    before = sum(each.course.share * each.evidence_before for each in ours)
    now = sum(each.course.share * each.evidence for each in ours)
    confirmed = sum(each.course.share * each.confirmed for each in ours)
    return now > before and reaches(confirmed, threshold)


def _fails(reading: Reading, after: Running) -> bool:
    """Tell whether both keys have turned for a signal, by what this tick told."""
    turned = after.turned if _rolls_back(reading) else reading.convincing
    return turned and reading.accused is not None and reading.moved


def _charged(reading: Reading) -> str:
    return reading.accused.reason if reading.accused else ""


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
    share = traffic.share(after.traffic, 1.0 / plan.false_rollback_rate)
    misrouted = share is not None and share.off and tick.expected is not None and tick.expected.promised
    if share is not None and misrouted:
        waits.append(share.because)
    answer = _answer(readings, after, waits, share if misrouted else None)
    return Assessment(
        at=tick.at,
        step=tick.step,
        verdict=answer.verdict,
        rollback=after.rolled_back is not None,
        promote=answer.verdict is Verdict.PASS,
        calm=(
            not (after.rolled_back or silences or restless or misrouted)
            and ticks_in_step >= TICKS_PER_STEP
            and all(each.modest for each in deciding)
        ),
        evidence=rounded(_evidence(readings), 1.0 / plan.false_rollback_rate),
        threshold=1.0 / plan.false_rollback_rate,
        reason=answer.reason,
        because=answer.because,
        signals=tuple(_signal_evidence(each, _verdict(each, after)) for each in readings),
        ticks_in_step=ticks_in_step,
        traffic=share,
    )


def _silences(readings: tuple[Reading, ...]) -> list[str]:
    """Say which data is missing that a promotion has to see: a comparison now, and each signal once in the step."""
    gating = _gating(readings)
    quiet = [] if _compares(readings) else list(gating)
    mute = [each for each in readings if _rolls_back(each) and _is_mute(each) and each not in quiet]
    return [sentences.obstacle_of_silence(each) for each in (*quiet, *mute)]


def _is_mute(reading: Reading) -> bool:
    missing = reading.heard is Heard.NOTHING and not (reading.proven and reading.heard_in_step)
    return missing or reading.heard is Heard.UNUSABLE


def _answer(readings: tuple[Reading, ...], after: Running, waits: list[str], misrouted: TrafficShare | None) -> _Answer:
    if after.rolled_back:
        return _Answer(verdict=Verdict.FAIL, reason=after.rolled_back.reason, because=after.rolled_back.because)
    if not waits:
        told = "; ".join(sentences.summary_of(each) for each in _gating(readings)[:_MOST_OBSTACLES])
        return _Answer(verdict=Verdict.PASS, reason=contract.REASON_CANARY_PASSES, because=told)
    because = "; ".join(waits[:_MOST_OBSTACLES])
    if all(each.heard is Heard.NOTHING for each in readings):
        return _Answer(verdict=Verdict.NO_DATA, reason=readings[0].hearing.reason, because=because)
    reasons = {each.hearing.reason for each in _gating(readings)}
    reason = reasons.pop() if len(reasons) == 1 else ""
    if not reason and misrouted is not None:
        reason = contract.REASON_TRAFFIC_SHARE_OFF
    return _Answer(verdict=Verdict.INCONCLUSIVE, reason=reason or contract.REASON_UNDECIDED, because=because)


def _verdict(reading: Reading, after: Running) -> Verdict:
    if reading.heard is Heard.NOTHING:
        return Verdict.NO_DATA
    if _fails(reading, after):
        return Verdict.FAIL
    passes = reading.heard is Heard.TOLD and reading.calm and reading.proven
    return Verdict.PASS if passes and reading.ticks >= TICKS_PER_STEP else Verdict.INCONCLUSIVE


def _signal_evidence(reading: Reading, verdict: Verdict) -> SignalEvidence:
    words = {Verdict.FAIL: _charged(reading), Verdict.PASS: contract.REASON_CANARY_PASSES}
    reason = words.get(verdict, contract.REASON_UNDECIDED)
    if verdict is not Verdict.FAIL:
        reason = reading.hearing.reason or reading.finding or reason
    counts = reading.counts or Counts()
    more = reading.more_requests
    return SignalEvidence(
        name=reading.signal.name,
        kind=reading.signal.kind,
        action=reading.signal.action,
        verdict=verdict,
        evidence=rounded(reading.evidence, reading.course.threshold),
        safety=reading.safety,
        effect=reading.effect,
        effect_standard_error=reading.effect_standard_error,
        dispersion=reading.dispersion,
        more_requests=None if more is None or not isfinite(more) else more,
        canary_from_reference=reading.canary_from_reference,
        stable_from_reference=reading.stable_from_reference,
        canary_total=counts.canary_total,
        canary_bad=counts.canary_bad,
        stable_total=counts.stable_total,
        stable_bad=counts.stable_bad,
        value=reading.value,
        reason=reason,
        because=sentences.because_of(reading) if verdict is Verdict.FAIL else sentences.summary_of(reading),
    )
