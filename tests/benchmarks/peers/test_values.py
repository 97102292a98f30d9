"""The peers that look at histograms: Evidently's rules and percentiles of latencies."""

from math import nan

import numpy as np
import pytest
from benchmarks.decisions.policy import NEVER, Conditions
from benchmarks.peers.catalogue import FROM_REFERENCE, ON_LATENCIES
from benchmarks.peers.evidently import (
    EVIDENTLY,
    EVIDENTLY_PSI,
    Rule,
    chi_squared,
    default_rule,
    drifted,
    jensen_shannon,
    kolmogorov_smirnov,
    middles,
    psi,
    two_shares,
    wasserstein,
)
from benchmarks.peers.latency import F_P99, histogram_quantile
from scipy.spatial.distance import jensenshannon
from scipy.stats import chisquare, ks_2samp, wasserstein_distance
from statsmodels.stats.proportion import proportions_ztest

# evidentlyai/evidently, tests/stattests/test_stattests.py, test_freq_obs_eq_freq_exp.
REFERENCE, CURRENT = np.array([16, 18, 16, 14, 12, 12]), np.array([16, 16, 16, 16, 16, 8])
EDGES = (0.1, 0.2, 0.4, 0.8)


def draws(seed, size, shares=(0.1, 0.2, 0.3, 0.25, 0.15)):
    return np.random.Generator(np.random.PCG64(seed)).multinomial(size, shares)


class TestEvidently:
    def test_chi_squared_is_its_published_value(self):
        assert chi_squared(REFERENCE, CURRENT) == pytest.approx(0.67309, abs=1e-5)
        assert chi_squared(2 * REFERENCE, CURRENT) == pytest.approx(0.67309, abs=1e-5)

    @pytest.mark.parametrize("seed", range(5))
    def test_statistics_are_scipys_on_rows(self, seed):
        reference, current, values = draws(seed, 700), draws(seed + 100, 90), middles(EDGES)
        rows, live = np.repeat(values, reference), np.repeat(values, current)
        p, q = reference / reference.sum(), current / current.sum()
        assert chi_squared(reference, current) == pytest.approx(chisquare(current, p * current.sum()).pvalue)
        assert kolmogorov_smirnov(reference, current) == pytest.approx(
            ks_2samp(rows, live, method="asymp").pvalue, rel=0.1
        )
        distance = wasserstein_distance(rows, live) / rows.std()
        assert wasserstein(reference, current, values) == pytest.approx(distance, rel=1e-9)
        assert jensen_shannon(reference, current) == pytest.approx(jensenshannon(p, q), rel=1e-9)

    @pytest.mark.parametrize(("reference", "current"), [((300, 700), (40, 60)), ((5, 95), (9, 31)), ((10, 10), (7, 7))])
    def test_two_shares_are_compared_as_statsmodels_does(self, reference, current):
        expected = proportions_ztest([reference[0], current[0]], [sum(reference), sum(current)])[1]
        found = two_shares(np.array([0, *reference]), np.array([0, *current]))
        assert found == pytest.approx(expected, rel=1e-9)

    def test_one_value_is_no_drift(self):
        assert not drifted(Rule.TWO_SHARES, np.array([50, 0]), np.array([20, 0]))

    def test_psi_fills_empty_buckets(self):
        # By hand: (0.5 - 1e-4) log(0.5 / 1e-4) + (0.5 - 1) log(0.5 / 1).
        expected = (0.5 - 1e-4) * np.log(0.5 / 1e-4) - 0.5 * np.log(0.5)
        assert psi(np.array([50, 50]), np.array([0, 10])) == pytest.approx(expected)

    # PSI's null mean is (B - 1)(1/n + 1/N): Yurdakul (2018). B = 10, N = 10,000.
    @pytest.mark.parametrize(("size", "mean"), [(1000, 0.0099), (5000, 0.0027)])
    def test_psi_of_no_shift_has_its_known_mean(self, size, mean):
        rng = np.random.Generator(np.random.PCG64(4))
        reference = rng.multinomial(10_000, [0.1] * 10, 2000)
        current = rng.multinomial(size, [0.1] * 10, 2000)
        found = np.array([psi(each, other) for each, other in zip(reference, current, strict=True)])
        # Scaled chi-squared with 9 degrees: standard deviation mean * sqrt(2 / 9), over 2,000 draws.
        assert found.mean() == pytest.approx(mean, abs=4 * mean * np.sqrt(2 / 9 / 2000) + 0.02 * mean)

    @pytest.mark.parametrize(
        ("size", "buckets", "numeric", "rule"),
        [
            (1000, 10, True, Rule.KOLMOGOROV_SMIRNOV),
            (1001, 10, True, Rule.WASSERSTEIN),
            (1000, 5, True, Rule.CHI_SQUARED),
            (1001, 5, True, Rule.JENSEN_SHANNON),
            (1000, 10, False, Rule.CHI_SQUARED),
            (1000, 2, False, Rule.TWO_SHARES),
            (1000, 2, True, Rule.TWO_SHARES),
            (1001, 2, False, Rule.JENSEN_SHANNON),
            (1001, 10, False, Rule.JENSEN_SHANNON),
        ],
    )
    def test_picks_its_rule_by_the_size_of_the_reference(self, size, buckets, numeric, rule):
        reference = np.full(buckets, size // buckets)
        reference[0] += size - reference.sum()
        assert default_rule(reference, np.ones(buckets, dtype=int), numeric=numeric) is rule

    def test_a_category_never_seen_before_is_drift(self):
        assert drifted(Rule.CHI_SQUARED, np.array([50, 50, 0]), np.array([50, 50, 1]))

    @pytest.mark.parametrize("rule", list(Rule))
    def test_nothing_seen_is_no_drift(self, rule):
        nothing = np.zeros(5, dtype=int)
        assert not drifted(rule, REFERENCE[:5], nothing, middles(EDGES))
        assert not drifted(rule, nothing, REFERENCE[:5], middles(EDGES))

    def test_goes_off_at_the_first_look_that_is_significant(self):
        canary = np.zeros((1, 3, 5), dtype=np.int64)
        canary[0, 1], canary[0, 2] = draws(1, 400), draws(1, 900, (0.4, 0.1, 0.1, 0.1, 0.3))
        known = Conditions(edges=EDGES, reference=tuple(draws(2, 5000).tolist()))
        for policy in FROM_REFERENCE:
            assert policy.first_flags(canary, canary, known).tolist() == [3]

    def test_without_a_reference_stable_is_it(self):
        same = np.stack([[draws(seed, 5000) for seed in range(3)]])
        other = np.stack([[draws(seed, 5000, (0.4, 0.1, 0.1, 0.1, 0.3)) for seed in range(3)]])
        for policy in (EVIDENTLY, EVIDENTLY_PSI):
            assert policy.first_flags(same, same, Conditions(edges=EDGES)).tolist() == [NEVER]
            assert policy.first_flags(other, same, Conditions(edges=EDGES)).tolist() == [1]


class TestLatency:
    @pytest.mark.parametrize(
        ("counts", "quantile", "value"),
        [
            ([10, 0, 0, 0, 0], 0.5, 0.05),
            ([10, 10, 0, 0, 0], 0.75, 0.15),
            ([0, 0, 4, 0, 0], 0.25, 0.25),
            pytest.param([1, 0, 0, 0, 9], 0.99, 0.8, id="the last edge for what lies above it"),
            pytest.param([0, 0, 0, 0, 0], 0.99, nan, id="no requests"),
        ],
    )
    def test_quantile_is_prometheus(self, counts, quantile, value):
        found = histogram_quantile(quantile, np.array(counts), EDGES)
        assert float(found) == pytest.approx(value, nan_ok=True)

    def test_flagger_counts_slow_and_silent_minutes(self):
        slow, fast, silent = [90, 0, 0, 10, 0], [100, 0, 0, 0, 0], [0] * 5
        rows = [slow, fast, fast, slow, fast, silent, silent, silent, fast, fast]
        # Windows of two ticks: slow at 1, 2, 4, 5 and silent at 7: five; rolled back at 8.
        canary = np.array([rows], dtype=np.int64)
        assert F_P99.first_flags(canary, canary, Conditions(edges=EDGES)).tolist() == [8]

    @pytest.mark.parametrize("policy", ON_LATENCIES, ids=lambda policy: policy.name)
    def test_large_regressions_are_found(self, policy):
        rng = np.random.Generator(np.random.PCG64(3))
        canary = rng.multinomial(300, (0.2, 0.2, 0.2, 0.2, 0.2), (3, 60))
        stable = rng.multinomial(2700, (0.5, 0.3, 0.15, 0.05, 0.0), (3, 60))
        assert (policy.first_flags(canary, stable, Conditions(edges=EDGES)) != NEVER).all()
