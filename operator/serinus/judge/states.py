"""What is remembered about one signal from tick to tick, by sort of signal. About 25 numbers, or 4 per proof more.

A change of these shapes needs a new ``running.WIRE_VERSION``.
"""

from dataclasses import dataclass, field

from serinus.judge.course import Course, Moment
from serinus.judge.exposure import Exposure
from serinus.judge.wire import Exact
from serinus.stats import breaches, count_process
from serinus.stats.breaches import BreachShare, Thinning
from serinus.stats.capital import Capital
from serinus.stats.counts import Counts
from serinus.stats.dispersion import Dispersion
from serinus.stats.pair_process import PairProcess
from serinus.stats.pod_spread import PodSpread
from serinus.stats.risk_difference import RiskDifference
from serinus.stats.starts import start_mass
from serinus.stats.two_samples import TwoSamples


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Where a betting process stands, and how high it ever was."""

    ticks: int = 0
    """Ticks that told it something."""
    started_step: int = -1
    """Newest weight step whose start mass was bet."""
    peak: Exact = 1.0
    """Highest e-value so far."""

    def start(self, course: Course, moment: Moment) -> float:
        """Return the share of the initial capital that is newly bet at a tick."""
        return start_mass(
            ticks_before=self.ticks,
            new_step=self._starts_step(moment),
            steps=course.weight_steps,
            planned_ticks=course.planned_ticks,
        )

    def after(self, moment: Moment, evidence: float) -> "Schedule":
        """Return the schedule after a tick that left the process at this e-value."""
        return Schedule(
            ticks=self.ticks + 1,
            started_step=moment.step if self._starts_step(moment) else self.started_step,
            peak=max(self.peak, evidence),
        )

    def is_in(self, moment: Moment) -> bool:
        """Tell whether the process was told something in the weight step of a tick."""
        return moment.is_weight_step and moment.step == self.started_step

    def _starts_step(self, moment: Moment) -> bool:
        return moment.is_weight_step and moment.step > self.started_step


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Bad requests of canary against those of stable: one comparison, its proofs and its sums."""

    capital: Capital = field(default_factory=count_process.fresh)
    schedule: Schedule = field(default_factory=Schedule)
    difference: RiskDifference = field(default_factory=RiskDifference)
    exposure: Exposure = field(default_factory=Exposure)
    counts: Counts = field(default_factory=Counts)
    """Of ticks that compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """What stable's pods teach about each other: of past ticks, and from before the rollout."""

    dispersion: Dispersion = field(default_factory=Dispersion)
    spread: PodSpread = field(default_factory=PodSpread)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundState:
    """The canary's own share of bad requests against its ``slo``."""

    capital: Capital
    schedule: Schedule = field(default_factory=Schedule)
    total: int = 0
    bad: int = 0
    recent_total: float = 0.0
    """Discounted with a half-life of 10 ticks, like ``recent_bad``."""
    recent_bad: float = 0.0
    dispersion: Dispersion = field(default_factory=Dispersion)
    """Of the canary's own requests, at ticks without any of stable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateState:
    """A signal that counts bad requests."""

    contest: Contest = field(default_factory=Contest)
    scatter: Scatter = field(default_factory=Scatter)
    bound: BoundState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyState:
    """A whole histogram of durations: one contest per edge that was chosen."""

    edges: tuple[Exact, ...] = ()
    """Seconds, ascending; empty before anything was counted."""
    contests: tuple[Contest, ...] = ()
    scatter: Scatter = field(default_factory=Scatter)
    """The spread is that at the lowest edge."""
    tail: PodSpread = field(default_factory=PodSpread)
    """The spread at the highest edge that shows something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """Stable's counts as they would be had stable drawn as often as the canary at each tick.

    So the sides differ only by what differs at the same time: neither the past, nor a world that moves while the
    weight grows, shows as a difference.
    """

    counts: tuple[float, ...] = ()
    """Per bucket, ``sum_t n_c x_s / n_s`` over ticks that compare."""
    squares: float = 0.0
    """``sum_t n_c^2 / n_s``: the counts are worth ``(sum_t n_c)^2 / squares`` observations."""

    def plus(self, canary: int, stable: tuple[int, ...], decay: float) -> "Matched":
        """Add a tick of n_c canary observations and stable's counts; earlier ones are multiplied by ``decay``."""
        times = canary / sum(stable)
        known = (*self.counts, *(0.0,) * (len(stable) - len(self.counts)))
        return Matched(
            counts=tuple(_short(decay * old + times * new) for old, new in zip(known, stable, strict=True)),
            squares=_short(decay * decay * self.squares + times * canary),
        )

    @property
    def observations(self) -> tuple[float, ...]:
        """Return the counts scaled to as many observations as they are worth."""
        total = sum(self.counts)
        return tuple(each * total / self.squares for each in self.counts) if self.squares else self.counts


def _short(value: float) -> float:
    # Six digits are enough for an effect; there are many of these numbers.
    return float(f"{value:.6g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FromReference:
    """How far (PSI) each side was from the training reference at the newest tick that compared."""

    canary: float | None
    stable: float | None
    both_moved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftState:
    """Two histograms over the same buckets or categories."""

    samples: TwoSamples = field(default_factory=TwoSamples)
    schedule: Schedule = field(default_factory=Schedule)
    edges: tuple[Exact, ...] = ()
    """Between the buckets that are told apart; empty for categories."""
    categories: tuple[int, ...] = ()
    """Digests of the categories that are told apart, in the order in which they came up."""
    dispersion: Dispersion = field(default_factory=Dispersion)
    before: int = 0
    """Observations of stable from before the rollout, which are among the samples."""
    matched: Matched = field(default_factory=Matched)
    recent: Matched = field(default_factory=Matched)
    """The same with ticks discounted, as the samples' recent counts of the canary are."""
    from_reference: FromReference | None = None
    """None: there was no training reference at the newest tick that compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueState:
    """A number against bounds: Query."""

    capital: Capital = field(default_factory=breaches.fresh)
    schedule: Schedule = field(default_factory=Schedule)
    thinning: Thinning = field(default_factory=Thinning)
    share: BreachShare = field(default_factory=BreachShare)
    """Of all ticks, not only of those that count as independent."""
    value: float | None = None
    """The newest value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairState:
    """A number of the canary against the same number of stable: Comparison."""

    process: PairProcess = field(default_factory=PairProcess)
    schedule: Schedule = field(default_factory=Schedule)
    canary: float | None = None
    """The newest value."""
    stable: float | None = None


SignalState = RateState | LatencyState | DriftState | ValueState | PairState
