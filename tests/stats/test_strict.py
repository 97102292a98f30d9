import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from serinus.stats.capital import Capital, cap_per_tick
from serinus.stats.counts import Counts
from serinus.stats.margin_test import History
from serinus.stats.strict import ODDS, advance, fresh

PAST = History(total=1_000.0, bad=10.0)


def counts(canary_bad: int, canary_total: int, stable_bad: int, stable_total: int) -> Counts:
    return Counts(canary_total=canary_total, canary_bad=canary_bad, stable_total=stable_total, stable_bad=stable_bad)


@settings(max_examples=50)
@given(
    n_c=st.integers(1, 10),
    n_s=st.integers(1, 10),
    p_s=st.floats(0, 0.9).map(lambda rate: round(rate, 6)),
    below=st.floats(0, 1).map(lambda share: round(share, 6)),
    past=st.floats(0, 1),
    margin=st.floats(0.001, 0.5),
    dispersion=st.sampled_from([1.0, 3.0]),
    threshold=st.sampled_from([20.0, 1e6]),
)
def test_no_tick_is_expected_to_gain_under_the_null(
    n_c: int, n_s: int, p_s: float, below: float, past: float, margin: float, dispersion: float, threshold: float
) -> None:
    """Exact enumeration: whatever the past rate, on the boundary (below = 0) and anywhere behind it."""
    boundary = p_s + margin
    assume(boundary <= 1)
    p_c = boundary * (1 - below)
    history = History(total=100.0, bad=100.0 * past)
    before = Capital(parts=(0.5, 0.2, 0.1, 0.0, 0.05, 0.01), cash=0.3)
    mean = 0.0
    for x_c in range(n_c + 1):
        for x_s in range(n_s + 1):
            after = advance(
                before,
                counts(x_c, n_c, x_s, n_s),
                history,
                margin=margin,
                start=0.1,
                threshold=threshold,
                dispersion=dispersion,
            )
            mean += binom.pmf(x_c, n_c, p_c) * binom.pmf(x_s, n_s, p_s) * after.value
    assert mean <= before.value + 1e-9


def ticks_until(canary_share: float, *, margin: float, ticks: int = 400, seed: int = 3) -> int | None:
    rng = np.random.default_rng(seed)
    capital, history = fresh(), PAST
    for tick in range(ticks):
        seen = counts(int(rng.binomial(150, canary_share)), 150, int(rng.binomial(150, 0.01)), 150)
        start = 0.5 if tick == 0 else 0.2 / 240
        capital = advance(capital, seen, history, margin=margin, start=start, threshold=20.0)
        history = history.plus(seen)
        if capital.reached(20.0):
            return tick + 1
    return None


def test_an_excess_within_the_margin_is_not_accused_and_a_larger_one_is() -> None:
    assert [ticks_until(0.015, margin=0.01, seed=seed) for seed in range(8)] == [None] * 8
    found = [ticks_until(0.05, margin=0.005, seed=seed) for seed in range(8)]
    assert all(each is not None and 2 <= each <= 8 for each in found)


def test_one_tick_never_decides_alone() -> None:
    capital = advance(fresh(), counts(500, 500, 0, 500), PAST, margin=0.005, start=0.5, threshold=20.0)
    assert capital.value == pytest.approx(cap_per_tick(1.0, 20.0, 2))
    capital = advance(capital, counts(500, 500, 0, 500), PAST, margin=0.005, start=0.0, threshold=20.0)
    assert capital.value == pytest.approx(20.0)


def test_without_a_history_the_stake_is_put_down_but_not_played() -> None:
    capital = advance(fresh(), counts(500, 500, 0, 500), History(), margin=0.005, start=0.5, threshold=20.0)
    assert capital.value == pytest.approx(1.0)
    assert capital.cash == pytest.approx(0.5)


def test_clusters_that_fare_alike_tell_as_much_as_one_request_of_each() -> None:
    one = advance(fresh(), counts(3, 20, 1, 80), PAST, margin=0.01, start=0.5, threshold=1e9)
    five = advance(fresh(), counts(15, 100, 5, 400), PAST, margin=0.01, start=0.5, threshold=1e9, dispersion=5.0)
    assert five.parts == pytest.approx(one.parts)


@pytest.mark.parametrize("tick", [Counts(canary_total=9, canary_bad=9), Counts(stable_total=9)])
def test_a_side_without_requests_changes_nothing(tick: Counts) -> None:
    before = Capital(parts=(0.3,) * len(ODDS), cash=0.4)
    assert advance(before, tick, PAST, margin=0.01, start=0.1, threshold=20.0) is before


@given(
    n_c=st.integers(1, 10**9),
    n_s=st.integers(1, 10**9),
    c=st.floats(0, 1),
    s=st.floats(0, 1),
    past=st.floats(0, 1),
    margin=st.floats(0, 1),
)
def test_always_finite(n_c: int, n_s: int, c: float, s: float, past: float, margin: float) -> None:
    tick = counts(int(n_c * c), n_c, int(n_s * s), n_s)
    capital = fresh()
    for _ in range(3):
        history = History(total=5.0, bad=5.0 * past)
        capital = advance(capital, tick, history, margin=margin, start=0.3, threshold=20.0)
    assert all(np.isfinite(part) and part >= 0 for part in (*capital.parts, capital.cash))
    assert capital.value <= 20.0 + 1e-9


def test_bets_are_multiples_of_the_odds_at_the_margin() -> None:
    """A tick by hand: rates of the bet from stable's past 1 %, and of the null from the published projection's rule."""
    tick = counts(2, 40, 1, 160)
    capital = advance(fresh(), tick, PAST, margin=0.02, start=0.6, threshold=1e9)
    for part, odds in zip(capital.parts, ODDS, strict=True):
        bet = odds * 0.03 / (0.97 + odds * 0.03)
        line = np.linspace(1e-6, 0.97, 400_001)
        weighed = 40 * (bet * np.log(line + 0.02) + (1 - bet) * np.log(0.98 - line)) + 160 * (
            0.01 * np.log(line) + 0.99 * np.log(1 - line)
        )
        null = line[weighed.argmax()]
        ratio = (
            binom.pmf(2, 40, bet) / binom.pmf(2, 40, null + 0.02) * binom.pmf(1, 160, 0.01) / binom.pmf(1, 160, null)
        )
        assert part == pytest.approx(0.1 * ratio, rel=1e-3)
