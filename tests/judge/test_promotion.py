from itertools import pairwise
from math import log

import pytest

from judge.rollouts import START, errors, first, latency, plan, play, play_from, promoted, query, rates
from serinus import contract
from serinus.judge.judge import assess
from serinus.judge.measurements import Measurement, Missing, Tick, ValueMeasurement
from serinus.judge.running import Running
from serinus.rollout.assessment import Verdict
from serinus.rollout.types import Signal, SignalAction

CLEAN = rates((20, 0), (80, 0))
PROVEN = rates((2_000, 0), (8_000, 0))
FINE = ValueMeasurement(value=60.0)
NO_DATA = Missing(reason=contract.REASON_NO_SERIES, message="no series of the canary's pods")


def test_a_clean_canary_needs_about_the_requests_of_theory() -> None:
    """20 → 50 → 100 percent: log(20) over unacceptable/next weight, plus the first tick, which cannot bet."""
    of, running, requests = plan(errors(), weights=(20, 50)), Running(), 0
    for step, next_weight in ((0, 50), (1, 100)):
        running, said = play_from(
            running, of, [{"errors": CLEAN}] * 40, step=step, next_weight=next_weight, first=1 + 40 * step
        )
        needed = first(said, promoted)
        assert needed is not None
        if step == 0:
            requests = 20 * needed
            ideal = log(20) / 0.02
            assert ideal <= requests <= 1.3 * ideal + 20
        else:
            assert needed == 2  # 800 requests were enough for 100 percent long ago
        assert all(map(promoted, said[needed - 1 :]))


def test_the_whole_way_takes_no_more_than_the_last_proof() -> None:
    of, running, requests, number = plan(errors(), weights=(20, 50)), Running(), 0, 0
    for step, next_weight in ((0, 50), (1, 100)):
        done = False
        while not done:
            number += 1
            tick_of = {"errors": rates((20, 0), (80, 0)) if step == 0 else rates((50, 0), (50, 0))}
            running, (said,) = play_from(running, of, [tick_of], step=step, next_weight=next_weight, first=number)
            requests += 20 if step == 0 else 50
            done = said.promote
    assert log(20) / 0.01 <= requests <= 1.4 * log(20) / 0.01


def test_nothing_bad_seen_is_no_proof() -> None:
    said = play(plan(errors()), [{"errors": CLEAN}] * 4)[-1]
    assert (said.verdict, said.promote, said.calm) == (Verdict.INCONCLUSIVE, False, True)
    assert said.reason == contract.REASON_UNDECIDED
    assert said.because.startswith("errors: safety ")
    assert "of 20 needed; about " in said.because
    assert said.because.endswith(" more canary requests at no worse rate, 3 min at this traffic")
    assert 100 < said.signals[0].more_requests < 150
    assert said.because.removeprefix("errors: ") in said.signals[0].because


def test_a_larger_next_weight_needs_more() -> None:
    needed = [
        first(play(plan(errors()), [{"errors": CLEAN}] * 60, next_weight=weight), promoted)
        for weight in (5, 25, 50, 100)
    ]
    assert all(more > less for less, more in pairwise(needed))


def test_a_weight_that_no_step_names_uses_all_earlier_ticks() -> None:
    """Pods give 33 percent where the plan says 25; the proof is no harder than that for 50 so far, then its own."""
    of = plan(errors(), weights=(10, 25, 50))
    running, before = play_from(Running(), of, [{"errors": CLEAN}] * 8, next_weight=50)
    _, after = play_from(running, of, [{"errors": CLEAN}], next_weight=33, first=9)
    _, same = play_from(running, of, [{"errors": CLEAN}], next_weight=50, first=9)
    assert after[0].signals[0].safety > same[0].signals[0].safety > before[-1].signals[0].safety


def test_a_step_lasts_at_least_two_ticks_that_compare() -> None:
    of = plan(errors())
    running, said = play_from(Running(), of, [{"errors": PROVEN}] * 3)
    assert [each.promote for each in said] == [False, False, True]
    assert "safety" in said[2].because
    _, said = play_from(running, of, [{"errors": PROVEN}, {"errors": NO_DATA}, {"errors": PROVEN}], step=1, first=4)
    assert [each.promote for each in said] == [False, False, True]
    assert [each.ticks_in_step for each in said] == [1, 1, 2]
    assert "1 of 2 ticks of this step carried a comparison" in said[0].because


@pytest.mark.parametrize(
    ("measured", "reason", "verdict"),
    [
        ({"errors": NO_DATA}, contract.REASON_NO_SERIES, Verdict.NO_DATA),
        ({}, contract.REASON_NOT_MEASURED, Verdict.NO_DATA),
        ({"errors": rates((0, 0), (80, 0))}, contract.REASON_NO_TRAFFIC, Verdict.INCONCLUSIVE),
        ({"errors": rates((20, 0), (0, 0))}, contract.REASON_NO_BASELINE, Verdict.INCONCLUSIVE),
    ],
)
def test_a_tick_without_a_comparison_repeats_the_numbers_and_never_promotes(
    measured: dict[str, Measurement], reason: str, verdict: Verdict
) -> None:
    of = plan(errors())
    running, said = play_from(Running(), of, [{"errors": PROVEN}] * 3)
    after, (silent,) = play_from(running, of, [measured], first=4)
    assert after == running
    assert (silent.verdict, silent.reason, silent.promote, silent.calm) == (verdict, reason, False, False)
    assert silent.signals[0].verdict is verdict
    assert silent.signals[0].reason == reason
    numbers = ("evidence", "safety", "effect", "effect_standard_error", "canary_total", "stable_total", "stable_bad")
    assert [getattr(silent.signals[0], name) for name in numbers] == [
        getattr(said[-1].signals[0], name) for name in numbers
    ]


def test_no_traffic_at_all_is_neither_calm_nor_promoted() -> None:
    said = play(plan(errors()), [{"errors": rates((0, 0), (0, 0))}] * 50)
    assert not any(each.promote or each.calm or each.rollback for each in said)
    assert said[-1].because.startswith("errors: the canary got no request in this tick")


def test_a_tick_that_was_judged_counts_once() -> None:
    of, measured = plan(errors()), {"errors": PROVEN}
    running, first_said = play_from(Running(), of, [measured] * 2)
    again, (said,) = play_from(running, of, [measured], first=2)
    assert again == running
    assert said.signals[0].canary_total == first_said[-1].signals[0].canary_total == 4_000
    assert not said.promote


@pytest.mark.parametrize(
    ("signals", "measured", "expected"),
    [
        pytest.param((errors(), latency()), {"errors": PROVEN, "slow": PROVEN}, True, id="all proven"),
        pytest.param((errors(), latency()), {"errors": PROVEN, "slow": CLEAN}, False, id="one not proven"),
        pytest.param((errors(), latency()), {"errors": PROVEN}, False, id="one silent"),
        pytest.param((errors(), query()), {"errors": PROVEN}, False, id="query silent"),
        pytest.param((errors(), query()), {"errors": PROVEN, "gpu": FINE}, True, id="query needs no proof"),
        pytest.param((query(),), {"gpu": FINE}, True, id="query alone"),
        pytest.param((errors(), latency(action=SignalAction.HOLD)), {"errors": PROVEN}, True, id="hold silent"),
        pytest.param(
            (errors(), latency(action=SignalAction.HOLD)),
            {"errors": PROVEN, "slow": rates((2_000, 200), (8_000, 80))},
            False,
            id="hold cries",
        ),
        pytest.param(
            (errors(), latency(action=SignalAction.OBSERVE)),
            {"errors": PROVEN, "slow": rates((2_000, 200), (8_000, 80))},
            True,
            id="observe cries",
        ),
        pytest.param((latency(action=SignalAction.HOLD),), {"slow": CLEAN}, True, id="hold alone, quiet"),
        pytest.param((latency(action=SignalAction.OBSERVE),), {}, False, id="observe alone, silent"),
    ],
)
def test_which_signals_a_promotion_needs(
    signals: tuple[Signal, ...], measured: dict[str, Measurement], expected: bool
) -> None:
    said = play(plan(*signals), [measured] * 3)[-1]
    assert said.promote is expected
    assert (said.verdict is Verdict.PASS) is expected


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_is_no_data(value: float) -> None:
    said = play(plan(query()), [{"gpu": ValueMeasurement(value=value)}] * 3)[-1]
    assert (said.verdict, said.reason, said.promote) == (Verdict.NO_DATA, contract.REASON_NOT_A_NUMBER, False)


def test_a_breach_in_the_last_tick_holds_a_query() -> None:
    said = play(plan(query()), [{"gpu": FINE}, {"gpu": ValueMeasurement(value=99.0)}])[-1]
    assert not said.promote
    assert not said.calm
    assert said.because == "gpu: 99 is out of bounds now (max 85)"


def test_a_rollout_without_signals_has_nothing_to_prove() -> None:
    running, said = assess(plan(), Running(), Tick(at=START, step=0, next_weight=50, measurements={}))
    assert running == Running()
    assert (said.verdict, said.promote, said.rollback) == (Verdict.PASS, True, False)
    assert "no signals" in said.because


@pytest.mark.parametrize(("canary_bad", "calm"), [(0, True), (9, True), (13, False), (60, False)])
def test_calm_bounds_the_effect_by_what_the_next_step_bears(canary_bad: int, calm: bool) -> None:
    """Half of unacceptable over the next weight: 1 percent of 0.5 is 2 percent, half of it is 1."""
    said = play(plan(errors()), [{"errors": rates((400, canary_bad), (1_600, 24))}, {"errors": rates((9, 0), (9, 0))}])
    assert said[-1].calm is calm


def test_a_margin_of_zero_cannot_be_proved_but_breaks_nothing() -> None:
    said = play(plan(errors(margin=0.0)), [{"errors": PROVEN}] * 3)[-1]
    assert said.verdict is Verdict.INCONCLUSIVE
    assert "about a million or more canary requests" in said.because or "of 20 needed" in said.because


def test_a_signal_with_its_proof_may_be_missing_once_it_was_heard_in_the_step() -> None:
    of, both = plan(errors(), latency()), {"errors": PROVEN, "slow": PROVEN}
    running, said = play_from(Running(), of, [*[both] * 3, {"errors": PROVEN}, {"errors": PROVEN, "slow": NO_DATA}])
    assert [each.promote for each in said[3:]] == [True, True]
    assert said[3].signals[1].verdict is Verdict.NO_DATA
    later = [{"errors": PROVEN}] * 3 + [both, {"errors": PROVEN}]
    _, said = play_from(running, of, later, step=1, first=6)
    assert [each.promote for each in said] == [False, False, False, True, True]
    assert "slow: nothing was measured" in said[2].because
    _, said = play_from(Running(), of, [{"errors": PROVEN, "slow": CLEAN}] * 2 + [{"errors": PROVEN}])
    assert [each.calm for each in said[1:]] == [True, False]
