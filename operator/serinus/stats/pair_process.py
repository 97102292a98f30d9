"""Evidence that a number is worse on the canary than on stable, when all that is known is its value on each tick.

Nothing says how many observations stand behind such a number, so nothing but symmetry is assumed: if the canary is no
worse, canary less stable is as likely to be up as down. Slow, and only as good as that assumption; meant to hold a
rollout, not to end it. Knows no queries and no units.
"""

from dataclasses import dataclass, field, replace
from math import ceil, isfinite, sqrt

import numpy as np

from serinus.stats.autocorrelation import Autocorrelation, bounded
from serinus.stats.capital import Capital, Floats, bet, cap_per_tick
from serinus.stats.starts import endless_share

SLOPES = (0.5, 1.0, 2.0, 4.0)
FIRST_BLOCK = 0.6
LATER_BLOCKS = 0.4
HALF_OF_LATER_BLOCKS = 40.0
# Before anything is known of stable's autocorrelation, it counts as this, with the weight of so many pairs.
SUPPOSED_CORRELATION = 0.3
SUPPOSED_PAIRS = 8.0
LARGEST_CORRELATION = 0.9
HALF_LIFE_BLOCKS = 10.0
LARGEST_EFFECT = 1e9

# One block must neither ruin the bets nor set the scale of all later ones.
_LARGEST_SCORE = 2.0
_LARGEST_STEP_OF_SCALE = 10.0
_DECAY = 0.5 ** (1.0 / HALF_LIFE_BLOCKS)
_MIXTURE: Floats = np.full(len(SLOPES), 1.0 / len(SLOPES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The block of ticks that is being gathered."""

    length: int = 0
    """Fixed when the block began, from the past alone; 0 before the first."""
    ticks: int = 0
    margin: float = 0.0
    """Sum of the canary's value less the accepted one, positive where worse."""
    difference: float = 0.0
    """Sum of the canary's value less stable's, positive where worse."""
    level: float = 0.0
    """Sum of stable's magnitudes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Sums over whole blocks, discounted with a half-life of 10 blocks."""

    weight: float = 0.0
    weight_squared: float = 0.0
    difference: float = 0.0
    difference_squared: float = 0.0
    level: float = 0.0


def _all_cash() -> Capital:
    return Capital(parts=(0.0,) * len(SLOPES))


@dataclass(frozen=True, slots=True, kw_only=True)
class PairProcess:
    """Capital of the bets, the block under way, and what past blocks teach; about 25 numbers."""

    capital: Capital = field(default_factory=_all_cash)
    stable: Autocorrelation = field(default_factory=Autocorrelation)
    block: Block = field(default_factory=Block)
    past: Past = field(default_factory=Past)
    blocks: int = 0
    scale: float = 0.0
    """Typical magnitude of a block's mean."""

    @property
    def evidence(self) -> float:
        """Return the e-value against "the canary is no worse than ``ratio`` times stable"."""
        return self.capital.value

    @property
    def block_length(self) -> int:
        """Return how many ticks the next block gathers: ``ceil(2 (1 + r) / (1 - r))``, 2 to 38.

        r is stable's lag-1 autocorrelation, drawn to 0.3 while few values are known, between 0 and 0.9.
        """
        known, pairs = self.stable.estimate, float(self.stable.pairs)
        r = SUPPOSED_CORRELATION
        if known is not None and pairs > 4.0:
            # In short series the estimate is too small by (1 + 4 r) / pairs (Kendall, Biometrika 41 (1954) 403).
            unbiased = (known * pairs + 1.0) / (pairs - 4.0)
            r = (unbiased * (pairs - 4.0) + SUPPOSED_CORRELATION * SUPPOSED_PAIRS) / (pairs - 4.0 + SUPPOSED_PAIRS)
        r = min(max(r, 0.0), LARGEST_CORRELATION)
        return ceil(round(2.0 * (1.0 + r) / (1.0 - r), 9))

    @property
    def effect(self) -> float | None:
        """Return the mean relative excess over recent blocks, positive where worse; None before the first block.

        The mean of canary less stable, over the mean magnitude of stable, within +-1e9. None also where stable is
        all zero.
        """
        if self.past.level <= 0.0:
            return None
        return min(max(self.past.difference / self.past.level, -LARGEST_EFFECT), LARGEST_EFFECT)

    @property
    def effect_standard_error(self) -> float | None:
        """Return the standard error of the effect from the scatter of blocks; None before two blocks."""
        past = self.past
        if self.blocks < 2 or past.level <= 0.0:
            return None
        mean = past.difference / past.weight
        independent = past.weight**2 / past.weight_squared
        variance = max(past.difference_squared / past.weight - mean * mean, 0.0) / (independent - 1.0)
        return min(sqrt(variance) * past.weight / past.level, LARGEST_EFFECT)

    def learn(self, stable: float) -> "PairProcess":
        """Add a value of stable from before the rollout: it teaches the autocorrelation."""
        return replace(self, stable=self.stable.plus(stable))

    def plus(
        self,
        canary: float,
        stable: float,
        *,
        ratio: float,
        threshold: float,
        confirm_ticks: int = 2,
        lower_is_worse: bool = False,
    ) -> "PairProcess":
        """Return the process after one tick; NaN and infinities leave it as it is.

        ``d = c - s - (ratio - 1) |s|`` (``s - c - (ratio - 1) |s|`` where lower is worse) is averaged over blocks of
        ``block_length`` ticks. A block multiplies the bet of slope l by ``exp(l z) / cosh(l z)``, z the block's mean
        over the typical magnitude of past ones. If d is symmetric about a value of at most 0 given the past blocks,
        that has expectation at most 1: for symmetric z, ``f(z) + f(-z) = 2``, and f rises in z (de la Pena, Annals of
        Probability 27 (1999) 537, in the form of Ramdas et al., arXiv 2009.03167). The first block sets the scale and
        bets nothing.

        Args:
            canary: value of the canary at this tick.
            stable: value of stable at this tick.
            ratio: accepted multiple of stable, at least 1: 1.1 accepts a tenth of stable's value.
            threshold: ``1/alpha`` of this process, above 1.
            confirm_ticks: fewest blocks that can reach the threshold.
            lower_is_worse: which way does harm.
        """
        if not (isfinite(canary) and isfinite(stable)):
            return self
        began = self.block if self.block.length else Block(length=self.block_length)
        ours, theirs = bounded(canary), bounded(stable)
        difference = theirs - ours if lower_is_worse else ours - theirs
        block = Block(
            length=began.length,
            ticks=began.ticks + 1,
            margin=began.margin + difference - (ratio - 1.0) * abs(theirs),
            difference=began.difference + difference,
            level=began.level + abs(theirs),
        )
        gathered = replace(self, stable=self.stable.plus(stable), block=block)
        return gathered._settled(threshold, confirm_ticks) if block.ticks >= block.length else gathered

    def _settled(self, threshold: float, confirm_ticks: int) -> "PairProcess":
        mean = self.block.margin / self.block.ticks
        capital = self.capital
        if self.scale > 0.0 and not capital.reached(threshold):
            fresh = capital.cash == 1.0
            start = FIRST_BLOCK if fresh else LATER_BLOCKS * endless_share(self.blocks, HALF_OF_LATER_BLOCKS)
            cap = cap_per_tick(capital.value, threshold, confirm_ticks)
            capital = _grown(bet(capital, _MIXTURE, start), mean / self.scale, cap)
        return PairProcess(
            capital=capital,
            stable=self.stable,
            block=Block(),
            past=_with(self.past, self.block),
            blocks=self.blocks + 1,
            scale=_rescaled(self.scale, abs(mean), self.blocks),
        )


def _grown(capital: Capital, score: float, cap: float) -> Capital:
    limited = min(max(score, -_LARGEST_SCORE), _LARGEST_SCORE)
    parts = np.asarray(capital.parts) * 2.0 / (1.0 + np.exp(-2.0 * np.array(SLOPES) * limited))
    total, room = float(parts.sum()), cap - capital.cash
    if total > room:
        parts = parts * (room / total)
    return Capital(parts=tuple(map(float, parts)), cash=capital.cash)


def _rescaled(scale: float, magnitude: float, blocks: int) -> float:
    if scale == 0.0:
        return magnitude
    limited = min(magnitude, _LARGEST_STEP_OF_SCALE * scale)
    return scale + (limited - scale) / (blocks + 1.0)


def _with(past: Past, block: Block) -> Past:
    difference, level = block.difference / block.ticks, block.level / block.ticks
    return Past(
        weight=past.weight * _DECAY + 1.0,
        weight_squared=past.weight_squared * _DECAY**2 + 1.0,
        difference=past.difference * _DECAY + difference,
        difference_squared=past.difference_squared * _DECAY + difference * difference,
        level=past.level * _DECAY + level,
    )
