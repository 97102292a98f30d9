"""Measure a rollout's signals at a tick: which tick is due, what Prometheus says, what the judge gets.

Knows ticks, signals and the condition ``MetricsAvailable``. Must not know evidence, verdicts or the cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from serinus import contract
from serinus.controller.gated import Gated, unscraped
from serinus.controller.past import read_past
from serinus.controller.read_signal import SignalReading, missing, read_signal
from serinus.controller.recognising import or_unrecognised, recognised
from serinus.errors import BadQuery, MetricsUnavailable
from serinus.judge.measurements import ExpectedShare, Missing, Tick
from serinus.prometheus.reader import Asks, Reader
from serinus.rollout.assessment import Measuring
from serinus.rollout.types import RolloutPlan
from serinus.signals import grid
from serinus.signals.recognition import Recognition, Recognitions, views_of
from serinus.signals.scope import BySide, Scope

PATIENCE = timedelta(minutes=5)
"""A Prometheus that answers about a tick, but for so long not about the past, must not hold the rollout for ever."""
GATE_PATIENCE = timedelta(minutes=3)
"""Before it is worth a word that no scrape has come since a gate ended."""
ROUTES_SETTLE = timedelta(seconds=5)
"""Between a pod's readiness and the last node that routes to it."""
NO_ADDRESS = "no address of a Prometheus is set: set SERINUS_PROMETHEUS_URL of the operator"
GAP = "more than 10 minutes passed since the last tick that told something: counting began anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured at a tick."""

    tick: Tick
    measuring: Measuring
    consumed: bool
    """False: Prometheus gave no answer. The tick must not be remembered as the previous one, so that the next block
    reaches back over it and nothing is lost."""
    past: tuple[Tick, ...] = ()
    """Stable's ticks of before the attempt, when it begins."""
    recognised: Recognitions | None = None
    """By what both sides are read; None: Prometheus gave no answer."""
    notes: tuple[str, ...] = ()
    """What else is worth a line in the log: pods left out of this block, remarks of Prometheus."""


def due_tick(
    plan: RolloutPlan, previous: datetime | None, ready_since: datetime, now: datetime, delay: timedelta
) -> tuple[datetime, datetime] | None:
    """Return the ticks at which the block to measure begins and ends, None if no tick is due yet.

    Args:
        plan: for its interval.
        previous: the last tick that was consumed in this attempt, None for none.
        ready_since: when the pods of the attempt's first analysed step were ready.
        now: aware datetime.
        delay: how far a sample time lies before its tick; the scrape timeout.
    """
    end = grid.tick_at_or_before(now, plan.interval)
    begin = previous if previous is not None else grid.first_baseline(ready_since, plan.interval, delay)
    return None if end <= begin else (grid.block_start(end, begin, plan.interval), end)


def measure(
    *,
    plan: RolloutPlan,
    declared: BySide[str],
    scope: Scope,
    previous: datetime | None,
    ready_since: datetime,
    step: int,
    next_weight: int,
    now: datetime,
    delay: timedelta,
    prometheus: Asks | None,
    since: datetime | None = None,
    before: Mapping[str, Recognition] = MappingProxyType({}),
    begins: bool = False,
    expected: ExpectedShare | None = None,
    steady_since: datetime | None = None,
    gate: Gated | None = None,
) -> Measured | None:
    """Measure all signals of the tick that is due.

    Asking again for the same tick gives the same measurements: nothing is remembered, and samples behind the delay do
    not change.

    Args:
        plan: the frozen plan of the attempt.
        declared: the runtime that each side's revision was rendered with.
        scope: the pods of both sides.
        previous: the last consumed tick of this attempt, None for none.
        ready_since: when the pods of the attempt's first analysed step were ready.
        step: index of the step in force.
        next_weight: percent that the canary would get in the next step, 100 for promotion.
        now: aware datetime.
        delay: the scrape timeout.
        prometheus: None when no address is set.
        since: when the attempt began, None for when the block does.
        before: by what revisions were read until now, by revision.
        begins: the judge knows nothing of this attempt yet, so stable's past is read for it to learn from.
        expected: the share of requests that the canary's pods should get now.
        steady_since: since when no pod of either side came or went; in a block that began before, no share can be
            expected.
        gate: what the pods were asked before the attempt's first weight, None for nothing.

    Returns:
        None if no tick is due yet.
    """
    due = due_tick(plan, previous, ready_since, now, delay)
    if due is None:
        return None
    begin, end = due
    if gate is not None and previous is None:
        begin = end - plan.interval
    steady = steady_since is not None and begin - delay >= steady_since + ROUTES_SETTLE
    tick = Tick(at=end, step=step, next_weight=next_weight, measurements={}, expected=expected if steady else None)
    if not plan.signals:
        nothing = Measuring(available=None, reason=contract.REASON_NOT_MEASURED, message="the plan has no signals")
        return Measured(tick=tick, measuring=nothing, consumed=True)
    try:
        if prometheus is None:
            raise MetricsUnavailable(NO_ADDRESS)
        if gate is not None and previous is None and (pods := unscraped(gate, scope, prometheus, begin - delay)):
            return _held_by_gate(plan, tick, gate, pods, now)
        is_early = end - begin <= max(PATIENCE, plan.interval)
        reader = Reader(prometheus, scope, begin - delay, end - delay, since=since and since - delay)
        return _read(
            plan,
            recognised(plan.signals, declared, scope, reader, before),
            scope,
            reader,
            tick,
            past=_reader_of_past(reader, prometheus, scope, end - delay, gate) if begins and is_early else None,
            gap=previous is not None and begin != previous,
            due=_due(expected, steady_since, begin - delay, end - delay),
        )
    except (MetricsUnavailable, BadQuery) as error:
        # What users wrote is told per signal: a question that is refused here is our own, and nobody's to mend.
        return _unanswered(plan, tick, error.message)


def _due(expected: ExpectedShare | None, steady_since: datetime | None, start: datetime, end: datetime) -> float:
    """Return how many requests the canary should have got in a block for each one of stable's, at the least."""
    if expected is None or steady_since is None or not 0.0 < expected.share < 1.0 or end <= start:
        return 0.0
    steady = max(end - max(start, steady_since + ROUTES_SETTLE), timedelta(0))
    return steady / (end - start) * expected.share / (1.0 - expected.share)


def _read(
    plan: RolloutPlan,
    known: Recognitions,
    scope: Scope,
    reader: Reader,
    tick: Tick,
    *,
    past: Reader | None,
    gap: bool,
    due: float,
) -> Measured:
    """Read all signals of a block, and stable's past if it is wanted, into a tick that has no measurements yet."""
    views = views_of(known, scope.model)
    readings = {
        signal.name: or_unrecognised(signal, read_signal(signal, views, scope, reader), known, due)
        for signal in plan.signals
    }
    ticks = read_past(plan, views, scope.model, past) if past is not None else ()
    remarks = reader.remarks | (past.remarks if past is not None else set())
    left_out = {f"{pod} left out: {why}" for each in readings.values() for pod, why in each.left_out.items()}
    return Measured(
        tick=replace(tick, measurements={name: each.measurement for name, each in readings.items()}),
        measuring=_measuring(readings, gap, known),
        consumed=True,
        past=ticks,
        recognised=known,
        notes=tuple(sorted(left_out | remarks)),
    )


def _reader_of_past(reader: Reader, prometheus: Asks, scope: Scope, end: datetime, gate: Gated | None) -> Reader:
    """Return whom to ask about stable's past: it ends where the first block begins, or before a gate did."""
    return reader if gate is None else Reader(prometheus, scope, min(gate.began, end), end)


def _held_by_gate(plan: RolloutPlan, tick: Tick, gate: Gated, pods: tuple[str, ...], now: datetime) -> Measured | None:
    """Begin to count later: the newest scrapes of some pods may lack requests of the gate, which are no users'."""
    if now - gate.ended <= GATE_PATIENCE:
        return None
    message = (
        f"counting has not begun, because Prometheus has not scraped {', '.join(pods[:3])} since the requests of the"
        " gate ended: see whether these targets are up"
    )
    return _unmeasured(plan, tick, contract.REASON_NO_SERIES, message)


def _unanswered(plan: RolloutPlan, tick: Tick, why: str) -> Measured:
    """Return a tick at which Prometheus gave no answer, so that nothing is known of any signal."""
    return _unmeasured(plan, tick, contract.REASON_PROMETHEUS_UNAVAILABLE, why)


def _unmeasured(plan: RolloutPlan, tick: Tick, reason: str, why: str) -> Measured:
    unknown = missing(reason, why).measurement
    return Measured(
        tick=replace(tick, measurements={signal.name: unknown for signal in plan.signals}),
        measuring=Measuring(available=False, reason=reason, message=why),
        consumed=False,
    )


def _measuring(readings: Mapping[str, SignalReading], gap: bool, known: Recognitions) -> Measuring:
    silent = {name: each.measurement for name, each in readings.items() if isinstance(each.measurement, Missing)}
    remarks = [f"{name}: {each.note}" for name, each in readings.items() if each.note] + [GAP] * gap
    if known.canary.contradicts or (known.stable.recognised and not known.canary.recognised):
        remarks.append(f"canary: {known.canary.because}")
    if silent:
        first = next(iter(silent.values()))
        told = [f"{name}: {each.message}" for name, each in silent.items()]
        return Measuring(available=False, reason=first.reason, message="; ".join(told + remarks))
    message = "; ".join(["all signals are measured", *remarks])
    return Measuring(available=True, reason=contract.REASON_METRICS_AVAILABLE, message=message)
