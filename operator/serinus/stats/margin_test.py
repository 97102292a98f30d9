"""Proof that the canary is not worse than acceptable: a block e-process against ``p_canary >= p_stable + excess``.

Each tick bets that the canary's rate is a multiple of the rate that stable had in past ticks. The factor of a tick
is the likelihood of that bet over the likelihood of the null point closest to it (reverse information projection;
Turner & Gruenwald), which is an e-value for every convex null, whatever the true rates of the tick are. Knows no
steps and no weights: callers say which excess they want disproved, and may keep one proof per excess.
"""

from dataclasses import dataclass
from math import acos, cos, exp, log, log1p, pi, sqrt

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
# Proofs are remembered to eight digits: two ticks at the cap have to reach the target all the same.
_ROUNDED = 1.0 + 1e-7
_NEWTON_STEPS = 200
# Newton's method doubles the digits at each step: where it would move by less than this, it stands on the last one.
_CLOSE = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Stable's requests in past ticks, discounted with a half-life of 20 ticks."""

    total: float = 0.0
    bad: float = 0.0

    def plus(self, counts: Counts) -> "History":
        """Add a tick: both sums are multiplied by ``0.5 ** (1 / 20)``, then the tick's requests of stable are added."""
        return History(
            total=self.total * _DECAY + counts.stable_total,
            bad=self.bad * _DECAY + counts.stable_bad,
        )

    def rate(self, excess: float) -> float:
        """Return the rate to bet on against ``excess``, a share kept off 0 and 1 by a tenth of it.

        Assumes that there is a history (total above 0) and an excess in (0, 1].
        """
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


def advance(
    proof: Proof,
    counts: Counts,
    history: History,
    excess: float,
    dispersion: float = 1.0,
    *,
    target: float = 20.0,
) -> Proof:
    """Return the proof after one tick.

    The first tick that compares has no history and bets nothing. The first bet stakes 80 % of the capital, each
    later tick 5 % of what is left: a canary that failed while it warmed up can still prove itself afterwards.

    After a tick the e-value is at most ``max(1, before) sqrt(target)``: one bad tick of one stable pod must not make a
    bad canary look good enough, and what it teaches of ``dispersion`` comes a tick too late. What is beyond is thrown
    away, which leaves an e-process.

    Args:
        proof: before the tick.
        counts: increments of this tick.
        history: stable's past without this tick, or the bet would know its own outcome.
        excess: share in (0, 0.5], see ``bounded``.
        dispersion: phi, at least 1, from past ticks only: factors are raised to ``1 / phi``, which is right for
            clusters of at most phi requests that fare alike (Hoelder).
        target: 1/beta, the e-value that proves, at least 1.
    """
    if not counts.compares or history.total <= 0.0:
        return proof
    stake = proof.cash * (FIRST_BET if proof.cash == 1.0 else LATER_BET)
    rate = history.rate(excess)
    parts = tuple(
        _grown(part + stake / len(MULTIPLES), log_factor(counts, multiple * rate, rate, excess) / dispersion)
        for multiple, part in zip(MULTIPLES, proof.parts, strict=True)
    )
    return _capped(Proof(parts=parts, cash=proof.cash - stake), max(1.0, proof.value) * sqrt(target) * _ROUNDED)


def _capped(proof: Proof, most: float) -> Proof:
    if proof.value <= most:
        return proof
    # Cash is at most 1, and the most is above it.
    scale = (most - proof.cash) / sum(proof.parts)
    return Proof(parts=tuple(part * scale for part in proof.parts), cash=proof.cash)


def log_factor(counts: Counts, canary_rate: float, stable_rate: float, excess: float) -> float:
    """Return the log e-value of one tick for the bet (canary_rate, stable_rate), 0 if the null contains the bet.

    Formula and source as ``log_ratio_to_null``. Rates above 0, the stable one below 1; excess in (0, 1).
    """
    if canary_rate >= min(stable_rate + excess, 1.0):
        return 0.0
    return log_ratio_to_null(counts, canary_rate, stable_rate, excess)


def log_ratio_to_null(counts: Counts, canary_rate: float, stable_rate: float, excess: float) -> float:
    """Return the log likelihood of a bet less that of the closest point of ``canary = stable + excess``.

    It is the log of an e-value for the half-plane beyond the line, seen from the bet (reverse information projection;
    Turner and Gruenwald, arXiv 2203.09785). Rates in (0, 1).
    """
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
    estimate on the line, which solves a cubic (Farrington and Manning, Statistics in Medicine 9 (1990) 1447). The
    cubic's root is where Newton's method starts on the slope of the divergence, which loses no digits near 0 and 1;
    what would leave the bracket is halved instead. Rates in (0, 1), totals above 0, excess in [0, 1), ratio above 0.
    """
    low, high = 0.0, min(1.0, (1.0 - excess) / ratio)
    total = canary_total + stable_total
    weight_c, weight_s = ratio * canary_total / total, stable_total / total
    stable = _cubic_root(weight_c, weight_s, canary_rate - excess, stable_rate, excess, ratio)
    if not low < stable < high:
        stable = low + (high - low) / 2.0
    for _ in range(_NEWTON_STEPS):
        canary = ratio * stable + excess
        rest_c, rest_s = 1.0 - canary, 1.0 - stable
        slope = weight_c * (canary - canary_rate) / (canary * rest_c) + weight_s * (stable - stable_rate) / (
            stable * rest_s
        )
        curve = ratio * weight_c * (
            canary_rate / (canary * canary) + (1.0 - canary_rate) / (rest_c * rest_c)
        ) + weight_s * (stable_rate / (stable * stable) + (1.0 - stable_rate) / (rest_s * rest_s))
        step = slope / curve
        if abs(step) <= _CLOSE * min(stable, rest_c, rest_s):
            break
        low, high = (stable, high) if slope < 0.0 else (low, stable)
        stable = stable - step if low < stable - step < high else low + (high - low) / 2.0
    return ratio * stable + excess, stable


def _cubic_root(weight_c: float, weight_s: float, room: float, rate: float, excess: float, ratio: float) -> float:
    """Return the middle one of the three real roots of the slope, multiplied out, by the stable side's rate.

    It is ``weight_c (ratio s - room) s (1 - s) + weight_s (s - rate) (ratio s + excess) (1 - excess - ratio s)``. Of
    its other roots one lies below 0 and one above every possible rate. Right but for rounding, which may be all of it.
    """
    cubic = -ratio * (weight_c + weight_s * ratio)
    spread = ratio * (1.0 - 2.0 * excess)
    square = (weight_c * (ratio + room) + weight_s * (spread + ratio * ratio * rate)) / cubic
    linear = (weight_s * (excess * (1.0 - excess) - spread * rate) - weight_c * room) / cubic
    constant = -weight_s * excess * (1.0 - excess) * rate / cubic
    third = square / 3.0
    width = sqrt(max(third * third - linear / 3.0, 0.0))
    if width == 0.0:
        return -third
    turn = (third * (linear / 2.0 - third * third) - constant / 2.0) / (width * width * width)
    angle = acos(min(max(turn, -1.0), 1.0))
    return 2.0 * width * cos((angle - 2.0 * pi) / 3.0) - third


def _log_ratio(bad: float, total: float, bet: float, null: float) -> float:
    return bad * log(bet / null) + (total - bad) * (log1p(-bet) - log1p(-null))


def _grown(part: float, log_growth: float) -> float:
    # Far beyond any threshold money is thrown away rather than overflowing.
    return exp(min(log(part) + log_growth, _LARGEST_LOG)) if part > 0.0 else 0.0


def requests_needed(
    proof: Proof,
    target: float,
    rate: float,
    excess: float,
    stable_per_canary: float,
    *,
    dispersion: float = 1.0,
    per_tick: float = 0.0,
) -> float:
    """Estimate the canary requests until the proof is there, if the canary is as good as stable; 0 if it is.

    ``log(target / E) phi / (KL(rate, c) + r KL(rate, s))``, the expected growth of the capital per canary request when
    both sides fail at ``rate``: (c, s) is the closest point of the null, r stable's requests per one of the canary's.
    At high traffic the cap of a tick decides: then it is as many ticks as the cap allows at best. A plan, no promise:
    it leaves out what the wrong bets of the mixture cost.

    Args:
        proof: now.
        target: 1/beta, at least 1.
        rate: of both sides, in (0, 1).
        excess: share in (0, 0.5] that is to be disproved.
        stable_per_canary: r, above 0.
        dispersion: phi, at least 1.
        per_tick: canary requests of a tick; 0 leaves the cap out.
    """
    missing = log(target) - log(max(proof.value, 1e-300))
    if missing <= 0.0:
        return 0.0
    canary, stable = project(1.0, stable_per_canary, canary_rate=rate, stable_rate=rate, excess=excess)
    growth = _divergence(rate, canary) + stable_per_canary * _divergence(rate, stable)
    if growth <= 0.0:
        return float("inf")
    ticks = 1.0 if missing <= log(target) / 2.0 + _CLOSE else 2.0
    return max(missing * dispersion / growth, ticks * per_tick)


def _divergence(rate: float, point: float) -> float:
    return _log_ratio(rate, 1.0, rate, point)
