"""The peers that are significance tests: their formulas against independent ones, and both ways of showing ticks."""

from math import comb, log

import numpy as np
import pytest
from benchmarks.decisions.policy import NEVER, BatchPolicy, CalibratedPolicy, Conditions, Policy
from benchmarks.peers.catalogue import ON_COUNTS, WHOLE_ROLLOUTS, WITH_HORIZON, YARDSTICK
from benchmarks.peers.fisher import FI05, POC, p_values, upper_tail
from benchmarks.peers.group_sequential import Shape, constant, crossing_probability
from benchmarks.peers.mixture_sprt import MSP, log_mixture, log_ratio
from benchmarks.peers.multinomial import LM, log_evidence, log_evidence_of_ramp
from benchmarks.peers.spending import first_crossing
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact, hypergeom

from support.peer_streams import first_rollback, poisson

TICK_COUNTS = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60), st.integers(0, 60)).map(
    lambda each: (max(each[:2]), min(each[:2]), max(each[2:]), min(each[2:]))
)
STREAMS = st.lists(TICK_COUNTS, min_size=1, max_size=12)


class TestFisher:
    @given(st.integers(1, 300), st.data())
    def test_tail_is_scipys(self, everything, data):
        marked, drawn = data.draw(st.integers(0, everything)), data.draw(st.integers(0, everything))
        found = data.draw(st.integers(max(0, marked + drawn - everything), min(marked, drawn)))
        tail = upper_tail(*(np.array([each]) for each in (drawn, marked, everything, found)))
        assert tail[0] == pytest.approx(hypergeom.sf(found - 1, everything, marked, drawn), abs=1e-11, rel=1e-9)

    @given(STREAMS)
    def test_p_value_is_that_of_the_summed_table(self, rows):
        counts = np.array([rows], dtype=np.int64)
        n_c, x_c, n_s, x_s = counts[0].sum(axis=0)
        expected = fisher_exact([[x_c, n_c - x_c], [x_s, n_s - x_s]], alternative="greater").pvalue
        assert p_values(counts)[0, -1] == pytest.approx(expected, abs=1e-11, rel=1e-9)

    def test_large_counts_need_no_patience(self):
        row = np.array([[[10**8, 10**5 + 2000, 10**9, 10**6]]])
        assert 0.0 < p_values(row)[0, 0] < 1e-8


class TestOracleBoundary:
    def test_errs_in_the_share_asked_for_on_the_null_it_was_shown(self):
        null = poisson(1, replicates=400, canary_per_tick=30, stable_per_tick=270, canary_share=0.01, stable_share=0.01)
        for alpha in (0.05, 0.01):
            rolled_back = POC.calibrated(null, Conditions(alpha=alpha)).first_rollbacks(null, Conditions()) != NEVER
            assert rolled_back.sum() == pytest.approx(alpha * 400, abs=1)

    def test_lies_far_below_the_level_of_one_look(self):
        null = poisson(
            2, replicates=400, canary_per_tick=300, stable_per_tick=300, canary_share=0.05, stable_share=0.05
        )
        assert POC.calibrated(null, Conditions()).level < 0.02
        assert FI05.first_rollbacks(null, Conditions()).max() > 0


class TestLindonMalek:
    @given(STREAMS)
    def test_is_the_dirichlet_multinomial_ratio(self, rows):
        # By hand: the marginal likelihood of the errors one after the other, over that of the share of traffic.
        n_c, x_c, n_s, x_s = np.array(rows).sum(axis=0)
        evidence = log_evidence(np.array([rows], dtype=np.int64))[0, -1]
        if not (n_c and n_s):
            assert evidence == 0.0
            return
        share = n_c / (n_c + n_s)
        expected = sum(log((100 * share + i) / (100 + i)) - log(share) for i in range(x_c))
        expected += sum(log((100 * (1 - share) + i) / (100 + x_c + i)) - log(1 - share) for i in range(x_s))
        assert evidence == pytest.approx(expected, abs=1e-8)

    def test_both_forms_agree_where_the_share_is_constant(self):
        rows = np.array([[(10, 1, 90, 4), (20, 3, 180, 2), (5, 0, 45, 1)]])
        assert log_evidence_of_ramp(rows) == pytest.approx(log_evidence(rows), abs=1e-12)

    def test_rolls_back_no_canary_that_is_better(self):
        better = poisson(3, replicates=5, canary_per_tick=300, stable_per_tick=300, canary_share=0.01, stable_share=0.1)
        assert (LM.first_rollbacks(better, Conditions()) == NEVER).all()
        assert (log_evidence(better)[:, -1] > 3.0).all()

    def test_expectation_under_the_null_is_one(self):
        # All ways in which 12 errors can fall on a canary with a fifth of the traffic.
        values = [
            comb(12, x) * 0.2**x * 0.8 ** (12 - x) * np.exp(log_evidence(np.array([[(200, x, 800, 12 - x)]]))[0, 0])
            for x in range(13)
        ]
        assert sum(values) == pytest.approx(1.0, abs=1e-12)


class TestMixtureSprt:
    @pytest.mark.parametrize(("s", "v", "rho", "expected"), [(10.0, 100.0, 12.60056, -0.6510052)])
    def test_is_the_two_sided_normal_mixture_of_confseq(self, s, v, rho, expected):
        # gostevehoward/confseq, uniform_boundaries_unittest.cpp: s of variance v estimates s/v with variance 1/v.
        found = log_mixture(np.array(s / v), np.array(1.0 / v), rho**-0.5)
        assert float(found) == pytest.approx(expected, abs=1e-6)

    def test_rolls_back_no_canary_that_is_better(self):
        better = poisson(3, replicates=5, canary_per_tick=300, stable_per_tick=300, canary_share=0.01, stable_share=0.1)
        assert (MSP.first_rollbacks(better, Conditions()) == NEVER).all()
        assert (log_ratio(better)[0][:, -1] > 3.0).all()

    def test_knows_nothing_before_the_first_error(self):
        ratio, difference = log_ratio(np.array([[(10, 0, 90, 0), (0, 0, 90, 3)]]))
        assert ratio[0, 0] == 0.0
        assert difference[0, 0] == 0.0


class TestAlphaSpending:
    def test_first_look_is_fishers_test_at_its_share_of_alpha(self):
        # 5 of 10 against 0 of 10: p = C(10, 5) / C(20, 5) = 0.016; 3 of 10: p = C(10, 3) / C(20, 3) = 0.105.
        def single(bad):
            return np.array([(10, bad, 10, 0)])

        assert first_crossing(single(5), 0.05) == 1
        assert first_crossing(single(3), 0.05) == NEVER
        assert first_crossing(single(5), 0.016) == NEVER

    def test_spends_no_more_than_alpha(self):
        # Exact: three ticks with two bad requests each, all 27 courses with their probabilities.
        law = [comb(2, x) * comb(8, 3 - x) / comb(10, 3) for x in range(3)]
        spent = 0.0
        for course in np.ndindex(3, 3, 3):
            rows = np.array([(3, x, 7, 2 - x) for x in course])
            spent += np.prod([law[x] for x in course]) * (first_crossing(rows, 0.2) != NEVER)
        assert 0.05 < spent <= 0.2


class TestGroupSequential:
    # Jennison & Turnbull, tables 2.1 and 2.3: five looks, two-sided 5 %.
    @pytest.mark.parametrize(("shape", "value"), [(Shape.POCOCK, 2.413), (Shape.OBRIEN_FLEMING, 2.040)])
    def test_constants_are_the_published_ones(self, shape, value):
        assert constant(5, 0.05, shape) == pytest.approx(value, abs=5e-4)

    def test_one_look_is_the_normal_quantile(self):
        assert constant(1, 0.05, Shape.POCOCK) == pytest.approx(1.959964, abs=1e-6)

    def test_five_looks_at_the_normal_quantile_err_fourteen_percent(self):
        # Armitage, McPherson & Rowe (1969), table 2.
        assert crossing_probability(np.full(5, 1.959964)) == pytest.approx(0.142, abs=5e-4)


class TestCatalogue:
    def test_everybody_keeps_the_protocol(self):
        assert all(isinstance(each, BatchPolicy) for each in (*ON_COUNTS, *WITH_HORIZON))
        assert all(isinstance(each, Policy) for each in WHOLE_ROLLOUTS)
        assert isinstance(YARDSTICK, CalibratedPolicy)

    @pytest.mark.parametrize("policy", [each for each in ON_COUNTS if isinstance(each, Policy)], ids=lambda p: p.name)
    @pytest.mark.parametrize("seed", [1, 2])
    def test_tick_by_tick_is_the_same_as_at_once(self, policy, seed):
        counts = poisson(
            seed, replicates=4, canary_per_tick=2.5, stable_per_tick=20, canary_share=0.06, stable_share=0.02, ticks=60
        )
        at_once = policy.first_rollbacks(counts, Conditions(ticks=60)).tolist()
        assert [first_rollback(policy, rows, Conditions(ticks=60)) for rows in counts.tolist()] == at_once


@pytest.mark.random
class TestPublishedShares:
    """Shares of rollbacks that an independent simulation of 2,000 replicates or more found for the same rules.

    400 replicates here: a difference of more than 4 standard errors (of both) is a bug and no chance.
    """

    @pytest.mark.parametrize(
        ("name", "canary_per_tick", "stable_per_tick", "bad", "share"),
        [
            ("F99", 1.5, 28.5, 0.01, 0.49),
            ("F98", 1.5, 28.5, 0.01, 0.93),
            ("A95", 1.5, 28.5, 0.01, 0.81),
            ("A98", 1.5, 28.5, 0.01, 0.83),
            ("F98", 150, 150, 0.01, 0.75),
            ("A95", 15, 15, 0.02, 0.21),
            ("Fi05", 15, 285, 0.01, 0.21),
            ("Fi05", 150, 150, 0.01, 0.25),
            ("Fi01", 15, 15, 0.02, 0.63),
            ("mSP", 15, 15, 0.02, 0.36),
            ("mSP", 1.5, 28.5, 0.05, 0.81),
            ("LM", 15, 285, 0.02, 0.74),
        ],
    )
    def test_are_met(self, name, canary_per_tick, stable_per_tick, bad, share):
        counts = poisson(
            7,
            replicates=400,
            canary_per_tick=canary_per_tick,
            stable_per_tick=stable_per_tick,
            canary_share=bad,
            stable_share=0.01,
        )
        policy = next(each for each in ON_COUNTS if each.name == name)
        found = (policy.first_rollbacks(counts, Conditions()) != NEVER).mean()
        error = np.sqrt(share * (1.0 - share) * (1 / 400 + 1 / 2000))
        assert abs(found - share) <= 4.0 * error + 0.005
