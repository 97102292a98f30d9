"""One `up`, `down`, `start` or `stop` at a time on a machine."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.paths import Layout
from cluster.progress import Reporter


@contextmanager
def exclusive(layout: Layout, reporter: Reporter) -> Iterator[None]:
    """Hold the machine's lock; wait for another holder, and say so. The kernel frees it when we die."""
    layout.lock.parent.mkdir(parents=True, exist_ok=True)
    with layout.lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            reporter.say("Another command works on the cluster right now; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
