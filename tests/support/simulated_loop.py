"""An event loop whose time is simulated: instead of waiting for a timer it moves its clock to it."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    """Look for ready files without waiting, and remember for how long the loop wanted to wait."""

    passed_seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("the loop would wait for ever: nothing is ready and no timer is set")
        self.passed_seconds += max(0.0, timeout)
        return super().select(0)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Time starts at 0 and passes only while nothing else can run."""

    def __init__(self) -> None:
        self._simulated = _Selector()
        super().__init__(self._simulated)

    def time(self) -> float:
        return self._simulated.passed_seconds


def run_simulated(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in simulated time; no task may be left over."""
    loop = SimulatedLoop()
    try:
        result = loop.run_until_complete(main)
        left = asyncio.all_tasks(loop)
        assert not left, f"tasks left over: {left}"
        return result
    finally:
        loop.close()
