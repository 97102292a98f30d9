"""The values of a gate: what is asked of canary pods before any user reaches them, and what came of it.

Frozen dataclasses only. Knows no wire format, no network and no clock. Bodies and JSON are kept as texts, as they were
when the attempt began.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class ContractMode(StrEnum):
    """What a difference between the canary's inputs and outputs and stable's does."""

    REQUIRE = "Require"
    """It rolls back."""
    REPORT = "Report"
    """It is told in the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonCheck:
    """What every value that a JSONPath finds in an answer must be; it must find at least one."""

    path: str
    """JSONPath (RFC 9535)."""
    equals: str | None = None
    """JSON text of the only value allowed."""
    tolerance: float = 0.0
    """Largest absolute distance of a number from its place in ``equals``."""
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What an answer must be."""

    status: int | None = None
    """None: below 400."""
    body: str | None = None
    """Text that it must contain."""
    json_path: tuple[JsonCheck, ...] = ()
    json_schema: str | None = None
    """JSON text of a JSON Schema (2020-12 if it names no other)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRequest:
    """One request to a pod."""

    path: str
    """Path and query; begins with a slash."""
    method: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    expect: Expect = Expect()


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """Requests that both sides get, to compare their outputs."""

    requests: tuple[GateRequest, ...]
    outputs: tuple[str, ...] = ()
    """JSONPaths of what is compared; none: what the protocol calls outputs."""
    tolerance: float | None = None
    """Largest absolute distance of two numbers; None: distances are told and decide nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """Calls that take the cold start away from the first users."""

    requests: tuple[GateRequest, ...]
    times: int
    """How often each pod gets all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoke:
    """All that one smoke step asks."""

    requests: tuple[GateRequest, ...] = ()
    golden: Golden | None = None
    contract: ContractMode = ContractMode.REPORT
    warm_up: WarmUp | None = None
    timeout: timedelta = timedelta(seconds=10)
    """Of one request."""
    attempts: int = 3
    """How often a request is sent that gets no answer; an answer is never asked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOutcome:
    """How the gate of one step of an attempt ended."""

    identity: str
    """``<revision>/<attempt>``."""
    step: int
    passed: bool
    reason: str
    """One of contract's reasons of a gate; empty when it passed."""
    message: str
    """What was asked and answered, with an excerpt of the answer."""
