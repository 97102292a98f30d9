import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln
from scipy.stats import hypergeom, nchypergeom_fisher

from serinus.stats.hypergeometric import Margins, laws, log_weight, mode, window


@settings(max_examples=40)
@given(
    canary=st.integers(1, 200),
    stable=st.integers(1, 2000),
    bad=st.integers(1, 300),
    odds=st.sampled_from([0.3, 1.1, 3, 40]),
    null_odds=st.sampled_from([1.0, 1.3, 2.5]),
)
def test_likelihood_ratios_are_those_of_scipy(
    canary: int, stable: int, bad: int, odds: float, null_odds: float
) -> None:
    margins = Margins(canary=canary, stable=stable, bad=min(bad, canary + stable - 1))
    if not margins.informative:
        return
    known = laws(margins, (odds,), null_odds)
    null = nchypergeom_fisher(canary + stable, margins.bad, canary, null_odds).pmf(known.outcomes)
    np.testing.assert_allclose(known.probabilities, null, rtol=1e-6, atol=1e-9)
    ours = np.log(odds) * (known.outcomes - known.origin) - known.normalisers[0]
    theirs = nchypergeom_fisher(canary + stable, margins.bad, canary, odds * null_odds).pmf(known.outcomes)
    # scipy itself is right only to so many digits where the mass is far away.
    seen = theirs > 1e-9
    np.testing.assert_allclose((ours + np.log(known.probabilities))[seen], np.log(theirs[seen]), rtol=1e-6, atol=1e-6)


@settings(max_examples=40)
@given(canary=st.integers(1, 200), stable=st.integers(1, 2000), bad=st.integers(1, 300))
def test_with_equal_odds_it_is_the_hypergeometric_law(canary: int, stable: int, bad: int) -> None:
    margins = Margins(canary=canary, stable=stable, bad=min(bad, canary + stable - 1))
    if not margins.informative:
        return
    known = laws(margins, (2.0,))
    theirs = hypergeom(canary + stable, margins.bad, canary).pmf(known.outcomes)
    np.testing.assert_allclose(known.probabilities, theirs, rtol=1e-8, atol=1e-14)
    assert float(
        np.exp(np.log(2.0) * (known.outcomes - known.origin) - known.normalisers[0]) @ theirs
    ) == pytest.approx(1)


@given(canary=st.integers(1, 10**6), stable=st.integers(1, 10**6), bad=st.integers(1, 10**5), odds=st.floats(0.1, 50.0))
def test_mode_is_the_most_likely_outcome(canary: int, stable: int, bad: int, odds: float) -> None:
    margins = Margins(canary=canary, stable=stable, bad=min(bad, canary + stable - 1))
    if not margins.informative:
        return
    found = mode(margins, odds)
    around = range(max(margins.lowest, found - 2), min(margins.highest, found + 2) + 1)
    weights = {x: log_weight(margins, x) + np.log(odds) * x for x in around}
    assert weights[found] >= max(weights.values()) - 1e-6


@given(canary=st.integers(1, 300), stable=st.integers(1, 300), bad=st.integers(1, 300))
def test_saddle_point_weights_are_those_of_factorials(canary: int, stable: int, bad: int) -> None:
    margins = Margins(canary=canary, stable=stable, bad=min(bad, canary + stable - 1))

    def plain(x: int) -> float:
        cells = (x, canary - x, margins.bad - x, stable - margins.bad + x)
        return -float(sum(gammaln(cell + 1) for cell in cells))

    ends = (margins.lowest, margins.highest)
    assert log_weight(margins, ends[1]) - log_weight(margins, ends[0]) == pytest.approx(
        plain(ends[1]) - plain(ends[0]), abs=1e-8
    )


@pytest.mark.parametrize("null_odds", [1.0, 1.7])
@pytest.mark.parametrize(
    "margins",
    [
        Margins(canary=40_000, stable=60_000, bad=30_000),
        Margins(canary=2_000, stable=90_000, bad=91_000),
        Margins(canary=50_000, stable=50_000, bad=1_100),
    ],
)
def test_windows_around_the_modes_give_what_the_whole_support_gives(
    monkeypatch: pytest.MonkeyPatch, margins: Margins, null_odds: float
) -> None:
    odds = (1.1, 1.7, 3.0, 40.0)
    first, last = window(margins, 1.7)
    assert last - first < 3_000
    narrow = laws(margins, odds, null_odds)
    monkeypatch.setattr("serinus.stats.hypergeometric._WHOLE_SUPPORT", 10**9)
    whole = laws(margins, odds, null_odds)
    assert whole.origin == narrow.origin
    np.testing.assert_allclose(narrow.normalisers, whole.normalisers, rtol=1e-10)
    inside = np.isin(whole.outcomes, narrow.outcomes)
    assert whole.probabilities[~inside].sum() < 1e-15
    np.testing.assert_allclose(narrow.probabilities, whole.probabilities[inside], rtol=1e-9)


def test_a_thousand_million_requests_lose_no_digits() -> None:
    # With so many requests the law is binomial: m trials, odds 1:1.
    known = laws(Margins(canary=10**9, stable=10**9, bad=10), (2.0,))
    binomial = np.array([1, 10, 45, 120, 210, 252, 210, 120, 45, 10, 1]) / 1024
    np.testing.assert_allclose(known.probabilities, binomial, rtol=1e-7)
    assert list(known.outcomes) == list(range(11))
    many = laws(Margins(canary=10**9, stable=10**9, bad=10**7), (1.001,))
    # Its normaliser is the cumulant of a law that is normal but for 1e-7: half its variance times log(odds) squared.
    variance = 10**7 / 4 * (1 - 10**7 / (2 * 10**9))
    assert many.normalisers[0] == pytest.approx(np.log(1.001) ** 2 / 2 * variance, rel=1e-5)
