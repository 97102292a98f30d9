"""Evidence that the canary does not get the share of requests that was set.

The null is that at each tick each request goes to the canary with a probability within a fifth (relative) of what was
expected of that tick. Two-sided: bets on less than that, and on more. Knows no routing and no verdicts.
"""

from dataclasses import dataclass
from math import exp, log

# How far, relative to what was set, the true share may be off.
TOLERANCE = 0.2
# Odds of the bets, as multiples of the odds at the nearer end of what is tolerated.
ABOVE = (1.15, 1.5, 2.5, 10.0)
BELOW = (1 / 1.15, 1 / 1.5, 1 / 2.5, 1 / 20.0)
FIRST_BET = 0.5
# Of what is left: at ticks whose expected share is new, and at all others.
STEP_BET = 0.2
LATER_BET = 0.01
LARGEST = 1e6

_BETS = len(ABOVE) + len(BELOW)
_LARGEST_SHARE = 1.0 - 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficShareState:
    """Capital of the bets (those below first), and what was counted since the expected share last changed."""

    parts: tuple[float, ...] = (0.0,) * _BETS
    cash: float = 1.0
    expected: float | None = None
    """Share in (0, 1) that the newest tick should have had; None before the first."""
    canary: int = 0
    stable: int = 0

    @property
    def evidence(self) -> float:
        """Return the e-value: at or above ``1/alpha`` the share is off, with error at most alpha."""
        return sum(self.parts) + self.cash

    @property
    def observed(self) -> float | None:
        """Return the canary's share of what was counted since the expected share last changed; None of nothing."""
        total = self.canary + self.stable
        return self.canary / total if total else None

    def plus(self, canary: int, stable: int, expected: float) -> "TrafficShareState":
        """Add one tick; one without requests changes nothing.

        A bet below multiplies by its binomial likelihood ratio against the lower end of what is tolerated, one above
        against the upper end. Each is expected to fall for every share on the tolerated side, and the mean of
        e-processes is one (mixture after Lindon and Malek, NeurIPS 2022, who bet on a Dirichlet law instead). Parts
        are cut at 1e6, so that a mended route is seen to be mended.

        Args:
            canary: requests of the canary at this tick, at least 0.
            stable: requests of stable.
            expected: the canary's share that was set for this tick, in (0, 1); known before the tick.

        Raises:
            ValueError: the expected share is not in (0, 1).
        """
        if not 0.0 < expected < 1.0:
            raise ValueError(f"the expected share must lie in (0, 1), got {expected}")
        if canary + stable == 0:
            return self
        fresh = expected != self.expected
        stake = self.cash * (FIRST_BET if self.expected is None else STEP_BET if fresh else LATER_BET)
        low, high = expected * (1.0 - TOLERANCE), min(expected * (1.0 + TOLERANCE), _LARGEST_SHARE)
        bets = (*((low, odds) for odds in BELOW), *((high, odds) for odds in ABOVE))
        parts = tuple(
            _grown(part + stake / _BETS, _log_ratio(canary, canary + stable, end, odds))
            for part, (end, odds) in zip(self.parts, bets, strict=True)
        )
        return TrafficShareState(
            parts=parts,
            cash=self.cash - stake,
            expected=expected,
            canary=canary + (0 if fresh else self.canary),
            stable=stable + (0 if fresh else self.stable),
        )


def _log_ratio(canary: int, total: int, end: float, odds: float) -> float:
    return canary * log(odds) - total * log(1.0 - end + end * odds)


def _grown(part: float, log_growth: float) -> float:
    return exp(min(log(part) + log_growth, log(LARGEST))) if part > 0.0 else 0.0
