"""What stands beside the comparison: an slo, the strict mode, weights, scatter between pods, traffic."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from judge.rollouts import errors, first, latency, plan, play, play_from, promoted, rates, rolled_back, tick
from serinus import contract
from serinus.judge.judge import learn
from serinus.judge.measurements import ExpectedShare, Measurement, RateMeasurement
from serinus.judge.running import Running
from serinus.rollout.assessment import Assessment, Verdict
from serinus.rollout.types import SignalAction, SignalKind

HEALTHY = rates((100, 0), (400, 1))


def with_slo(slo: float = 0.02):  # type: ignore[no-untyped-def]
    return replace(errors(), slo=slo)


def _of_bound(said: Assessment) -> float:
    return float(said.signals[0].because.split("evidence that it is missed ")[1].split(";")[0].replace("over ", ""))


class TestSlo:
    def test_it_fails_a_canary_that_is_no_worse_than_stable(self) -> None:
        said = play(plan(with_slo()), [{"errors": rates((100, 10), (400, 40))}] * 20)
        found = first(said, rolled_back)
        assert found is not None
        assert said[found - 1].reason == contract.REASON_SLO_MISSED
        assert "slo 2.0 %, the canary's own share" in said[found - 1].because

    def test_it_needs_no_baseline(self) -> None:
        alone = {"errors": RateMeasurement(canary={"c-1": (100, 10)}, stable={})}
        said = play(plan(with_slo()), [alone] * 8)
        found = first(said, rolled_back)
        assert found is not None
        assert found >= 2
        before = said[found - 2]
        assert (before.verdict, before.reason) == (Verdict.INCONCLUSIVE, contract.REASON_NO_BASELINE)
        assert (said[-1].verdict, said[-1].reason) == (Verdict.FAIL, contract.REASON_SLO_MISSED)
        assert said[-1].signals[0].verdict is Verdict.FAIL

    def test_a_share_that_keeps_it_is_not_promoted_by_it_without_a_baseline(self) -> None:
        alone = {"errors": RateMeasurement(canary={"c-1": (1000, 1)}, stable={})}
        said = play(plan(with_slo()), [alone] * 20)
        assert not any(each.rollback or each.promote or each.calm for each in said)
        assert said[-1].signals[0].verdict is Verdict.INCONCLUSIVE

    def test_it_takes_its_half_of_the_share_and_promotion_only_needs_it_to_be_calm(self) -> None:
        bare, both = (play(plan(each), [{"errors": HEALTHY}] * 10) for each in (errors(), with_slo()))
        assert first(bare, promoted) == first(both, promoted)
        slower = [
            first(play(plan(each), [{"errors": rates((100, 4), (400, 1))}] * 20), rolled_back)
            for each in (errors(), with_slo(0.5))
        ]
        assert None not in slower
        assert slower[0] <= slower[1]

    def test_a_share_that_seems_to_miss_it_is_not_promoted(self) -> None:
        """Stable fails as often, so the comparison is calm and proved; of the slo there is some evidence."""
        said = play(plan(with_slo(0.02)), [{"errors": rates((300, 8), (3000, 80))}] * 12)
        restless = [each for each in said if _of_bound(each) >= 20**0.5 and each.signals[0].evidence < 20**0.5]
        assert restless
        assert not any(each.promote or each.calm or each.rollback for each in restless)
        assert "nothing is promoted from 4.5 on" in restless[0].because

    def test_a_bound_of_latency_may_have_one(self) -> None:
        said = play(plan(replace(latency(), slo=0.05)), [{"slow": rates((100, 20), (400, 80))}] * 20)
        assert said[-1].reason == contract.REASON_SLO_MISSED

    def test_equal_evidence_below_the_slo_is_left_alone(self) -> None:
        said = play(plan(with_slo(0.2)), [{"errors": rates((100, 10), (400, 40))}] * 60)
        assert not any(map(rolled_back, said))


class TestStrict:
    @pytest.mark.parametrize(("bad", "strict", "fails"), [(11, False, True), (11, True, False), (60, True, True)])
    def test_it_spares_an_excess_within_the_margin(self, bad: int, strict: bool, fails: bool) -> None:
        """1.1 percent against 1: certain, and half of the margin of 0.2."""
        of = replace(plan(errors(margin=0.002)), strict=strict)
        large = rates((100_000, bad * 100), (100_000, 1_000))
        signal = play(of, [{"errors": large}] * 10)[-1].signals[0]
        assert (signal.evidence >= 20 - 1e-9) is fails

    def test_it_is_remembered(self) -> None:
        of = replace(plan(errors()), strict=True)
        said = play(of, [{"errors": HEALTHY}] + [{"errors": rates((100, 20), (400, 1))}] * 4)
        assert said[-1].rollback


class TestWeights:
    def test_a_heavy_signal_needs_less_evidence(self) -> None:
        heavy, light = replace(errors("a"), weight=3), errors("b")
        said = play(plan(heavy, light), [dict.fromkeys("ab", rates((100, 30), (400, 1)))] * 4)[-1]
        a, b = said.signals
        assert (a.evidence, b.evidence) == (pytest.approx(80 / 3), pytest.approx(80))
        assert said.evidence == pytest.approx(0.75 * a.evidence + 0.25 * b.evidence)
        assert "of 26.7 needed" in a.because

    def test_weights_count_among_the_signals_of_one_action(self) -> None:
        of = plan(errors("a"), replace(errors("b", action=SignalAction.HOLD), weight=9))
        said = play(of, [dict.fromkeys("ab", rates((100, 30), (400, 1)))] * 4)[-1]
        assert [each.evidence for each in said.signals] == [pytest.approx(20), pytest.approx(20)]

    def test_the_order_of_signals_changes_nothing(self) -> None:
        signals = (replace(errors("a"), weight=2), errors("b"), latency())
        ticks: Sequence[dict[str, Measurement]] = [
            {"a": rates((50, 1), (200, 2)), "b": HEALTHY, "slow": rates((60, 5), (240, 4))}
        ] * 5
        forth, back = (play(plan(*order), ticks)[-1] for order in (signals, signals[::-1]))
        assert forth.evidence == pytest.approx(back.evidence, rel=1e-12)
        assert forth.signals == back.signals[::-1]


def bursting(rng: np.random.Generator) -> RateMeasurement:
    """Errors come by twenties, on every pod."""
    return RateMeasurement(
        canary={"c-1": (500, 20 * int(rng.binomial(25, 0.01)))},
        stable={f"s-{pod}": (500, 20 * int(rng.binomial(25, 0.01))) for pod in range(6)},
    )


class TestScatter:
    def test_bursts_of_stable_temper_the_evidence(self) -> None:
        rng = np.random.default_rng(5)
        ticks = [{"errors": bursting(rng)} for _ in range(30)]
        said = play(plan(errors()), ticks)[-1].signals[0]
        assert said.dispersion is not None
        assert 8 < said.dispersion < 25
        assert f"scatter {said.dispersion:.1f} times as much as chance" in said.because

    def test_the_past_tempers_from_the_first_tick_on(self) -> None:
        rng, of = np.random.default_rng(6), plan(errors())
        past = [tick(number - 40, errors=bursting(rng)) for number in range(40)]
        running = learn(of, Running(), past)
        burst = RateMeasurement(canary={"c-1": (500, 20)}, stable={f"s-{pod}": (500, 4) for pod in range(6)})
        evidence = {
            name: play_from(start, of, [{"errors": burst}])[1][0].evidence
            for name, start in {"bare": Running(), "learnt": running}.items()
        }
        assert evidence["learnt"] < 1.5 < evidence["bare"] - 1.5

    def test_what_a_tick_tells_of_its_own_scatter_is_used_from_the_next_on(self) -> None:
        wild = {f"s-{pod}": (500, 100 * (pod % 2)) for pod in range(6)}
        tame = {f"s-{pod}": (500, 50) for pod in range(6)}
        one, other = (
            play(plan(errors()), [{"errors": RateMeasurement(canary={"c-1": (500, 90)}, stable=stable)}])[0]
            for stable in (wild, tame)
        )
        assert one.evidence == other.evidence
        assert one.signals[0].dispersion > 2 > other.signals[0].dispersion

    def test_pods_that_differ_for_good_widen_the_null(self) -> None:
        def one(pods: dict[str, float]) -> dict[str, Measurement]:
            stable = {name: (1000, round(1000 * share)) for name, share in pods.items()}
            return {"errors": RateMeasurement(canary={"c-1": (1000, 30)}, stable=stable)}

        unlike = {f"s-{pod}": share for pod, share in enumerate((0.005, 0.01, 0.02, 0.04, 0.02, 0.025))}
        alike = dict.fromkeys(unlike, 0.02)
        found = [first(play(plan(errors()), [one(pods)] * 12), rolled_back) for pods in (alike, unlike)]
        assert found[0] is not None
        assert found[1] is None or found[1] > found[0]

    def test_a_rollback_of_two_pods_does_not_speak_of_one(self) -> None:
        measured = RateMeasurement(canary={"c-1": (50, 9), "c-2": (50, 9)}, stable={"s-1": (400, 1)})
        assert "the canary has one pod" not in play(plan(errors()), [{"errors": measured}] * 3)[-1].because


class TestTraffic:
    @pytest.mark.parametrize(("promised", "held"), [(True, True), (False, False)])
    def test_a_wrong_share_is_told_and_holds_only_what_was_promised(self, promised: bool, held: bool) -> None:
        expected = ExpectedShare(share=0.5, promised=promised)
        ticks = [{"errors": rates((500, 0), (1500, 3))}] * 10
        _, said = play_from(Running(), plan(errors()), ticks, expected=expected)
        last = said[-1]
        assert last.traffic is not None
        assert (last.traffic.off, last.traffic.expected, last.traffic.observed) == (True, 0.5, 0.25)
        assert last.traffic.evidence >= 20
        assert (last.promote, last.calm, last.rollback) == (not held, not held, False)
        if held:
            assert (last.verdict, last.reason) == (Verdict.INCONCLUSIVE, contract.REASON_TRAFFIC_SHARE_OFF)
            assert "the canary gets 25.0 % of the requests, 50.0 % were set" in last.because

    def test_a_tick_in_which_the_share_changed_is_not_compared(self) -> None:
        """Pods went in the midst of it: its requests came with the old share."""
        running, said = Running(), []
        for number, share in enumerate((0.25, 0.25, 0.5, 0.5, 0.25, 0.25), 1):
            sides = rates((500, 0), (500, 1)) if number == 4 else rates((250, 0), (750, 1))
            running, (one,) = play_from(
                running,
                plan(errors()),
                [{"errors": sides}],
                first=number,
                expected=ExpectedShare(share=share, promised=True),
            )
            said.append(one.traffic)
        assert said[0] is None
        assert [each is not None and each.off for each in said] == [False] * 6

    def test_a_right_share_and_an_unknown_one_hold_nothing(self) -> None:
        for expected in (ExpectedShare(share=0.22, promised=True), None, ExpectedShare(share=1.0, promised=True)):
            ticks = [{"errors": rates((500, 0), (1500, 3))}] * 10
            _, said = play_from(Running(), plan(errors()), ticks, expected=expected)
            assert said[-1].promote
            assert (said[-1].traffic is None) is (expected is None or expected.share == 1.0)

    def test_a_canary_without_any_traffic_is_seen(self) -> None:
        expected = ExpectedShare(share=0.2, promised=True)
        running, said = play_from(
            Running(), plan(errors()), [{"errors": rates((0, 0), (200, 0))}] * 5, expected=expected
        )
        assert said[-1].traffic is not None
        assert said[-1].traffic.off
        assert (said[-1].rollback, running.ticks) == (False, 0)

    def test_late_labels_say_nothing_of_where_requests_go(self) -> None:
        outcomes = replace(errors(), name="accuracy", kind=SignalKind.ACCURACY)
        expected = ExpectedShare(share=0.25, promised=True)
        ticks = [{"accuracy": rates((0, 0), (100, 1)), "errors": rates((100, 0), (300, 1))}] * 10
        _, said = play_from(Running(), plan(outcomes, errors()), ticks, expected=expected)
        assert said[-1].traffic is not None
        assert (said[-1].traffic.off, said[-1].traffic.observed) == (False, 0.25)
        _, alone = play_from(Running(), plan(outcomes), ticks, expected=expected)
        assert alone[-1].traffic is None

    def test_a_tick_that_was_judged_counts_once(self) -> None:
        expected = ExpectedShare(share=0.5, promised=True)
        ticks = [{"errors": rates((0, 0), (5, 0))}]
        running, _ = play_from(Running(), plan(errors()), ticks, expected=expected)
        again, _ = play_from(running, plan(errors()), ticks, expected=expected)
        assert again == running


@pytest.mark.parametrize(
    ("kind", "reason", "words"),
    [
        (SignalKind.CLIENT_ERRORS, contract.REASON_CLIENT_ERRORS_WORSE, "requests were refused as the client's errors"),
        (SignalKind.ACCURACY, contract.REASON_ACCURACY_WORSE, "answers were wrong"),
        (SignalKind.IMPLAUSIBLE, contract.REASON_IMPLAUSIBLE_WORSE, "predictions were implausible"),
    ],
)
def test_every_rate_has_its_own_reason_and_words(kind: SignalKind, reason: str, words: str) -> None:
    said = play(plan(replace(errors(), kind=kind)), [{"errors": rates((100, 20), (400, 1))}] * 3)[-1]
    assert (said.rollback, said.reason) == (True, reason)
    assert f"40 of 200 canary {words} (20.0 %)" in said.because
