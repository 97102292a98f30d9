"""Evidence that canary and stable draw from different distributions, over any number of buckets or categories.

Each tick bets, for every bucket, how much likelier it is on the canary than on stable. Bets know past ticks only. Some
learn the canary's shares bucket by bucket, others guess a shift or a change of spread and need no canary past. Knows
no margins, no training reference and no meaning of a bucket.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from serinus.stats.capital import Capital, Floats, bet, cap_per_tick

# The canary's past shares are drawn to stable's as if stable's were worth so many observations more.
CONCENTRATIONS = (30.0, 100.0, 300.0, 1000.0)
# The same for the canary's recent shares only, for a change that comes late.
RECENT_CONCENTRATIONS = (30.0, 100.0, 300.0)
HALF_LIFE_TICKS = 8.0
# Slopes of the log ratio on the normal score of a bucket: a normal shift of d standard deviations has slope d.
SHIFTS = (-1.2, -0.6, -0.3, 0.3, 0.6, 1.2)
# Slopes on the squared score less 1: positive where the canary spreads more.
SPREADS = (-0.4, 0.25)
LEARNT_SHARE = 0.2
RECENT_SHARE = 0.15
SHIFT_SHARE = 0.5

_SMALLEST_SHARE = 1e-12
_LARGEST_LOG_RATIO = 7.0
_LARGEST_LOG = 690.0
_DECAY = 0.5 ** (1.0 / HALF_LIFE_TICKS)


def _shares() -> Floats:
    spread = 1.0 - LEARNT_SHARE - RECENT_SHARE - SHIFT_SHARE
    return np.concatenate(
        [
            np.full(len(CONCENTRATIONS), LEARNT_SHARE / len(CONCENTRATIONS)),
            np.full(len(RECENT_CONCENTRATIONS), RECENT_SHARE / len(RECENT_CONCENTRATIONS)),
            np.full(len(SHIFTS), SHIFT_SHARE / len(SHIFTS)),
            np.full(len(SPREADS), spread / len(SPREADS)),
        ]
    )


_MIXTURE = _shares()


def _all_cash() -> Capital:
    return Capital(parts=(0.0,) * len(_MIXTURE))


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoSamples:
    """Counts of both sides so far, and the capital of the bets: three numbers per bucket and 16 more."""

    canary: tuple[int, ...] = ()
    stable: tuple[int, ...] = ()
    recent: tuple[float, ...] = ()
    """The canary's counts, discounted with a half-life of 8 ticks."""
    capital: Capital = field(default_factory=_all_cash)

    @classmethod
    def after(cls, stable: Sequence[int]) -> "TwoSamples":
        """Return the state before the first tick, with what stable drew before the rollout.

        Args:
            stable: observations per bucket, not negative; none of them is evidence, they only teach stable's shares.
        """
        return cls(canary=(0,) * len(stable), stable=tuple(map(int, stable)))

    @property
    def evidence(self) -> float:
        """Return the e-value against "both sides draw from the same distribution": 20 means 1/20 by luck at most."""
        return self.capital.value

    def plus(
        self,
        canary: Sequence[int],
        stable: Sequence[int],
        *,
        start: float,
        threshold: float,
        confirm_ticks: int = 2,
        dispersion: float = 1.0,
        ordered: bool = True,
    ) -> "TwoSamples":
        """Return the state after one tick.

        With ``r_j`` the bet on bucket j and ``w_c``, ``w_s`` the sides' shares of the tick's observations, the tick
        multiplies a bet by ``prod_j (r_j / m_j)^(x_cj) (1 / m_j)^(x_sj)``, ``m_j = w_c r_j + w_s``: Turner, Ly and
        Gruenwald's two-sample e-variable (arXiv 2106.02693) with ``r_j = p_cj / p_sj``. If all observations of the
        tick are drawn from one law q, its expectation is ``A^(n_c) B^(n_s)`` with ``A = sum_j q_j r_j / m_j`` and
        ``B = sum_j q_j / m_j``; by weighted AM-GM ``A^(w_c) B^(w_s) <= w_c A + w_s B = sum_j q_j = 1``. So it is at
        most 1 whatever q is, q may be another one at each tick, and r may be any function of earlier ticks.

        A tick without any stable past is bet on from its own pooled counts ``t_j``, by the factor
        ``prod_j r_j^(x_cj) / (sum_j t_j r_j / t)^(n_c)`` (or the mirrored one if stable drew less). Given the pooled
        counts the canary's are drawn from them without replacement, for which the denominator is an upper bound of
        the expectation (Hoeffding, JASA 58 (1963), theorem 4).

        A tick on which one side drew nothing changes only the counts. A process that has reached its threshold keeps
        its capital and goes on counting.

        Args:
            canary: observations of this tick per bucket, not negative. Buckets that are new stand at the end.
            stable: as canary.
            start: share of the initial capital that is bet from this tick on; from ``starts.start_mass``.
            threshold: ``1/alpha`` of this process, above 1.
            confirm_ticks: fewest ticks that can reach the threshold.
            dispersion: at least 1; the factor is raised to its inverse, which allows for clusters of so many
                observations that fall alike (Hoelder).
            ordered: buckets of a number; False: categories, whose shifts are bet on from frequent to rare.
        """
        size = max(len(canary), len(stable), len(self.canary), len(self.stable))
        past_c, past_s, recent = _padded(self.canary, size), _padded(self.stable, size), _padded(self.recent, size)
        new_c, new_s = _padded(canary, size), _padded(stable, size)
        capital = self.capital
        if new_c.any() and new_s.any() and not capital.reached(threshold):
            growth = _growth(_Past(past_c, recent, past_s), new_c, new_s, ordered) / dispersion
            capital = _grown(
                bet(capital, _MIXTURE, start), growth, cap_per_tick(capital.value, threshold, confirm_ticks)
            )
        return TwoSamples(
            canary=tuple(map(int, past_c + new_c)),
            stable=tuple(map(int, past_s + new_s)),
            # A thousandth of an observation is not worth writing down.
            recent=tuple(round(float(each), 3) for each in recent * (_DECAY if new_c.any() else 1.0) + new_c),
            capital=capital,
        )


class _Past(NamedTuple):
    """What the bets of a tick may know, each of shape (buckets,)."""

    canary: Floats
    recent: Floats
    stable: Floats


def _padded(counts: Sequence[float], size: int) -> Floats:
    padded = np.zeros(size)
    padded[: len(counts)] = counts
    return padded


def _growth(past: _Past, canary: Floats, stable: Floats, ordered: bool) -> Floats:
    """Return the log factor of each bet, shape (bets,)."""
    if past.stable.any():
        return log_factors(_log_ratios(past, float(canary.sum()), ordered), canary, stable)
    pooled = canary + stable
    nothing = np.zeros_like(pooled)
    ratios = _log_ratios(_Past(nothing, nothing, pooled), 0.0, ordered)
    fewer, sign = (canary, 1.0) if canary.sum() <= stable.sum() else (stable, -1.0)
    expected = np.exp(sign * ratios) @ (pooled / pooled.sum())
    return np.asarray(sign * (ratios @ fewer) - fewer.sum() * np.log(expected))


def _log_ratios(past: _Past, coming: float, ordered: bool) -> Floats:
    """Return the log of what each bet says of canary's share over stable's, shape (bets, buckets)."""
    result = np.zeros((len(_MIXTURE), len(past.stable)))
    known = past.canary + past.stable > 0.0
    canary, recent = past.canary[known], past.recent[known]
    shares = _stable_shares(canary, past.stable[known])
    result[:, known] = np.concatenate(
        [
            _learnt(canary, shares, coming, CONCENTRATIONS),
            _learnt(recent, shares, coming, RECENT_CONCENTRATIONS),
            _guessed(shares, ordered),
        ]
    )
    return np.clip(result, -_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO)


def _stable_shares(canary: Floats, stable: Floats) -> Floats:
    # Half an observation per bucket, spread as both sides together, so that a bucket that only the canary has shown
    # keeps a share.
    pooled = canary + stable
    prior = 0.5 * len(stable) * pooled / pooled.sum()
    return np.asarray((stable + prior) / (stable.sum() + 0.5 * len(stable)))


def _learnt(canary: Floats, shares: Floats, coming: float, concentrations: tuple[float, ...]) -> Floats:
    total = canary.sum()
    if total <= 0.0:
        return np.zeros((len(concentrations), len(shares)))
    # A tick that is larger than all the past must not be staked on that past.
    weights = np.array(concentrations)[:, None] * max(1.0, coming / total)
    return np.asarray(np.log((canary / shares + weights) / (total + weights)))


def _guessed(shares: Floats, ordered: bool) -> Floats:
    order = np.arange(len(shares)) if ordered else np.argsort(-shares, kind="stable")
    sorted_shares = shares[order]
    middles = np.clip(np.cumsum(sorted_shares) - sorted_shares / 2.0, _SMALLEST_SHARE, 1.0 - _SMALLEST_SHARE)
    scores = np.empty_like(shares)
    scores[order] = ndtri(middles)
    slopes = np.concatenate([np.array(SHIFTS)[:, None] * scores, np.array(SPREADS)[:, None] * (scores * scores - 1.0)])
    slopes = np.clip(slopes, -_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO)
    return np.asarray(slopes - np.log(np.exp(slopes) @ shares)[:, None])


def log_factors(log_ratios: Floats, canary: Floats, stable: Floats) -> Floats:
    """Return the log of what a tick multiplies each bet by, shape (bets,); the formula stands at ``plus``.

    Args:
        log_ratios: log of canary's share over stable's, as each bet has it, shape (bets, buckets); finite.
        canary: counts of the tick, shape (buckets,), not all zero.
        stable: as canary.
    """
    share = canary.sum() / (canary.sum() + stable.sum())
    mean = np.log(share * np.exp(log_ratios) + (1.0 - share))
    return np.asarray(log_ratios @ canary - mean @ (canary + stable))


def _grown(capital: Capital, growth: Floats, cap: float) -> Capital:
    with np.errstate(divide="ignore"):
        logs = np.log(np.asarray(capital.parts)) + growth
    largest = float(np.max(logs))
    if largest == -np.inf:
        return capital
    scaled = np.exp(logs - largest)
    total, room = float(scaled.sum()), cap - capital.cash
    over = largest + float(np.log(total)) > float(np.log(room))
    parts = scaled * (room / total if over else np.exp(min(largest, _LARGEST_LOG)))
    return Capital(parts=tuple(map(float, parts)), cash=capital.cash)
