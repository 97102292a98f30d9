"""When a process against a late change may start to bet: the schedule of start masses.

A share of capital is kept back and bet at later ticks, so that a canary that turns bad after half an hour is found
nearly as fast as one that was bad from the start. The masses of a whole rollout sum to at most 1, and depend on
nothing that was measured, which keeps the process valid.
"""

from math import log

FIRST_TICK = 0.42
STEP_STARTS = 0.15
PLANNED_STARTS = 0.4
ENDLESS_STARTS = 0.03
PLANNED_TICKS = 240


def start_mass(*, ticks_before: int, new_step: bool, steps: int, planned_ticks: int = PLANNED_TICKS) -> float:
    """Return the share of the initial capital that is newly bet at a tick.

    At the first tick 0.42, at the first tick of each of K weight steps 0.15 / K, and at each tick k = 0, 1, ... a
    part of 0.4, which is spent within the T planned ticks, and a part of 0.03, which lasts for ever. The former
    falls as ``1 / (k + T/4)``, the latter as ``T / ((k + T) (k + T + 1))``: most changes come early, yet a rollout
    that waits for hours never runs out. Mixture over starting times after Shin, Ramdas and Rinaldo (arXiv 2203.03532).

    Args:
        ticks_before: ticks of this process before this one.
        new_step: this is the first tick in a weight step; true at most ``steps`` times.
        steps: weight steps of the rollout.
        planned_ticks: ticks that the rollout is expected to last, at least 1; the same at every tick.
    """
    mass = ENDLESS_STARTS * endless_share(ticks_before, planned_ticks)
    if ticks_before < planned_ticks:
        early = planned_ticks / 4.0
        mass += PLANNED_STARTS * log((ticks_before + 1.0 + early) / (ticks_before + early)) / log(5.0)
    if ticks_before == 0:
        mass += FIRST_TICK
    if new_step and steps > 0:
        mass += STEP_STARTS / steps
    return mass


def endless_share(ticks_before: int, half: float) -> float:
    """Return ``T / ((k + T) (k + T + 1))``: shares over all ticks k = 0, 1, ... that sum to 1 and never run out.

    Args:
        ticks_before: k.
        half: T, the tick before which half of all is spent; above 0.
    """
    return half / ((ticks_before + half) * (ticks_before + half + 1.0))
