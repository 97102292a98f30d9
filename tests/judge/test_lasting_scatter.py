"""Errors that stay on a pod of stable for minutes temper the evidence, if the past shows them."""

from collections.abc import Callable

import pytest

from judge.rollouts import drift, errors, latency, plan, tick
from serinus.judge.judge import assess, learn
from serinus.judge.measurements import HistogramMeasurement, Measurement, RateMeasurement
from serinus.judge.running import Running
from serinus.rollout.types import Signal

PODS = 4


def bad(at: int, pod: int) -> int:
    """In turn, one pod has the errors of four ticks."""
    return 12 if at // 4 % PODS == pod else 2


def of_rates(at: int) -> Measurement:
    return RateMeasurement(canary={"c": (200, 4)}, stable={f"s{pod}": (200, bad(at, pod)) for pod in range(PODS)})


def of_edges(at: int) -> Measurement:
    stable = {f"s{pod}": (120, 60, 20 - bad(at, pod), bad(at, pod)) for pod in range(PODS)}
    return HistogramMeasurement(edges=(0.1, 0.2, 0.3), canary={"c": (120, 60, 16, 4)}, stable=stable)


@pytest.mark.parametrize(
    ("signal", "measured"), [(errors(), of_rates), (latency(), of_edges), (drift(), of_edges)], ids=["e", "l", "d"]
)
def test_blocks_of_the_past_temper_what_comes(signal: Signal, measured: Callable[[int], Measurement]) -> None:
    of = plan(signal)
    past = [tick(at, 0, 50, None, **{signal.name: measured(at)}) for at in range(48)]
    another_pod_at_each_tick = [past[12 * (at % 4) + at // 4] for at in range(48)]
    lasting, short = (
        assess(of, learn(of, Running(), ticks), tick(1, 0, 50, None, **{signal.name: measured(0)}))[1]
        .signals[0]
        .dispersion
        for ticks in (past, another_pod_at_each_tick)
    )
    assert lasting is not None
    assert short is not None
    assert lasting > 1.3 * short
