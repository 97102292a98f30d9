from dataclasses import replace

import pytest

from judge.rollouts import (
    categories,
    drift,
    errors,
    first,
    histogram,
    latency,
    plan,
    play,
    play_from,
    query,
    rates,
    rolled_back,
    whole_latency,
)
from serinus import contract
from serinus.judge.measurements import Missing, ValueMeasurement
from serinus.judge.running import Running
from serinus.judge.states import RateState
from serinus.rollout.assessment import Verdict
from serinus.rollout.types import SignalAction

HEALTHY = rates((100, 0), (400, 1))
FAILING = rates((100, 10), (400, 1))
NO_DATA = Missing(reason=contract.REASON_PROMETHEUS_UNAVAILABLE, message="Prometheus does not answer")


@pytest.mark.parametrize(("confirm_ticks", "needed"), [(1, 1), (2, 2), (3, 3)])
def test_a_failing_canary_is_rolled_back_in_as_many_ticks_as_confirm(confirm_ticks: int, needed: int) -> None:
    said = play(plan(errors(), confirm_ticks=confirm_ticks), [{"errors": FAILING}] * 6)
    assert first(said, rolled_back) == needed
    assert [each.verdict for each in said[needed - 1 :]] == [Verdict.FAIL] * (7 - needed)


@pytest.mark.parametrize("rate", [0.01, 0.03, 0.05, 0.07, 1 / 3])
@pytest.mark.parametrize("number", [1, 3, 7])
def test_a_process_that_stands_at_its_threshold_stands_there_after_a_restart(rate: float, number: int) -> None:
    of = replace(plan(*(errors(f"e{each}") for each in range(number))), false_rollback_rate=rate)
    said = play(of, [dict.fromkeys((f"e{each}" for each in range(number)), rates((100, 90), (400, 1)))] * 3)
    assert said[1].rollback
    # Sums of floats that stand at the threshold are told as the threshold.
    assert all(each.evidence >= each.threshold for each in said[1:])


def test_the_sentence_of_a_rollback_has_counts_shares_evidence_and_effect() -> None:
    said = play(plan(errors()), [{"errors": FAILING}] * 2)[-1]
    assert said.reason == contract.REASON_ERRORS_WORSE
    assert said.because == (
        "errors: 20 of 200 canary requests failed (10.0 %) against 2 of 800 (0.2 %) of stable; "
        "evidence 20 of 20 needed, excess 9.8 % ± 2.1 %, margin 0.5 %; "
        "the canary has one pod, so a bad pod cannot be told from a bad model: with two or more it could"
    )
    signal = said.signals[0]
    assert (signal.verdict, signal.reason) == (Verdict.FAIL, said.reason)
    assert said.because.startswith(signal.because)
    assert (signal.canary_total, signal.canary_bad, signal.stable_total, signal.stable_bad) == (200, 20, 800, 2)
    assert signal.effect == pytest.approx(0.0975)


def test_latency_has_its_own_reason_and_words() -> None:
    said = play(plan(latency()), [{"slow": FAILING}] * 2)[-1]
    assert said.reason == contract.REASON_LATENCY_WORSE
    assert "20 of 200 canary requests took longer than 300 ms (10.0 %)" in said.because


def test_a_certain_trifle_is_not_rolled_back_and_not_promoted() -> None:
    """0.2 percentage points worse, without doubt: the evidence key turns, the practical one does not."""
    said = play(plan(errors()), [{"errors": rates((500_000, 6_000), (500_000, 5_000))}] * 4)
    assert said[-1].evidence == pytest.approx(20.0)
    assert not any(each.rollback or each.promote or each.calm for each in said)


def test_the_evidence_key_stays_turned_until_the_practical_one_follows() -> None:
    trifle, bad = rates((500_000, 6_000), (500_000, 5_000)), rates((500_000, 50_000), (500_000, 5_000))
    said = play(plan(errors()), [{"errors": trifle}] * 4 + [{"errors": bad}] * 3)
    assert not said[3].rollback
    assert said[4].rollback
    assert "excess lately" in said[4].because


def test_an_effect_without_evidence_rolls_nothing_back() -> None:
    said = play(plan(errors()), [{"errors": rates((4, 1), (16, 0))}])
    assert said[0].signals[0].effect > 0.005
    assert not said[0].rollback


@pytest.mark.parametrize("bad_share", [0, 8, 100])
def test_equally_bad_sides_are_no_reason(bad_share: int) -> None:
    said = play(plan(errors()), [{"errors": rates((100, bad_share), (400, 4 * bad_share))}] * 100)
    assert not any(map(rolled_back, said))
    assert said[-1].evidence < 1.5


def test_a_key_that_turned_long_ago_still_counts_but_only_at_a_tick_that_tells() -> None:
    """Two signals turned the key together; then ``a`` went quiet, and has a practical effect now."""
    of = plan(errors("a"), errors("b"))
    running, said = play_from(Running(), of, [{"a": rates((20, 1), (80, 0))}])
    assert said[0].evidence < 20
    assert not said[0].rollback
    state = running.signals["a"]
    assert isinstance(state, RateState)
    contest = replace(state.contest, schedule=replace(state.contest.schedule, peak=25.0))
    running = replace(running, turned=True, ticks=9, signals={"a": replace(state, contest=contest)})
    after, silent = play_from(running, of, [{"a": NO_DATA}, {}, {"b": HEALTHY}], first=2)
    assert [each.verdict for each in silent] == [Verdict.NO_DATA, Verdict.NO_DATA, Verdict.INCONCLUSIVE]
    _, said = play_from(after, of, [{"a": rates((20, 1), (80, 0))}], first=5)
    assert (said[0].signals[0].evidence or 0.0) < 20
    assert said[0].rollback


@pytest.mark.parametrize(("value", "breach"), [(9.9, True), (10.0, False), (85.0, False), (85.1, True)])
def test_bounds_belong_to_what_is_allowed(value: float, breach: bool) -> None:
    said = play(plan(replace(query(), minimum=10.0)), [{"gpu": ValueMeasurement(value=value)}] * 2)
    assert said[-1].rollback is breach


def test_a_rollback_stands_whatever_comes_later() -> None:
    said = play(plan(errors()), [{"errors": FAILING}] * 2 + [{"errors": HEALTHY}] * 50 + [{"errors": NO_DATA}])
    assert {each.because for each in said[1:]} == {said[1].because}
    assert all(each.verdict is Verdict.FAIL and each.rollback and not each.promote for each in said[1:])


def test_signals_share_the_rate_of_false_rollbacks() -> None:
    """With five signals the same excess has to bring five times the evidence."""
    names = [f"e{number}" for number in range(5)]
    alone = first(play(plan(errors()), [{"errors": rates((60, 2), (240, 2))}] * 20), rolled_back)
    quiet = dict.fromkeys(names, rates((60, 0), (240, 2)))
    said = play(plan(*map(errors, names)), [quiet | {"e2": rates((60, 2), (240, 2))}] * 20)
    together = first(said, rolled_back)
    assert alone is not None
    assert together is not None
    assert alone < together < 4 * alone
    assert said[together - 1].because.startswith("e2: ")
    assert "; all 5 Rollback signals together: evidence 20." in said[together - 1].because


def test_many_signals_that_each_know_a_little_roll_back_together() -> None:
    of = plan(errors("a"), errors("b"), errors("c"))
    said = play(of, [dict.fromkeys("abc", rates((60, 2), (240, 1)))] * 30)
    found = first(said, rolled_back)
    assert found is not None
    assert max(each.evidence or 0.0 for each in said[found - 1].signals) < 60
    assert said[found - 1].evidence >= 20


def test_no_first_tick_rolls_back_however_many_signals_cry() -> None:
    names = [f"e{number}" for number in range(25)]
    said = play(plan(*map(errors, names)), [dict.fromkeys(names, rates((400, 400), (400, 0)))] * 2)
    assert said[0].evidence > 20
    assert [each.rollback for each in said] == [False, True]


def test_a_noisy_effect_of_one_signal_does_not_lend_itself_to_the_trifle_of_another() -> None:
    """``a`` is certainly a trifle worse; ``b`` seems much worse, on three requests."""
    trifle = rates((500_000, 6_000), (500_000, 5_000))
    ticks = [{"a": trifle, "b": rates((3, 0), (12, 0))}] * 2 + [{"b": rates((3, 1), (12, 0))}]
    said = play(plan(errors("a"), errors("b")), ticks)
    b = said[-1].signals[1]
    assert said[-1].evidence >= 20
    assert b.evidence > 1
    assert b.effect - b.effect_standard_error > 0.005
    assert not said[-1].rollback


@pytest.mark.parametrize("action", [SignalAction.HOLD, SignalAction.OBSERVE])
def test_only_rollback_signals_roll_back(action: SignalAction) -> None:
    said = play(plan(errors(), latency(action=action)), [{"errors": HEALTHY, "slow": FAILING}] * 40)
    assert not any(map(rolled_back, said))
    assert said[-1].signals[1].verdict is Verdict.FAIL
    assert said[-1].evidence < 1.5


def test_values_out_of_bounds_roll_back_after_two_ticks() -> None:
    said = play(plan(query()), [{"gpu": ValueMeasurement(value=91.5)}] * 3)
    assert first(said, rolled_back) == 2
    assert said[1].reason == contract.REASON_QUERY_OUT_OF_BOUNDS
    assert said[1].because == (
        "gpu: 91.5 now, max 85; out of bounds at 2 of 2 ticks, 10.0 % are tolerated; evidence 20 of 20 needed"
    )


def test_a_value_that_is_out_of_bounds_now_and_then_is_tolerated() -> None:
    values = [ValueMeasurement(value=91.0 if number % 20 == 7 else 60.0) for number in range(200)]
    assert not any(map(rolled_back, play(plan(query()), [{"gpu": value} for value in values])))


class TestOneTick:
    """One tick may bring each of many processes far; all of them together it may not bring to a rollback."""

    NAMES = tuple(f"e{number}" for number in range(22))
    BURST = dict.fromkeys(NAMES, rates((100, 40), (400, 1)))
    CALM = dict.fromkeys(NAMES, rates((100, 0), (400, 0)))

    def test_a_burst_of_one_tick_turns_no_key_and_a_calm_tick_after_it_neither(self) -> None:
        of = plan(*map(errors, self.NAMES))
        running, said = play_from(Running(), of, [self.CALM] * 2 + [self.BURST] + [self.CALM] * 3)
        assert said[2].evidence > 20
        assert not running.turned
        assert not any(map(rolled_back, said))

    def test_a_second_one_does(self) -> None:
        said = play(plan(*map(errors, self.NAMES)), [self.CALM] * 2 + [self.BURST] * 2)
        assert [each.rollback for each in said] == [False, False, False, True]

    def test_ticks_of_other_signals_confirm_nothing(self) -> None:
        of = plan(*map(errors, self.NAMES), query(action=SignalAction.OBSERVE))
        cool = {"gpu": ValueMeasurement(value=60.0)}
        said = play(of, [cool] * 2 + [self.BURST | cool] * 2)
        assert said[2].evidence > 20
        assert [each.rollback for each in said] == [False, False, False, True]

    @pytest.mark.parametrize("number", [2, 3, 10])
    def test_one_bad_signal_among_many_needs_no_tick_more(self, number: int) -> None:
        names = self.NAMES[:number]
        calm = dict.fromkeys(names, rates((100, 0), (400, 1)))
        said = play(plan(*map(errors, names)), [calm | {"e1": rates((100, 90), (400, 1))}] * 2)
        assert said[1].rollback

    def test_many_edges_are_many_processes(self) -> None:
        slow = histogram((0, 0, 0, 0, 0, 100), (300, 60, 20, 10, 6, 4))
        calm = histogram((75, 15, 5, 3, 1, 1), (300, 60, 20, 10, 6, 4))
        of = replace(plan(whole_latency()), false_rollback_rate=0.3)
        said = play(of, [{"slow": calm}] * 2 + [{"slow": slow}] + [{"slow": calm}])
        assert said[2].evidence >= 1 / 0.3
        assert not said[2].rollback
        held = play(replace(of, signals=(whole_latency(action=SignalAction.HOLD),)), [{"slow": slow}] * 2)
        assert [each.signals[0].verdict for each in held] == [Verdict.INCONCLUSIVE, Verdict.FAIL]


def test_evidence_at_the_cap_of_one_tick_stops_the_promotion() -> None:
    """Its parts may add up to a hair less than the root of 1/alpha, from which on nothing is promoted."""
    ticks = [
        categories({"a": (20, 200), "b": (20, 200)}),
        categories({"b": (20, 200), "a": (20, 200), "x": (30, 0)}),
        categories({"x": (30, 0), "a": (20, 200)}),
    ]
    said = play(plan(drift()), [{"score": each} for each in ticks])[-1]
    assert said.evidence == pytest.approx(20**0.5)
    assert not said.promote
    assert not said.calm
