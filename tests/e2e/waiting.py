"""Wait for something to become true in the real world, with a deadline and a story when it does not.

Polling an observed state is the only kind of waiting here: nothing sleeps in the hope that something has happened.
"""

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")

POLL_SECONDS = 0.25


def eventually(what: str, look: Callable[[], Seen | None], *, within: float, every: float = POLL_SECONDS) -> Seen:
    """Look again and again until there is something to see, and return it.

    Args:
        what: what is awaited, for the failure's message.
        look: returns something true once the wait is over; may raise AssertionError to give up at once.
        within: seconds until the wait fails.
        every: seconds between two looks.

    Raises:
        AssertionError: when the deadline has passed.
    """
    deadline = time.monotonic() + within
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() >= deadline:
            msg = f"not within {within:g} s: {what}"
            raise AssertionError(msg)
        time.sleep(every)
