"""Proofs about margins against independent code: statsmodels, a published test, exact sums over small ticks.

statsmodels is right for ratios; its constrained estimate for differences is not used, for its likelihood is lower than
that of the point found here by up to a thousandth.
"""

from itertools import product
from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binom
from statsmodels.stats.proportion import score_test_proportions_2indep

from serinus.stats import margin_test, strict
from serinus.stats.counts import Counts
from serinus.stats.margin_test import MULTIPLES, History, Proof, log_factor, log_ratio_to_null, project

RATES = st.floats(0.002, 0.6)


def counted(canary_bad: int, canary: int, stable_bad: int, stable: int) -> Counts:
    return Counts(canary_total=canary, canary_bad=canary_bad, stable_total=stable, stable_bad=stable_bad)


class TestProjection:
    @pytest.mark.parametrize(
        ("n_c", "n_s", "t_c", "t_s", "ratio", "excess", "canary", "stable"),
        [
            (100, 400, 0.05, 0.02, 1.0, 0.01, 0.0329936240, 0.0229936240),
            (50, 950, 0.2, 0.01, 1.2, 0.002, 0.0242442245, 0.0185368538),
            (20, 20, 0.5, 0.1, 1.5, 0.0, 0.375, 0.25),
        ],
    )
    def test_is_the_published_point(
        self, n_c: int, n_s: int, t_c: float, t_s: float, ratio: float, excess: float, canary: float, stable: float
    ) -> None:
        found = project(n_c, n_s, canary_rate=t_c, stable_rate=t_s, excess=excess, ratio=ratio)
        assert found == pytest.approx((canary, stable), abs=1e-9)

    @settings(max_examples=60)
    @given(st.integers(20, 2000), st.integers(20, 2000), st.sampled_from([0.7, 1.0, 1.3, 2.0]), st.data())
    def test_is_statsmodels_constrained_estimate_for_ratios(
        self, n_c: int, n_s: int, ratio: float, data: st.DataObject
    ) -> None:
        x_c, x_s = data.draw(st.integers(1, n_c // 3)), data.draw(st.integers(1, n_s // 3))
        theirs = score_test_proportions_2indep(
            x_c, n_c, x_s, n_s, value=ratio, compare="ratio", return_results=True
        ).prop1_null
        found, _ = project(n_c, n_s, canary_rate=x_c / n_c, stable_rate=x_s / n_s, excess=0.0, ratio=ratio)
        assert found == pytest.approx(theirs, rel=1e-6)

    @settings(max_examples=60)
    @given(st.integers(1, 10**6), st.integers(1, 10**6), RATES, RATES, st.floats(1e-6, 0.35))
    def test_is_the_minimum_that_scipy_finds(
        self, n_c: int, n_s: int, canary_rate: float, stable_rate: float, excess: float
    ) -> None:
        def divergence(stable: float) -> float:
            total = 0.0
            for n, t, a in ((n_c, canary_rate, stable + excess), (n_s, stable_rate, stable)):
                total += n / (n_c + n_s) * (t * log(t / a) + (1 - t) * log((1 - t) / (1 - a)))
            return total

        _, stable = project(n_c, n_s, canary_rate=canary_rate, stable_rate=stable_rate, excess=excess)
        best = minimize_scalar(divergence, bounds=(1e-12, 1.0 - excess - 1e-12), method="bounded")
        assert divergence(stable) <= best.fun + 1e-12


class TestTurnerGruenwald:
    """The two-stream test of safestats' first version: posterior means with Beta(0.18, 0.18), null at their pool."""

    @pytest.mark.parametrize(
        ("size", "canary", "stable", "evidence"),
        [
            (1, "1010001", "1011101", 1.0955046),
            (1, "1111110111", "0010100000", 11.1502949),
        ],
    )
    def test_blocks_multiply_to_its_value(self, size: int, canary: str, stable: str, evidence: float) -> None:
        assert exp(self.log_evidence(size, canary, stable)) == pytest.approx(evidence, abs=1e-7)

    def test_unequal_blocks(self) -> None:
        assert exp(self.log_evidence(2, "2212022", "1011101")) == pytest.approx(0.0853178, abs=1e-7)

    def log_evidence(self, size: int, canary: str, stable: str) -> float:
        result, bad_c, bad_s = 0.0, 0, 0
        for block, (x_c, x_s) in enumerate(zip(map(int, canary), map(int, stable), strict=True)):
            bet_c = (bad_c + 0.18) / (block * size + 0.36)
            bet_s = (bad_s + 0.18) / (block + 0.36)
            if bet_c != bet_s:
                result += self.factor(counted(x_c, size, x_s, 1), bet_c, bet_s)
            bad_c, bad_s = bad_c + x_c, bad_s + x_s
        return result

    def factor(self, counts: Counts, bet_c: float, bet_s: float) -> float:
        pool = project(counts.canary_total, counts.stable_total, canary_rate=bet_c, stable_rate=bet_s, excess=0.0)[0]
        weights = counts.canary_total * bet_c + counts.stable_total * bet_s
        assert pool == pytest.approx(weights / counts.total, rel=1e-12)
        return log_ratio_to_null(counts, bet_c, bet_s, 0.0)


def expectation(
    sizes: tuple[int, int], rates_c: list[float], rates_s: list[float], factor: "dict[tuple[int, int], float]"
) -> float:
    """Return the expectation over two sums of independent requests, each with a rate of its own."""
    law_c, law_s = np.ones(1), np.ones(1)
    for rate in rates_c:
        law_c = np.convolve(law_c, [1.0 - rate, rate])
    for rate in rates_s:
        law_s = np.convolve(law_s, [1.0 - rate, rate])
    return sum(
        float(law_c[x_c] * law_s[x_s]) * factor[x_c, x_s]
        for x_c, x_s in product(range(sizes[0] + 1), range(sizes[1] + 1))
    )


class TestFactor:
    @settings(max_examples=60)
    @given(st.integers(1, 6), st.integers(1, 8), RATES, st.floats(0.01, 0.4), st.sampled_from(MULTIPLES), st.data())
    def test_of_safety_gains_nothing_from_a_canary_that_is_too_bad(
        self, n_c: int, n_s: int, rate: float, excess: float, multiple: float, data: st.DataObject
    ) -> None:
        """Also if requests have rates of their own and only their means are at the bound or beyond."""
        factor = {
            (x_c, x_s): exp(log_factor(counted(x_c, n_c, x_s, n_s), multiple * rate, rate, excess))
            for x_c, x_s in product(range(n_c + 1), range(n_s + 1))
        }
        rates_s = data.draw(st.lists(st.floats(0.0, 0.5), min_size=n_s, max_size=n_s))
        beyond = data.draw(st.sampled_from([0.0, 0.1]))
        mean = min(float(np.mean(rates_s)) + excess + beyond, 1.0)
        if mean < np.mean(rates_s) + excess:
            return
        assert expectation((n_c, n_s), spread_around(mean, n_c, data), rates_s, factor) <= 1.0 + 1e-9

    @settings(max_examples=60)
    @given(st.integers(1, 6), st.integers(1, 8), RATES, st.floats(0.0, 0.3), st.sampled_from(strict.ODDS), st.data())
    def test_of_harm_gains_nothing_within_the_margin(
        self, n_c: int, n_s: int, stable_rate: float, margin: float, odds: float, data: st.DataObject
    ) -> None:
        boundary = stable_rate + margin
        if boundary >= 0.99:
            return
        bet_on = boundary * odds / (1.0 - boundary + boundary * odds)
        factor = {
            (x_c, x_s): exp(log_ratio_to_null(counted(x_c, n_c, x_s, n_s), bet_on, stable_rate, margin))
            for x_c, x_s in product(range(n_c + 1), range(n_s + 1))
        }
        rates_s = data.draw(st.lists(st.floats(0.0, 0.6), min_size=n_s, max_size=n_s))
        below = data.draw(st.sampled_from([0.0, 0.05]))
        mean = max(float(np.mean(rates_s)) + margin - below, 0.0)
        if mean > np.mean(rates_s) + margin:
            return
        assert expectation((n_c, n_s), spread_around(mean, n_c, data), rates_s, factor) <= 1.0 + 1e-9


def spread_around(mean: float, size: int, data: st.DataObject) -> list[float]:
    """Return rates with this mean, alike or as unlike as they can be."""
    if data.draw(st.booleans()):
        return [mean] * size
    sure = int(mean * size)
    rest = [mean * size - sure] if sure < size else []
    return [1.0] * sure + rest + [0.0] * (size - sure - len(rest))


class TestCourses:
    """All courses of two ticks after one tick of history; stable's rate changes from tick to tick."""

    SIZES = ((4, 6), (6, 5))
    STABLE = (0.05, 0.15)

    @pytest.mark.parametrize("excess", [0.1, 0.3])
    def test_a_proof_is_expected_to_gain_nothing(self, excess: float) -> None:
        total, passed = 0.0, 0.0
        for chance, ticks in self.courses([rate + excess for rate in self.STABLE]):
            proof, history = Proof(), History(total=20.0, bad=2.0)
            for tick in ticks:
                proof, history = margin_test.advance(proof, tick, history, excess), history.plus(tick)
            total += chance * proof.value
            passed += chance * (proof.value >= 4.0)
        assert total <= 1.0 + 1e-9
        assert passed <= 0.25

    @pytest.mark.parametrize("margin", [0.02, 0.2])
    def test_strict_evidence_is_expected_to_gain_nothing(self, margin: float) -> None:
        total, reached = 0.0, 0.0
        for chance, ticks in self.courses([rate + margin for rate in self.STABLE]):
            capital, history = strict.fresh(), History(total=20.0, bad=2.0)
            for tick in ticks:
                capital = strict.advance(capital, tick, history, margin=margin, start=0.4, threshold=5.0)
                history = history.plus(tick)
            total += chance * capital.value
            reached += chance * capital.reached(5.0)
        assert total <= 1.0 + 1e-9
        assert reached <= 0.2

    def courses(self, canary: list[float]) -> "list[tuple[float, list[Counts]]]":
        ticks = [
            [
                (float(binom.pmf(x_c, n_c, rate_c) * binom.pmf(x_s, n_s, rate_s)), counted(x_c, n_c, x_s, n_s))
                for x_c, x_s in product(range(n_c + 1), range(n_s + 1))
            ]
            for (n_c, n_s), rate_c, rate_s in zip(self.SIZES, canary, self.STABLE, strict=True)
        ]
        return [
            (float(np.prod([chance for chance, _ in course])), [tick for _, tick in course])
            for course in product(*ticks)
        ]
