"""Evidence about histograms, shares of traffic, breaches and pairs: published numbers, and sums over all courses."""

from collections.abc import Iterator
from itertools import product
from math import exp, factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2, dirichlet_multinomial, multinomial

from serinus.stats import breaches, reference
from serinus.stats.pair_process import PairProcess
from serinus.stats.population_stability import stability
from serinus.stats.traffic_share import TOLERANCE, TrafficShareState
from serinus.stats.two_samples import TwoSamples, log_factors


def compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Yield all ways to spread ``total`` observations over ``parts`` buckets."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in compositions(total - first, parts - 1):
            yield (first, *rest)


def chances(total: int, law: tuple[float, ...]) -> dict[tuple[int, ...], float]:
    """Return the multinomial probability of every outcome."""
    result = {}
    for outcome in compositions(total, len(law)):
        ways = factorial(total)
        chance = 1.0
        for count, share in zip(outcome, law, strict=True):
            ways //= factorial(count)
            chance *= share**count
        result[outcome] = ways * chance
    return result


class TestReference:
    def test_is_the_published_p_value_of_savvi(self) -> None:
        # assuncaolfi/savvi, its own test: 1,000 draws one by one, concentration 100.
        draws = np.random.RandomState(1).multinomial(1, [0.1, 0.3, 0.6], 1000)
        law = np.array([0.1, 0.4, 0.5])
        so_far = np.cumsum(draws[:402], axis=0).astype(float)
        p_values = [exp(-reference.log_evidence(counts, law, 100.0)) for counts in so_far]
        assert min(p_values[:-1]) > 0.05
        assert p_values[-1] == pytest.approx(0.0484559110597, abs=1e-12)

    @pytest.mark.parametrize("concentration", [0.5, 10.0, 1000.0])
    def test_expectation_under_a_known_law_is_one(self, concentration: float) -> None:
        law = (0.1, 0.3, 0.6)
        expectation = sum(
            chance * exp(reference.log_evidence(np.array(outcome, dtype=float), np.array(law), concentration))
            for outcome, chance in chances(7, law).items()
        )
        assert expectation == pytest.approx(1.0, rel=1e-9)

    def test_agrees_with_scipys_dirichlet_multinomial(self) -> None:
        counts, law = np.array([5, 0, 12, 3]), np.array([0.2, 0.1, 0.4, 0.3])
        ours = reference.log_evidence(counts.astype(float), law, 30.0)
        theirs = dirichlet_multinomial.logpmf(counts, 30.0 * law, 20) - multinomial.logpmf(counts, 20, law)
        assert ours == pytest.approx(theirs, rel=1e-9)


LAWS = st.lists(st.floats(0.05, 1.0), min_size=3, max_size=3).map(lambda w: tuple(each / sum(w) for each in w))


class TestTwoSamples:
    @settings(max_examples=40)
    @given(LAWS, st.integers(1, 4), st.integers(1, 5), st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3))
    def test_no_bet_gains_where_both_sides_have_one_law(
        self, law: tuple[float, ...], canary: int, stable: int, log_ratios: list[float]
    ) -> None:
        bet = np.array([log_ratios])
        expectation = sum(
            chance_c * chance_s * exp(log_factors(bet, np.array(ours), np.array(theirs))[0])
            for (ours, chance_c), (theirs, chance_s) in product(
                chances(canary, law).items(), chances(stable, law).items()
            )
        )
        assert expectation <= 1.0 + 1e-9

    @pytest.mark.parametrize("past", [(), (6, 3, 1)])
    @pytest.mark.parametrize("ordered", [True, False])
    @pytest.mark.parametrize("sizes", [((2, 2), (2, 2)), ((3, 1), (1, 3))])
    def test_no_course_of_two_ticks_gains(
        self, past: tuple[int, ...], ordered: bool, sizes: tuple[tuple[int, int], tuple[int, int]]
    ) -> None:
        """With and without a past of stable; the law changes between the ticks."""
        laws = ((0.5, 0.3, 0.2), (0.2, 0.2, 0.6))
        fresh = TwoSamples.after(past) if past else TwoSamples()
        total = reached = 0.0
        for chance, state in self.courses([(fresh, 1.0)], sizes, laws, ordered):
            total += chance * state.evidence
            reached += chance * state.capital.reached(4.0)
        assert total <= 1.0 + 1e-9
        assert reached <= 0.25

    def courses(
        self,
        states: list[tuple[TwoSamples, float]],
        sizes: tuple[tuple[int, int], ...],
        laws: tuple[tuple[float, ...], ...],
        ordered: bool,
    ) -> Iterator[tuple[float, TwoSamples]]:
        for (canary, stable), law in zip(sizes, laws, strict=True):
            sides = product(chances(canary, law).items(), chances(stable, law).items())
            ticks = [(ours, theirs, one * two) for (ours, one), (theirs, two) in sides]
            states = [
                (state.plus(ours, theirs, start=0.5, threshold=4.0, confirm_ticks=1, ordered=ordered), before * chance)
                for state, before in states
                for ours, theirs, chance in ticks
            ]
        return ((chance, state) for state, chance in states)

    def test_finds_what_differs(self) -> None:
        state = TwoSamples()
        for _ in range(10):
            state = state.plus((2, 3, 15), (60, 80, 60), start=0.1, threshold=1e6)
        assert state.evidence > 1e4


class TestTrafficShare:
    @pytest.mark.parametrize("expected", [0.05, 0.5])
    @pytest.mark.parametrize("off", [1.0 - TOLERANCE, 1.0, 1.0 + TOLERANCE])
    def test_no_course_gains_within_what_is_tolerated(self, expected: float, off: float) -> None:
        states = {TrafficShareState(): 1.0}
        for total in (9, 14, 6):
            law = binom.pmf(np.arange(total + 1), total, expected * off)
            after: dict[TrafficShareState, float] = {}
            for state, before in states.items():
                for canary, chance in enumerate(law):
                    grown = state.plus(canary, total - canary, expected)
                    after[grown] = after.get(grown, 0.0) + before * float(chance)
            states = after
        assert sum(states.values()) == pytest.approx(1.0)
        assert sum(state.evidence * chance for state, chance in states.items()) <= 1.0 + 1e-9


class TestBreaches:
    @pytest.mark.parametrize("threshold", [4.0, 10.0, 20.0])
    def test_no_more_than_alpha_of_all_courses_ever_reach_the_threshold(self, threshold: float) -> None:
        expectation = reached = 0.0
        for course in product((False, True), repeat=9):
            capital = breaches.fresh()
            for index, breach in enumerate(course):
                start = breaches.start_mass(index)
                capital = breaches.advance(capital, breach, start=start, threshold=threshold)
            chance = 0.1 ** sum(course) * 0.9 ** (9 - sum(course))
            expectation += chance * capital.value
            reached += chance * capital.reached(threshold)
        assert expectation == pytest.approx(1.0, abs=1e-9)
        assert reached <= 1.0 / threshold


class TestPairs:
    MAGNITUDES = (1.0, 3.0, 0.5, 2.0, 8.0, 1.5, 0.1, 4.0)

    def courses(self, threshold: float) -> Iterator[PairProcess]:
        """Yield a process for every choice of signs of the same magnitudes: what symmetry makes equally likely."""
        for signs in product((-1.0, 1.0), repeat=len(self.MAGNITUDES)):
            process = PairProcess()
            for sign, magnitude in zip(signs, self.MAGNITUDES, strict=True):
                # A constant stable side has no correlation of its own: blocks keep the length they begin with.
                for _ in range(process.block_length):
                    process = process.plus(10.0 + sign * magnitude, 10.0, ratio=1.0, threshold=threshold)
            yield process

    def test_nothing_is_gained_or_lost_where_up_and_down_are_alike(self) -> None:
        values = [process.evidence for process in self.courses(1e9)]
        assert np.mean(values) == pytest.approx(1.0, abs=1e-9)
        assert np.max(values) > 5.0

    def test_no_more_than_alpha_of_all_courses_ever_reach_the_threshold(self) -> None:
        assert np.mean([process.capital.reached(8.0) for process in self.courses(8.0)]) <= 1.0 / 8.0


@pytest.mark.random
class TestPopulationStability:
    """10 buckets of equal mass, a reference of 10,000: 2,000 draws each."""

    @pytest.mark.parametrize(("size", "bias", "upper"), [(50, 0.1809, 0.34007), (1000, 0.0099, 0.01861)])
    def test_bias_and_upper_point_are_the_published_ones(self, size: int, bias: float, upper: float) -> None:
        assert 9 * (1 / size + 1e-4) == pytest.approx(bias, abs=5e-5)
        assert chi2.ppf(0.95, 9) * (1 / size + 1e-4) == pytest.approx(upper, abs=2e-5)
        rng = np.random.Generator(np.random.PCG64(8))
        drawn, base = rng.multinomial(size, [0.1] * 10, 2000), rng.multinomial(10_000, [0.1] * 10, 2000)
        raw = np.array([stability(a, b).estimate for a, b in zip(drawn.tolist(), base.tolist(), strict=True)]) + bias  # type: ignore[union-attr]
        # Half an observation per bucket draws small samples together: 9 % at 50, nothing at 1,000.
        assert raw.mean() == pytest.approx(bias, rel=0.12 if size == 50 else 0.03)
        assert np.quantile(raw, 0.95) == pytest.approx(upper, rel=0.15 if size == 50 else 0.06)

    @pytest.mark.parametrize("shift", [0.3, 0.6])
    def test_standard_error_is_the_scatter_of_the_estimate(self, shift: float) -> None:
        rng = np.random.Generator(np.random.PCG64(9))
        tilt = np.exp(shift * np.linspace(-1.5, 1.5, 10))
        drawn, base = rng.multinomial(1000, tilt / tilt.sum(), 2000), rng.multinomial(10_000, [0.1] * 10, 2000)
        found = [stability(a, b) for a, b in zip(drawn.tolist(), base.tolist(), strict=True)]
        estimates = np.array([each.estimate for each in found if each is not None])
        errors = np.array([each.standard_error for each in found if each is not None])
        assert errors.mean() == pytest.approx(estimates.std(), rel=0.15)
