import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom, nchypergeom_fisher

from serinus.stats.hypergeometric import Margins, log_normalisers, log_weights, mode, null_law, window


@given(
    canary=st.integers(1, 200), stable=st.integers(1, 2000), bad=st.integers(1, 300), odds=st.sampled_from([1.1, 3, 40])
)
def test_likelihood_ratios_are_those_of_scipy(canary: int, stable: int, bad: int, odds: float) -> None:
    margins = Margins(canary=canary, stable=stable, bad=min(bad, canary + stable - 1))
    if not margins.informative:
        return
    outcomes, probabilities = null_law(margins)
    null = hypergeom(canary + stable, margins.bad, canary).logpmf(outcomes)
    np.testing.assert_allclose(probabilities, np.exp(null), rtol=1e-8, atol=1e-14)
    ours = np.log(odds) * outcomes - log_normalisers(margins, (odds,), 0.0)[0]
    theirs = nchypergeom_fisher(canary + stable, margins.bad, canary, odds).pmf(outcomes)
    # scipy itself is right only to so many digits where the mass is far away.
    seen = theirs > 1e-9
    np.testing.assert_allclose((ours + null)[seen], np.log(theirs[seen]), rtol=1e-6, atol=1e-6)


@given(canary=st.integers(1, 10**6), stable=st.integers(1, 10**6), bad=st.integers(1, 10**5), odds=st.floats(1.0, 50.0))
def test_mode_is_the_most_likely_outcome(canary: int, stable: int, bad: int, odds: float) -> None:
    margins = Margins(canary=canary, stable=stable, bad=min(bad, canary + stable - 1))
    if not margins.informative:
        return
    found = mode(margins, odds)
    around = np.arange(max(margins.lowest, found - 2), min(margins.highest, found + 2) + 1, dtype=np.float64)
    weights = log_weights(margins, around) + np.log(odds) * around
    assert weights[around == found][0] >= weights.max() - 1e-6


def test_a_window_around_the_mode_gives_what_the_whole_support_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    margins = Margins(canary=40_000, stable=60_000, bad=30_000)
    odds = (1.1, 1.7, 3.0, 40.0)
    first, last = window(margins, 1.7)
    assert last - first < 3_000
    narrow = log_normalisers(margins, odds, 12_000.0)
    monkeypatch.setattr("serinus.stats.hypergeometric._WHOLE_SUPPORT", 10**9)
    np.testing.assert_allclose(narrow, log_normalisers(margins, odds, 12_000.0), rtol=1e-12)


def test_a_thousand_million_requests_lose_no_digits() -> None:
    # With so many requests the law is binomial: m trials, odds 1:1.
    margins = Margins(canary=10**9, stable=10**9, bad=10)
    outcomes, probabilities = null_law(margins)
    binomial = np.array([1, 10, 45, 120, 210, 252, 210, 120, 45, 10, 1]) / 1024
    np.testing.assert_allclose(probabilities, binomial, rtol=1e-7)
    assert list(outcomes) == list(range(11))
