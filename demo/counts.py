"""What a load generator counts: answers by status, and requests that got no answer, apart.

Values only: no clock, no network. Standard library only, because the load generator's image has nothing else.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self


class Mode(StrEnum):
    """How a client uses connections."""

    NEW = "new"
    KEPT = "kept"


class Failure(StrEnum):
    """Why a request got no answer."""

    CONNECT = "connect"
    """The connection could not be opened: refused, unreachable, name unknown."""
    RESET = "reset"
    """The peer broke the connection (RST, broken pipe)."""
    EOF = "eof"
    """The peer closed the connection before the whole answer was there."""
    TIMEOUT = "timeout"
    MALFORMED = "malformed"
    """Bytes came, but no HTTP."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of one mode, one pod or one revision."""

    answers: Counter[int] = field(default_factory=Counter)
    failures: Counter[Failure] = field(default_factory=Counter)
    sent: int = 0
    skipped: int = 0
    """Requests that were due but not sent, because too many were in flight."""
    first: datetime | None = None
    last: datetime | None = None

    def copy(self) -> "Tally":
        """Return a copy that later counting leaves alone."""
        return Tally(
            answers=Counter(self.answers),
            failures=Counter(self.failures),
            sent=self.sent,
            skipped=self.skipped,
            first=self.first,
            last=self.last,
        )

    def count_answer(self, status: int, at: datetime) -> None:
        """Count an answer that ended at a time."""
        self.answers[status] += 1
        self.first = self.first or at
        self.last = at

    @property
    def good(self) -> int:
        """Answers below 500."""
        return sum(count for status, count in self.answers.items() if status < 500)

    @property
    def bad(self) -> int:
        """Answers of 500 and above."""
        return sum(count for status, count in self.answers.items() if status >= 500)

    @property
    def failed(self) -> int:
        """Requests without an answer."""
        return sum(self.failures.values())

    def to_wire(self) -> dict[str, object]:
        """Return the counts as plain JSON values."""
        return {
            "sent": self.sent,
            "skipped": self.skipped,
            "answers": {str(status): count for status, count in sorted(self.answers.items())},
            "failures": {kind.value: count for kind, count in sorted(self.failures.items())},
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, object]) -> Self:
        """Read counts that ``to_wire`` wrote."""
        answers, failures = wire["answers"], wire["failures"]
        if not isinstance(answers, Mapping) or not isinstance(failures, Mapping):
            raise ValueError("answers and failures have to be objects")
        first, last = wire["first"], wire["last"]
        return cls(
            sent=int(str(wire["sent"])),
            skipped=int(str(wire["skipped"])),
            answers=Counter({int(status): int(count) for status, count in answers.items()}),
            failures=Counter({Failure(kind): int(count) for kind, count in failures.items()}),
            first=datetime.fromisoformat(str(first)) if first else None,
            last=datetime.fromisoformat(str(last)) if last else None,
        )


@dataclass(slots=True, kw_only=True)
class Counts:
    """Everything that was counted. A snapshot: it does not change any more."""

    modes: dict[Mode, Tally]
    revisions: dict[str, Tally]
    """By the answer's ``x-revision``; ``unnamed`` for answers without that header (MLServer's 500s)."""
    pods: dict[str, Tally]
    """By the answer's ``x-pod``; ``unnamed`` for answers without that header."""
    elapsed_seconds: float

    @property
    def new(self) -> Tally:
        """Counts of the requests that each opened a connection."""
        return self.modes[Mode.NEW]

    @property
    def kept(self) -> Tally:
        """Counts of the requests on kept-alive connections."""
        return self.modes[Mode.KEPT]

    def answers_of(self, revision: str) -> int:
        """Count the answers that named a revision."""
        tally = self.revisions.get(revision)
        return sum(tally.answers.values()) if tally else 0

    def to_wire(self) -> dict[str, object]:
        """Return the report as plain JSON values."""
        return {
            "elapsedSeconds": round(self.elapsed_seconds, 3),
            "modes": {mode.value: tally.to_wire() for mode, tally in self.modes.items()},
            "revisions": {name: tally.to_wire() for name, tally in sorted(self.revisions.items())},
            "pods": {name: tally.to_wire() for name, tally in sorted(self.pods.items())},
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, object]) -> Self:
        """Read a report that ``to_wire`` wrote."""

        def tallies(key: str) -> dict[str, Tally]:
            group = wire[key]
            if not isinstance(group, Mapping):
                raise ValueError(f"{key} has to be an object")
            return {name: Tally.from_wire(tally) for name, tally in group.items()}

        return cls(
            modes={Mode(name): tally for name, tally in tallies("modes").items()},
            revisions=tallies("revisions"),
            pods=tallies("pods"),
            elapsed_seconds=float(str(wire["elapsedSeconds"])),
        )
