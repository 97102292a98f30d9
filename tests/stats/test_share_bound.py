import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from serinus.stats.capital import Capital, cap_per_tick
from serinus.stats.share_bound import ODDS, advance, fresh, log_likelihood_ratios


@settings(max_examples=60)
@given(
    total=st.integers(1, 60),
    bound=st.floats(0.001, 0.9).map(lambda share: round(share, 6)),
    below=st.floats(0, 1),
    parts=st.lists(st.floats(0, 1), min_size=len(ODDS), max_size=len(ODDS)),
    cash=st.floats(0, 1),
    start=st.floats(0, 0.8),
    threshold=st.sampled_from([2.0, 20.0, 1000.0]),
    confirm_ticks=st.integers(1, 3),
    dispersion=st.sampled_from([1.0, 1.25, 6.0]),
)
def test_no_tick_is_expected_to_gain(
    total: int,
    bound: float,
    below: float,
    parts: list[float],
    cash: float,
    start: float,
    threshold: float,
    confirm_ticks: int,
    dispersion: float,
) -> None:
    """Exact enumeration at the bound and at a share below it."""
    before = Capital(parts=tuple(parts), cash=cash)
    after = [
        advance(
            before,
            total=total,
            bad=bad,
            bound=bound,
            start=start,
            threshold=threshold,
            confirm_ticks=confirm_ticks,
            dispersion=dispersion,
        ).value
        for bad in range(total + 1)
    ]
    if not before.reached(threshold):
        assert max(after) <= cap_per_tick(before.value, threshold, confirm_ticks) * (1 + 1e-9)
    for share in (bound, round(bound * below, 6)):
        assert binom.pmf(range(total + 1), total, share) @ after <= before.value * (1 + 1e-9) + 1e-12


def test_the_boost_gives_back_what_the_cap_takes() -> None:
    before = Capital(parts=(0.2, 0.1, 0.05, 0.02), cash=0.3)
    after = [advance(before, total=40, bad=bad, bound=0.1, start=0.0, threshold=20.0).value for bad in range(41)]
    assert max(after) == pytest.approx(cap_per_tick(before.value, 20.0, 2))
    assert binom.pmf(range(41), 40, 0.1) @ after == pytest.approx(before.value, rel=1e-9)


@settings(max_examples=40)
@given(total=st.integers(1, 500), bad=st.integers(0, 500), bound=st.floats(0.001, 0.9))
def test_likelihood_ratios_are_those_of_scipy(total: int, bad: int, bound: float) -> None:
    bad = min(bad, total)
    ours = log_likelihood_ratios(np.array([float(bad)]), total, bound)[:, 0]
    odds = bound / (1 - bound) * np.array(ODDS)
    theirs = binom.logpmf(bad, total, odds / (1 + odds)) - binom.logpmf(bad, total, bound)
    assert ours == pytest.approx(theirs, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize(("share", "reached"), [(0.005, False), (0.05, True), (0.2, True)])
def test_a_share_above_the_bound_is_found(share: float, reached: bool) -> None:
    rng = np.random.default_rng(4)
    capital = fresh()
    for tick in range(20):
        start = 0.5 if tick == 0 else 0.2 / 240
        bad = int(rng.binomial(300, share))
        capital = advance(capital, total=300, bad=bad, bound=0.01, start=start, threshold=20.0)
    assert capital.reached(20.0) is reached


def test_no_requests_and_a_reached_threshold_change_nothing() -> None:
    before = Capital(parts=(0.3,) * len(ODDS), cash=0.4)
    assert advance(before, total=0, bad=0, bound=0.01, start=0.1, threshold=20.0) is before
    reached = Capital(parts=(20.0, 0, 0, 0), cash=0.0)
    assert advance(reached, total=100, bad=0, bound=0.01, start=0.1, threshold=20.0) is reached


@settings(max_examples=30)
@given(
    total=st.integers(1, 10**9), share=st.floats(0, 1), bound=st.floats(0, 1), threshold=st.sampled_from([20.0, 1e5])
)
def test_always_finite(total: int, share: float, bound: float, threshold: float) -> None:
    capital = fresh()
    for _ in range(3):
        capital = advance(capital, total=total, bad=int(total * share), bound=bound, start=0.3, threshold=threshold)
    assert all(np.isfinite(part) and part >= 0 for part in (*capital.parts, capital.cash))
    assert capital.value <= threshold * (1 + 1e-9)


def test_more_bad_requests_than_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="5 of 4"):
        advance(fresh(), total=4, bad=5, bound=0.1, start=0.1, threshold=20.0)
