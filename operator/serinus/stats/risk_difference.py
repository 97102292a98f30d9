"""How much worse the canary is: the Mantel-Haenszel risk difference over ticks, with its standard error.

Ticks are the strata, so that neither a changing base rate nor a changing weight mixes the sides up. Kept twice: over
all ticks, and with a half-life of 10 ticks for a canary that turned bad late. Knows no margins.
"""

from dataclasses import dataclass, field
from math import sqrt

from serinus.stats.counts import Counts

HALF_LIFE_TICKS = 10.0
_DECAY = 0.5 ** (1.0 / HALF_LIFE_TICKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """Sums over ticks of one risk difference.

    With x of n requests bad on a side (c canary, s stable) and ``N = n_c + n_s`` at a tick, the four sums are of
    ``n_c n_s / N``, ``(x_c n_s - x_s n_c) / N``, ``(n_c^2 x_s - n_s^2 x_c + n_c n_s (n_s - n_c) / 2) / N^2`` and
    ``(x_c (n_s - x_s) + x_s (n_c - x_c)) / (2 N)``.
    """

    weight: float = 0.0
    difference: float = 0.0
    sparse: float = 0.0
    crossed: float = 0.0

    @property
    def estimate(self) -> float | None:
        """Return the canary's share less stable's, in [-1, 1]; None before the first comparison.

        ``difference / weight``. Source: Mantel and Haenszel (1959) for the weights, Greenland and Robins, Biometrics 41
        (1985) 55, for the difference. Where the excess is not the same at all ticks, it is the weighted mean.
        """
        return self.difference / self.weight if self.weight > 0.0 else None

    @property
    def standard_error(self) -> float | None:
        """Return the standard error of the estimate; None before the first comparison.

        ``sqrt(estimate * sparse + crossed) / weight``. Source: Sato, Biometrics 45 (1989) 1323. It equals the sum of
        the ticks' binomial variances for large ticks and stays right when a tick has only one canary request, where
        that sum would be zero.
        """
        if self.weight <= 0.0:
            return None
        return sqrt(max(self.difference / self.weight * self.sparse + self.crossed, 0.0)) / self.weight

    @property
    def lower(self) -> float | None:
        """Return the estimate less one standard error, a share; None before the first comparison."""
        estimate, error = self.estimate, self.standard_error
        return None if estimate is None or error is None else estimate - error

    def plus(self, counts: Counts, decay: float = 1.0) -> "Excess":
        """Add a tick that compares.

        Args:
            counts: increments of the tick, requests on both sides.
            decay: in (0, 1]; what came before counts so much, sums of variances its square.
        """
        n_c, n_s, total = float(counts.canary_total), float(counts.stable_total), float(counts.total)
        x_c, x_s = float(counts.canary_bad), float(counts.stable_bad)
        share_c, share_s = n_c / total, n_s / total
        # Variances scale with the square of the ticks' weights.
        return Excess(
            weight=self.weight * decay + n_c * share_s,
            difference=self.difference * decay + x_c * share_s - x_s * share_c,
            sparse=self.sparse * decay**2
            + (share_c**2 * x_s - share_s**2 * x_c + share_s * share_c * (n_s - n_c) / 2.0),
            crossed=self.crossed * decay**2 + (x_c * (n_s - x_s) + x_s * (n_c - x_c)) / (2.0 * total),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskDifference:
    """The excess over all ticks and over the recent ones."""

    overall: Excess = field(default_factory=Excess)
    recent: Excess = field(default_factory=Excess)

    def plus(self, counts: Counts) -> "RiskDifference":
        """Add one tick; a tick on which one side has no requests changes nothing."""
        if not counts.compares:
            return self
        return RiskDifference(overall=self.overall.plus(counts), recent=self.recent.plus(counts, _DECAY))

    @property
    def leads_recently(self) -> bool:
        """Tell whether the recent ticks show a practical effect more clearly than all ticks do."""
        overall, recent = self.overall.lower, self.recent.lower
        return overall is not None and recent is not None and recent > overall

    def exceeds(self, margin: float) -> bool:
        """Tell whether one of the two lower estimates of the excess is at least the margin (a share)."""
        return any(each.lower is not None and each.lower >= margin for each in (self.overall, self.recent))
