"""What the judge says is what the mathematics says of the same counts: recomputed by hand from ``stats``."""

from dataclasses import replace
from itertools import pairwise

import pytest

from judge.rollouts import (
    EDGES,
    categories,
    comparison,
    drift,
    errors,
    first,
    histogram,
    plan,
    play,
    play_from,
    rates,
    rolled_back,
    tick,
    whole_latency,
)
from serinus import contract
from serinus.judge.buckets import digest
from serinus.judge.course import Course, courses_of
from serinus.judge.exposure import excess_at
from serinus.judge.judge import learn
from serinus.judge.measurements import HistogramMeasurement, PairMeasurement, RateMeasurement
from serinus.judge.running import Running
from serinus.judge.states import BoundState, Contest, DriftState, LatencyState, Matched, PairState, RateState
from serinus.rollout.assessment import Verdict
from serinus.rollout.types import Signal, SignalAction
from serinus.stats import count_process, margin_test, share_bound
from serinus.stats.capital import Capital
from serinus.stats.dispersion import Dispersion
from serinus.stats.margin_test import History, Proof
from serinus.stats.pod_spread import PodSpread
from serinus.stats.population_stability import stability
from serinus.stats.starts import start_mass
from serinus.stats.two_samples import TwoSamples

WEIGHTS = (20, 50)


def course(signal: Signal) -> Course:
    return courses_of(plan(signal, weights=WEIGHTS))[0]


def start(ticks_before: int) -> float:
    return start_mass(ticks_before=ticks_before, new_step=ticks_before == 0, steps=2)


def unlike(number: int) -> RateMeasurement:
    """Pods that differ for good and errors that come in bursts."""
    shares = (2, 8, 20, 40, 12 + 9 * (number % 3))
    return RateMeasurement(
        canary={"c-1": (500, 14), "c-2": (300, 8 + number % 2)},
        stable={f"s-{pod}": (1000, bad) for pod, bad in enumerate(shares)},
    )


def contested(ticks: list[RateMeasurement], *, threshold: float, unacceptable: float, next_weight: int) -> Contest:
    """One comparison by hand, with what the ticks before taught of pods."""
    capital, dispersion, spread, history, proof = count_process.fresh(), Dispersion(), PodSpread(), History(), Proof()
    for number, measured in enumerate(ticks):
        assert number < 3 or dispersion.factor > 1.25
        assert number < 3 or spread.null_odds(2, 5) > 1.0
        capital = count_process.advance(
            capital,
            measured.counts,
            start=start(number),
            threshold=threshold,
            null_odds=spread.null_odds(2, 5, 0.05),
            dispersion=dispersion.factor,
        )
        excess = excess_at(unacceptable, next_weight)
        proof = margin_test.advance(proof, measured.counts, history, excess, dispersion=dispersion.factor)
        history = history.plus(measured.counts)
        dispersion = dispersion.plus([(total - bad, bad) for total, bad in measured.stable.values()])
        spread = spread.plus(measured.stable)
    contest = Contest(capital=capital)
    return replace(contest, exposure=replace(contest.exposure, history=history, proofs=((next_weight, proof),)))


def test_a_rate_is_the_count_process_tempered_by_the_scatter_and_spread_of_the_ticks_before() -> None:
    ticks = [unlike(number) for number in range(6)]
    said = play(plan(errors(), weights=WEIGHTS), [{"errors": each} for each in ticks])[-1].signals[0]
    by_hand = contested(ticks, threshold=20.0, unacceptable=0.01, next_weight=50)
    assert said.evidence == pytest.approx(by_hand.capital.value, rel=1e-6)
    assert said.evidence < 20
    assert said.safety == pytest.approx(by_hand.exposure.safety(50), rel=1e-5)
    pods = Dispersion()
    for each in ticks:
        pods = pods.plus([(total - bad, bad) for total, bad in each.stable.values()])
    assert said.dispersion == pytest.approx(pods.factor, rel=1e-6)


def test_the_proof_takes_as_many_requests_more_as_stable_scatters() -> None:
    tame, wild = (
        play(plan(errors()), [{"errors": RateMeasurement(canary={"c": (100, 1)}, stable=stable)}])[0].signals[0]
        for stable in (
            {f"s-{pod}": (500, 5) for pod in range(6)},
            {f"s-{pod}": (500, 10 * (pod % 2)) for pod in range(6)},
        )
    )
    assert wild.more_requests == pytest.approx(wild.dispersion * tame.more_requests, rel=1e-6)


def latencies(number: int) -> HistogramMeasurement:
    return HistogramMeasurement(
        canary={"c-1": (250, 100, 70, 40, 30, 10)},
        stable={
            f"s-{pod}": (600 - 60 * pod, 300, 60 + 60 * pod, 20 + 10 * (number % 2), 15, 5 + pod) for pod in range(5)
        },
        edges=EDGES,
    )


def test_a_whole_latency_is_the_mean_over_its_edges_and_its_proof_the_weakest() -> None:
    ticks = [latencies(number) for number in range(4)]
    running, said = play_from(Running(), plan(whole_latency(), weights=WEIGHTS), [{"slow": each} for each in ticks])
    state = running.signals["slow"]
    assert isinstance(state, LatencyState)
    assert len(state.edges) > 2
    told = said[-1].signals[0]
    assert told.evidence == pytest.approx(sum(each.capital.value for each in state.contests) / len(state.edges))
    assert told.safety == min(each.exposure.safety(50) for each in state.contests)
    assert len({each.exposure.safety(50) for each in state.contests}) > 1
    assert told.more_requests == pytest.approx(
        max(
            told.dispersion
            * margin_test.requests_needed(
                each.exposure.proof(50),
                20.0,
                each.exposure.history.rate(0.08),
                0.08,
                each.counts.stable_total / each.counts.canary_total,
            )
            for each in state.contests
        )
    )
    capital, spread, tail, dispersion = count_process.fresh(), PodSpread(), PodSpread(), Dispersion()
    for number, each in enumerate(ticks):
        rates_at = [each.above(edge) for edge in state.edges]
        capital = count_process.advance(
            capital,
            rates_at[1].counts,
            start=start(number),
            threshold=20.0 * len(state.edges),
            null_odds=max(spread.null_odds(1, 5, 0.05), tail.null_odds(1, 5, 0.05)),
            dispersion=dispersion.factor,
        )
        spread = spread.plus(rates_at[0].stable)
        tail = tail.plus([at for at in rates_at if at.counts.stable_bad >= 3][-1].stable)
        above = [[sum(row), *(at.stable[pod][1] for at in rates_at), 0] for pod, row in each.stable.items()]
        dispersion = dispersion.plus([[more - less for more, less in pairwise(row)] for row in above])
    assert dispersion.factor > 1.25
    assert tail.null_odds(1, 5) > spread.null_odds(1, 5) > 1.0
    assert state.contests[1].capital.value == pytest.approx(capital.value, rel=1e-6)


@pytest.mark.parametrize("named", [False, True])
def test_drift_is_the_two_sample_process_tempered_by_the_ticks_before(named: bool) -> None:
    rows = [tuple(40 + 30 * ((pod + bucket) % 2) for bucket in range(4)) for pod in range(4)]
    canary, by_hand, dispersion = (9, 8, 10, 15), TwoSamples(), Dispersion()
    layout = {"categories": ("a", "b", "c", "d")} if named else {"edges": (0.25, 0.5, 0.75)}
    stable = {f"s-{pod}": row for pod, row in enumerate(rows)}
    measured = HistogramMeasurement(canary={"c-1": canary}, stable=stable, **layout)
    pooled = tuple(sum(column) for column in zip(*rows, strict=True))
    for number in range(4):
        by_hand = by_hand.plus(
            canary,
            pooled,
            start=start(number),
            threshold=20.0,
            dispersion=dispersion.factor,
            ordered=not named,
        )
        dispersion = dispersion.plus(rows)
    assert dispersion.factor > 1.25
    said = play(plan(drift(), weights=WEIGHTS), [{"score": measured}] * 4)[-1].signals[0]
    assert said.evidence == pytest.approx(by_hand.evidence, rel=1e-6)
    assert said.evidence < 20
    assert said.dispersion == pytest.approx(dispersion.factor)
    apart = stability(tuple(4 * each for each in canary), tuple(4 * each for each in pooled))
    assert apart is not None
    assert (said.effect, said.effect_standard_error) == (
        pytest.approx(apart.estimate),
        pytest.approx(apart.standard_error),
    )


def test_a_bound_is_its_own_process_and_remembers_the_recent_share() -> None:
    signal, ticks = replace(errors(), slo=0.02), [rates((100, 8 - number), (400, 4)) for number in range(3)]
    running, said = play_from(Running(), plan(signal, weights=WEIGHTS), [{"errors": each} for each in ticks])
    capital, recent = share_bound.fresh(), 0.0
    for number, each in enumerate(ticks):
        counts = each.counts
        capital = share_bound.advance(
            capital,
            total=counts.canary_total,
            bad=counts.canary_bad,
            bound=0.02,
            start=start(number),
            threshold=40.0,
        )
        recent = recent * 0.5**0.1 + counts.canary_bad
    state = running.signals["errors"]
    assert isinstance(state, RateState)
    assert state.bound is not None
    assert state.bound.capital == capital
    assert (state.bound.bad, state.bound.recent_bad) == (21, pytest.approx(recent))
    assert said[-1].signals[0].evidence == pytest.approx((capital.value + state.contest.capital.value) / 2)


class TestPracticalKey:
    """Evidence alone is not enough: a state in which it has long been there, and an effect that is not clear."""

    def test_of_a_bound(self) -> None:
        full = Capital(parts=(40.0, 0.0, 0.0, 0.0), cash=0.0)
        for bad, fails in ((15, False), (30, True)):
            bound = BoundState(capital=full, total=1000, bad=bad, recent_total=1000.0, recent_bad=float(bad))
            bound = replace(bound, schedule=replace(bound.schedule, ticks=9, peak=40.0))
            running = Running(ticks=9, turned=True, signals={"errors": RateState(bound=bound)})
            of = plan(replace(errors(), slo=0.02))
            _, (said,) = play_from(running, of, [{"errors": rates((1, 0), (4, 0))}])
            assert said.rollback is fails

    def test_of_drift(self) -> None:
        for times, fails in ((1, False), (40, True)):
            samples = TwoSamples.after((100 * times,) * 4)
            matched = Matched(counts=(6.25 * times,) * 4, squares=1.5625 * times)
            samples = replace(samples, canary=tuple(times * each for each in (2, 4, 8, 11)), recent=(0.0,) * 4)
            samples = replace(samples, capital=replace(samples.capital, cash=20.0))
            state = DriftState(samples=samples, matched=matched, edges=(0.25, 0.5, 0.75))
            state = replace(state, schedule=replace(state.schedule, ticks=9, peak=20.0))
            measured = histogram((1, 0, 0, 0), (1, 1, 1, 1), edges=(0.25, 0.5, 0.75))
            running = Running(ticks=9, turned=True, signals={"score": state})
            _, (said,) = play_from(running, plan(replace(drift(), margin=0.07)), [{"score": measured}])
            assert said.signals[0].effect is not None
            assert said.rollback is fails
            if not fails:
                assert said.signals[0].effect >= 0.07

    def test_of_a_comparison(self) -> None:
        for noise, fails in ((9.0, False), (0.01, True)):
            running, _ = play_from(
                Running(),
                plan(comparison()),
                [
                    {"cost": PairMeasurement(canary=12.0 + noise * (-1) ** (number // 4), stable=10.0)}
                    for number in range(24)
                ],
            )
            state = running.signals["cost"]
            assert isinstance(state, PairState)
            process = replace(state.process, capital=replace(state.process.capital, cash=20.0))
            state = replace(state, process=process, schedule=replace(state.schedule, peak=20.0))
            running = replace(running, turned=True, rolled_back=None, signals={"cost": state})
            measured = PairMeasurement(canary=12.0, stable=10.0)
            _, (said,) = play_from(running, plan(comparison()), [{"cost": measured}], first=99)
            assert said.signals[0].effect > 0.1
            assert said.rollback is fails

    def test_and_it_only_turns_at_a_tick_that_tells(self) -> None:
        """Three signals turned the key; then the one with an effect falls silent."""
        of = plan(errors("a", margin=0.0005), errors("b"))
        running, _ = play_from(Running(), of, [{"a": rates((20, 1), (80, 0))}])
        state = running.signals["a"]
        assert isinstance(state, RateState)
        assert state.contest.difference.exceeds(0.0005)
        contest = replace(state.contest, schedule=replace(state.contest.schedule, peak=25.0))
        running = replace(running, turned=True, ticks=9, signals={"a": replace(state, contest=contest)})
        _, said = play_from(running, of, [{"b": rates((100, 0), (400, 1))}, {"a": rates((20, 1), (80, 0))}], first=2)
        assert [each.rollback for each in said] == [False, True]


def test_drift_that_comes_late_is_not_lost_in_what_was_good() -> None:
    even, shifted = (10,) * 4, (2, 6, 12, 20)
    edges = (0.25, 0.5, 0.75)
    good = [{"score": histogram(even, tuple(9 * each for each in even), edges=edges)}] * 80
    bad = [{"score": histogram(shifted, tuple(9 * each for each in even), edges=edges)}] * 40
    found = first(play(plan(drift()), good + bad), rolled_back)
    assert found is not None
    assert 82 <= found <= 100


def test_the_world_has_not_changed_on_the_word_of_a_few() -> None:
    few = histogram((0, 0, 1, 7), (1, 1, 5, 45), edges=(0.25, 0.5, 0.75), reference=(1000,) * 4)
    said = play(plan(drift()), [{"score": few}] * 2)
    assert said[0].signals[0].reason != contract.REASON_WORLD_CHANGED
    assert said[0].signals[0].canary_from_reference > 0.3


def test_the_world_has_not_just_changed_where_the_sides_seem_to_differ() -> None:
    measured = histogram((5, 5, 30, 60), (100, 100, 300, 400), edges=(0.25, 0.5, 0.75), reference=(1000,) * 4)
    said = play(plan(drift(action=SignalAction.OBSERVE)), [{"score": measured}] * 12)
    signals = [each.signals[0] for each in said]
    assert any(each.evidence >= 20**0.5 and each.verdict is not Verdict.FAIL for each in signals)
    for each in signals:
        assert (each.reason == contract.REASON_WORLD_CHANGED) <= (each.evidence < 20**0.5)


def test_categories_keep_their_counts_when_new_ones_come() -> None:
    ticks = [categories({"cat": (5, 50), "dog": (7, 70)}), categories({"cow": (1, 2), "dog": (3, 4), "cat": (0, 9)})]
    running, _ = play_from(Running(), plan(drift()), [{"score": each} for each in ticks])
    state = running.signals["score"]
    assert isinstance(state, DriftState)
    assert dict(zip(state.categories, state.samples.stable, strict=True)) == {
        digest("cat"): 59,
        digest("dog"): 74,
        digest("cow"): 2,
    }


def test_a_rollback_signal_that_cannot_be_compared_stops_the_promotion() -> None:
    fine = rates((2_000, 0), (8_000, 0))
    even, lost = (histogram((10, 10), (90, 90), edges=(edge,)) for edge in (0.5, 0.4))
    ticks = [{"errors": fine, "score": each} for each in (even, even, even, lost)]
    for action, promoted in ((SignalAction.ROLLBACK, False), (SignalAction.HOLD, True)):
        said = play(plan(errors(), drift(action=action)), ticks)
        assert [each.promote for each in said] == [False, False, True, promoted]


def test_the_course_follows_from_the_plan() -> None:
    of = replace(plan(errors(), weights=(5, 25, 50, 100)), planned_ticks=60)
    (found,) = courses_of(of)
    assert (found.weight_steps, found.planned_ticks, found.tracked_weights) == (3, 60, (5, 25, 50, 100))


def test_history_gives_the_proofs_their_base_rate() -> None:
    of = plan(errors())
    past = [tick(number - 5, errors=rates((0, 0), (1000, 10 + number))) for number in range(5)]
    state = learn(of, Running(), past).signals["errors"]
    assert isinstance(state, RateState)
    history = History()
    for number in range(5):
        history = history.plus(rates((0, 0), (1000, 10 + number)).counts)
    assert state.contest.exposure.history == replace(
        history, total=pytest.approx(history.total), bad=pytest.approx(history.bad)
    )
