"""The population stability index: its bias is gone, its error is right, small buckets are merged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.errors import BrokenInvariant
from serinus.stats.population_stability import groups, merge, stability
from support.histograms import shifted


def test_what_chance_gives_is_subtracted() -> None:
    """At 50 against 10,000 over 10 buckets chance alone gives 0.1809 (Yurdakul 2018)."""
    same = stability([5] * 10, [1_000] * 10)
    assert same is not None
    assert same.estimate == pytest.approx(-0.1809)
    assert same.standard_error == pytest.approx((2 * 9) ** 0.5 * (1 / 50 + 1 / 10_000))


def test_a_large_sample_has_the_plain_index() -> None:
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.3, 0.3, 0.4])
    plain = float(((p - q) * np.log(p / q)).sum())
    far = stability((p * 10**9).astype(int).tolist(), (q * 10**9).astype(int).tolist())
    assert far is not None
    assert far.estimate == pytest.approx(plain, rel=1e-6)
    assert far.lower == pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize(("distance", "canary"), [(0.0, 200), (0.0, 1_000), (0.5, 200), (0.5, 1_000), (0.3, 5_000)])
def test_estimate_and_error_are_right_over_many_samples(distance: float, canary: int) -> None:
    """400 runs: the Monte-Carlo error of the mean is a twentieth of the standard error, of the scatter 4 %."""
    rng = np.random.default_rng(3)
    level, law = np.array(shifted(0.0)), np.array(shifted(distance))
    runs = [
        stability(rng.multinomial(canary, law).tolist(), rng.multinomial(10_000, level).tolist()) for _ in range(400)
    ]
    estimates = np.array([each.estimate for each in runs if each is not None])
    errors = np.array([each.standard_error for each in runs if each is not None])
    index = float(((law - level) * np.log(law / level)).sum())
    assert estimates.mean() == pytest.approx(index, abs=0.35 * errors.mean())
    assert estimates.std() == pytest.approx(errors.mean(), rel=0.2)


@pytest.mark.parametrize(("canary", "stable"), [((), ()), ((0, 0), (5, 5)), ((5, 5), (0, 0))])
def test_an_empty_side_has_no_distance(canary: tuple[int, ...], stable: tuple[int, ...]) -> None:
    assert stability(canary, stable) is None


def test_a_category_of_one_side_counts_and_one_of_none_does_not() -> None:
    assert stability((500, 500, 90), (900, 900)) == stability((500, 500, 90), (900, 900, 0))
    assert stability((500, 500, 0), (900, 900, 0)) == stability((500, 500), (900, 900))
    fresh, same = stability((500, 500, 90), (900, 900)), stability((500, 500), (900, 900))
    assert fresh is not None
    assert same is not None
    assert fresh.lower > 0.1 > same.estimate


@pytest.mark.parametrize(
    ("baseline", "runs"),
    [
        ((50, 50), ((0, 1), (1, 2))),
        ((1, 1, 48, 50), ((0, 2), (2, 3), (3, 4))),
        ((50, 48, 1, 1), ((0, 1), (1, 2), (2, 4))),
        ((50, 49, 1, 0), ((0, 1), (1, 4))),
        ((100, 0, 0), ((0, 3),)),
        ((0, 0, 0), ((0, 3),)),
        ((), ()),
    ],
)
def test_small_buckets_join_their_neighbours(baseline: tuple[int, ...], runs: tuple[tuple[int, int], ...]) -> None:
    assert groups(baseline) == runs


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200))
def test_merging_keeps_every_count_and_leaves_no_small_bucket(baseline: list[int]) -> None:
    runs = groups(baseline)
    merged = merge(baseline, runs)
    assert sum(merged) == sum(baseline)
    assert [first for first, _ in runs] == [0, *(last for _, last in runs[:-1])]
    assert min(merged) >= 0.02 * sum(baseline)


def test_runs_of_another_histogram_are_our_bug() -> None:
    with pytest.raises(BrokenInvariant):
        merge((1, 2, 3), groups((1, 2)))
