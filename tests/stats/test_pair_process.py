"""A number of the canary against the same number of stable."""

from itertools import product
from math import isfinite

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.stats.pair_process import PairProcess


def run(
    pairs: list[tuple[float, float]], *, ratio: float = 1.0, lower_is_worse: bool = False, confirm_ticks: int = 2
) -> PairProcess:
    process = PairProcess()
    for canary, stable in pairs:
        process = process.plus(
            canary,
            stable,
            ratio=ratio,
            threshold=20.0,
            lower_is_worse=lower_is_worse,
            confirm_ticks=confirm_ticks,
        )
    return process


@pytest.mark.parametrize("ratio", [1.0, 1.2])
@pytest.mark.parametrize("lower_is_worse", [True, False])
def test_no_block_is_expected_to_gain_where_the_sides_could_be_exchanged(ratio: float, lower_is_worse: bool) -> None:
    """All ways to exchange the sides in three of the blocks that follow a past."""
    past = [(10.0, 9.0), (11.0, 12.0), (13.0, 9.0), (8.0, 8.5)] * 2
    coming = [(10.5, 7.0), (9.0, 9.5), (40.0, 1.0)]
    before = run(past, ratio=ratio, lower_is_worse=lower_is_worse)
    length = before.block_length
    whole = run([*past, *past[: (length - before.block.ticks) % length]], ratio=ratio, lower_is_worse=lower_is_worse)
    assert whole.block.ticks == 0

    def after(exchanged: tuple[bool, ...]) -> float:
        process = whole
        for (left, right), swap in zip(coming, exchanged, strict=True):
            # The autocorrelation of stable would change the length of the blocks to come: a block stays one here.
            for _ in range(process.block_length):
                canary, stable = (right, left) if swap else (left, right)
                process = process.plus(
                    canary,
                    stable,
                    ratio=ratio,
                    threshold=1e9,
                    confirm_ticks=1,
                    lower_is_worse=lower_is_worse,
                )
        return process.evidence

    values = [after(each) for each in product([False, True], repeat=len(coming))]
    assert np.mean(values) <= whole.evidence * (1 + 1e-12)
    assert max(values) > whole.evidence


def series(rng: np.random.Generator, ticks: int, correlation: float) -> list[float]:
    noise = rng.standard_normal(ticks + 30)
    value, values = 0.0, []
    for each in noise:
        value = correlation * value + (1 - correlation**2) ** 0.5 * each
        values.append(100.0 + 5.0 * value)
    return values[30:]


def reached(correlation: float, shift: float, runs: int, ratio: float = 1.0) -> float:
    """Share of runs of an hour that reach 20, with half an hour of stable before."""
    rng, hits = np.random.default_rng(4), 0
    for _ in range(runs):
        process = PairProcess()
        stable, canary = series(rng, 180, correlation), series(rng, 120, correlation)
        for value in stable[:60]:
            process = process.learn(value)
        for ours, theirs in zip(canary, stable[60:], strict=True):
            process = process.plus(ours + shift, theirs, ratio=ratio, threshold=20.0)
        hits += process.capital.reached(20.0)
    return hits / runs


@pytest.mark.parametrize(
    ("correlation", "shift", "ratio", "least", "most"),
    [
        # 60 runs each: Monte-Carlo error at .05 is .028. Simulated with 500 runs: .028, .024, .004.
        (0.0, 0.0, 1.0, 0.0, 0.05 + 3 * 0.028),
        (0.5, 0.0, 1.0, 0.0, 0.05 + 3 * 0.028),
        (0.8, 0.0, 1.0, 0.0, 0.05 + 3 * 0.028),
        # A tenth more is accepted, a tenth above that is not; simulated .043 and 1.00.
        (0.5, 10.0, 1.1, 0.0, 0.05 + 3 * 0.028),
        (0.5, 20.0, 1.1, 0.95, 1.0),
        (0.0, 5.0, 1.0, 0.95, 1.0),
    ],
)
def test_only_a_worse_canary_is_accused(
    correlation: float, shift: float, ratio: float, least: float, most: float
) -> None:
    assert least <= reached(correlation, shift, 60, ratio) <= most


def test_either_way_can_be_worse() -> None:
    rng = np.random.default_rng(2)
    pairs = [(float(90 + rng.normal()), float(100 + rng.normal())) for _ in range(60)]
    assert run(pairs, lower_is_worse=True).capital.reached(20.0)
    assert run([(-canary, -stable) for canary, stable in pairs]).capital.reached(20.0)
    assert run(pairs).evidence < 1.0


def test_one_wild_value_does_not_blind_for_what_follows() -> None:
    rng = np.random.default_rng(2)
    steady = [(float(110 + rng.normal()), float(100 + rng.normal())) for _ in range(60)]
    assert run([*steady[:6], (-1e300, 100.0), *steady]).capital.reached(20.0)


def test_the_effect_is_relative_and_has_an_error() -> None:
    rng = np.random.default_rng(2)
    pairs = [(float(110 + rng.normal()), float(100 + rng.normal())) for _ in range(80)]
    higher, lower = run(pairs), run(pairs, lower_is_worse=True)
    assert higher.effect == pytest.approx(0.1, abs=0.005)
    assert lower.effect == pytest.approx(-0.1, abs=0.005)
    assert higher.effect_standard_error == pytest.approx(0.0025, rel=0.5)
    assert (PairProcess().effect, PairProcess().effect_standard_error) == (None, None)


@pytest.mark.parametrize(("correlation", "low", "high"), [(0.0, 2, 3), (0.5, 5, 7), (0.8, 14, 22), (0.99, 30, 38)])
def test_blocks_are_as_long_as_stable_remembers(correlation: float, low: int, high: int) -> None:
    process = PairProcess()
    for value in series(np.random.default_rng(1), 2_000, correlation):
        process = process.learn(value)
    assert low <= process.block_length <= high


@pytest.mark.parametrize("canary", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_no_tick(canary: float) -> None:
    before = run([(1.0, 2.0)] * 3)
    assert before.plus(canary, 1.0, ratio=1.0, threshold=20.0) is before
    assert before.plus(1.0, canary, ratio=1.0, threshold=20.0) is before


EXTREMES = st.sampled_from([0.0, 1.0, -1.0, 1e300, -1e300, 1e-300, 5e-324, 1.7e308, 42.0])


@settings(max_examples=40)
@given(st.lists(st.tuples(EXTREMES, EXTREMES), max_size=80), st.booleans())
def test_any_values_give_a_finite_number(pairs: list[tuple[float, float]], lower_is_worse: bool) -> None:
    process = run(pairs, ratio=1.5, lower_is_worse=lower_is_worse)
    assert 0.0 < process.evidence <= 20.0 + 1e-9
    for each in (process.effect, process.effect_standard_error, process.scale):
        assert each is None or isfinite(each)


@pytest.mark.parametrize("value", [0.0, 7.0, -1e300])
def test_equal_constants_say_nothing(value: float) -> None:
    assert run([(value, value)] * 200).evidence == pytest.approx(1.0)


@pytest.mark.parametrize("quiet", [50, 600, 1_200])
def test_money_for_a_late_change_never_runs_out(quiet: int) -> None:
    before = [(1.0, 1.0)] * quiet
    assert run(before, ratio=1.1).evidence < 20.0 - 1e-9
    assert run([*before, *[(2.0, 1.0)] * 80], ratio=1.1).evidence >= 20.0 - 1e-9
