"""What the judge answers at a tick: verdicts with their evidence, per signal and over all of them.

Frozen dataclasses only. Nothing here knows how an answer is found, the wire format or a clock.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from serinus.rollout.types import SignalAction, SignalKind


class Verdict(StrEnum):
    """The four answers about a signal or a rollout. Only PASS promotes, only FAIL rolls back."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_DATA = "NO_DATA"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalEvidence:
    """What is known about one signal at a tick."""

    name: str
    kind: SignalKind
    action: SignalAction
    verdict: Verdict
    evidence: float | None = None
    """e-value for harm; crosses the threshold 1/alpha (over its weight) when the canary is worse."""
    safety: float | None = None
    """e-value for "not worse than acceptable at the next step"; promotion needs 1/beta."""
    effect: float | None = None
    """Excess of the canary's share over stable's (Mantel-Haenszel), as a share."""
    effect_standard_error: float | None = None
    dispersion: float | None = None
    """How much more stable's counts scatter than chance allows; 1 where they do not."""
    more_requests: float | None = None
    """Canary requests that the proof still needs, if the canary is no worse than stable; None: no proof is needed."""
    canary_from_reference: float | None = None
    """Drift: bias-corrected PSI of the canary against the training reference."""
    stable_from_reference: float | None = None
    canary_total: int = 0
    """Requests of the canary since the start of the attempt."""
    canary_bad: int = 0
    stable_total: int = 0
    stable_bad: int = 0
    value: float | None = None
    """Query: the newest value."""
    reason: str = ""
    """One of contract's reasons, such as ErrorsWorse, NoTraffic, MetricsAvailable."""
    because: str = ""
    """The sentence that a person reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficShare:
    """Whether the canary gets the share of traffic that was set."""

    expected: float
    """Share in (0, 1)."""
    observed: float
    """Share of the counted requests of the attempt's present step."""
    evidence: float
    """e-value against "within a fifth of what was set"."""
    off: bool
    """The evidence has reached 1/alpha: routing is not what was set."""
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The judge's answer at a tick, over all signals of a rollout."""

    at: datetime
    """Time of the tick."""
    step: int
    """Index of the step in force at that tick."""
    verdict: Verdict
    rollback: bool
    """Both keys have turned, now or at an earlier tick of the attempt."""
    promote: bool
    """Every signal that has to has its proof for the next step."""
    calm: bool
    """No signal is near a rollback: what PromoteIfCalm asks."""
    evidence: float
    threshold: float
    reason: str
    because: str
    signals: tuple[SignalEvidence, ...] = ()
    ticks_in_step: int = 0
    """Ticks of the present step that carried a comparison; at least 2 before the step may end."""
    traffic: TrafficShare | None = None
    """None: nothing was expected, or nothing was counted yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measuring:
    """Whether measurements can be had: the condition ``MetricsAvailable``."""

    available: bool | None
    """None: nothing was measured, because nothing needs to be."""
    reason: str
    message: str
