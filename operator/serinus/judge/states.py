"""What is remembered about one signal from tick to tick. About 25 numbers, or 4 per proof more."""

from dataclasses import dataclass, field

from serinus.judge.exposure import Exposure
from serinus.stats import breaches, count_process
from serinus.stats.breaches import BreachShare
from serinus.stats.capital import Capital
from serinus.stats.counts import Counts
from serinus.stats.risk_difference import RiskDifference


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A betting process and where it stands on its schedule."""

    capital: Capital
    ticks: int = 0
    """Ticks that told it something."""
    started_step: int = -1
    """Newest weight step whose start mass was bet."""
    peak: float = 1.0
    """Highest e-value so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateState:
    """A signal that counts: Errors, Latency above a bound."""

    process: Process = field(default_factory=lambda: Process(capital=count_process.fresh()))
    difference: RiskDifference = field(default_factory=RiskDifference)
    exposure: Exposure = field(default_factory=Exposure)
    counts: Counts = field(default_factory=Counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueState:
    """A signal that is a number against bounds: Query."""

    process: Process = field(default_factory=lambda: Process(capital=breaches.fresh()))
    share: BreachShare = field(default_factory=BreachShare)
    value: float | None = None
    """The newest value."""


SignalState = RateState | ValueState
