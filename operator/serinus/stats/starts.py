"""When a process against a late change may start to bet: the schedule of start masses.

A share of capital is kept back and bet at later ticks, so that a canary that turns bad after half an hour is found
as fast as one that was bad from the start. The masses of a whole rollout sum to at most 1, and depend on nothing
that was measured, which keeps the process valid.
"""

FIRST_TICK = 0.5
STEP_STARTS = 0.3
ALL_TICKS = 0.2
PLANNED_TICKS = 240


def start_mass(*, ticks_before: int, new_step: bool, steps: int, planned_ticks: int = PLANNED_TICKS) -> float:
    """Return the share of the initial capital that is newly bet at a tick.

    Args:
        ticks_before: ticks of this process before this one.
        new_step: this is the first tick in a weight step; true at most ``steps`` times.
        steps: weight steps of the rollout.
        planned_ticks: ticks over which what is kept for late changes is spread, at least 1; the same at every tick.
    """
    mass = ALL_TICKS / planned_ticks if ticks_before < planned_ticks else 0.0
    if ticks_before == 0:
        mass += FIRST_TICK
    if new_step and steps > 0:
        mass += STEP_STARTS / steps
    return mass
