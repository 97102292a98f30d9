"""Why a fetch failed, in words for the person who can mend it, and whether asking again may help.

Knows no store. The names of the reasons are read by the operator: they are a contract.
"""

from enum import Enum


class Reason(Enum):
    """What went wrong; the value is what stands in the termination message."""

    CREDENTIALS_MISSING = "CredentialsMissing"
    FORBIDDEN = "Forbidden"
    NOT_FOUND = "NotFound"
    DIGEST_MISMATCH = "DigestMismatch"
    REPLACED = "Replaced"
    UNREACHABLE = "Unreachable"
    INTERRUPTED = "Interrupted"
    NO_SPACE = "NoSpace"
    UNSUPPORTED = "Unsupported"


# Everything else stays as it is until a person changes something.
_PASSING = frozenset({Reason.UNREACHABLE, Reason.INTERRUPTED})


class FetchFailed(Exception):
    """The fetch cannot go on; becomes the termination message."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message

    @property
    def exit_code(self) -> int:
        """1 if asking again may help, 2 if it will not."""
        return 1 if self.reason in _PASSING else 2


class Passing(Exception):
    """One request failed in a way that a further attempt may mend: a broken connection, a 500, a 429."""

    def __init__(self, message: str, *, wait_seconds: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.wait_seconds = wait_seconds
        """How long the server asked us to wait, if it did."""


class RangeIgnored(Exception):
    """The server answered a request for a part with the whole."""
