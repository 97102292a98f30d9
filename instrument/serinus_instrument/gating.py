"""Know whether the request under way is one of a rollout's gates, which is no traffic and not counted.

A context variable carries it from the server's edge to the model: through coroutines, and into threads that copy the
context, as Starlette's and KServe's do.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from serinus_instrument.names import GATE_HEADER

_GATED: ContextVar[bool] = ContextVar("serinus_gated", default=False)


def gated() -> bool:
    """Return whether the request under way is not to be counted."""
    return _GATED.get()


@contextmanager
def uncounted(when: bool = True) -> Iterator[None]:
    """Count nothing inside, for instance while warming up.

    Args:
        when: False counts as ever.
    """
    token = _GATED.set(when or _GATED.get())
    try:
        yield
    finally:
        _GATED.reset(token)


def marked(headers: Mapping[str, object] | None) -> bool:
    """Return whether a request's headers say that it is a gate's; their case does not matter."""
    return any(str(name).lower() == GATE_HEADER.lower() for name in headers or ())
