"""Our error tree. Adapters convert and chain foreign errors; expected outcomes are values, not errors.

::

    SerinusError
    ├── Stall                 a person has to mend something; no retry until the object changes
    │   ├── InvalidSpec       the spec cannot be understood
    │   └── NotSupportedYet   the spec asks for what is not built yet
    ├── ClusterError          the API server refused or could not be reached
    │   ├── Conflict          409: somebody else wrote first; read again and decide again
    │   ├── AlreadyExists     409 on create
    │   ├── NotFound          404
    │   ├── Forbidden         403: rights are missing
    │   ├── Refused           400 or 422: validation or admission said no
    │   └── ClusterUnavailable  no answer, 429 or 5xx: try again later
    ├── MetricsError
    │   ├── MetricsUnavailable  Prometheus gave no usable answer: hold
    │   └── BadQuery            Prometheus understood that the query is wrong: a person has to mend it
    │       └── NoMetrics       nothing that is known of the server, or seen of its data, fits the signal
    └── BrokenInvariant       our own bug: loud
"""

from datetime import timedelta

from serinus import contract


class SerinusError(Exception):
    """Root of all errors that this package raises on purpose."""


class Stall(SerinusError):
    """Something that a person has to mend; becomes the condition ``Stalled`` with this reason and message."""

    def __init__(self, reason: str, message: str, *, again: timedelta | None = None) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.again = again
        """When to look again at the latest; None: as always."""


class InvalidSpec(Stall):
    """The spec cannot be understood."""

    def __init__(self, message: str) -> None:
        super().__init__(contract.REASON_INVALID_SPEC, message)


class NotSupportedYet(Stall):
    """The spec asks for a feature that is in the schema but not built yet."""

    def __init__(self, message: str) -> None:
        super().__init__(contract.REASON_NOT_SUPPORTED_YET, message)


class ClusterError(SerinusError):
    """The API server refused a request or could not be reached."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class Conflict(ClusterError):
    """Somebody else wrote first, or owns the field: read again and decide again."""


class AlreadyExists(ClusterError):
    """A create found an object of that name."""


class NotFound(ClusterError):
    """The object does not exist."""


class Forbidden(ClusterError):
    """Our ServiceAccount lacks a right."""


class Refused(ClusterError):
    """Validation or admission refused the object; the message is the server's own sentence."""


class ClusterUnavailable(ClusterError):
    """No answer, too many requests, or a failure of the server: try again later."""


class MetricsError(SerinusError):
    """Measurements could not be had."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class MetricsUnavailable(MetricsError):
    """Prometheus gave no usable answer."""


class BadQuery(MetricsError):
    """Prometheus says that the query itself is wrong."""


class NoMetrics(BadQuery):
    """Nothing that is known of the server, or seen of its data, fits the signal."""


class BrokenInvariant(SerinusError):
    """Our own bug."""
