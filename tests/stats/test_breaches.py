import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.stats.breaches import TOLERATED_SHARE, BreachShare, Thinning, advance, fresh, start_mass
from serinus.stats.capital import Capital


def run(breaches: list[bool], *, threshold: float = 20.0, confirm_ticks: int = 2) -> list[float]:
    capital, values = fresh(), []
    for index, breach in enumerate(breaches):
        capital = advance(capital, breach, start=start_mass(index), threshold=threshold, confirm_ticks=confirm_ticks)
        values.append(capital.value)
    return values


@pytest.mark.parametrize(("confirm_ticks", "needed"), [(1, 2), (2, 2), (4, 4)])
def test_steady_breaches_need_two_ticks(confirm_ticks: int, needed: int) -> None:
    values = run([True] * 6, confirm_ticks=confirm_ticks)
    assert next(index for index, value in enumerate(values, 1) if value >= 20 - 1e-9) == needed


def test_no_breach_lowers_the_evidence() -> None:
    assert run([False] * 20)[-1] < 0.7


def test_a_late_change_is_found() -> None:
    values = run([False] * 100 + [True] * 8)
    assert 0.99 < sum(map(start_mass, range(1_000))) < 1.0
    assert values[99] < 1 < 20 - 1e-9 <= max(values)


@pytest.mark.parametrize("quiet", [50, 600, 2_400])
def test_money_for_a_late_change_never_runs_out(quiet: int) -> None:
    values = run([False] * quiet + [True] * 12)
    assert max(values[:quiet]) < 20 - 1e-9 <= max(values)


@given(
    parts=st.lists(st.floats(0, 2), min_size=3, max_size=3),
    cash=st.floats(0, 1),
    share=st.floats(0, TOLERATED_SHARE),
    confirm_ticks=st.integers(1, 3),
)
def test_no_tick_is_expected_to_gain(parts: list[float], cash: float, share: float, confirm_ticks: int) -> None:
    before = Capital(parts=tuple(parts), cash=cash)
    good, bad = (
        advance(before, breach, start=0.1, threshold=20.0, confirm_ticks=confirm_ticks).value
        for breach in (False, True)
    )
    assert (1 - share) * good + share * bad <= before.value * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize(
    ("seen", "above"),
    [([], False), ([True, True], True), ([False] * 9 + [True], False), ([False] * 100 + [True] * 5, True)],
)
def test_lower_estimate_of_the_share(seen: list[bool], above: bool) -> None:
    share = BreachShare()
    for breach in seen:
        share = share.plus(breach)
    assert (share.lower > TOLERATED_SHARE) is above


def counted(values: list[float], *, tick_seconds: float = 30.0, window_seconds: float = 0.0) -> list[int]:
    thinning, ticks = Thinning(), []
    for index, value in enumerate(values):
        thinning = thinning.plus(value, tick_seconds=tick_seconds, window_seconds=window_seconds)
        if thinning.counted:
            ticks.append(index)
    return ticks


def noise(number: int, correlation: float = 0.0, seed: int = 1) -> list[float]:
    rng, value, values = np.random.default_rng(seed), 0.0, []
    for each in rng.standard_normal(number):
        value = correlation * value + (1 - correlation**2) ** 0.5 * float(each)
        values.append(value)
    return values


@pytest.mark.parametrize("window_seconds", [0.0, 15.0, 30.0])
def test_every_tick_counts_where_windows_do_not_overlap(window_seconds: float) -> None:
    assert counted([1.0, 1.0, 9.0], window_seconds=window_seconds) == [0, 1, 2]
    assert counted(noise(200), window_seconds=window_seconds) == list(range(200))


@pytest.mark.parametrize(("window_seconds", "every"), [(31.0, 2), (60.0, 2), (300.0, 10), (45.0, 2)])
def test_overlapping_windows_count_once(window_seconds: float, every: int) -> None:
    assert counted([1.0] * 40, window_seconds=window_seconds) == list(range(0, 40, every))


def test_values_that_cling_count_every_fourth_time() -> None:
    ticks = counted(noise(400, 0.8))
    late = [tick for tick in ticks if tick > 100]
    assert set(np.diff(late)) == {4}


def test_clinging_is_measured_between_windows() -> None:
    """Ten ticks of the same five minutes are no reason to count every fortieth tick only."""
    values = [value for value in noise(60) for _ in range(10)]
    assert counted(values, window_seconds=300.0) == list(range(0, 600, 10))


def reached(correlation: float, thin: bool, runs: int) -> float:
    """Share of hours in which a value that breaches 5 % of the time is accused."""
    hits = 0
    for seed in range(runs):
        capital, thinning, used = fresh(), Thinning(), 0
        for value in noise(120, correlation, seed):
            thinning = thinning.plus(value, tick_seconds=30.0)
            if thinning.counted or not thin:
                capital = advance(capital, value > 1.645, start=start_mass(used), threshold=20.0)
                used += 1
        hits += capital.reached(20.0)
    return hits / runs


def test_thinning_pays_for_values_that_cling() -> None:
    """150 hours each, Monte-Carlo error at most .03; simulated .19 unthinned, .04 thinned, .003 without clinging."""
    assert reached(0.0, True, 150) <= 0.02
    assert reached(0.8, True, 150) < 0.6 * reached(0.8, False, 150)
