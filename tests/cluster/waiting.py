"""Waits for a condition with a deadline on the wall clock, and gives up at once when a daemon has died."""

import time
from collections.abc import Callable, Iterable

from cluster import process
from cluster.errors import HarnessError
from cluster.paths import Layout


def wait_until(
    what: str,
    condition: Callable[[], bool],
    layout: Layout,
    *,
    daemons: Iterable[str],
    timeout_seconds: float = 60,
    poll_seconds: float = 0.1,
) -> None:
    """Poll `condition` until it holds.

    Raises `HarnessError` with the end of the log when one of `daemons` has died or time is up.
    """
    names = tuple(daemons)
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        for name in names:
            if process.find(name, layout) is None:
                tail = process.log_tail(name, layout)
                raise HarnessError(f"{name} died while waiting for {what}. End of {layout.log(name)}:\n{tail}")
        if time.monotonic() > deadline:
            logs = "\n".join(f"--- {name}\n{process.log_tail(name, layout)}" for name in names)
            raise HarnessError(
                f"Waited {timeout_seconds:.0f} s in vain for {what}. Logs are in {layout.data('logs')}:\n{logs}"
            )
        time.sleep(poll_seconds)
