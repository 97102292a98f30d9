import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.stats.counts import Counts
from serinus.stats.risk_difference import Excess, RiskDifference


def counts(canary_bad: int, canary_total: int, stable_bad: int, stable_total: int) -> Counts:
    return Counts(canary_total=canary_total, canary_bad=canary_bad, stable_total=stable_total, stable_bad=stable_bad)


def test_before_the_first_comparison_nothing_is_known() -> None:
    assert (Excess().estimate, Excess().standard_error, Excess().lower) == (None, None, None)
    assert not RiskDifference().exceeds(0.0)
    assert RiskDifference().plus(counts(0, 0, 1, 9)) == RiskDifference()


def test_one_large_tick_is_the_plain_difference_with_its_binomial_error() -> None:
    excess = Excess().plus(counts(41, 402, 3, 1204))
    p_c, p_s = 41 / 402, 3 / 1204
    assert excess.estimate == pytest.approx(p_c - p_s)
    assert excess.standard_error == pytest.approx(np.sqrt(p_c * (1 - p_c) / 402 + p_s * (1 - p_s) / 1204), rel=0.01)


def test_a_changing_weight_does_not_mix_the_sides_up() -> None:
    """Errors rise on both sides while the canary's share rises: pooled rates would accuse it (5.5 % against 1.9 %)."""
    excess = Excess().plus(counts(10, 1_000, 90, 9_000)).plus(counts(540, 9_000, 60, 1_000))
    assert excess.estimate == pytest.approx(0.0)


def test_the_error_is_right_when_each_tick_has_one_canary_request() -> None:
    rng = np.random.default_rng(5)
    estimates, errors = [], []
    for _ in range(300):
        excess = Excess()
        for canary_bad, stable_bad in zip(rng.binomial(1, 0.1, 60), rng.binomial(4, 0.05, 60), strict=True):
            excess = excess.plus(counts(int(canary_bad), 1, int(stable_bad), 4))
        estimates.append(excess.estimate)
        errors.append(excess.standard_error)
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.12)


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(1, 10**6), st.integers(0, 50), st.integers(1, 10**6)), min_size=1
    )
)
def test_estimate_is_a_difference_of_shares(ticks: list[tuple[int, int, int, int]]) -> None:
    difference = RiskDifference()
    for x_c, n_c, x_s, n_s in ticks:
        difference = difference.plus(counts(min(x_c, n_c), n_c, min(x_s, n_s), n_s))
    for excess in (difference.overall, difference.recent):
        assert excess.estimate is not None
        assert excess.standard_error is not None
        assert -1 - 1e-9 <= excess.estimate <= 1 + 1e-9
        assert np.isfinite(excess.standard_error)


def test_a_late_change_shows_in_the_recent_excess() -> None:
    difference = RiskDifference()
    for _ in range(200):
        difference = difference.plus(counts(1, 100, 4, 400))
    for _ in range(5):
        difference = difference.plus(counts(6, 100, 4, 400))
    assert not difference.overall.lower >= 0.005
    assert difference.leads_recently
    assert difference.exceeds(0.005)
    assert not difference.exceeds(0.05)


def test_recent_ticks_have_a_half_life_of_ten() -> None:
    difference = RiskDifference().plus(counts(10, 100, 0, 100))
    weight = difference.recent.weight
    for _ in range(10):
        difference = difference.plus(counts(0, 100, 0, 100))
    added = 50.0 * sum(0.5 ** (age / 10) for age in range(10))
    assert difference.recent.weight == pytest.approx(weight / 2 + added)
    assert difference.recent.estimate == pytest.approx(10 / 2 / 2 / (25 + added))
