import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.stats.breaches import TOLERATED_SHARE, BreachShare, advance, fresh, start_mass
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
    assert sum(map(start_mass, range(1_000))) == pytest.approx(1.0)
    assert values[99] < 1 < 20 - 1e-9 <= max(values)


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
