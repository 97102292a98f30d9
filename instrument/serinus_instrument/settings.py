"""What was declared about a model, as values."""

from dataclasses import dataclass, field
from typing import Any

from serinus_instrument.plausible import Plausible
from serinus_instrument.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many series one model may have."""

    features: int = 200
    categories: int = 50
    """Per input."""
    classes: int = 100
    """Per output."""
    outputs: int = 10


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
    limits: Limits = field(default_factory=Limits)

    @property
    def width(self) -> int | None:
        """Return the number of inputs, None if it is not known."""
        return len(self.features or self.profile.features) or None
