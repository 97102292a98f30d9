from itertools import pairwise
from math import exp, log

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import rel_entr
from scipy.stats import binom

from serinus.stats.counts import Counts
from serinus.stats.margin_test import (
    MULTIPLES,
    History,
    Proof,
    advance,
    bounded,
    log_factor,
    project,
    requests_needed,
)


def plain(rate: float) -> float:
    """Round: scipy's binomial law overflows at rates like 1e-300."""
    return round(rate, 6)


RATES = st.floats(1e-6, 1 - 1e-6)


@pytest.mark.parametrize(
    ("given_", "point"),
    [
        ((100, 400, 0.05, 0.02, 1.0, 0.01), (0.0329936240, 0.0229936240)),
        ((50, 950, 0.2, 0.01, 1.2, 0.002), (0.0242442245, 0.0185368538)),
        ((20, 20, 0.5, 0.1, 1.5, 0.0), (0.375, 0.25)),
    ],
)
def test_published_projections(given_: tuple[int, int, float, float, float, float], point: tuple[float, float]) -> None:
    n_c, n_s, t_c, t_s, ratio, excess = given_
    found = project(n_c, n_s, canary_rate=t_c, stable_rate=t_s, ratio=ratio, excess=excess)
    assert found == pytest.approx(point, abs=1e-10)


@settings(max_examples=60)
@given(n_c=st.integers(1, 10**6), n_s=st.integers(1, 10**6), t_c=RATES, t_s=RATES, excess=st.floats(1e-6, 0.5))
def test_no_point_of_the_null_is_closer(n_c: int, n_s: int, t_c: float, t_s: float, excess: float) -> None:
    def distance(stable: float) -> float:
        canary = stable + excess
        return float(
            n_c * (rel_entr(t_c, canary) + rel_entr(1 - t_c, 1 - canary))
            + n_s * (rel_entr(t_s, stable) + rel_entr(1 - t_s, 1 - stable))
        )

    canary, stable = project(n_c, n_s, canary_rate=t_c, stable_rate=t_s, excess=excess)
    assert canary == pytest.approx(stable + excess)
    best = minimize_scalar(distance, bounds=(1e-12, 1 - excess - 1e-12), method="bounded")
    assert distance(stable) <= best.fun + 1e-9 * (n_c + n_s)


@settings(max_examples=40)
@given(
    n_c=st.integers(1, 12),
    n_s=st.integers(1, 12),
    p_s=st.floats(0, 0.9).map(plain),
    above=st.floats(0, 0.5).map(plain),
    past=st.floats(0, 1),
    excess=st.floats(0.01, 0.5),
    dispersion=st.sampled_from([1.0, 4.0]),
)
def test_no_tick_is_expected_to_gain_under_the_null(
    n_c: int, n_s: int, p_s: float, above: float, past: float, excess: float, dispersion: float
) -> None:
    """Exact enumeration: whatever the past rate, wherever in the null the truth is."""
    p_c = p_s + excess + above
    assume(p_c <= 1)
    history = History(total=100.0, bad=100.0 * past)
    before = Proof(parts=(0.5, 0.2, 0.1), cash=0.3)
    mean = 0.0
    for x_c in range(n_c + 1):
        for x_s in range(n_s + 1):
            tick = Counts(canary_total=n_c, canary_bad=x_c, stable_total=n_s, stable_bad=x_s)
            weight = binom.pmf(x_c, n_c, p_c) * binom.pmf(x_s, n_s, p_s)
            mean += weight * advance(before, tick, history, excess, dispersion).value
    assert mean <= before.value + 1e-9


@settings(max_examples=100)
@given(
    n_c=st.integers(1, 10**9),
    n_s=st.integers(1, 10**9),
    t_c=RATES,
    t_s=RATES,
    excess=st.floats(0, 0.5),
    ratio=st.sampled_from([1.0, 0.7, 3.0]),
)
def test_the_projection_is_where_the_divergence_is_flat(
    n_c: int, n_s: int, t_c: float, t_s: float, excess: float, ratio: float
) -> None:
    """The slope there is no more than what one unit in the eleventh digit of the rates makes."""
    canary, stable = project(n_c, n_s, canary_rate=t_c, stable_rate=t_s, excess=excess, ratio=ratio)
    assert 0 < stable < 1
    assert 0 < canary < 1
    pull_c, pull_s = ratio * n_c / (canary * (1 - canary)), n_s / (stable * (1 - stable))
    # A rate near 1 is known to one unit in its own last digit only.
    last = 1e-15 * n_s * (1 - t_s) / (1 - stable) ** 2 + 1e-15 * ratio * n_c * (1 - t_c) / (1 - canary) ** 2
    assert abs(pull_c * (canary - t_c) + pull_s * (stable - t_s)) <= 1e-11 * (pull_c + pull_s) + last


def test_clusters_that_fare_alike_prove_as_much_as_one_request_of_each() -> None:
    history = History(total=1_000.0, bad=10.0)
    one = Counts(canary_total=40, canary_bad=1, stable_total=160, stable_bad=2)
    many = Counts(canary_total=400, canary_bad=10, stable_total=1600, stable_bad=20)
    assert advance(Proof(), many, history, 0.02, 10.0).parts == pytest.approx(
        advance(Proof(), one, history, 0.02).parts
    )
    assert requests_needed(Proof(), 20.0, 0.001, 0.01, 4.0, dispersion=10.0) == pytest.approx(
        10 * requests_needed(Proof(), 20.0, 0.001, 0.01, 4.0)
    )


@given(rate=st.floats(0.001, 0.5), more=st.floats(0, 0.4))
def test_a_bet_inside_the_null_is_no_bet(rate: float, more: float) -> None:
    tick = Counts(canary_total=10, canary_bad=5, stable_total=10, stable_bad=1)
    assert log_factor(tick, rate + 0.01 + more, rate, 0.01) == 0.0


def test_without_a_history_nothing_is_bet() -> None:
    tick = Counts(canary_total=1000, canary_bad=0, stable_total=1000, stable_bad=0)
    assert advance(Proof(), tick, History(), 0.01) == Proof()


@pytest.mark.parametrize("target", [20.0, 100.0, 1 / 0.03, 1.0])
def test_no_single_tick_proves(target: float) -> None:
    """A burst of errors on stable makes any canary look good: two ticks at least, and as many for a perfect canary."""
    burst = Counts(canary_total=1_000, canary_bad=20, stable_total=1_000, stable_bad=300)
    history = History(total=1_000.0, bad=10.0)
    once = advance(Proof(), burst, history, 0.01, target=target)
    assert once.value == pytest.approx(target**0.5, rel=1e-6)
    # As it is read back from where it was remembered.
    read = Proof(parts=tuple(float(f"{part:.8g}") for part in once.parts), cash=once.cash)
    assert advance(read, burst, history, 0.01, target=target).value >= target
    lost = Proof(parts=(0.01, 0.0, 0.0), cash=0.0)
    assert advance(lost, burst, history, 0.01, target=target).value <= target**0.5 * (1 + 1e-6)


def test_the_requests_needed_are_those_of_two_ticks_at_least() -> None:
    def needed(proof: Proof, target: float = 20.0) -> float:
        return requests_needed(proof, target, 0.001, 0.01, 4.0, per_tick=10_000.0)

    assert needed(Proof()) == 20_000.0
    assert needed(Proof(parts=(4.4721360, 0.0, 0.0), cash=0.0)) == 10_000.0
    assert needed(Proof(parts=(0.1, 0.0, 0.0), cash=0.0)) == 20_000.0
    assert needed(Proof(parts=(0.1, 0.0, 0.0), cash=0.0), target=1.0) == 20_000.0


@pytest.mark.parametrize("tick", [Counts(canary_total=9), Counts(stable_total=9, stable_bad=9)])
def test_a_side_without_requests_changes_nothing(tick: Counts) -> None:
    before = Proof(parts=(1.0, 2.0, 3.0), cash=0.2)
    assert advance(before, tick, History(total=10.0), 0.01) is before


def requests_until_proof(excess: float, *, canary_bad: tuple[int, ...] = (), stable_per_canary: int = 4) -> int:
    proof, history, requests = Proof(), History(), 0
    for tick in range(5_000):
        counts = Counts(
            canary_total=5, canary_bad=int(tick in canary_bad), stable_total=5 * stable_per_canary, stable_bad=0
        )
        proof = advance(proof, counts, history, excess)
        history = history.plus(counts)
        requests += counts.canary_total
        if proof.value >= 20:
            return requests
    raise AssertionError("never proved")


@pytest.mark.parametrize("excess", [0.5, 0.1, 0.02, 0.01])
@pytest.mark.parametrize("stable_per_canary", [1, 4, 20])
def test_a_service_without_errors_is_proved_quickly(excess: float, stable_per_canary: int) -> None:
    ideal = log(20) / -log(1 - excess)
    assert ideal <= requests_until_proof(excess, stable_per_canary=stable_per_canary) <= 1.3 * ideal + 10


def test_one_error_of_the_canary_delays_the_proof_but_does_not_end_it() -> None:
    clean = requests_until_proof(0.01)
    assert clean + 100 <= requests_until_proof(0.01, canary_bad=(30,)) <= 2 * clean + 100


def test_a_bad_start_can_be_made_up_for() -> None:
    """The canary fails half of its first requests while it warms up, never again afterwards."""
    proof, history = Proof(), History()
    for tick in range(200):
        counts = Counts(canary_total=40, canary_bad=20 if tick < 3 else 0, stable_total=160, stable_bad=0)
        proof = advance(proof, counts, history, 0.02)
        history = history.plus(counts)
    assert proof.value >= 20


def test_a_proof_of_a_smaller_excess_takes_longer() -> None:
    needed = [requests_until_proof(excess) for excess in (0.2, 0.1, 0.05, 0.02)]
    assert all(more > less for less, more in pairwise(needed))


@given(
    n_c=st.integers(1, 10**9),
    n_s=st.integers(1, 10**9),
    c=st.floats(0, 1),
    s=st.floats(0, 1),
    past=st.floats(0, 1),
    excess=st.floats(0, 5),
)
def test_always_finite(n_c: int, n_s: int, c: float, s: float, past: float, excess: float) -> None:
    tick = Counts(canary_total=n_c, canary_bad=int(n_c * c), stable_total=n_s, stable_bad=int(n_s * s))
    proof = Proof()
    for _ in range(3):
        proof = advance(proof, tick, History(total=5.0, bad=5.0 * past), bounded(excess))
    assert all(np.isfinite(part) and part >= 0 for part in (*proof.parts, proof.cash))


def test_the_estimate_of_requests_is_about_right() -> None:
    estimate = requests_needed(Proof(), 20.0, 0.001, 0.01, 4.0)
    assert estimate == pytest.approx(requests_until_proof(0.01), rel=0.25)
    assert requests_needed(Proof(parts=(20.0, 0.0, 0.0)), 20.0, 0.001, 0.01, 4.0) == 0.0


def test_the_history_forgets_with_a_half_life_of_twenty_ticks() -> None:
    history = History(total=1000.0, bad=500.0)
    for _ in range(20):
        history = history.plus(Counts(stable_total=0))
    assert (history.total, history.bad) == pytest.approx((500.0, 250.0))
    assert len(MULTIPLES) == len(Proof().parts)
    assert exp(0) == Proof().value


@pytest.mark.parametrize("excess", [0.0, 0.005, 0.3])
@pytest.mark.parametrize("ratio", [1.0, 0.7, 3.0])
def test_the_search_starts_where_it_ends(monkeypatch: pytest.MonkeyPatch, excess: float, ratio: float) -> None:
    given_ = {"canary_rate": 0.02, "stable_rate": 0.01, "excess": excess, "ratio": ratio}
    found = project(100, 900, **given_)
    monkeypatch.setattr("serinus.stats.margin_test._NEWTON_STEPS", 0)
    assert project(100, 900, **given_) == pytest.approx(found, rel=1e-9)
