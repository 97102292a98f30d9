"""What one tick counted on both sides. Knows no pods and no meaning of "bad"."""

from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Requests of canary and stable, and how many of them were bad; ``0 <= bad <= total``."""

    canary_total: int = 0
    canary_bad: int = 0
    stable_total: int = 0
    stable_bad: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.canary_bad <= self.canary_total and 0 <= self.stable_bad <= self.stable_total):
            raise ValueError(f"bad requests must lie between 0 and all requests, got {self}")

    @property
    def compares(self) -> bool:
        """Tell whether both sides had requests: only then can anything be learnt."""
        return self.canary_total > 0 and self.stable_total > 0

    @property
    def total(self) -> int:
        """Requests of both sides."""
        return self.canary_total + self.stable_total

    @property
    def bad(self) -> int:
        """Bad requests of both sides."""
        return self.canary_bad + self.stable_bad

    def plus(self, other: "Counts") -> "Counts":
        """Add two blocks of requests."""
        return Counts(
            canary_total=self.canary_total + other.canary_total,
            canary_bad=self.canary_bad + other.canary_bad,
            stable_total=self.stable_total + other.stable_total,
            stable_bad=self.stable_bad + other.stable_bad,
        )


def lower_share(bad: float, total: float) -> float:
    """Return the one-sigma lower estimate of a share, ``p - sqrt(p (1 - p) / total)`` with ``p = bad / total``.

    Args:
        bad: at least 0; counts may be discounted.
        total: at least ``bad`` but for rounding; 0 gives 0.
    """
    if total <= 0.0:
        return 0.0
    share = min(bad / total, 1.0)
    return share - sqrt(share * (1.0 - share) / total)
