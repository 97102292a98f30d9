"""Wire models of the judge's answers, as a RolloutReport keeps them: the newest whole, older ones thinned."""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from serinus import contract
from serinus.api.wire import Ruled, Seen, Timestamp
from serinus.errors import BrokenInvariant, Stall
from serinus.rollout.assessment import Assessment, SignalEvidence

MAX_POINTS_IN_ALL = 480
"""Over all signals of a report, so that it stays small with many of them."""
MAX_BECAUSE_LENGTH = 1024
SIGNIFICANT_DIGITS = 6


def _finite(value: Any) -> Any:
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return None if math.isnan(value) else math.copysign(sys.float_info.max, value)


def _short(value: Any) -> Any:
    return value[:MAX_BECAUSE_LENGTH] if isinstance(value, str) else value


Finite = Annotated[float, BeforeValidator(_finite)]
MaybeFinite = Annotated[float | None, BeforeValidator(_finite)]
Sentence = Annotated[str, BeforeValidator(_short)]


class SignalEvidenceStatus(Seen):
    """What is known about one signal."""

    name: str
    """Name of the signal."""
    kind: str
    """What it measures."""
    action: str
    """What evidence of harm does."""
    verdict: str
    """PASS, FAIL, INCONCLUSIVE or NO_DATA."""
    evidence: MaybeFinite = None
    """e-value for harm."""
    safety: MaybeFinite = None
    """e-value for "not worse than acceptable at the next step"."""
    effect: MaybeFinite = None
    """Excess of the canary's share over stable's, as a share."""
    effect_standard_error: MaybeFinite = None
    """Its standard error."""
    dispersion: MaybeFinite = None
    """How much more stable's counts scatter than chance allows; 1 where they do not."""
    more_requests: MaybeFinite = None
    """Canary requests that the proof still needs, if the canary is no worse than stable."""
    canary_from_reference: MaybeFinite = None
    """Drift: population stability index of the canary against the training reference."""
    stable_from_reference: MaybeFinite = None
    """Drift: the same of stable."""
    canary_total: int = 0
    """Requests of the canary since the start of the attempt."""
    canary_bad: int = 0
    """Bad ones among them."""
    stable_total: int = 0
    """Requests of stable since the start of the attempt."""
    stable_bad: int = 0
    """Bad ones among them."""
    value: MaybeFinite = None
    """Query: the newest value."""
    reason: str = ""
    """One CamelCase word."""
    because: Sentence = ""
    """One sentence."""


class TrafficShareStatus(Seen):
    """Whether the canary gets the share of traffic that its pods should give."""

    expected: Finite
    """Share of the ready pods, from 0 to 1."""
    observed: Finite
    """Share of the requests that were counted in the present step."""
    evidence: Finite
    """e-value against "within a fifth of the expected share"."""
    off: bool
    """The evidence is large enough to say that it is not."""
    because: Sentence = ""
    """One sentence."""


class AssessmentStatus(Seen):
    """The judge's newest answer."""

    at: Timestamp
    """Time of the tick."""
    step: int
    """Index of the step in force at that tick."""
    verdict: str
    """PASS, FAIL, INCONCLUSIVE or NO_DATA."""
    rollback: bool
    """Both keys have turned."""
    promote: bool
    """Every signal that has to has its proof for the next step."""
    calm: bool
    """No signal is near a rollback."""
    evidence: Finite
    """Weighted sum over the signals that can roll back."""
    threshold: Finite
    """What evidence is compared with."""
    reason: str
    """One CamelCase word."""
    because: Sentence
    """One sentence."""
    signals: Annotated[tuple[SignalEvidenceStatus, ...], Ruled(extra={"x-kubernetes-list-type": "atomic"})] = ()
    """Per signal."""
    ticks_in_step: int = 0
    """Ticks of the present step that carried a comparison."""
    traffic: TrafficShareStatus | None = None
    """Absent: no share is expected, or nothing was counted yet."""


class Point(Seen):
    """One signal at one tick."""

    at: Timestamp
    """Time of the tick."""
    evidence: MaybeFinite = None
    """e-value for harm."""
    safety: MaybeFinite = None
    """e-value for promotion."""
    effect: MaybeFinite = None
    """Excess of the canary's share, as a share."""
    value: MaybeFinite = None
    """Query: the value."""
    canary_total: int = 0
    """Requests of the canary since the start of the attempt."""
    canary_bad: int = 0
    """Bad ones among them."""
    stable_total: int = 0
    """Requests of stable since the start of the attempt."""
    stable_bad: int = 0
    """Bad ones among them."""


_ASSESSMENT = TypeAdapter(Assessment)


def write_assessment(assessment: Assessment) -> dict[str, Any]:
    """Write an answer of the judge; ``read_assessment`` reads it back.

    Raises:
        BrokenInvariant: the judge gave no number where one is due.
    """
    try:
        wire = AssessmentStatus.model_validate(assessment, from_attributes=True, strict=False)
    except ValidationError as error:
        raise BrokenInvariant(f"an assessment that cannot be written: {error}") from error
    return wire.model_dump(mode="json", by_alias=True, exclude_none=True)


def read_assessment(wire: Mapping[str, Any]) -> Assessment:
    """Read an answer of the judge.

    Raises:
        Stall: it cannot be understood.
    """
    try:
        parsed = AssessmentStatus.model_validate(wire, strict=False)
        return _ASSESSMENT.validate_python(parsed.model_dump())
    except ValidationError as error:
        raise Stall(
            contract.REASON_STATUS_UNREADABLE,
            "status.assessment of the RolloutReport cannot be read: delete the report, or restore it",
        ) from error


def extend_series(series: Mapping[str, Sequence[Any]], assessment: Assessment) -> dict[str, list[Any]]:
    """Return the series with one more point for each signal that has news, thinned by halving where they are full."""
    count = max(1, len(assessment.signals))
    limit = min(contract.MAX_SERIES_POINTS, MAX_POINTS_IN_ALL // count)
    extended = {name: list(points) for name, points in series.items()}
    for signal in assessment.signals:
        points = extended.setdefault(signal.name, [])
        new = _point(assessment, signal)
        if not points or (points[-1]["at"] < new["at"] and {**points[-1], "at": None} != {**new, "at": None}):
            points.append(new)
        if len(points) > limit:
            # From the end, so that the newest point always stays.
            extended[signal.name] = points[::-2][::-1]
    return extended


def _point(assessment: Assessment, signal: SignalEvidence) -> dict[str, Any]:
    wire = Point.model_validate(
        {
            "at": assessment.at,
            "evidence": signal.evidence,
            "safety": signal.safety,
            "effect": signal.effect,
            "value": signal.value,
            "canary_total": signal.canary_total,
            "canary_bad": signal.canary_bad,
            "stable_total": signal.stable_total,
            "stable_bad": signal.stable_bad,
        }
    ).model_dump(mode="json", by_alias=True, exclude_none=True)
    return {key: _rounded(value) for key, value in wire.items()}


def _rounded(value: Any) -> Any:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") if isinstance(value, float) else value
