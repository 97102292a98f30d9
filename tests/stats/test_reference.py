"""Counts against a training reference."""

from math import factorial, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.errors import BrokenInvariant
from serinus.stats.population_stability import stability
from serinus.stats.reference import CONCENTRATIONS, evidence, log_evidence
from support.histograms import shifted, ways


def test_the_published_multinomial_test_is_reproduced() -> None:
    """savvi's own test of Lindon and Malek's sequential test: p falls to 0.05 at the 402nd draw."""
    draws = np.random.RandomState(1).multinomial(1, [0.1, 0.3, 0.6], 1_000).cumsum(axis=0).astype(float)
    null = np.array([0.1, 0.4, 0.5])
    first = next(n for n in range(1_000) if log_evidence(draws[n], null, 100.0) >= np.log(20.0))
    assert first + 1 == 402
    assert np.exp(-log_evidence(draws[first], null, 100.0)) == pytest.approx(0.0484559110597, rel=1e-10)


@pytest.mark.parametrize("concentration", CONCENTRATIONS)
def test_against_a_known_law_its_expectation_is_one(concentration: float) -> None:
    law = np.array([0.6, 0.3, 0.1])
    expected = sum(
        factorial(6)
        / prod(map(factorial, counts))
        * prod(law ** np.array(counts))
        * np.exp(log_evidence(np.array(counts, float), law, concentration))
        for counts in ways(6, 3)
    )
    assert expected == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(("counts", "reference"), [((0, 0), (5, 5)), ((5, 5), (0, 0)), ((), ()), ((3, 4), ())])
def test_without_counts_or_reference_nothing_is_known(counts: tuple[int, ...], reference: tuple[int, ...]) -> None:
    assert evidence(counts, reference) == 1.0


def test_a_bucket_that_was_not_counted_is_our_bug() -> None:
    with pytest.raises(BrokenInvariant):
        evidence((1, 2), (1, 2, 3))


def test_a_new_category_is_evidence() -> None:
    assert evidence((500, 500), (5_000, 5_000)) < 1
    assert evidence((490, 490, 20), (5_000, 5_000)) > 1e6


def test_five_requests_that_a_small_reference_lacks_are_little_evidence() -> None:
    assert evidence((245, 250, 5), (250, 250, 0)) < 20


def test_a_small_reference_gives_less_evidence() -> None:
    assert 1 < evidence((300, 200), (50, 50)) < evidence((300, 200), (5_000, 5_000))


def flagged(distance: float, canary: int, runs: int) -> float:
    """Share of runs in which evidence and effect both accuse at one of 20 looks; reference of 10,000."""
    rng = np.random.default_rng(7)
    level, law = shifted(0.0), shifted(distance)
    hits = 0
    for _ in range(runs):
        reference = rng.multinomial(10_000, level).tolist()
        seen = np.zeros(10, dtype=int)
        for part in rng.multinomial(canary, [0.05] * 20):
            seen = seen + rng.multinomial(part, law)
            effect = stability(seen.tolist(), reference)
            if effect is not None and effect.lower >= 0.1 and evidence(seen.tolist(), reference) >= 20.0:
                hits += 1
                break
    return hits / runs


@pytest.mark.parametrize(
    ("distance", "canary", "runs", "least", "most"),
    [
        # Bars: .01 without and with a trifling shift, .85 and .99 with half a standard deviation. What is allowed here
        # is 3 Monte-Carlo errors beside them. Simulated with 150 to 400 runs: .005, .000, .91, 1.00.
        (0.0, 200, 100, 0.0, 0.01 + 3 * 0.01),
        (0.05, 5_000, 60, 0.0, 0.01 + 3 * 0.013),
        (0.5, 200, 100, 0.85 - 3 * 0.036, 1.0),
        (0.5, 1_000, 60, 0.99 - 3 * 0.013, 1.0),
    ],
)
def test_drift_is_flagged_and_noise_is_not(distance: float, canary: int, runs: int, least: float, most: float) -> None:
    assert least <= flagged(distance, canary, runs) <= most


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 200).flatmap(
        lambda size: st.tuples(*[st.lists(st.sampled_from([0, 1, 7, 10**9]), min_size=size, max_size=size)] * 2)
    )
)
def test_any_counts_give_a_finite_number(pair: tuple[list[int], list[int]]) -> None:
    assert 0.0 <= evidence(*pair) < 1e300
