"""Shows what is going on and how long it took last time. With a terminal a moving line, without one plain lines."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cluster import durations


class Reporter:
    """Prints steps with their times; remembers the times of those that are worth it."""

    def __init__(self, cache: Path, console: Console | None = None) -> None:
        self.cache = cache
        # To standard error: `kubeconfig` and `status --json` are read by programs.
        self.console = console or Console(stderr=True, highlight=False)

    def say(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def step(self, name: str, doing: str, *, key: str | None = None) -> Iterator[None]:
        """Show a step while it runs and its time when it has ended.

        With `key`, the time is remembered under it and announced the next time.
        """
        last = durations.last_seconds(self.cache, key) if key else None
        announced = f"{name}: {doing}" + (f" (last time {last:.0f} s)" if last is not None and last >= 1 else "")
        started = time.monotonic()
        if self.console.is_terminal:
            with self._moving() as progress:
                progress.add_task(announced, total=last)
                yield
        else:
            if key:
                self.say(f"… {announced}")
            yield
        seconds = time.monotonic() - started
        if key:
            durations.remember(self.cache, key, seconds)
        self.say(f"✓ {name}: {doing}, {seconds:.1f} s")

    def _moving(self) -> Progress:
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )
