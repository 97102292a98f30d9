"""The words in which a verdict is told. Knows readings, decides nothing."""

from serinus.judge.readings import Heard, Reading
from serinus.judge.states import RateState, ValueState
from serinus.rollout.types import Signal, SignalKind
from serinus.stats.breaches import TOLERATED_SHARE

_TOO_LARGE = 1e5


def because_of(reading: Reading) -> str:
    """Say what is known about one signal: counts, shares, evidence against its bound, effect with its error."""
    state = reading.state
    told = _rate(reading, state) if isinstance(state, RateState) else _value(reading, state)
    if reading.heard is Heard.TOLD:
        return f"{reading.signal.name}: {told}"
    return f"{reading.signal.name}: {reading.message}" + (f"; before: {told}" if told else "")


def praise_of(reading: Reading) -> str:
    """Say why a signal lets the canary pass."""
    if reading.safety is None:
        return because_of(reading)
    return f"{because_of(reading)}; safety {_e(reading.safety)} of {_e(reading.course.proof)} needed"


def obstacle_of_proof(reading: Reading) -> str:
    """Say what the proof for promotion still needs."""
    safety = f"{reading.signal.name}: safety {_e(reading.safety or 0.0)} of {_e(reading.course.proof)} needed"
    if reading.more_requests > 1e9:
        return safety
    return f"{safety}; about {_about(reading.more_requests)} more canary requests at no worse rate"


def obstacle_of_unrest(reading: Reading) -> str:
    """Say that evidence of harm, or a value out of bounds, is in the way."""
    if reading.out_of_bounds and isinstance(reading.state, ValueState):
        return f"{reading.signal.name}: {reading.state.value:.6g} is out of bounds now ({_bounds(reading.signal)})"
    return (
        f"{reading.signal.name}: evidence of harm is {_e(reading.evidence)}, "
        f"and nothing is promoted from {_e(reading.course.near)} on"
    )


def obstacle_of_silence(reading: Reading) -> str:
    """Say that a signal delivered nothing."""
    return f"{reading.signal.name}: {reading.message}"


def together(count: int, evidence: float, threshold: float) -> str:
    """Say what several signals weigh together."""
    return f"all {count} Rollback signals together: evidence {_e(evidence)} of {_e(threshold)} needed"


def _rate(reading: Reading, state: RateState) -> str:
    counts = state.counts
    if not counts.compares:
        return ""
    recent = reading.practical and state.difference.leads_recently
    excess = state.difference.recent if recent else state.difference.overall
    lately = " lately" if recent else ""
    return (
        f"{counts.canary_bad:,} of {counts.canary_total:,} canary requests {_bad(reading.signal)} "
        f"({_percent(counts.canary_bad / counts.canary_total)}) against {counts.stable_bad:,} of "
        f"{counts.stable_total:,} ({_percent(counts.stable_bad / counts.stable_total)}) of stable; "
        f"evidence {_e(reading.evidence)} of {_e(reading.course.threshold)} needed, "
        f"excess{lately} {_percent(excess.estimate or 0.0)} ± {_percent(excess.standard_error or 0.0)}, "
        f"margin {_percent(reading.signal.margin)}"
    )


def _value(reading: Reading, state: ValueState) -> str:
    if state.value is None:
        return ""
    share = state.share
    return (
        f"{state.value:.6g} now, {_bounds(reading.signal)}; out of bounds at {share.breaches:,} of {share.ticks:,} "
        f"ticks, {_percent(TOLERATED_SHARE)} are tolerated; "
        f"evidence {_e(reading.evidence)} of {_e(reading.course.threshold)} needed"
    )


def _bad(signal: Signal) -> str:
    if signal.kind is SignalKind.LATENCY and signal.bound_seconds is not None:
        return f"took longer than {signal.bound_seconds * 1000:.6g} ms"
    return "failed"


def _bounds(signal: Signal) -> str:
    bounds = [("min", signal.minimum), ("max", signal.maximum)]
    return ", ".join(f"{name} {bound:.6g}" for name, bound in bounds if bound is not None) or "no bounds"


def _percent(share: float) -> str:
    percent = share * 100.0
    digits = f"{percent:.1f}" if abs(percent) >= 0.1 or percent == 0.0 else f"{percent:.2g}"
    return f"{digits} %"


def _e(value: float) -> str:
    if value >= _TOO_LARGE:
        return f"over {_TOO_LARGE:,.0f}"
    text = f"{value:,.1f}"
    return text.removesuffix(".0") if value >= 10.0 else text


def _about(requests: float) -> str:
    if requests > 1e6:
        return "a million or"
    if requests < 20:
        return f"{max(round(requests), 1):,}"
    size = 10 ** (len(str(int(requests))) - 2)
    return f"{round(requests / size) * size:,}"
