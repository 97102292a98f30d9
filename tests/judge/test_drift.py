"""Drift: canary against stable decides, the training reference only tells the world's change apart."""

import numpy as np
import pytest

from judge.rollouts import (
    DECILES,
    categories,
    drift,
    first,
    histogram,
    plan,
    play,
    play_from,
    rolled_back,
    tick,
)
from serinus import contract
from serinus.errors import BrokenInvariant
from serinus.judge.judge import learn
from serinus.judge.measurements import HistogramMeasurement, Measurement, ValueMeasurement
from serinus.judge.running import Running
from serinus.judge.states import DriftState, Matched
from serinus.rollout.assessment import Verdict
from serinus.rollout.types import SignalAction, SignalKind

TRAINED = (1000,) * 10
EVEN = (10,) * 10
SHIFTED = (4, 5, 6, 7, 8, 10, 12, 14, 16, 18)


def scaled(shares: tuple[int, ...], times: int) -> tuple[int, ...]:
    return tuple(times * each for each in shares)


def sides(canary: tuple[int, ...], stable: tuple[int, ...]) -> dict[str, Measurement]:
    return {"score": histogram(canary, scaled(stable, 9), edges=DECILES, reference=TRAINED)}


def test_a_canary_that_predicts_otherwise_is_rolled_back_where_that_is_asked_for() -> None:
    said = play(plan(drift()), [sides(SHIFTED, EVEN)] * 30)
    found = first(said, rolled_back)
    assert found is not None
    assert found <= 6
    assert said[found - 1].reason == contract.REASON_PREDICTIONS_DRIFTED
    signal = said[found - 1].signals[0]
    assert "predictions of the canary are apart from" in signal.because
    assert "PSI 0." in signal.because
    assert signal.canary_from_reference == pytest.approx(signal.effect, abs=0.1)
    assert abs(signal.stable_from_reference) < 0.02
    assert signal.safety is None
    assert signal.more_requests is None


def test_features_have_their_own_reason() -> None:
    feature = drift()
    feature = type(feature)(name="score", kind=SignalKind.FEATURE_DRIFT, action=SignalAction.ROLLBACK, margin=0.1)
    said = play(plan(feature), [sides(SHIFTED, EVEN)] * 30)[-1]
    assert (said.reason, said.rollback) == (contract.REASON_FEATURES_DRIFTED, True)


def test_a_signal_that_holds_only_stops_the_promotion() -> None:
    said = play(plan(drift(action=SignalAction.HOLD)), [sides(SHIFTED, EVEN)] * 30)
    assert not any(each.rollback for each in said)
    assert not said[-1].promote
    assert said[-1].signals[0].verdict is Verdict.FAIL


@pytest.mark.parametrize(("canary", "world"), [(EVEN, False), (SHIFTED, True)])
def test_a_world_that_moved_is_told_and_holds_nothing(canary: tuple[int, ...], world: bool) -> None:
    said = play(plan(drift()), [sides(canary, canary)] * 30)[-1]
    signal = said.signals[0]
    assert (said.rollback, said.promote, signal.verdict) == (False, True, Verdict.PASS)
    assert (signal.reason == contract.REASON_WORLD_CHANGED) is world
    assert ("the world changed, not the model" in signal.because) is world


def test_a_canary_that_is_right_while_the_world_moved_is_still_told_apart_from_stable() -> None:
    """Both moved, but not alike: that is the model."""
    said = play(plan(drift()), [sides(tuple(reversed(SHIFTED)), SHIFTED)] * 10)[-1]
    assert said.rollback
    assert said.signals[0].reason == contract.REASON_PREDICTIONS_DRIFTED


def test_a_certain_trifle_is_not_rolled_back() -> None:
    trifle = (10_300, 10_200, 10_100, 10_000, 10_000, 10_000, 10_000, 9_900, 9_800, 9_700)
    said = play(plan(drift()), [sides(trifle, scaled(EVEN, 1_000))] * 10)[-1]
    assert said.evidence == pytest.approx(20.0)
    assert not said.rollback


def test_without_a_reference_the_world_is_not_spoken_of() -> None:
    measured = {"score": histogram(SHIFTED, scaled(SHIFTED, 9), edges=DECILES)}
    signal = play(plan(drift()), [measured] * 20)[-1].signals[0]
    assert (signal.canary_from_reference, signal.stable_from_reference) == (None, None)
    assert "training" not in signal.because


@pytest.mark.random
def test_equal_canaries_are_not_rolled_back_more_often_than_alpha() -> None:
    rng, replicates, wrong = np.random.default_rng(31), 60, 0
    for _ in range(replicates):
        ticks = [
            sides(tuple(map(int, rng.multinomial(60, [0.1] * 10))), tuple(map(int, rng.multinomial(60, [0.1] * 10))))
            for _ in range(20)
        ]
        wrong += play(plan(drift()), ticks)[-1].rollback
    assert wrong / replicates <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / replicates)


def test_edges_that_are_lost_are_a_mismatch_and_finer_ones_are_not() -> None:
    running, _ = play_from(Running(), plan(drift()), [sides(EVEN, EVEN)])
    other = {"score": histogram((5, 5), (50, 50), edges=(0.45,))}
    finer = {"score": histogram((*EVEN, 0), (*scaled(EVEN, 9), 0), edges=(*DECILES, 5.0))}
    named = {"score": categories({"cat": (5, 50)})}
    after, said = play_from(running, plan(drift()), [other, named, finer], first=2)
    assert [each.reason == contract.REASON_BUCKET_MISMATCH for each in said] == [True, True, False]
    assert "has lost the edge 0.1" in said[0].because
    assert "has categories now and had edges before" in said[1].because
    assert after.ticks == 2


@pytest.mark.parametrize(
    ("stable", "reference", "refused"),
    [
        ((100, 100, 100, 100, 600), None, True),
        ((200, 200, 200, 200, 200), None, False),
        ((100, 100, 100, 100, 600), (200, 200, 200, 200, 200), False),
        ((200, 200, 200, 200, 200), (100, 100, 100, 100, 600), True),
        ((1, 1, 1, 1, 3), None, False),
    ],
)
def test_buckets_that_hide_most_in_the_overflow_are_refused(
    stable: tuple[int, ...], reference: tuple[int, ...] | None, refused: bool
) -> None:
    measured = histogram((9, 8, 8, 7, 8), stable, edges=(0.2, 0.4, 0.6, 0.8), reference=reference)
    said = play(plan(drift()), [{"score": measured}] * 2)[-1]
    assert ("widen the buckets" in said.because) is refused
    assert (said.reason == contract.REASON_BUCKET_MISMATCH) is refused
    assert (said.signals[0].verdict is Verdict.INCONCLUSIVE) is refused


def test_categories_may_grow_and_change_their_order() -> None:
    usual = {"score": categories({"cat": (50, 500), "dog": (50, 500)})}
    turned = {"score": categories({"dog": (50, 500), "cat": (50, 500)})}
    new = {"score": categories({"cow": (60, 0), "cat": (20, 500), "dog": (20, 500)})}
    said = play(plan(drift()), [usual, turned] * 4 + [new] * 6)
    assert said[7].evidence < 1.0
    assert said[-1].rollback
    assert play(plan(drift()), [usual, turned] * 4)[-1].signals == play(plan(drift()), [usual] * 8)[-1].signals


def test_more_categories_than_can_be_told_apart_share_the_last_place() -> None:
    many = {f"c{number}": (2, 20) for number in range(300)}
    strange = many | {"new": (400, 0)}
    ticks = [{"score": categories(many)}] * 2 + [{"score": categories(strange)}] * 6
    running, said = play_from(Running(), plan(drift()), ticks)
    state = running.signals["score"]
    assert isinstance(state, DriftState)
    assert len(state.categories) == 199
    assert len(state.samples.canary) == 200
    assert said[-1].rollback


def test_more_buckets_than_can_be_told_apart_are_merged_to_equal_mass() -> None:
    edges = tuple(number / 1000 for number in range(1, 1000))
    measured = {"score": histogram((1,) * 1000, (9,) * 1000, edges=edges)}
    running, said = play_from(Running(), plan(drift()), [measured] * 3)
    state = running.signals["score"]
    assert isinstance(state, DriftState)
    assert 150 < len(state.edges) < 200
    assert max(state.samples.stable) <= 3 * min(state.samples.stable)
    assert not said[-1].rollback


def test_all_in_the_highest_bucket_breaks_nothing() -> None:
    edges = tuple(float(number) for number in range(300))
    measured = {"score": histogram((0,) * 300 + (5,), (0,) * 300 + (50,), edges=edges, reference=(1,) * 301)}
    assert not play(plan(drift()), [measured] * 3)[-1].rollback


def test_stable_from_before_is_known_at_the_first_tick() -> None:
    of = plan(drift())
    past = [HistogramMeasurement(canary={}, stable={"s": scaled(EVEN, 50)}, edges=DECILES)] * 3
    running = learn(of, Running(), [tick(number - 3, score=each) for number, each in enumerate(past)])
    assert Running.from_wire(running.to_wire()) == running
    assert learn(of, running, [tick(-9, score=past[0])]) == running
    after, (said,) = play_from(running, of, [sides(SHIFTED, EVEN)])
    assert said.signals[0].stable_total == 900
    assert "900 of stable" in said.signals[0].because
    assert after.learnt == 3


def test_something_else_than_a_histogram_is_our_own_bug() -> None:
    with pytest.raises(BrokenInvariant, match="score of kind PredictionDrift got a ValueMeasurement"):
        play(plan(drift()), [{"score": ValueMeasurement(value=1.0)}])


RARE = tuple(float(number) for number in range(1, 10))


def rare(canary: tuple[int, ...]) -> dict[str, Measurement]:
    """Live values lie where the training data had next to nothing."""
    trained = (9990, 1, 1, 1, 1, 1, 1, 1, 1, 2)
    return {"score": histogram(canary, (100,) * 10, edges=RARE, reference=trained)}


def test_a_difference_where_nothing_was_trained_is_seen() -> None:
    said = play(plan(drift()), [rare((40, 30, 5, 20, 11, 12, 3, 10, 2, 7))] * 4)[-1]
    assert said.rollback
    assert said.signals[0].effect > 0.3


@pytest.mark.parametrize("nothing", ["missing", "empty", "other buckets"])
def test_a_tick_that_tells_nothing_repeats_all_numbers(nothing: str) -> None:
    measured = {
        "missing": {},
        "empty": {"score": histogram((0,) * 10, (0,) * 10, edges=RARE, reference=(1,) * 10)},
        "other buckets": {"score": histogram((5, 5), (5, 5), edges=(0.5,))},
    }[nothing]
    running, said = play_from(Running(), plan(drift()), [rare((40, 30, 5, 20, 11, 12, 3, 10, 2, 7))] * 3)
    after, (silent,) = play_from(running, plan(drift()), [measured], first=4)
    assert after == running
    names = ("evidence", "effect", "effect_standard_error", "canary_from_reference", "stable_from_reference")
    numbers = [[getattr(each.signals[0], name) for name in names] for each in (said[-1], silent)]
    assert numbers[0] == numbers[1]
    assert None not in numbers[0]


@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_matched_counts_are_worth_what_their_variance_says(decay: float) -> None:
    ticks = [(10, (30, 70)), (40, (10, 40)), (5, (0, 400))]
    matched = Matched()
    for canary, stable in ticks:
        matched = matched.plus(canary, stable, decay)
    faded = [decay ** (len(ticks) - 1 - number) for number in range(len(ticks))]
    counts = [
        sum(f * canary * stable[place] / sum(stable) for f, (canary, stable) in zip(faded, ticks, strict=True))
        for place in range(2)
    ]
    worth = sum(counts) ** 2 / sum((f * n) ** 2 / sum(stable) for f, (n, stable) in zip(faded, ticks, strict=True))
    assert matched.counts == pytest.approx(counts, rel=1e-5)
    assert sum(matched.observations) == pytest.approx(worth, rel=1e-5)


def normal(rng: np.random.Generator, mean: float, count: int) -> tuple[int, ...]:
    return tuple(map(int, np.histogram(rng.normal(mean, 1.0, count), [-np.inf, *np.linspace(-2, 2, 9), np.inf])[0]))


@pytest.mark.random
def test_a_world_that_moves_while_the_weight_grows_is_no_effect() -> None:
    """The canary is a tenth of a standard deviation off: certain, and PSI 0.01."""
    rng = np.random.default_rng(1)
    ticks = []
    for number in range(40):
        mean, canary = -0.6 + 1.2 * number / 39, 1_000 if number < 20 else 10_000
        sides = normal(rng, mean + 0.1, canary), normal(rng, mean, 20_000 - canary)
        ticks.append({"score": histogram(*sides, edges=tuple(np.linspace(-2, 2, 9).tolist()))})
    said = play(plan(drift()), ticks)
    assert said[-1].evidence >= 19.9
    assert not any(map(rolled_back, said))
    assert said[-1].signals[0].effect == pytest.approx(0.01, abs=0.01)


@pytest.mark.random
def test_a_past_that_was_otherwise_hides_no_drift() -> None:
    rng, of = np.random.default_rng(2), plan(drift())
    edges = tuple(np.linspace(-2, 2, 9).tolist())
    past = [
        tick(n - 60, score=HistogramMeasurement(canary={}, stable={"s": normal(rng, 0, 900)}, edges=edges))
        for n in range(60)
    ]
    running = learn(of, Running(), past)
    ticks = [{"score": histogram(normal(rng, 0.2, 100), normal(rng, 0.7, 900), edges=edges)} for _ in range(30)]
    _, said = play_from(running, of, ticks)
    found = first(said, rolled_back)
    assert found is not None
    assert found <= 15
    assert said[-1].signals[0].effect == pytest.approx(0.25, abs=0.1)
