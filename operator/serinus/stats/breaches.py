"""Evidence that a value is out of its bounds too often: a Bernoulli mixture e-process, and the share with its error.

The null is that at most ``TOLERATED_SHARE`` of the ticks breach. Knows neither the value nor its bounds.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from serinus.stats.capital import Capital, Law, bet, cap_per_tick, settle
from serinus.stats.starts import PLANNED_TICKS

TOLERATED_SHARE = 0.1
ALTERNATIVE_SHARES = (0.25, 0.5, 0.85)
HALF_LIFE_TICKS = 10.0
# Weight steps change nothing for a value, so what is not bet at first is spread over the planned ticks. With this
# much at first, two ticks of steady breaches are enough.
FIRST_TICK = 0.85
LATER_TICKS = 0.15

_DECAY = 0.5 ** (1.0 / HALF_LIFE_TICKS)
_ALTERNATIVES = np.array(ALTERNATIVE_SHARES)
_MIXTURE = np.full(len(ALTERNATIVE_SHARES), 1.0 / len(ALTERNATIVE_SHARES))
# Rows: alternatives; columns: no breach, breach.
_LAW = Law(
    probabilities=np.array([1.0 - TOLERATED_SHARE, TOLERATED_SHARE]),
    log_ratios=np.log(
        np.column_stack([(1.0 - _ALTERNATIVES) / (1.0 - TOLERATED_SHARE), _ALTERNATIVES / TOLERATED_SHARE])
    ),
)


def fresh() -> Capital:
    """Return the capital before the first tick: all cash."""
    return Capital(parts=(0.0,) * len(ALTERNATIVE_SHARES))


def start_mass(ticks_before: int) -> float:
    """Return the share of the initial capital that is newly bet at a tick."""
    if ticks_before == 0:
        return FIRST_TICK
    return LATER_TICKS / PLANNED_TICKS if ticks_before <= PLANNED_TICKS else 0.0


def advance(capital: Capital, breach: bool, *, start: float, threshold: float, confirm_ticks: int = 2) -> Capital:
    """Return the capital after a tick that had a value; arguments as in ``count_process.advance``."""
    if capital.reached(threshold):
        return capital
    staked = bet(capital, _MIXTURE, start)
    seen = _LAW.log_ratios[:, int(breach)]
    return settle(staked, _MIXTURE, _LAW, seen, cap_per_tick(capital.value, threshold, confirm_ticks))


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachShare:
    """How often ticks breached, over all ticks and over the recent ones (half-life 10 ticks)."""

    ticks: int = 0
    breaches: int = 0
    recent_ticks: float = 0.0
    recent_breaches: float = 0.0

    def plus(self, breach: bool) -> "BreachShare":
        """Add one tick."""
        return BreachShare(
            ticks=self.ticks + 1,
            breaches=self.breaches + int(breach),
            recent_ticks=self.recent_ticks * _DECAY + 1.0,
            recent_breaches=self.recent_breaches * _DECAY + float(breach),
        )

    @property
    def lower(self) -> float:
        """Return the one-sigma lower estimate of the share of breaches, the larger of all and recent ticks."""
        if self.ticks == 0:
            return 0.0
        return max(_lower(self.breaches, self.ticks), _lower(self.recent_breaches, self.recent_ticks))


def _lower(breaches: float, ticks: float) -> float:
    share = min(breaches / ticks, 1.0)
    return share - sqrt(share * (1.0 - share) / ticks)
