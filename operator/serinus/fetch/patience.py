"""How often and how long a failing store is asked again."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

from serinus.fetch.failures import FetchFailed, Passing, Reason

T = TypeVar("T")
_LONGEST_OBEYED_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Attempts that bring nothing new, and the waits between them, which double."""

    attempts: int = 6
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 15.0

    def wait_seconds(self, failed: int, passing: Passing) -> float:
        """Return how long to wait after so many failures, 1 or more; the server's wish counts, up to 60 s."""
        wait = min(self.longest_wait_seconds, self.first_wait_seconds * 2.0 ** (failed - 1))
        # Eight connections that broke together do not come back together.
        wait *= random.uniform(0.5, 1.0)  # noqa: S311
        return max(wait, min(passing.wait_seconds or 0.0, _LONGEST_OBEYED_SECONDS))


def ask(question: Callable[[], T], patience: Patience, tell: Callable[[str], None], stop: Event | None = None) -> T:
    """Return a store's answer, asked as often as patience allows.

    Raises:
        FetchFailed: It gave none (Unreachable), or one that asking again does not change.
    """
    failed = 0
    while True:
        try:
            return question()
        except Passing as passing:
            failed += 1
            if failed >= patience.attempts:
                raise FetchFailed(
                    Reason.UNREACHABLE,
                    f"{passing.message} (asked {failed} times). Is the store up and reachable from pods?",
                ) from passing
            tell(f"{passing.message}; asking again ({failed + 1} of {patience.attempts})")
            pause(patience.wait_seconds(failed, passing), stop)


def pause(seconds: float, stop: Event | None) -> None:
    """Wait, but not once somebody wants to stop.

    Raises:
        FetchFailed: Somebody wants to stop.
    """
    if stop is None:
        time.sleep(seconds)
    elif stop.wait(seconds):
        raise FetchFailed(Reason.INTERRUPTED, "Another part of the fetch failed.")
