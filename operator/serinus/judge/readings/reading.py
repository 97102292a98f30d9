"""One signal at one tick: what it told, what is remembered of it now, and what that means for the keys and the proof.

Each sort of signal has one function that turns a measurement into a ``Reading``; the verdict over all signals
(``judge``) looks at readings only, so that a new sort needs no change there.
"""

from dataclasses import dataclass
from enum import Enum

from serinus import contract
from serinus.errors import BrokenInvariant
from serinus.judge.course import Course
from serinus.judge.measurements import Measurement, Missing
from serinus.judge.states import SignalState
from serinus.rollout.types import Signal, SignalKind
from serinus.stats.capital import reaches
from serinus.stats.counts import Counts

WORSE = {
    SignalKind.ERRORS: contract.REASON_ERRORS_WORSE,
    SignalKind.CLIENT_ERRORS: contract.REASON_CLIENT_ERRORS_WORSE,
    SignalKind.ACCURACY: contract.REASON_ACCURACY_WORSE,
    SignalKind.IMPLAUSIBLE: contract.REASON_IMPLAUSIBLE_WORSE,
    SignalKind.LATENCY: contract.REASON_LATENCY_WORSE,
    SignalKind.QUERY: contract.REASON_QUERY_OUT_OF_BOUNDS,
    SignalKind.PREDICTION_DRIFT: contract.REASON_PREDICTIONS_DRIFTED,
    SignalKind.FEATURE_DRIFT: contract.REASON_FEATURES_DRIFTED,
    SignalKind.COMPARISON: contract.REASON_COMPARISON_WORSE,
}


class Heard(Enum):
    """What a signal delivered at a tick."""

    TOLD = "told"
    """Both sides had requests, or the query gave a number."""
    ONE_SIDED = "one-sided"
    UNUSABLE = "unusable"
    """Something that cannot be compared, such as other buckets than before."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """What a signal delivered, and in words what is in the way if that cannot be compared."""

    heard: Heard
    reason: str = ""
    message: str = ""


TOLD = Hearing(heard=Heard.TOLD)
NO_TRAFFIC = Hearing(
    heard=Heard.ONE_SIDED,
    reason=contract.REASON_NO_TRAFFIC,
    message="the canary got no request in this tick; send traffic, or wait for it",
)
NO_BASELINE = Hearing(
    heard=Heard.ONE_SIDED,
    reason=contract.REASON_NO_BASELINE,
    message="stable got no request in this tick, so there is nothing to compare with; send it traffic",
)
NOT_A_NUMBER = Hearing(
    heard=Heard.NOTHING,
    reason=contract.REASON_NOT_A_NUMBER,
    message="the query gave NaN or infinity; make it give a number, or nothing",
)


def nothing(missing: Missing) -> Hearing:
    """Return what is heard of a signal without data."""
    return Hearing(heard=Heard.NOTHING, reason=missing.reason, message=missing.message)


def mismatch(message: str) -> Hearing:
    """Return what is heard of a histogram whose buckets do not do."""
    return Hearing(heard=Heard.UNUSABLE, reason=contract.REASON_BUCKET_MISMATCH, message=message)


def wrong_sort(signal: Signal, measurement: Measurement) -> BrokenInvariant:
    """Return the error for a measurement that does not belong to the kind of the signal."""
    return BrokenInvariant(f"signal {signal.name} of kind {signal.kind} got a {type(measurement).__name__}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One process of a signal: its evidence, and whether the effect that belongs to it is large enough to act on."""

    evidence: float
    before: float
    """Evidence before this tick; the same where the tick told nothing."""
    peak: float
    """Highest evidence so far."""
    practical: bool
    """The practical key: the lower estimate of the effect is as large as the margin."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One signal after a tick."""

    signal: Signal
    course: Course
    hearing: Hearing
    state: SignalState
    charges: tuple[Charge, ...]
    """At least one; the signal's evidence is their mean."""
    ticks: int
    """Ticks that told something, this one included."""
    moved: bool
    """This tick changed the state."""
    heard_in_step: bool = False
    """It carried a comparison in the present step, at this tick or before."""
    told: str = ""
    """What is known, in words; empty before anything is."""
    modest: bool = True
    """The effect is at most half of what would be unacceptable next."""
    out_of_bounds: bool = False
    """The value of this very tick is outside its bounds."""
    safety: float | None = None
    """None: the signal needs no proof."""
    more_requests: float | None = None
    """Canary requests that the proof still needs, if the canary is as good as stable; infinite: not to be said yet."""
    canary_requests: float = 0.0
    """Requests of the canary per tick so far."""
    canary_pods: int | None = None
    """Pods that the canary had at this tick; None if unknown."""
    finding: str = ""
    """A reason that is told although nothing fails."""
    effect: float | None = None
    effect_standard_error: float | None = None
    dispersion: float | None = None
    canary_from_reference: float | None = None
    stable_from_reference: float | None = None
    counts: Counts | None = None
    value: float | None = None

    @property
    def heard(self) -> Heard:
        """Return what was delivered."""
        return self.hearing.heard

    @property
    def evidence(self) -> float:
        """Return the e-value for harm."""
        return sum(charge.evidence for charge in self.charges) / len(self.charges)

    @property
    def evidence_before(self) -> float:
        """Return the e-value before this tick."""
        return sum(charge.before for charge in self.charges) / len(self.charges)

    @property
    def confirmed(self) -> float:
        """Return the e-value without what one tick alone may not bring when many processes move at once.

        A process is capped per tick by its own threshold, which grows with the number of signals and edges; so one
        that was not yet where the cap leaves it a tick before its threshold counts at most as much as a lone one could.
        """
        threshold, ticks = self.course.threshold * len(self.charges), self.course.confirm_ticks
        due = float(threshold ** (1.0 - 1.0 / ticks))
        most = float(self.course.sure ** (1.0 / ticks))
        counted = (
            each.evidence if reaches(max(each.before, 1.0), due) else min(each.evidence, max(each.before, 1.0) * most)
            for each in self.charges
        )
        return sum(counted) / len(self.charges)

    @property
    def convincing(self) -> bool:
        """Tell whether this signal alone turns the evidence key."""
        return reaches(self.confirmed, self.course.threshold)

    @property
    def accused(self) -> Charge | None:
        """Return the strongest charge with a practical effect whose own evidence was ever as large as all must be."""
        grave = [each for each in self.charges if each.practical and reaches(each.peak, self.course.sure)]
        return max(grave, key=lambda charge: charge.evidence, default=None)

    @property
    def alarm(self) -> float:
        """Return what evidence stops a promotion: the signal's, or that against its slo alone if that is larger."""
        own = [each.evidence for each in self.charges if each.reason == contract.REASON_SLO_MISSED]
        return max(self.evidence, *own) if own else self.evidence

    @property
    def calm(self) -> bool:
        """Tell whether nothing is wrong now and evidence is not half the way to a rollback (in logarithms)."""
        return not reaches(self.alarm, self.course.near) and not self.out_of_bounds

    @property
    def proven(self) -> bool:
        """Tell whether the proof is there, or none is needed."""
        return self.safety is None or reaches(self.safety, self.course.proof)
