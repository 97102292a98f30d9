import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.stats.starts import PLANNED_TICKS, start_mass


@given(steps=st.integers(0, 50), later=st.sets(st.integers(1, 400), max_size=49))
def test_a_rollout_never_bets_more_than_it_has(steps: int, later: set[int]) -> None:
    starting = {0, *sorted(later)[: max(steps - 1, 0)]}
    spent = sum(
        start_mass(ticks_before=tick, new_step=tick in starting and steps > 0, steps=steps) for tick in range(500)
    )
    assert spent <= 1 + 1e-12


@pytest.mark.parametrize(
    ("ticks_before", "new_step", "steps", "mass"),
    [(0, True, 3, 0.6), (1, False, 3, 0.0), (7, True, 3, 0.1), (PLANNED_TICKS, False, 3, -0.2 / 240)],
)
def test_masses(ticks_before: int, new_step: bool, steps: int, mass: float) -> None:
    found = start_mass(ticks_before=ticks_before, new_step=new_step, steps=steps)
    assert found == pytest.approx(mass + 0.2 / 240)
