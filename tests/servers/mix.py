"""The known mix of requests that every server gets, and what its counters are to say of each sort."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

GOOD, SLOW, FAILING = 1.0, 2.0, -1.0
"""What the models under test (``apps/behaviour.py``) answer at once, late, and not at all."""
BOUND_SECONDS = 0.5
"""Between the two, and an edge of every server's histogram."""


class Sort(StrEnum):
    """A sort of request."""

    GOOD = "good"
    SLOW = "slow"
    FAILING = "failing"
    """The model raises."""
    MALFORMED = "malformed"
    """No JSON."""
    INVALID = "invalid"
    """JSON without what the model needs."""
    UNKNOWN = "unknown"
    """For a model, or a path, that is not there."""
    NEIGHBOUR = "neighbour"
    """For another model of the same server, which raises."""
    PROBE = "probe"


MIX: Mapping[Sort, int] = {
    Sort.GOOD: 5,
    Sort.SLOW: 2,
    Sort.FAILING: 3,
    Sort.MALFORMED: 2,
    Sort.INVALID: 1,
    Sort.UNKNOWN: 1,
    Sort.NEIGHBOUR: 2,
    Sort.PROBE: 6,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent."""

    path: str
    body: bytes | None = None
    """None: GET."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server answers to a sort of request, and where its preset is to count it."""

    status: int
    errors: str = ""
    """Nowhere, in the "total", as "bad", or ``LOST``."""
    client_errors: str = ""
    latency: str = ""
    """Nowhere, "fast", or "slow"."""


LOST = "lost"
"""Begun, never over, and so told late: not within the time of a test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Total and bad of each kind of signal; None where the preset cannot give it."""

    errors: tuple[int, int] | None
    client_errors: tuple[int, int] | None
    latency: tuple[int, int] | None


def expected(answers: Mapping[Sort, Answer], sent: Mapping[Sort, int]) -> Counts:
    """Return what a preset has to count; a kind that no answer is counted under cannot be given."""

    def of(kind: str, bad: str) -> tuple[int, int] | None:
        found: Counter[str] = Counter()
        for sort, times in sent.items():
            if sort in answers:
                found[getattr(answers[sort], kind)] += times
        given = any(getattr(each, kind) for each in answers.values())
        return (found.total() - found[""] - found[LOST], found[bad]) if given else None

    return Counts(errors=of("errors", "bad"), client_errors=of("client_errors", "bad"), latency=of("latency", "slow"))
