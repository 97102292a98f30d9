"""Proof that the canary is not worse than acceptable: a block e-process against ``p_canary >= p_stable + excess``.

Each tick bets that the canary's rate is a multiple of the rate that stable had in past ticks. The factor of a tick
is the likelihood of that bet over the likelihood of the null point closest to it (reverse information projection;
Turner & Gruenwald), which is an e-value for every convex null, whatever the true rates of the tick are. Knows no
steps and no weights: callers say which excess they want disproved, and may keep one proof per excess.
"""

from dataclasses import dataclass
from math import exp, log, log1p

from serinus.stats.counts import Counts

# The canary's rate as multiples of stable's.
MULTIPLES = (0.5, 1.0, 1.25)
FIRST_BET = 0.8
LATER_BET = 0.05
HALF_LIFE_TICKS = 20.0
LARGEST_EXCESS = 0.5
SMALLEST_EXCESS = 1e-6

# A rate below this share of the excess is bet on as this: a bet on zero would lose everything at the first error,
# and a tenth of the excess costs a tenth of the speed.
_FLOOR_SHARE = 0.1
_DECAY = 0.5 ** (1.0 / HALF_LIFE_TICKS)
_LARGEST_LOG = 690.0
_NEWTON_STEPS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Stable's requests in past ticks, discounted with a half-life of 20 ticks."""

    total: float = 0.0
    bad: float = 0.0

    def plus(self, counts: Counts) -> "History":
        """Add a tick."""
        return History(
            total=self.total * _DECAY + counts.stable_total,
            bad=self.bad * _DECAY + counts.stable_bad,
        )

    def rate(self, excess: float) -> float:
        """Return the rate to bet on against ``excess``, kept off 0 and 1; a history must be there."""
        floor = _FLOOR_SHARE * excess
        return min(max(self.bad / self.total, floor), 1.0 - floor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Capital of the bets, one part per multiple, and cash that is not bet yet; their sum is the e-value."""

    parts: tuple[float, ...] = (0.0,) * len(MULTIPLES)
    cash: float = 1.0

    @property
    def value(self) -> float:
        """Return the e-value: at least ``1/beta`` proves that the excess is smaller, with error at most beta."""
        return sum(self.parts) + self.cash


def bounded(excess: float) -> float:
    """Return the excess to disprove, within what can be proved.

    Never above a half, for even a first small step must not fail every other time; never zero, for no number of
    requests proves that two rates are equal.
    """
    return min(max(excess, SMALLEST_EXCESS), LARGEST_EXCESS)


def advance(proof: Proof, counts: Counts, history: History, excess: float) -> Proof:
    """Return the proof after one tick.

    The first tick that compares has no history and bets nothing. The first bet stakes 80 % of the capital, each
    later tick 5 % of what is left: a canary that failed while it warmed up can still prove itself afterwards.

    Args:
        proof: before the tick.
        counts: increments of this tick.
        history: stable's past without this tick, or the bet would know its own outcome.
        excess: share in (0, 0.5], see ``bounded``.
    """
    if not counts.compares or history.total <= 0.0:
        return proof
    stake = proof.cash * (FIRST_BET if proof.cash == 1.0 else LATER_BET)
    rate = history.rate(excess)
    parts = tuple(
        _grown(part + stake / len(MULTIPLES), log_factor(counts, multiple * rate, rate, excess))
        for multiple, part in zip(MULTIPLES, proof.parts, strict=True)
    )
    return Proof(parts=parts, cash=proof.cash - stake)


def log_factor(counts: Counts, canary_rate: float, stable_rate: float, excess: float) -> float:
    """Return the log e-value of one tick for the bet (canary_rate, stable_rate), 0 if the null contains the bet."""
    if canary_rate >= min(stable_rate + excess, 1.0):
        return 0.0
    canary, stable = project(
        counts.canary_total, counts.stable_total, canary_rate=canary_rate, stable_rate=stable_rate, excess=excess
    )
    return _log_ratio(counts.canary_bad, counts.canary_total, canary_rate, canary) + _log_ratio(
        counts.stable_bad, counts.stable_total, stable_rate, stable
    )


def project(
    canary_total: float,
    stable_total: float,
    *,
    canary_rate: float,
    stable_rate: float,
    excess: float,
    ratio: float = 1.0,
) -> tuple[float, float]:
    """Return the point (canary, stable) of the line ``canary = ratio * stable + excess`` closest to the given rates.

    Closest in Kullback-Leibler divergence, each side weighted by its requests; it equals the maximum likelihood
    estimate on the line. Rates in (0, 1), excess in [0, 1).
    """
    low, high = 0.0, min(1.0, (1.0 - excess) / ratio)
    stable = low + (high - low) / 2.0
    for _ in range(_NEWTON_STEPS):
        canary = ratio * stable + excess
        pull_c, curve_c = _divergence_slopes(canary_rate, canary)
        pull_s, curve_s = _divergence_slopes(stable_rate, stable)
        slope = ratio * canary_total * pull_c + stable_total * pull_s
        low, high = (stable, high) if slope < 0.0 else (low, stable)
        step = slope / (ratio * ratio * canary_total * curve_c + stable_total * curve_s)
        proposed = stable - step
        inside = low < proposed < high
        moved = proposed if inside else low + (high - low) / 2.0
        if abs(moved - stable) <= 1e-16 + 1e-15 * stable:
            break
        stable = moved
    return ratio * stable + excess, stable


def _divergence_slopes(rate: float, point: float) -> tuple[float, float]:
    """Return first and second derivative of KL(rate || point) by the point."""
    rest = 1.0 - point
    return (point - rate) / (point * rest), rate / (point * point) + (1.0 - rate) / (rest * rest)


def _log_ratio(bad: float, total: float, bet: float, null: float) -> float:
    return bad * log(bet / null) + (total - bad) * (log1p(-bet) - log1p(-null))


def _grown(part: float, log_growth: float) -> float:
    # Far beyond any threshold money is thrown away rather than overflowing.
    return exp(min(log(part) + log_growth, _LARGEST_LOG)) if part > 0.0 else 0.0


def requests_needed(proof: Proof, target: float, rate: float, excess: float, stable_per_canary: float) -> float:
    """Estimate the canary requests until the proof is there, if the canary is as good as stable; 0 if it is.

    From the expected growth of the capital per request when both sides fail at ``rate`` (in (0, 1)).
    """
    missing = log(target) - log(max(proof.value, 1e-300))
    if missing <= 0.0:
        return 0.0
    canary, stable = project(1.0, stable_per_canary, canary_rate=rate, stable_rate=rate, excess=excess)
    growth = _divergence(rate, canary) + stable_per_canary * _divergence(rate, stable)
    return missing / growth if growth > 0.0 else float("inf")


def _divergence(rate: float, point: float) -> float:
    return _log_ratio(rate, 1.0, rate, point)
