"""Evidence that a value is out of its bounds too often: a Bernoulli mixture e-process, and the share with its error.

The null is that at most ``TOLERATED_SHARE`` of independent observations breach; ``Thinning`` says which ticks count as
such. Knows no bounds.
"""

from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np

from serinus.stats.autocorrelation import Autocorrelation
from serinus.stats.capital import Capital, Law, bet, cap_per_tick, settle
from serinus.stats.counts import lower_share
from serinus.stats.starts import endless_share

TOLERATED_SHARE = 0.1
ALTERNATIVE_SHARES = (0.25, 0.5, 0.85)
HALF_LIFE_TICKS = 10.0
# Weight steps change nothing for a value, so what is not bet at first is spread over all later ticks. With this much
# at first, two ticks of steady breaches are enough.
FIRST_TICK = 0.85
LATER_TICKS = 0.15
HALF_OF_LATER_TICKS = 60.0
# A value that resembles the one before it by so much counts only every fourth time.
AUTOCORRELATED = 0.3
FEWEST_PAIRS = 12
AUTOCORRELATED_SPACING = 4

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
    """Return the share of the initial capital that is newly bet at a tick; it sums to 1 over all ticks.

    0.85 at the first tick; at the k-th after it, k = 0, 1, ..., ``0.15 * 60 / ((k + 60) (k + 61))``.

    Args:
        ticks_before: ticks that counted before this one, at least 0.
    """
    if ticks_before == 0:
        return FIRST_TICK
    return LATER_TICKS * endless_share(ticks_before - 1, HALF_OF_LATER_TICKS)


def advance(capital: Capital, breach: bool, *, start: float, threshold: float, confirm_ticks: int = 2) -> Capital:
    """Return the capital after a tick that counts: an e-process against "at most a tenth of ticks breach".

    A breach multiplies the bet on share a by ``a / 0.1``, none by ``(1 - a) / 0.9``, boosted and capped (``capital``).
    Assumes that ticks that count breach independently of each other, with a probability of at most 0.1 given the past.
    Source: Bernoulli likelihood ratios, mixed; boosting after Fischer and Ramdas (arXiv 2410.16076).

    Args:
        capital: before the tick.
        breach: the value was out of its bounds.
        start: share of the initial capital that is bet from this tick on; from ``start_mass``.
        threshold: ``1/alpha`` of this process, above 1.
        confirm_ticks: fewest ticks that can reach the threshold.
    """
    if capital.reached(threshold):
        return capital
    staked = bet(capital, _MIXTURE, start)
    seen = _LAW.log_ratios[:, int(breach)]
    return settle(staked, _MIXTURE, _LAW, seen, cap_per_tick(capital.value, threshold, confirm_ticks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinning:
    """Which ticks count as independent observations: one per range window of the query, fewer if values cling.

    A query over ``[5m]`` that is asked every 30 s answers ten times about nearly the same five minutes. Ticks are
    chosen without a look at their own values, which keeps the evidence valid.
    """

    windows: Autocorrelation = field(default_factory=Autocorrelation)
    """Of the values that lie a whole window apart."""
    ticks_since_window: int = 0
    """Ticks with a value since the newest of those; 0: there was none yet, or it was this tick."""
    windows_since_counted: int = 0
    counted: bool = False
    """The newest tick counts: its breach, or that there was none, belongs into ``advance``."""

    @property
    def autocorrelated(self) -> bool:
        """Tell whether values a window apart still resemble each other: correlation above 0.3 over 12 pairs."""
        known = self.windows.estimate
        return self.windows.pairs >= FEWEST_PAIRS and known is not None and known > AUTOCORRELATED

    def plus(self, value: float, *, tick_seconds: float, window_seconds: float = 0.0) -> "Thinning":
        """Add a tick that had a value. The first one counts.

        Args:
            value: what the query gave, finite.
            tick_seconds: time between ticks, above 0.
            window_seconds: longest range window of the query, such as 300 for ``[5m]``; 0: none.
        """
        spacing = max(ceil(window_seconds / tick_seconds), 1)
        waited = self.ticks_since_window + 1
        if self.windows.values > 0 and waited < spacing:
            return replace(self, ticks_since_window=waited, counted=False)
        gone = self.windows_since_counted + 1
        counted = self.windows.values == 0 or gone >= (AUTOCORRELATED_SPACING if self.autocorrelated else 1)
        return Thinning(
            windows=self.windows.plus(value),
            windows_since_counted=0 if counted else gone,
            counted=counted,
        )


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
        """Return the one-sigma lower estimate of the share of breaches, the larger of all and recent ticks.

        ``p - sqrt(p (1 - p) / n)``; 0 before the first tick. An effect, no evidence: ticks may depend on each other.
        """
        if self.ticks == 0:
            return 0.0
        return max(lower_share(self.breaches, self.ticks), lower_share(self.recent_breaches, self.recent_ticks))
