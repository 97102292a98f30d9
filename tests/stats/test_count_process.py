from collections.abc import Sequence
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom, nchypergeom_fisher

from serinus.stats import count_process
from serinus.stats.capital import Capital, cap_per_tick
from serinus.stats.count_process import MIXTURE, Mixture, advance, fresh, log_likelihood_ratios
from serinus.stats.counts import Counts
from serinus.stats.hypergeometric import Margins
from serinus.stats.starts import start_mass

FOUR = Mixture(odds=(1.7, 3.0, 8.0, 40.0), shares=(0.25,) * 4)
STARTS = (0.5, 0.1, 0.1, 0.1)
# canary bad, canary total, stable bad, stable total
ORACLE = ((2, 10, 1, 90), (0, 12, 2, 88), (1, 9, 0, 95), (3, 11, 1, 91))


def counts(canary_bad: int, canary_total: int, stable_bad: int, stable_total: int) -> Counts:
    return Counts(canary_total=canary_total, canary_bad=canary_bad, stable_total=stable_total, stable_bad=stable_bad)


def run(
    ticks: Sequence[tuple[int, int, int, int]],
    *,
    threshold: float = 20.0,
    confirm_ticks: int = 2,
    mixture: Mixture = MIXTURE,
    dispersion: float = 1.0,
) -> list[float]:
    capital, values = fresh(mixture), []
    for index, tick in enumerate(ticks):
        start = STARTS[index] if index < len(STARTS) else 0.0
        capital = advance(
            capital,
            counts(*tick),
            start=start,
            threshold=threshold,
            confirm_ticks=confirm_ticks,
            mixture=mixture,
            dispersion=dispersion,
        )
        values.append(capital.value)
    return values


@pytest.mark.parametrize(
    ("alpha", "values"),
    [(0.05, (4.472136, 2.259799, 7.707301, 20.0)), (0.01, (5.559304, 2.512257, 8.618374, 86.183739))],
)
def test_published_numbers(alpha: float, values: tuple[float, ...]) -> None:
    assert run(ORACLE, threshold=1 / alpha, mixture=FOUR) == pytest.approx(values, abs=1e-6)


def test_published_numbers_of_tempered_evidence() -> None:
    values = (1.944718, 1.214013, 2.043039, 9.136749)
    assert run(ORACLE, mixture=FOUR, dispersion=2.0) == pytest.approx(values, abs=1e-6)


def test_published_numbers_without_boost_and_cap() -> None:
    parts, cash, values = np.zeros(4), 1.0, []
    for start, tick in zip(STARTS, ORACLE, strict=True):
        parts, cash = parts + start / 4, cash - start
        parts = parts * np.exp(log_likelihood_ratios(counts(*tick), FOUR.odds))
        values.append(parts.sum() + cash)
    assert values == pytest.approx((5.193214, 1.703166, 5.531390, 285.424635), abs=1e-6)


def test_likelihood_ratios_of_one_tick() -> None:
    ratios = np.exp(log_likelihood_ratios(counts(*ORACLE[0]), FOUR.odds))
    assert ratios == pytest.approx((2.361848, 5.247728, 13.643411, 16.292725), abs=1e-6)
    null = hypergeom(100, 3, 10).pmf(2)
    assert null == pytest.approx(0.02504638, abs=1e-8)
    theirs = [nchypergeom_fisher(100, 3, 10, odds).pmf(2) / null for odds in FOUR.odds]
    assert ratios == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize(("odds", "mean"), [(1.0, 0.67), (0.8, 0.614126)])
def test_one_step_is_exact(odds: float, mean: float) -> None:
    """The expectation after a tick is the capital before it: exactly so if equal, less if the canary is better."""
    before = Capital(parts=(0.2, 0.1, 0.05, 0.02), cash=0.3)
    law = nchypergeom_fisher(200, 5, 40, odds)
    after = sum(
        law.pmf(x) * advance(before, counts(x, 40, 5 - x, 160), start=0.0, threshold=20.0, mixture=FOUR).value
        for x in range(6)
    )
    assert after == pytest.approx(mean, abs=1e-6)


@settings(max_examples=80)
@given(
    canary=st.integers(1, 12),
    stable=st.integers(1, 30),
    bad=st.integers(1, 30),
    parts=st.lists(st.floats(0, 1), min_size=len(MIXTURE.odds), max_size=len(MIXTURE.odds)),
    cash=st.floats(0, 1),
    start=st.floats(0, 0.8),
    threshold=st.sampled_from([2.0, 20.0, 1000.0]),
    confirm_ticks=st.integers(1, 3),
    null_odds=st.sampled_from([1.0, 1.4, 5.0]),
    better=st.sampled_from([1.0, 0.6]),
    dispersion=st.sampled_from([1.0, 1.25, 8.0]),
)
def test_no_tick_is_expected_to_gain(
    canary: int,
    stable: int,
    bad: int,
    parts: list[float],
    cash: float,
    start: float,
    threshold: float,
    confirm_ticks: int,
    null_odds: float,
    better: float,
    dispersion: float,
) -> None:
    """Exact enumeration, with the canary's odds at the null's and below it."""
    bad = min(bad, canary + stable)
    before = Capital(parts=tuple(parts), cash=cash)
    outcomes = np.arange(max(0, bad - stable), min(bad, canary) + 1)
    weights = [comb(canary, x) * comb(stable, bad - x) * (null_odds * better) ** x for x in map(int, outcomes)]
    after = 0.0
    for x, weight in zip(map(int, outcomes), weights, strict=True):
        grown = advance(
            before,
            counts(x, canary, bad - x, stable),
            start=start,
            threshold=threshold,
            confirm_ticks=confirm_ticks,
            null_odds=null_odds,
            dispersion=dispersion,
        )
        if not before.reached(threshold):
            assert grown.value <= cap_per_tick(before.value, threshold, confirm_ticks) * (1 + 1e-9)
        after += weight / sum(weights) * grown.value
    assert after <= before.value * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("factor", [2, 5, 20])
@pytest.mark.parametrize("tick", [*ORACLE, (20, 100, 10, 900)])
def test_clusters_that_fare_alike_tell_as_much_as_one_request_of_each(
    tick: tuple[int, int, int, int], factor: int
) -> None:
    """But for the correction for a finite population, which is not exactly that of the clusters."""
    plain = log_likelihood_ratios(counts(*tick), FOUR.odds)
    many = log_likelihood_ratios(counts(*(factor * each for each in tick)), FOUR.odds) / factor
    assert (abs(many - plain) <= (0.001, 0.006, 0.03, 0.12)).all()


def test_splitting_a_tick_does_not_bias_the_evidence() -> None:
    """The same requests in one block or in five: equal in the mean of the log (standard error 0.02)."""
    rng = np.random.default_rng(11)
    gaps = []
    for _ in range(200):
        fine = [(int(rng.binomial(20, 0.03)), 20, int(rng.binomial(180, 0.01)), 180) for _ in range(20)]
        coarse = [tuple(map(sum, zip(*fine[at : at + 5], strict=True))) for at in range(0, 20, 5)]
        ends = [run(ticks, threshold=1e9, confirm_ticks=1, mixture=FOUR)[-1] for ticks in (fine, coarse)]
        gaps.append(np.log(ends[0]) - np.log(ends[1]))
    assert np.mean(gaps) == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("tick", [(0, 0, 3, 90), (2, 10, 0, 0), (0, 0, 0, 0)])
def test_a_side_without_requests_changes_nothing(tick: tuple[int, int, int, int]) -> None:
    before = Capital(parts=(0.3,) * len(MIXTURE.odds), cash=0.4)
    assert advance(before, counts(*tick), start=0.1, threshold=20.0) is before


@pytest.mark.parametrize("tick", [(0, 10, 0, 90), (10, 10, 90, 90)])
def test_ticks_that_cannot_tell_the_sides_apart_leave_the_value(tick: tuple[int, int, int, int]) -> None:
    after = advance(Capital(parts=(0.3,) * len(MIXTURE.odds), cash=0.4), counts(*tick), start=0.1, threshold=20.0)
    assert after.value == pytest.approx(0.3 * len(MIXTURE.odds) + 0.4)
    assert after.cash == pytest.approx(0.3)


@given(canary=st.integers(1, 60), stable=st.integers(1, 60), x_c=st.integers(0, 60), x_s=st.integers(0, 60))
def test_swapping_the_sides_turns_the_odds_over(canary: int, stable: int, x_c: int, x_s: int) -> None:
    x_c, x_s = min(x_c, canary), min(x_s, stable)
    here = log_likelihood_ratios(counts(x_c, canary, x_s, stable), (3.0,))
    there = log_likelihood_ratios(counts(x_s, stable, x_c, canary), (1 / 3.0,))
    assert here == pytest.approx(there, abs=1e-9)


@settings(max_examples=60)
@given(canary=st.integers(1, 200), stable=st.integers(2, 2000), x_c=st.integers(0, 200), x_s=st.integers(0, 1999))
def test_errors_of_stable_never_accuse_the_canary(canary: int, stable: int, x_c: int, x_s: int) -> None:
    x_c, x_s = min(x_c, canary), min(x_s, stable - 1)
    fewer = log_likelihood_ratios(counts(x_c, canary, x_s, stable), MIXTURE.odds)
    more = log_likelihood_ratios(counts(x_c, canary, x_s + 1, stable), MIXTURE.odds)
    assert (more <= fewer + 1e-9).all()


@given(order=st.permutations(ORACLE))
def test_without_boost_and_cap_the_order_of_ticks_does_not_matter(order: list[tuple[int, int, int, int]]) -> None:
    summed = sum(log_likelihood_ratios(counts(*tick), FOUR.odds) for tick in order)
    assert summed == pytest.approx(sum(log_likelihood_ratios(counts(*tick), FOUR.odds) for tick in ORACLE))


@pytest.mark.parametrize("confirm_ticks", [1, 2, 3, 5])
def test_no_fewer_ticks_than_asked_for_reach_the_threshold(confirm_ticks: int) -> None:
    values = run([(500, 500, 0, 5000)] * 8, confirm_ticks=confirm_ticks)
    assert next(index for index, value in enumerate(values, 1) if value >= 20 - 1e-9) == confirm_ticks


def test_a_late_change_is_found_because_money_was_kept_back() -> None:
    good, worse = [(0, 50, 5, 450), (1, 50, 4, 450)] * 30, [(6, 50, 5, 450)] * 10
    capital, needed = fresh(), 0
    for index, tick in enumerate(good + worse):
        start = (0.5 if index == 0 else 0.0) + 0.2 / 240
        capital = advance(capital, counts(*tick), start=start, threshold=20.0)
        if capital.reached(20.0):
            needed = index + 1 - len(good)
            break
    all_at_once = run(good + worse)
    assert 2 <= needed <= 6
    assert all_at_once[len(good) + needed - 1] < 20


def test_a_process_that_reached_its_threshold_is_stopped() -> None:
    reached = Capital(parts=(20.0, *(0.0,) * (len(MIXTURE.odds) - 1)), cash=0.0)
    assert advance(reached, counts(0, 100, 50, 100), start=0.1, threshold=20.0) is reached


BIG = 10**9


@pytest.mark.parametrize(
    ("tick", "harm"),
    [
        ((10**6, BIG, 0, BIG), True),
        ((0, BIG, 10**6, BIG), False),
        ((BIG, BIG, BIG, BIG), False),
        ((1, 1, 10**6, BIG), True),
        ((10**6, 10**6, 10**6, BIG), True),
        ((5 * 10**5, BIG, 5 * 10**5, BIG), False),
        ((1_100_000, BIG, 10**6, BIG), True),
        ((10**6, BIG, 10**6, 10**6), False),
        ((100, 100, 0, BIG), True),
        ((3 * 10**8, BIG, 4 * 10**8, BIG), False),
    ],
)
def test_counts_of_any_size_give_finite_numbers(tick: tuple[int, int, int, int], harm: bool) -> None:
    capital = fresh()
    for start in (0.5, 0.2, 0.3):
        capital = advance(capital, counts(*tick), start=start, threshold=20.0)
        assert all(np.isfinite(part) and part >= 0 for part in (*capital.parts, capital.cash))
    assert capital.value == pytest.approx(20.0) if harm else capital.value <= 1 + 1e-9


def test_seven_against_eight_percent_is_found_soon() -> None:
    """The odds ratio is only 1.16: bets on large ones alone need 14 ticks and more."""
    assert max(run([(480, 6_000, 420, 6_000)] * 4)) == pytest.approx(20.0)
    assert max(run([(480, 6_000, 420, 6_000)] * 4, mixture=FOUR)) < 10


def test_module_reads_no_history_beyond_the_capital() -> None:
    once = count_process.advance(fresh(), counts(*ORACLE[0]), start=0.5, threshold=20.0)
    again = count_process.advance(fresh(), counts(*ORACLE[0]), start=0.5, threshold=20.0)
    assert once == again


@settings(max_examples=40)
@given(
    canary=st.integers(1, 10**9),
    stable=st.integers(1, 10**9),
    bad=st.integers(0, 10**9),
    threshold=st.sampled_from([2.0, 20.0, 1e5]),
    dispersion=st.sampled_from([1.0, 30.0]),
)
def test_a_stake_is_shared_out_whole(canary: int, stable: int, bad: int, threshold: float, dispersion: float) -> None:
    shares = MIXTURE.stake(Margins(canary=canary, stable=stable, bad=min(bad, canary)), threshold, dispersion)
    assert shares.sum() == pytest.approx(1.0)
    assert (shares > 0).all()


def test_low_traffic_bets_on_large_odds_and_high_traffic_on_small_ones() -> None:
    low = MIXTURE.stake(Margins(canary=2, stable=28, bad=0), 20.0)
    high = MIXTURE.stake(Margins(canary=6_000, stable=6_000, bad=840), 20.0)
    assert low @ np.log(MIXTURE.odds) > np.log(10)
    assert high @ np.log(MIXTURE.odds) < np.log(2)
    # Where requests come in clusters there is less to be told.
    assert (
        MIXTURE.stake(Margins(canary=300, stable=2_700, bad=30), 20.0, 10.0)[0]
        < 0.5 * MIXTURE.stake(Margins(canary=300, stable=2_700, bad=30), 20.0)[0]
    )


@pytest.mark.random
@pytest.mark.parametrize(
    ("rate", "weight", "base", "bad", "ticks"),
    # Median ticks of 60 rollouts; the bound is 1.6 times what a boundary calibrated to the very cell needs, plus 2.
    [(1, 0.05, 0.01, 0.2, 11.6), (1, 0.5, 0.01, 0.05, 21.2), (10, 0.05, 0.01, 0.05, 11.6), (10, 0.5, 0.01, 0.02, 19.6)],
)
def test_bad_canaries_are_found_nearly_as_fast_as_possible(
    rate: float, weight: float, base: float, bad: float, ticks: float
) -> None:
    rng = np.random.default_rng(21)
    needed = []
    for _ in range(60):
        capital, told, tick = fresh(), 0, 0
        while not capital.reached(20.0) and tick < 120:
            n_c, n_s = int(rng.poisson(rate * weight * 30)), int(rng.poisson(rate * (1 - weight) * 30))
            seen = counts(int(rng.binomial(n_c, bad)), n_c, int(rng.binomial(n_s, base)), n_s)
            start = start_mass(ticks_before=told, new_step=told == 0, steps=1)
            capital = advance(capital, seen, start=start, threshold=20.0)
            told, tick = told + int(seen.compares), tick + 1
        needed.append(tick)
    assert np.median(needed) <= ticks
