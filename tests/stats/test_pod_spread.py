from math import exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from serinus.stats.pod_spread import MAX_PODS, PodSpread


def seen(
    rates: list[float], *, seed: int, ticks: int = 60, requests: int = 540, burst: int = 1, bad_tick: bool = False
) -> PodSpread:
    rng = np.random.default_rng(seed)
    spread = PodSpread()
    for tick in range(ticks):
        bad = [int(rng.poisson(rate * requests / burst)) * burst for rate in rates]
        if bad_tick and tick == 7:
            bad[0] = requests // 2
        spread = spread.plus({f"pod-{index}": (requests, min(each, requests)) for index, each in enumerate(bad)})
    return spread


def test_the_spread_of_unlike_pods_is_found() -> None:
    rates = [0.01 * exp(0.5 * each) for each in (-1.2, -0.6, 0.0, 0.4, 1.4)]
    true = np.var(rates, ddof=1) / np.mean(rates) ** 2
    found = [seen(rates, seed=seed).variance for seed in range(10)]
    assert np.mean(found) == pytest.approx(true, rel=0.1)


@pytest.mark.parametrize("burst", [1, 5])
def test_alike_pods_leave_the_null_alone_mostly(burst: int) -> None:
    """Two standard errors are taken off: one in twelve at most is left, and of it little."""
    found = [seen([0.01] * 5, seed=seed, burst=burst).null_odds(1, 5) for seed in range(60)]
    assert np.mean([each > 1.0 for each in found]) <= 0.2
    assert np.median(found) == 1.0
    assert max(found) < 1.8


def test_a_burst_on_one_pod_is_not_a_spread() -> None:
    assert seen([0.01] * 5, seed=5, bad_tick=True).null_odds(1, 5) == 1.0


def test_the_formula() -> None:
    spread = seen([0.005, 0.01, 0.02], seed=1)
    tau = sqrt(log(1 + spread.variance))
    assert spread.variance > 0.1
    assert spread.null_odds(2, 6) == pytest.approx(exp(student.ppf(0.95, 2) * tau * sqrt(1 / 2 + 1 / 6)))
    assert spread.null_odds(9, 9, 0.1) == pytest.approx(exp(student.ppf(0.9, 2) * tau * sqrt(2 / 9)))
    assert spread.null_odds(8, 8) < spread.null_odds(1, 8)


@pytest.mark.parametrize(
    ("rates", "false_rate", "odds"),
    [
        ([0.01, 0.02], 0.05, 5.0),
        ([0.01, 0.02], 1e-9, 5.0),
        ([0.01, 0.02, 0.01], 0.005, 5.0),
        ([0.01, 0.02], 0.5, 1.0),
        ([0.01, 0.02], 1.0, 1.0),
    ],
)
def test_few_pods_allow_no_catastrophe_and_no_rate_accuses_the_equal(
    rates: list[float], false_rate: float, odds: float
) -> None:
    spread = seen(rates, seed=2, requests=1350)
    assert spread.variance > 0.0
    assert spread.null_odds(1, len(rates), false_rate) == pytest.approx(odds)


@pytest.mark.parametrize("tick", [{}, {"a": (100, 3)}, {"a": (100, 3), "b": (0, 0)}, {"a": (9, 0), "b": (9, 0)}])
def test_ticks_that_compare_no_pods(tick: dict[str, tuple[int, int]]) -> None:
    spread = PodSpread().plus(tick)
    assert spread == PodSpread()
    assert spread.null_odds(0, 0) == 1.0


def test_no_more_pods_are_remembered_than_fit() -> None:
    spread = PodSpread()
    for _ in range(3):
        spread = spread.plus({f"pod-{index}": (100, index % 3) for index in range(500)})
    assert len(spread.pods) == MAX_PODS
    assert spread.gone == 0


def replaced(rates: list[float], *, every: int, seed: int, ticks: int = 120, alike_until: int = 0) -> PodSpread:
    """A rolling restart of stable every so many ticks: as many new pods, of the same rates."""
    rng = np.random.default_rng(seed)
    spread = PodSpread()
    for tick in range(ticks):
        now = rates if tick >= alike_until else [float(np.mean(rates))] * len(rates)
        spread = spread.plus(
            {f"pod-{tick // every}-{pod}": (540, int(rng.binomial(540, rate))) for pod, rate in enumerate(now)}
        )
    return spread


def test_new_pods_take_the_places_of_those_that_are_gone() -> None:
    rates = [0.01, 0.01, 0.01, 0.05, 0.002, 0.03]
    true = np.var(rates, ddof=1) / np.mean(rates) ** 2
    spread = replaced(rates, every=10, seed=1)
    assert (len(spread.pods), spread.gone) == (MAX_PODS, 12 * 6 - MAX_PODS)
    assert np.mean([replaced(rates, every=10, seed=seed).variance for seed in range(5)]) == pytest.approx(true, rel=0.2)
    assert replaced([0.01] * 6, every=10, seed=1).null_odds(1, 6) == 1.0
    # Twelve pods were seen before any of them differed.
    assert replaced(rates, every=10, seed=1, alike_until=30).null_odds(1, 6) > 3.0


@settings(max_examples=40)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "b", "c"]), st.tuples(st.integers(0, 10**9), st.floats(0, 1)), max_size=3
        ),
        max_size=6,
    )
)
def test_always_finite(ticks: list[dict[str, tuple[int, float]]]) -> None:
    spread = PodSpread()
    for tick in ticks:
        spread = spread.plus({pod: (total, int(total * share)) for pod, (total, share) in tick.items()})
    assert np.isfinite(spread.null_odds(1, 3))
    assert spread.null_odds(1, 3) >= 1.0
