"""What counters gained in each step of the past: a table of what a series can do."""

from datetime import timedelta

import pytest

from serinus.signals.past import increments
from serinus.signals.samples import Track
from support.traffic import moment

STEP = timedelta(seconds=10)
NAN = float("nan")


def track(pod: str, *values: float | None, job: str = "j", **labels: str) -> Track:
    points = tuple((moment(10 * i), value) for i, value in enumerate(values) if value is not None)
    return Track(labels={"pod": pod, "instance": pod, "job": job, **labels}, points=points)


CASES = {
    "two counters": ([[track("a", 1, 3, 7)], [track("a", 0, 0, 2)]], {1: {"a": (2, 0)}, 2: {"a": (4, 2)}}),
    "series of a pod add up": ([[track("a", 1, 3, code="x"), track("a", 5, 6, code="y")]], {1: {"a": (3,)}}),
    "two pods": ([[track("a", 1, 3), track("b", 1, 9)]], {1: {"a": (2,), "b": (8,)}}),
    "a series born later": ([[track("a", 1, 3, 7)], [track("a", None, 2, 2)]], {1: {"a": (2, 2)}, 2: {"a": (4, 0)}}),
    "a pod that comes": ([[track("a", 1, 1), track("b", None, 9)]], {1: {"a": (0,)}}),
    "a pod that comes and stays": ([[track("b", None, 9, 11)]], {2: {"b": (2,)}}),
    "a pod that goes": ([[track("a", 1, 4, None), track("b", 1, 1, 1)]], {1: {"a": (3,), "b": (0,)}, 2: {"b": (0,)}}),
    "a reset": ([[track("a", 5, 9, 2, 4)]], {1: {"a": (4,)}, 3: {"a": (2,)}}),
    "a gap": ([[track("a", 5, None, 9, 10)]], {3: {"a": (1,)}}),
    "no number": ([[track("a", 5, NAN, 9, 10)]], {3: {"a": (1,)}}),
    "a fraction": ([[track("a", 0.5, 1.4, 2.3)]], {1: {"a": (1,)}, 2: {"a": (1,)}}),
    "two jobs scrape one port": ([[track("a", 1, 3), track("a", 2, 9, job="k")]], {1: {"a": (2,)}}),
    "nothing": ([[], []], {}),
}


@pytest.mark.parametrize(("counters", "expected"), CASES.values(), ids=CASES)
def test_increments(counters: list[list[Track]], expected: dict[int, dict[str, tuple[int, ...]]]) -> None:
    assert increments(counters, STEP) == {moment(10 * i): rows for i, rows in expected.items()}
