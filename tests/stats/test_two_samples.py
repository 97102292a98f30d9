"""Canary's and stable's buckets: never expected to gain where both draw alike, quick where they do not."""

from collections.abc import Sequence
from itertools import combinations, product
from math import factorial, isfinite, prod

import numpy as np
import pytest

from serinus.stats.capital import Capital
from serinus.stats.starts import start_mass
from serinus.stats.two_samples import CONCENTRATIONS, RECENT_CONCENTRATIONS, TwoSamples, log_factors
from support.histograms import shifted, ways

Counts = tuple[int, ...]


def chance(counts: Counts, law: Sequence[float]) -> float:
    many = factorial(sum(counts)) / prod(map(factorial, counts))
    return many * prod(share**count for share, count in zip(law, counts, strict=True))


def betting(capital: Capital, size: int = 3) -> TwoSamples:
    """A process with a past that says that the canary prefers the first bucket."""
    return TwoSamples(
        canary=(9, 3, 1, *(0,) * (size - 3)),
        stable=(10, 30, 20, *(0,) * (size - 3)),
        recent=(4.0, 1.0, 1.0, *(0.0,) * (size - 3)),
        capital=capital,
    )


BETS = len(TwoSamples().capital.parts)
SPREAD = Capital(parts=(0.9 / BETS,) * BETS, cash=0.1)
LAWS = [(1 / 3, 1 / 3, 1 / 3), (0.7, 0.2, 0.1), (0.05, 0.05, 0.9), (1.0, 0.0, 0.0), (0.5, 0.0, 0.5)]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("n_c", "n_s"), [(1, 1), (2, 4), (5, 2)])
@pytest.mark.parametrize("ordered", [True, False])
def test_no_tick_is_expected_to_gain_where_both_draw_alike(
    law: tuple[float, ...], n_c: int, n_s: int, ordered: bool
) -> None:
    before = betting(SPREAD)
    expected = sum(
        chance(canary, law)
        * chance(stable, law)
        * before.plus(canary, stable, start=0.05, threshold=1e9, confirm_ticks=1, ordered=ordered).evidence
        for canary, stable in product(ways(n_c, 3), ways(n_s, 3))
    )
    assert expected <= before.evidence * (1 + 1e-12)


@pytest.mark.parametrize("law", LAWS)
def test_clusters_that_fall_alike_gain_nothing_once_they_are_allowed_for(law: tuple[float, ...]) -> None:
    before = betting(SPREAD)

    def expected(dispersion: float) -> float:
        return sum(
            chance(canary, law)
            * chance(stable, law)
            * before.plus(
                tuple(2 * each for each in canary),
                tuple(2 * each for each in stable),
                start=0.0,
                threshold=1e9,
                confirm_ticks=1,
                dispersion=dispersion,
            ).evidence
            for canary, stable in product(ways(3, 3), ways(4, 3))
        )

    assert expected(2.0) <= before.evidence * (1 + 1e-12)
    if min(law) > 0.1:
        assert expected(1.0) > before.evidence


@pytest.mark.parametrize("n_c", [2, 3, 5])
@pytest.mark.parametrize("pool", [(0, 0, 1, 1, 1, 2, 2), (0, 0, 0, 1, 1, 1, 1), (0, 1, 1, 1, 1, 1, 2)])
def test_the_first_tick_gains_nothing_when_requests_are_dealt_out_at_random(pool: tuple[int, ...], n_c: int) -> None:
    before = TwoSamples(capital=SPREAD)

    def dealt(mine: tuple[int, ...]) -> float:
        canary = np.bincount([pool[index] for index in mine], minlength=3)
        stable = np.bincount(pool, minlength=3) - canary
        return before.plus(canary.tolist(), stable.tolist(), start=0.0, threshold=1e9, confirm_ticks=1).evidence

    hands = [dealt(mine) for mine in combinations(range(len(pool)), n_c)]
    assert np.mean(hands) <= before.evidence * (1 + 1e-12)
    assert min(hands) < max(hands)


@pytest.mark.parametrize(
    ("canary", "stable", "per_block", "evidence"),
    [
        ("1010001", "1011101", 1, 1.0955046),
        ("2212022", "1011101", 2, 0.0853178),
        ("1111110111", "0010100000", 1, 11.1502949),
    ],
)
def test_factors_agree_with_the_published_two_sample_test(
    canary: str, stable: str, per_block: int, evidence: float
) -> None:
    """Values of safestats' pilot data (Turner, Ly and Gruenwald), priors Beta(.18, .18), by its own formulas."""
    seen_c, seen_s, total = np.full(2, 0.18), np.full(2, 0.18), 0.0
    for bad_c, bad_s in zip(map(int, canary), map(int, stable), strict=True):
        new_c, new_s = np.array([per_block - bad_c, bad_c], float), np.array([1 - bad_s, bad_s], float)
        bet = np.log(seen_c / seen_c.sum()) - np.log(seen_s / seen_s.sum())
        total += log_factors(bet[None, :], new_c, new_s)[0]
        seen_c, seen_s = seen_c + new_c, seen_s + new_s
    assert np.exp(total) == pytest.approx(evidence, rel=1e-6)


def test_two_ticks_at_least_reach_the_threshold() -> None:
    samples = TwoSamples.after((10_000, 10_000, 10_000)).plus(
        (0, 0, 1_000), (3_000, 3_000, 3_000), start=0.5, threshold=20.0
    )
    assert samples.evidence == pytest.approx(20**0.5)
    again = samples.plus((0, 0, 1_000), (3_000, 3_000, 3_000), start=0.0, threshold=20.0)
    assert again.capital.reached(20.0)
    healed = again.plus((1_000, 1_000, 1_000), (3_000, 3_000, 3_000), start=0.0, threshold=20.0)
    assert healed.evidence == again.evidence
    assert healed.canary == (1_000, 1_000, 3_000)


@pytest.mark.parametrize(("canary", "stable"), [((0, 0), (5, 5)), ((5, 5), (0, 0)), ((0, 0), (0, 0))])
def test_a_tick_with_one_side_leaves_the_evidence(canary: Counts, stable: Counts) -> None:
    before = TwoSamples.after((50, 50)).plus((9, 1), (50, 50), start=0.5, threshold=20.0)
    after = before.plus(canary, stable, start=0.5, threshold=20.0)
    assert after.capital == before.capital
    assert after.stable == tuple(map(sum, zip(before.stable, stable, strict=True)))


def test_a_tick_larger_than_all_the_past_is_not_staked_on_it() -> None:
    """Twelve of twenty are no reason to bet on 60 % of the twenty thousand that come with the next weight."""
    before = TwoSamples(canary=(12, 8), stable=(500, 500), recent=(12.0, 8.0), capital=SPREAD)
    after = before.plus((10_000, 10_000), (90_000, 90_000), start=0.0, threshold=1e9)
    learnt = len(CONCENTRATIONS) + len(RECENT_CONCENTRATIONS)
    assert sum(after.capital.parts[:learnt]) > 0.9 * sum(before.capital.parts[:learnt])


def test_a_category_that_stable_never_had_is_found() -> None:
    samples = TwoSamples()
    for tick in range(20):
        samples = samples.plus(
            (5, 4, 1) if tick else (5, 5), (50, 50), start=0.5 if tick == 0 else 0.0, threshold=20.0, ordered=False
        )
    assert samples.canary == (100, 81, 19)
    assert samples.stable == (1_000, 1_000, 0)
    assert samples.capital.reached(20.0)


def test_categories_are_bet_on_alike_in_any_order() -> None:
    def judged(order: list[int]) -> float:
        samples = TwoSamples()
        for tick in range(5):
            canary, stable = np.array([7, 9, 2, 4]), np.array([40, 90, 11, 23 + tick])
            samples = samples.plus(
                canary[order].tolist(), stable[order].tolist(), start=0.2, threshold=1e6, ordered=False
            )
        return samples.evidence

    assert judged([3, 1, 0, 2]) == pytest.approx(judged([0, 1, 2, 3]))


def found(law: Sequence[float], *, late: int = 0, ticks: int = 20, runs: int, canary: int, ordered: bool = True) -> int:
    """Of so many rollouts at 10 % weight, how many are found; ``canary`` observations on 20 ticks."""
    rng = np.random.default_rng(11)
    level = np.full(len(law), 1.0 / len(law))
    hits = 0
    for _ in range(runs):
        samples = TwoSamples.after(rng.multinomial(27 * canary, level).tolist())
        for tick in range(ticks):
            n_c, n_s = rng.poisson(canary / 20), rng.poisson(9 * canary / 20)
            samples = samples.plus(
                rng.multinomial(n_c, law if tick >= late else level).tolist(),
                rng.multinomial(n_s, level).tolist(),
                start=start_mass(ticks_before=tick, new_step=tick == 0, steps=1),
                threshold=20.0,
                ordered=ordered,
            )
        hits += samples.capital.reached(20.0)
    return hits


@pytest.mark.parametrize(
    ("distance", "canary", "least", "most"),
    [
        # 200 runs at 5 %: at most 19 with probability 0.995; simulated .01.
        (0.0, 200, 0, 19),
        # 60 runs each; simulated .52, .99, .78 (Monte-Carlo errors .065, .013, .054).
        (0.5, 50, 20, 60),
        (0.5, 200, 56, 60),
        (0.3, 200, 36, 60),
    ],
)
def test_shifts_are_found_and_their_absence_is_not(distance: float, canary: int, least: int, most: int) -> None:
    assert least <= found(shifted(distance), runs=200 if distance == 0.0 else 60, canary=canary) <= most


def test_one_category_that_changes_late_is_found_by_the_recent_counts() -> None:
    """Within 12 ticks of a change after 100; simulated: all of 60 with recent counts, 93 of 100 within 20 without."""
    law = [0.8 / 9] * 10
    law[4] = 0.2
    assert found(law, late=100, ticks=112, runs=12, canary=2_000, ordered=False) >= 11


@pytest.mark.parametrize("buckets", [1, 2, 10, 200])
@pytest.mark.parametrize("ordered", [True, False])
def test_any_counts_give_a_finite_number(buckets: int, ordered: bool) -> None:
    rng = np.random.default_rng(buckets)
    for _ in range(60):
        samples = TwoSamples()
        for tick in range(4):
            canary, stable = rng.choice([0, 0, 1, 2, 50, 10**9], size=(2, buckets)).tolist()
            samples = samples.plus(canary, stable, start=0.3 if tick == 0 else 0.01, threshold=20.0, ordered=ordered)
            assert 0.0 < samples.evidence <= 20.0 + 1e-9
            assert all(map(isfinite, samples.capital.parts))
        assert len(samples.canary) == len(samples.stable) == len(samples.recent) == buckets
