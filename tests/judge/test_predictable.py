"""What a tick teaches is used from the next tick on: a bet that knows its own outcome proves nothing."""

from dataclasses import replace

import pytest

from judge.rollouts import drift, errors, plan, play, rates, whole_latency
from serinus.judge.measurements import HistogramMeasurement, Measurement, RateMeasurement
from serinus.rollout.types import RolloutPlan

EDGES = (0.25, 0.5, 0.75)
TAME = {f"s-{pod}": (500, 50) for pod in range(6)}
WILD = {f"s-{pod}": (500, 100 * (pod % 2)) for pod in range(6)}


def counts(stable: dict[str, tuple[int, int]]) -> Measurement:
    return RateMeasurement(canary={"c-1": (500, 90)}, stable=stable)


def shares(stable: dict[str, tuple[int, int]]) -> Measurement:
    rows = {pod: (total // 2 - bad, total // 2, bad, 0) for pod, (total, bad) in stable.items()}
    return HistogramMeasurement(canary={"c-1": (160, 250, 90, 0)}, stable=rows, edges=EDGES)


@pytest.mark.parametrize(
    ("of", "measure"),
    [
        pytest.param(plan(errors()), counts, id="counts"),
        pytest.param(plan(replace(errors(), slo=0.1)), counts, id="slo"),
        pytest.param(replace(plan(errors()), strict=True), counts, id="strict"),
        pytest.param(plan(replace(whole_latency("errors"), margin=0.005)), shares, id="whole latency"),
        pytest.param(plan(drift("errors")), shares, id="drift"),
    ],
)
def test_scatter_tempers_the_next_tick_and_not_its_own(of: RolloutPlan, measure) -> None:  # type: ignore[no-untyped-def]
    calm, scattered = (play(of, [{"errors": measure(stable)}, {"errors": measure(TAME)}]) for stable in (TAME, WILD))
    first, same = calm[0].signals[0], scattered[0].signals[0]
    assert (first.evidence, first.safety) == (same.evidence, same.safety)
    assert first.dispersion == 1.0
    assert same.dispersion > 2.0
    assert scattered[1].signals[0].evidence < calm[1].signals[0].evidence
    if first.safety is not None:
        assert scattered[1].signals[0].safety != calm[1].signals[0].safety


def test_a_bound_without_a_baseline_is_tempered_by_the_canarys_own_past() -> None:
    of = plan(replace(errors(), slo=0.02))

    def alone(*bad: int) -> dict[str, Measurement]:
        canary = {f"c-{pod}": (100, each) for pod, each in enumerate(bad)}
        return {"errors": RateMeasurement(canary=canary, stable={})}

    even, bursts = (play(of, [alone(3, 3, 3), alone(*row), alone(3, 3, 3)]) for row in ((3, 3, 3), (9, 0, 0)))
    assert even[0].evidence == 1.0, "before anything is known of how failures come, nothing is bet"
    assert even[1].evidence == bursts[1].evidence > 1.0
    assert bursts[-1].signals[0].dispersion > 1.5 > even[-1].signals[0].dispersion
    assert bursts[-1].evidence < even[-1].evidence


def test_a_strict_bet_without_a_past_wins_and_loses_nothing() -> None:
    """It bets on stable's share, of which nothing is known before the first tick; nor may a tick teach its own bet."""
    of = replace(plan(errors()), strict=True)
    said = play(of, [{"errors": rates((100, 90), (400, 1))}] * 2)
    assert said[0].evidence == pytest.approx(1.0)
    assert said[1].evidence > 4.0
