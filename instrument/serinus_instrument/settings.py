"""What was declared about a model, as values."""

from dataclasses import dataclass, field
from typing import Any

from serinus_instrument.plausible import Plausible
from serinus_instrument.profile import Profile

MOST_GROUPS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many series one model may have."""

    features: int = 200
    outputs: int = 10
    groups: int = 20
    """Per input or output whose categories nobody declared."""

    def __post_init__(self) -> None:
        """Refuse what would count nothing.

        Raises:
            ValueError: a bound is below 1, or there are more groups than can be read.
        """
        if min(self.features, self.outputs, self.groups) < 1 or self.groups > MOST_GROUPS:
            raise ValueError(f"{self}: give numbers of at least 1, and at most {MOST_GROUPS} groups")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that was declared about a model."""

    profile: Profile = field(default_factory=Profile)
    plausible: Plausible | None = None
    """Of the main output; None: any value."""
    features: tuple[str, ...] | None = None
    """Names of the inputs by position; None: those of the profile if there are as many, else f0, f1 and so on."""
    output: str | None = None
    """Name of the main output where the model answers with several by name."""
    classes: tuple[Any, ...] | None = None
    """Names of the classes, in the order of the columns of ``predict_proba``."""
    tolerance: float = 0.0
    """A number that is at most this far from the truth is right."""
    threshold: float | None = None
    """A score from here on says yes; None: predictions are no scores."""
    limits: Limits = field(default_factory=Limits)
    exclude: frozenset[str] = frozenset()
    """Names of inputs that are not counted."""

    @property
    def width(self) -> int | None:
        """Return the number of inputs, None if it is not known."""
        return len(self.features or self.profile.features) or None
