import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from serinus.stats.traffic_share import TOLERANCE, TrafficShareState

SOME = TrafficShareState(parts=(0.1, 0.3, 0.0, 0.2, 0.1, 0.2, 0.05, 0.4), cash=0.2, expected=0.2, canary=5, stable=9)


@settings(max_examples=60)
@given(
    total=st.integers(1, 40),
    expected=st.floats(0.01, 0.99).map(lambda share: round(share, 6)),
    within=st.floats(-1, 1),
    before=st.sampled_from([SOME, TrafficShareState()]),
)
def test_no_tick_is_expected_to_gain(total: int, expected: float, within: float, before: TrafficShareState) -> None:
    share = round(expected * (1 + TOLERANCE * within), 6)
    assume(share <= 1)
    after = [before.plus(canary, total - canary, expected).evidence for canary in range(total + 1)]
    assert binom.pmf(range(total + 1), total, share) @ after <= before.evidence + 1e-9


@pytest.mark.parametrize(
    ("share", "expected", "off"),
    [(0.1, 0.1, False), (0.115, 0.1, False), (0.5, 0.05, True), (0.15, 0.1, True), (0.03, 0.1, True), (0.0, 0.1, True)],
)
def test_what_is_off_is_found(share: float, expected: float, off: bool) -> None:
    rng = np.random.default_rng(7)
    state, reached = TrafficShareState(), False
    for _ in range(60):
        canary = int(rng.binomial(300, share))
        state = state.plus(canary, 300 - canary, expected)
        reached = reached or state.evidence >= 20
    assert reached is off
    assert state.observed == pytest.approx(share, abs=0.01)


def test_what_was_counted_before_a_step_does_not_count_for_its_share() -> None:
    state = TrafficShareState().plus(10, 90, 0.1).plus(50, 50, 0.5).plus(52, 48, 0.5)
    assert state.observed == pytest.approx(0.51)
    assert (TrafficShareState().observed, TrafficShareState().evidence) == (None, 1.0)


def test_a_route_that_breaks_late_is_found_and_one_that_is_mended_is_forgiven() -> None:
    state = TrafficShareState()
    for _ in range(100):
        state = state.plus(30, 270, 0.1)
    for _ in range(10):
        state = state.plus(150, 150, 0.1)
    assert state.evidence >= 20
    for _ in range(30):
        state = state.plus(30, 270, 0.1)
    assert state.evidence < 1


def test_a_tick_without_requests_changes_nothing() -> None:
    assert SOME.plus(0, 0, 0.4) is SOME


@pytest.mark.parametrize("expected", [0.0, 1.0, -0.1, float("nan")])
def test_an_expected_share_is_a_share(expected: float) -> None:
    with pytest.raises(ValueError, match="expected share"):
        SOME.plus(1, 1, expected)


@given(canary=st.integers(0, 10**9), stable=st.integers(0, 10**9), expected=st.floats(1e-6, 1 - 1e-6))
def test_always_finite(canary: int, stable: int, expected: float) -> None:
    state = TrafficShareState().plus(canary, stable, expected).plus(canary, stable, expected).plus(stable, canary, 0.5)
    assert np.isfinite(state.evidence)
    assert 0 <= state.evidence <= 1e7
