"""How much a series of values resembles itself one observation later. Knows nothing of what the values are."""

from dataclasses import dataclass
from math import isfinite, sqrt

# Squares and sums of squares of what lies within stay finite.
LARGEST_VALUE = 1e140


def bounded(value: float) -> float:
    """Return a finite value, drawn into +-1e140; order and sign are kept."""
    return min(max(value, -LARGEST_VALUE), LARGEST_VALUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Autocorrelation:
    """Sums over pairs of successive values, relative to the first value, which keeps the digits of large ones."""

    origin: float = 0.0
    previous: float = 0.0
    values: int = 0
    earlier: float = 0.0
    later: float = 0.0
    earlier_squared: float = 0.0
    later_squared: float = 0.0
    product: float = 0.0

    @property
    def pairs(self) -> int:
        """Return the number of pairs of successive values."""
        return max(self.values - 1, 0)

    def plus(self, value: float) -> "Autocorrelation":
        """Add a value; NaN and infinities are left out."""
        if not isfinite(value):
            return self
        if self.values == 0:
            return Autocorrelation(origin=bounded(value), values=1)
        now = bounded(value) - self.origin
        before = self.previous
        return Autocorrelation(
            origin=self.origin,
            previous=now,
            values=self.values + 1,
            earlier=self.earlier + before,
            later=self.later + now,
            earlier_squared=self.earlier_squared + before * before,
            later_squared=self.later_squared + now * now,
            product=self.product + before * now,
        )

    @property
    def estimate(self) -> float | None:
        """Return Pearson's correlation of successive values, in [-1, 1]; None before 3 pairs or for a constant."""
        if self.pairs < 3:
            return None
        n = float(self.pairs)
        spread_earlier = self.earlier_squared / n - (self.earlier / n) ** 2
        spread_later = self.later_squared / n - (self.later / n) ** 2
        # Rounding leaves a remainder of a constant.
        if spread_earlier <= 1e-12 * self.earlier_squared / n or spread_later <= 1e-12 * self.later_squared / n:
            return None
        shared = self.product / n - (self.earlier / n) * (self.later / n)
        return min(max(shared / sqrt(spread_earlier) / sqrt(spread_later), -1.0), 1.0)
