"""Values against bounds that share data, and values of the canary against the same of stable."""

from dataclasses import replace

import pytest

from judge.rollouts import comparison, first, plan, play, play_from, query, rolled_back, tick
from serinus import contract
from serinus.errors import BrokenInvariant
from serinus.judge.judge import learn
from serinus.judge.measurements import PairMeasurement, ValueMeasurement
from serinus.judge.running import Running
from serinus.judge.states import PairState, ValueState
from serinus.rollout.assessment import Verdict
from serinus.rollout.types import SignalAction, Worse
from serinus.stats.breaches import BreachShare
from serinus.stats.capital import Capital

HIGH = ValueMeasurement(value=91.0)


@pytest.mark.parametrize(("window", "needed"), [(0.0, 2), (30.0, 2), (60.0, 3), (300.0, 11)])
def test_breaches_count_once_per_window_of_the_query(window: float, needed: int) -> None:
    said = play(plan(replace(query(), window_seconds=window)), [{"gpu": HIGH}] * 12)
    assert first(said, rolled_back) == needed
    assert ("count as independent" in said[needed - 1].because) is (window > 30.0)


def pair(canary: float, stable: float) -> dict[str, PairMeasurement]:
    return {"cost": PairMeasurement(canary=canary, stable=stable)}


def wobble(number: int) -> float:
    return (-1.0) ** number * (0.02 + 0.01 * (number % 3))


@pytest.mark.parametrize(
    ("worse", "factor", "fails"),
    [(Worse.HIGHER, 1.5, True), (Worse.HIGHER, 0.5, False), (Worse.LOWER, 0.5, True), (Worse.LOWER, 1.5, False)],
)
def test_a_value_that_is_steadily_worse_than_stables_fails_in_time(worse: Worse, factor: float, fails: bool) -> None:
    ticks = [pair(factor * (10 + wobble(number)), 10 + wobble(number + 1)) for number in range(120)]
    said = play(plan(replace(comparison(), worse=worse)), ticks)
    assert said[-1].rollback is fails
    if fails:
        assert said[-1].reason == contract.REASON_COMPARISON_WORSE
        assert f"({worse.lower()} is worse)" in said[-1].because
        assert said[-1].signals[0].effect == pytest.approx(0.5, abs=0.05)
        found = first(said, rolled_back)
        assert found is not None
        assert found > 10


def test_values_within_the_margin_pass_and_need_no_proof() -> None:
    ticks = [pair(10.5 + wobble(number), 10 - wobble(number)) for number in range(80)]
    said = play(plan(replace(comparison(), action=SignalAction.HOLD)), ticks)[-1]
    assert (said.rollback, said.promote, said.signals[0].verdict) == (False, True, Verdict.PASS)
    assert said.signals[0].safety is None
    assert said.signals[0].value == pytest.approx(10.5, abs=0.1)


@pytest.mark.parametrize(("canary", "stable"), [(float("nan"), 1.0), (1.0, float("inf"))])
def test_a_pair_without_a_number_is_no_data(canary: float, stable: float) -> None:
    running, (said,) = play_from(Running(), plan(comparison()), [pair(canary, stable)])
    assert running == Running()
    assert (said.verdict, said.reason) == (Verdict.NO_DATA, contract.REASON_NOT_A_NUMBER)


def test_stables_past_teaches_how_long_values_cling() -> None:
    of, values = plan(comparison()), [float(number // 10) for number in range(60)]
    past = [tick(number - 60, cost=PairMeasurement(canary=float("nan"), stable=x)) for number, x in enumerate(values)]
    running = learn(of, Running(), past)
    state = running.signals["cost"]
    assert isinstance(state, PairState)
    assert state.process.block_length > PairState().process.block_length
    assert Running.from_wire(running.to_wire()) == running


@pytest.mark.parametrize(
    ("signal", "measured"), [(comparison(), {"cost": HIGH}), (query(), pair(1.0, 1.0) | {"gpu": pair(1, 1)["cost"]})]
)
def test_the_wrong_sort_of_value_is_our_own_bug(signal, measured) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BrokenInvariant, match=f"{signal.name} of kind {signal.kind}"):
        play(plan(signal), [measured])


def test_evidence_of_breaches_long_ago_needs_a_share_that_is_too_high_still() -> None:
    """The evidence key turned; one breach in a hundred ticks is tolerated all the same."""
    for breaches, fails in ((3, False), (60, True)):
        state = ValueState(capital=Capital(parts=(20.0, 0.0, 0.0), cash=0.0), share=BreachShare())
        for number in range(100):
            state = replace(state, share=state.share.plus(number < breaches))
        state = replace(state, schedule=replace(state.schedule, ticks=9, peak=20.0))
        running = Running(ticks=9, turned=True, signals={"gpu": state})
        _, (said,) = play_from(running, plan(query()), [{"gpu": ValueMeasurement(value=91.0)}])
        assert said.rollback is fails
