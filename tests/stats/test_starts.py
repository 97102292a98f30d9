from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.stats.starts import ENDLESS_STARTS, FIRST_TICK, PLANNED_STARTS, STEP_STARTS, start_mass


@given(steps=st.integers(0, 50), later=st.sets(st.integers(1, 400), max_size=49), planned=st.integers(1, 1_000))
def test_a_rollout_never_bets_more_than_it_has(steps: int, later: set[int], planned: int) -> None:
    starting = {0, *sorted(later)[: max(steps - 1, 0)]}
    spent = sum(
        start_mass(ticks_before=tick, new_step=tick in starting and steps > 0, steps=steps, planned_ticks=planned)
        for tick in range(2_000)
    )
    assert FIRST_TICK + PLANNED_STARTS + ENDLESS_STARTS / 2 <= spent <= 1 + 1e-12


@pytest.mark.parametrize("planned", [1, 40, 240])
def test_what_is_kept_for_late_changes_sums_to_its_share_and_never_ends(planned: int) -> None:
    ticks = 20_000
    kept = [start_mass(ticks_before=tick, new_step=False, steps=3, planned_ticks=planned) for tick in range(ticks)]
    kept[0] -= FIRST_TICK
    left = ENDLESS_STARTS * planned / (ticks + planned)
    assert sum(kept) == pytest.approx(PLANNED_STARTS + ENDLESS_STARTS - left)
    assert sum(kept[:planned]) == pytest.approx(PLANNED_STARTS + ENDLESS_STARTS / 2)
    assert all(more > less > 0 for more, less in pairwise(kept))


@pytest.mark.parametrize(
    ("ticks_before", "new_step", "steps", "extra"),
    [(0, True, 4, FIRST_TICK + STEP_STARTS / 4), (0, False, 4, FIRST_TICK), (7, True, 1, STEP_STARTS), (9, True, 0, 0)],
)
def test_first_tick_and_steps(ticks_before: int, new_step: bool, steps: int, extra: float) -> None:
    plain = start_mass(ticks_before=ticks_before, new_step=False, steps=0) - (FIRST_TICK if ticks_before == 0 else 0)
    assert start_mass(ticks_before=ticks_before, new_step=new_step, steps=steps) == pytest.approx(plain + extra)
