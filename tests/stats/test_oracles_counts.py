"""The count e-process against independent code: exact rational numbers, scipy's laws, all courses of small cases.

Nothing here shares a line with what it tests: hypergeometric weights are binomial coefficients as integers, boosts are
found by bisection on exact sums, and error rates are sums over every possible course.
"""

from fractions import Fraction
from functools import partial
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2_contingency, nchypergeom_fisher

from serinus.stats import count_process, share_bound
from serinus.stats.capital import Capital
from serinus.stats.count_process import MIXTURE, Mixture
from serinus.stats.counts import Counts
from serinus.stats.dispersion import Dispersion
from serinus.stats.hypergeometric import Margins, laws
from serinus.stats.risk_difference import RiskDifference
from serinus.stats.starts import start_mass

# Shares of its own: how the operator's mixture stakes depends on the size of a tick.
EVEN = Mixture(odds=MIXTURE.odds, shares=(1.0 / len(MIXTURE.odds),) * len(MIXTURE.odds))
TWO = Mixture(odds=(2.0, 8.0), shares=(0.5, 0.5))
SMALL_TABLES = st.tuples(st.integers(1, 9), st.integers(1, 15), st.integers(1, 23)).map(
    lambda each: (each[0], each[1], min(each[2], each[0] + each[1] - 1))
)
LARGE_TABLES = st.tuples(st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 600)).map(
    lambda each: (each[0], each[1], min(each[2], each[0] + each[1] - 1))
)


def counted(canary_bad: int, canary: int, stable_bad: int, stable: int) -> Counts:
    return Counts(canary_total=canary, canary_bad=canary_bad, stable_total=stable, stable_bad=stable_bad)


def exact_law(canary: int, stable: int, bad: int, odds: Fraction) -> dict[int, Fraction]:
    """Return Fisher's noncentral hypergeometric law as fractions."""
    support = range(max(0, bad - stable), min(bad, canary) + 1)
    weights = {x: comb(canary, x) * comb(stable, bad - x) * odds**x for x in support}
    total = sum(weights.values())
    return {x: weight / total for x, weight in weights.items()}


def exact_tick(
    parts: list[Fraction],
    cash: Fraction,
    table: tuple[int, int, int],
    *,
    odds: tuple[float, ...],
    null_odds: Fraction,
    cap: float,
) -> dict[int, float]:
    """Return the e-value after each possible outcome of a tick: boosted by bisection, then cut at the cap."""
    null = exact_law(*table, null_odds)
    ratios = [{x: p / null[x] for x, p in exact_law(*table, null_odds * Fraction(each)).items()} for each in odds]
    plain = {x: cash + sum(part * ratio[x] for part, ratio in zip(parts, ratios, strict=True)) for x in null}
    before = float(cash + sum(parts))

    def expected(boost: float) -> float:
        return sum(float(null[x]) * min(boost * float(plain[x]), cap) for x in null)

    low, high = 1.0, 2.0
    while expected(high) < before and high < 1e100:
        high *= 2.0
    for _ in range(200):
        middle = (low + high) / 2.0
        low, high = (middle, high) if expected(middle) < before else (low, middle)
    # What boosts the cash goes to the parts, which are cut as one.
    return {x: min(low * float(plain[x]), cap) for x in null}


class TestLaws:
    @given(SMALL_TABLES, st.sampled_from([1.0, 1.25, 3.0]))
    def test_of_small_tables_are_exact(self, table: tuple[int, int, int], null_odds: float) -> None:
        canary, stable, bad = table
        margins = Margins(canary=canary, stable=stable, bad=bad)
        if not margins.informative:
            return
        found = laws(margins, (2.0, 40.0), null_odds)
        exact = exact_law(*table, Fraction(null_odds))
        assert found.outcomes.tolist() == list(exact)
        assert found.probabilities == pytest.approx([float(p) for p in exact.values()], rel=1e-12)
        for odds, normaliser in zip((2.0, 40.0), found.normalisers, strict=True):
            expectation = sum(p * Fraction(odds) ** (x - int(found.origin)) for x, p in exact.items())
            assert np.exp(normaliser) == pytest.approx(float(expectation), rel=1e-12)

    @settings(max_examples=60)
    @given(LARGE_TABLES, st.sampled_from([1.0, 1.4, 6.0]), st.sampled_from(MIXTURE.odds), st.data())
    def test_of_large_tables_are_scipys(
        self, table: tuple[int, int, int], null_odds: float, odds: float, data: st.DataObject
    ) -> None:
        canary, stable, bad = table
        if not Margins(canary=canary, stable=stable, bad=bad).informative:
            return
        law = nchypergeom_fisher(canary + stable, bad, canary, null_odds)
        centre = round(law.mean())
        lowest, highest = max(0, bad - stable), min(bad, canary)
        near = data.draw(st.integers(max(lowest, centre - 30), min(highest, centre + 30)))
        ratio = count_process.log_likelihood_ratios(counted(near, canary, bad - near, stable), (odds,), null_odds)[0]
        other = nchypergeom_fisher(canary + stable, bad, canary, null_odds * odds)
        if min(law.pmf(near), other.pmf(near)) > 1e-200:
            # scipy's own sums are good to about nine digits.
            assert ratio == pytest.approx(np.log(other.pmf(near) / law.pmf(near)), abs=1e-6, rel=1e-7)

    @given(SMALL_TABLES, st.data())
    def test_swapping_the_sides_inverts_the_odds(self, table: tuple[int, int, int], data: st.DataObject) -> None:
        canary, stable, bad = table
        x = data.draw(st.integers(max(0, bad - stable), min(bad, canary)))
        ours = count_process.log_likelihood_ratios(counted(x, canary, bad - x, stable), (3.0,))[0]
        theirs = count_process.log_likelihood_ratios(counted(bad - x, stable, x, canary), (1.0 / 3.0,))[0]
        assert ours == pytest.approx(theirs, abs=1e-9)


class TestTick:
    @settings(max_examples=60)
    @given(
        SMALL_TABLES,
        st.lists(st.floats(0.0, 3.0), min_size=2, max_size=2),
        st.floats(0.01, 1.0),
        st.sampled_from([1.0, 1.5]),
        st.sampled_from([4.0, 20.0]),
        st.sampled_from([1, 2]),
    )
    def test_is_what_exact_numbers_and_bisection_give(
        self,
        table: tuple[int, int, int],
        parts: list[float],
        cash: float,
        null_odds: float,
        threshold: float,
        confirm_ticks: int,
    ) -> None:
        canary, stable, bad = table
        before = Capital(parts=tuple(parts), cash=cash)
        if before.reached(threshold) or not Margins(canary=canary, stable=stable, bad=bad).informative:
            return
        cap = min(threshold, max(1.0, before.value) * threshold ** (1.0 / confirm_ticks))
        expected = exact_tick(
            [Fraction(each) for each in parts],
            Fraction(cash),
            table,
            odds=TWO.odds,
            null_odds=Fraction(null_odds),
            cap=cap,
        )
        for x, value in expected.items():
            found = count_process.advance(
                before,
                counted(x, canary, bad - x, stable),
                start=0.0,
                threshold=threshold,
                confirm_ticks=confirm_ticks,
                mixture=TWO,
                null_odds=null_odds,
            )
            assert found.value == pytest.approx(value, rel=1e-9)


# Requests of canary and stable and bad ones of both, tick by tick: small enough to go through all courses.
COURSES = [
    ((5, 5, 4), (6, 4, 4), (5, 5, 5), (7, 3, 4)),
    ((2, 18, 6), (3, 17, 6), (2, 18, 7), (4, 16, 8)),
    ((12, 3, 3), (12, 3, 4), (12, 3, 5)),
]


class TestCourses:
    @pytest.mark.parametrize("ticks", COURSES)
    @pytest.mark.parametrize("alpha", [0.25, 0.1, 0.05])
    @pytest.mark.parametrize("confirm_ticks", [1, 2])
    def test_no_more_than_alpha_of_all_courses_ever_reach_the_threshold(
        self, ticks: tuple[tuple[int, int, int], ...], alpha: float, confirm_ticks: int
    ) -> None:
        laws_of_ticks = [exact_law(*each, Fraction(1)) for each in ticks]
        courses = [(1.0, count_process.fresh())]
        for index, (canary, stable, bad) in enumerate(ticks):
            advance = partial(
                count_process.advance,
                start=start_mass(ticks_before=index, new_step=index in (0, 2), steps=2),
                threshold=1.0 / alpha,
                confirm_ticks=confirm_ticks,
            )
            courses = [
                (chance * float(law), advance(capital, counted(x, canary, bad - x, stable)))
                for chance, capital in courses
                for x, law in laws_of_ticks[index].items()
            ]
        reached = sum(chance * capital.reached(1.0 / alpha) for chance, capital in courses)
        expectation = sum(chance * capital.value for chance, capital in courses)
        assert reached <= alpha
        # Boosting loses nothing: the expectation stays what it was.
        assert expectation == pytest.approx(1.0, abs=1e-9)

    def test_a_bad_canary_reaches_it_more_often(self) -> None:
        found = {}
        for odds in (Fraction(1), Fraction(6)):
            laws_of_ticks = [exact_law(*each, odds) for each in COURSES[0]]
            courses = [(1.0, count_process.fresh())]
            for index, (canary, stable, bad) in enumerate(COURSES[0]):
                start = start_mass(ticks_before=index, new_step=index == 0, steps=1)
                advance = partial(count_process.advance, start=start, threshold=10.0)
                courses = [
                    (chance * float(law), advance(capital, counted(x, canary, bad - x, stable)))
                    for chance, capital in courses
                    for x, law in laws_of_ticks[index].items()
                ]
            found[odds] = sum(chance * capital.reached(10.0) for chance, capital in courses)
        assert found[Fraction(6)] > 4.0 * found[Fraction(1)]


class TestEmptyTicks:
    EMPTY = (Counts(), counted(0, 9, 0, 0), counted(0, 0, 4, 30))

    @settings(max_examples=40)
    @given(
        st.lists(st.tuples(st.integers(0, 3), st.integers(3, 20), st.integers(0, 3), st.integers(3, 60)), max_size=6)
    )
    def test_leave_the_evidence_as_it_is(self, ticks: list[tuple[int, int, int, int]]) -> None:
        capital = count_process.fresh()
        for index, tick in enumerate(ticks):
            start = 0.5 if index == 0 else 0.1
            capital = count_process.advance(capital, counted(*tick), start=start, threshold=20.0)
            for empty in self.EMPTY:
                assert count_process.advance(capital, empty, start=0.1, threshold=20.0) == capital


@pytest.mark.random
def test_evidence_hardly_depends_on_how_requests_fall_into_ticks() -> None:
    """150 rollouts of 24 ticks, seen as they are, in pairs and in fours, with all of the capital bet at the start.

    Grouped or not, the expectation is the same; what differs is what the margins give away of the order. A paired
    difference of mean logs has a Monte-Carlo error of about 0.05 here.
    """
    rng = np.random.Generator(np.random.PCG64(6))
    sizes = rng.poisson((12, 108), (150, 24, 2))
    bad = rng.binomial(sizes, (0.06, 0.02))
    ends = []
    for group in (1, 2, 4):
        n, x = (each.reshape(150, 24 // group, group, 2).sum(axis=2) for each in (sizes, bad))
        logs = []
        for requests, errors in zip(n.tolist(), x.tolist(), strict=True):
            capital = count_process.fresh()
            for index, ((n_c, n_s), (x_c, x_s)) in enumerate(zip(requests, errors, strict=True)):
                start = 1.0 if index == 0 else 0.0
                tick = counted(x_c, n_c, x_s, n_s)
                capital = count_process.advance(capital, tick, start=start, threshold=1e9, mixture=EVEN)
            logs.append(np.log(capital.value))
        ends.append(float(np.mean(logs)))
    assert ends[0] > 1.5
    assert ends == pytest.approx([ends[0]] * 3, abs=0.3)


class TestShareBound:
    @settings(max_examples=40)
    @given(st.integers(1, 60), st.sampled_from([0.01, 0.1, 0.6]), st.data())
    def test_ratio_is_scipys(self, total: int, bound: float, data: st.DataObject) -> None:
        bad = data.draw(st.integers(0, total))
        found = share_bound.log_likelihood_ratios(np.array([float(bad)]), total, bound)[:, 0]
        for odds, ratio in zip(share_bound.ODDS, found, strict=True):
            other = odds * bound / (1.0 - bound + odds * bound)
            expected = binom.logpmf(bad, total, other) - binom.logpmf(bad, total, bound)
            assert ratio == pytest.approx(expected, abs=1e-8)

    @pytest.mark.parametrize(("bound", "alpha"), [(0.2, 0.1), (0.05, 0.05), (0.5, 0.05)])
    def test_no_more_than_alpha_of_all_courses_ever_reach_the_threshold(self, bound: float, alpha: float) -> None:
        sizes = (12, 7, 10)
        chances = [binom.pmf(np.arange(size + 1), size, bound) for size in sizes]
        courses = [(1.0, share_bound.fresh())]
        for index, size in enumerate(sizes):
            advance = partial(
                share_bound.advance, total=size, bound=bound, start=(0.6, 0.3, 0.1)[index], threshold=1.0 / alpha
            )
            courses = [
                (chance * float(law), advance(capital, bad=bad))
                for chance, capital in courses
                for bad, law in enumerate(chances[index])
            ]
        reached = sum(chance * capital.reached(1.0 / alpha) for chance, capital in courses)
        expectation = sum(chance * capital.value for chance, capital in courses)
        assert reached <= alpha
        assert expectation == pytest.approx(1.0, abs=1e-9)


class TestDispersion:
    @settings(max_examples=40)
    @given(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 200)), min_size=2, max_size=6))
    def test_statistic_is_pearsons(self, rows: list[tuple[int, int]]) -> None:
        if not any(bad for _, bad in rows):
            return
        everything = sum(map(sum, rows))
        expected = chi2_contingency(np.array(rows), correction=False).statistic * (everything - 1) / everything
        found = Dispersion().plus(rows)
        # One tick: its weight cancels.
        assert found.statistic / found.weight == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert found.freedom / found.weight == pytest.approx(len(rows) - 1)


class TestRiskDifference:
    def test_of_one_tick_is_the_plain_difference(self) -> None:
        overall = RiskDifference().plus(counted(30, 400, 60, 1600)).overall
        assert overall.estimate == pytest.approx(30 / 400 - 60 / 1600)
        # The binomial variances of both shares: what Sato's formula comes to for a large tick.
        variance = 0.075 * 0.925 / 400 + 0.0375 * 0.9625 / 1600
        assert overall.standard_error == pytest.approx(variance**0.5, rel=2e-3)

    def test_weighs_ticks_after_mantel_and_haenszel(self) -> None:
        ticks = [(3, 40, 5, 360), (0, 5, 2, 300), (7, 300, 4, 310)]
        found = RiskDifference()
        for tick in ticks:
            found = found.plus(counted(*tick))
        weights = [n_c * n_s / (n_c + n_s) for _, n_c, _, n_s in ticks]
        differences = [x_c / n_c - x_s / n_s for x_c, n_c, x_s, n_s in ticks]
        expected = sum(w * d for w, d in zip(weights, differences, strict=True)) / sum(weights)
        assert found.overall.estimate == pytest.approx(expected, rel=1e-12)

    @pytest.mark.random
    def test_standard_error_is_the_scatter_of_the_estimate(self) -> None:
        # 750 rollouts of 20 unequal ticks: the error of a standard deviation is 2.6 %.
        rng = np.random.Generator(np.random.PCG64(11))
        sizes = rng.integers(1, 60, (20, 2)) * (1, 8)
        bad = rng.binomial(sizes, (0.08, 0.05), (750, 20, 2))
        estimates, errors = [], []
        for rollout in bad.tolist():
            found = RiskDifference()
            for (x_c, x_s), (n_c, n_s) in zip(rollout, sizes.tolist(), strict=True):
                found = found.plus(counted(x_c, n_c, x_s, n_s))
            estimates.append(found.overall.estimate)
            errors.append(found.overall.standard_error)
        assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.08)
        assert np.mean(estimates) == pytest.approx(0.03, abs=4 * np.std(estimates) / 750**0.5)


class TestStarts:
    @pytest.mark.parametrize(("steps", "planned"), [(1, 10), (3, 240), (5, 17)])
    def test_masses_of_a_rollout_never_exceed_one(self, steps: int, planned: int) -> None:
        new = {round(each) for each in np.linspace(0, planned - 1, steps)}
        masses = [
            start_mass(ticks_before=tick, new_step=tick in new, steps=steps, planned_ticks=planned)
            for tick in range(3 * planned)
        ]
        assert min(masses) >= 0.0
        assert 0.9 < sum(masses) <= 1.0 + 1e-12
