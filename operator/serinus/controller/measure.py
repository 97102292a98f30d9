"""Measure a rollout's signals at a tick: which tick is due, what Prometheus says, what the judge gets.

Knows ticks, signals and the condition ``MetricsAvailable``. Must not know evidence, verdicts or the cluster.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from serinus import contract
from serinus.errors import BadQuery, BrokenInvariant, MetricsUnavailable, NotSupportedYet
from serinus.judge.measurements import Measurement, Missing, RateMeasurement, Tick, ValueMeasurement
from serinus.prometheus.reader import Asks, Reader
from serinus.rollout.types import Measuring, RolloutPlan, Signal, SignalKind
from serinus.signals import grid
from serinus.signals.counts import NO_NUMBER, Rates, Targets
from serinus.signals.presets import Preset
from serinus.signals.scope import Scope, Side
from serinus.signals.selectors import parse_selector

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
    notes: tuple[str, ...] = ()
    """What else is worth a line in the log: pods left out of this block, remarks of Prometheus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What was learnt about one signal."""

    measurement: Measurement
    note: str = ""
    """Belongs into the condition: it stays true from tick to tick."""
    left_out: Mapping[str, str]


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
    preset: Preset,
    scope: Scope,
    previous: datetime | None,
    ready_since: datetime,
    step: int,
    next_weight: int,
    now: datetime,
    delay: timedelta,
    prometheus: Asks | None,
) -> Measured | None:
    """Measure all signals of the tick that is due.

    Asking again for the same tick gives the same measurements: nothing is remembered, and samples behind the delay do
    not change.

    Args:
        plan: the frozen plan of the attempt.
        preset: of the runtime, as loaded; the model's name is filled in here.
        scope: the pods of both sides.
        previous: the last consumed tick of this attempt, None for none.
        ready_since: when the pods of the attempt's first analysed step were ready.
        step: index of the step in force.
        next_weight: percent that the canary would get in the next step, 100 for promotion.
        now: aware datetime.
        delay: the scrape timeout.
        prometheus: None when no address is set.

    Returns:
        None if no tick is due yet.

    Raises:
        NotSupportedYet: a signal of a kind that is not built yet.
    """
    due = due_tick(plan, previous, ready_since, now, delay)
    if due is None:
        return None
    begin, end = due
    bound = preset.bound_to(scope.model)

    def result(readings: Mapping[str, _Reading], *, consumed: bool, measuring: Measuring, notes: set[str]) -> Measured:
        measurements = {name: reading.measurement for name, reading in readings.items()}
        tick = Tick(at=end, step=step, next_weight=next_weight, measurements=measurements)
        return Measured(tick=tick, measuring=measuring, consumed=consumed, notes=tuple(sorted(notes)))

    if not plan.signals:
        nothing = Measuring(available=None, reason=contract.REASON_NOT_MEASURED, message="the plan has no signals")
        return result({}, consumed=True, measuring=nothing, notes=set())
    try:
        if prometheus is None:
            raise MetricsUnavailable(NO_ADDRESS)
        reader = Reader(prometheus, scope, begin - delay, end - delay)
        readings = {signal.name: _read(signal, bound, scope, reader) for signal in plan.signals}
    except MetricsUnavailable as error:
        missing = _missing(contract.REASON_PROMETHEUS_UNAVAILABLE, error.message)
        down = Measuring(available=False, reason=contract.REASON_PROMETHEUS_UNAVAILABLE, message=error.message)
        return result({each.name: missing for each in plan.signals}, consumed=False, measuring=down, notes=set())
    gap = previous is not None and begin != previous
    left_out = {f"{pod} left out: {why}" for each in readings.values() for pod, why in each.left_out.items()}
    return result(readings, consumed=True, measuring=_measuring(readings, gap), notes=left_out | reader.remarks)


def _read(signal: Signal, preset: Preset, scope: Scope, reader: Reader) -> _Reading:
    try:
        match signal.kind:
            case SignalKind.ERRORS:
                return _read_errors(signal, preset, scope, reader)
            case SignalKind.LATENCY:
                return _read_latency(signal, preset, scope, reader)
            case SignalKind.QUERY:
                return _read_query(signal, reader)
            case _:
                raise NotSupportedYet(f"signal {signal.name}: signals of kind {signal.kind} are not measured yet")
    except BadQuery as error:
        return _missing(contract.REASON_BAD_QUERY, error.message)


def _read_errors(signal: Signal, preset: Preset, scope: Scope, reader: Reader) -> _Reading:
    total = preset.errors.total if signal.total is None else (parse_selector(signal.total),)
    bad = preset.errors.bad if signal.bad is None else (parse_selector(signal.bad),)
    return _compare(reader.rates(total, bad), scope, preset, total[0].metric, reader.targets)


def _read_latency(signal: Signal, preset: Preset, scope: Scope, reader: Reader) -> _Reading:
    if signal.bound_seconds is None:
        raise NotSupportedYet(f"signal {signal.name}: Latency without a bound is not measured yet; set its bound")
    if preset.latency is None:
        return _missing(contract.REASON_BAD_QUERY, f"the runtime {preset.runtime} has no histogram of durations")
    rates, edge = reader.slow(preset.latency, signal.bound_seconds)
    note = edge.note if edge else ""
    return _compare(rates, scope, preset, preset.latency.buckets[0].metric, reader.targets, note)


def _read_query(signal: Signal, reader: Reader) -> _Reading:
    if signal.query is None:
        raise BrokenInvariant(f"signal {signal.name} of kind Query has no query")
    values = reader.values(signal.query)
    if not values:
        return _missing(
            contract.REASON_NO_SERIES,
            "the query gives nothing for the canary's pods: check the metric's name and that these pods are scraped",
        )
    if len(values) > 1:
        return _missing(
            contract.REASON_BAD_QUERY,
            "the query gives several series, but has to give one number: put max(…) or sum(…) around it",
        )
    if not math.isfinite(values[0]):
        return _missing(contract.REASON_NOT_A_NUMBER, f"the query gives {values[0]}, which cannot be compared")
    return _Reading(measurement=ValueMeasurement(value=values[0]), left_out={})


def _compare(rates: Rates, scope: Scope, preset: Preset, metric: str, targets: Targets, note: str = "") -> _Reading:
    """Split counts by side; a side without any is explained, or has had no request."""
    sides: dict[Side, Mapping[str, tuple[int, int]]] = {}
    for side in Side:
        counted = {pod: counts for pod, counts in rates.by_pod.items() if scope.side_of(pod) is side}
        left_out = {pod: why for pod, why in rates.left_out.items() if scope.side_of(pod) is side}
        scraped = {target.pod for target in targets.scraped if scope.side_of(target.pod) is side}
        if not counted and left_out:
            return _nothing_countable(side, left_out, rates.left_out)
        if not counted and not (scraped and rates.by_pod):
            return _missing(contract.REASON_NO_SERIES, _why_no_series(side, scope, preset, metric, targets))
        # A scraped pod without the metric, while others have it, has had no request yet.
        sides[side] = {**dict.fromkeys(sorted(scraped - left_out.keys()), (0, 0)), **counted}
    measurement = RateMeasurement(canary=sides[Side.CANARY], stable=sides[Side.STABLE])
    return _Reading(measurement=measurement, note=note, left_out=rates.left_out)


def _nothing_countable(side: Side, left_out: Mapping[str, str], all_left_out: Mapping[str, str]) -> _Reading:
    pod, why = sorted(left_out.items())[0]
    reason = contract.REASON_NOT_A_NUMBER if why == NO_NUMBER else contract.REASON_NO_BASELINE
    message = f"no pod of {side} could be counted in this block; {pod}: {why}"
    return _Reading(measurement=Missing(reason=reason, message=message), left_out=all_left_out)


def _why_no_series(side: Side, scope: Scope, preset: Preset, metric: str, targets: Targets) -> str:
    deployment = scope.canary if side is Side.CANARY else scope.stable
    pods = f"the pods of {side} ({scope.namespace}/{deployment})"
    where = f"port {preset.metrics.port}, path {preset.metrics.path}"
    if not any(scope.side_of(target.pod) is side for target in targets.known):
        return (
            f"Prometheus knows no series {metric} of {pods} and does not scrape them: select them in its scrape "
            f"configuration ({where}), which has to set the labels namespace and pod"
        )
    if not any(scope.side_of(target.pod) is side for target in targets.scraped):
        return f"Prometheus tries to scrape {pods} and fails: check that they serve metrics on {where}"
    return (
        f"{pods} are scraped, but export no {metric}: either no request has come yet, "
        "or the server counts under another name, which the signal's metrics can give"
    )


def _measuring(readings: Mapping[str, _Reading], gap: bool) -> Measuring:
    missing = {name: each.measurement for name, each in readings.items() if isinstance(each.measurement, Missing)}
    remarks = [f"{name}: {each.note}" for name, each in readings.items() if each.note] + [GAP] * gap
    if missing:
        first = next(iter(missing.values()))
        told = [f"{name}: {each.message}" for name, each in missing.items()]
        return Measuring(available=False, reason=first.reason, message="; ".join(told + remarks))
    message = "; ".join(["all signals are measured", *remarks])
    return Measuring(available=True, reason=contract.REASON_METRICS_AVAILABLE, message=message)


def _missing(reason: str, message: str) -> _Reading:
    return _Reading(measurement=Missing(reason=reason, message=message), left_out={})
