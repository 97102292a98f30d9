"""What began and never ended is told from what is under way, and nothing innocent is ever charged."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.signals.samples import Track
from serinus.signals.unfinished import FRESH, LAG, MOST_POINTS, grid_step, levels_by_pod, lost

POD = "fraud-canary-abc-12345"
LONGEST = LAG - FRESH


def moment(seconds: float) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def track(*points: tuple[float, float], **labels: str) -> Track:
    return Track(labels={"pod": POD, **labels}, points=tuple((moment(at), value) for at, value in points))


def lost_at(seconds: float, begun: list[Track], over: list[Track], *, newborn: bool = True) -> int:
    return lost(levels_by_pod(begun, over)[POD], moment(seconds), newborn=newborn)


@pytest.mark.parametrize(
    ("at", "begun", "over", "newborn", "expected"),
    [
        pytest.param(100, [(30, 10), (100, 10)], [(30, 9), (100, 9)], True, 1, id="one of ten fails in preprocess"),
        pytest.param(60, [(30, 10), (60, 10)], [(30, 9), (60, 9)], True, 0, id="too early to tell"),
        pytest.param(100, [(30, 10), (100, 10)], [], True, 10, id="all of them fail"),
        pytest.param(100, [(30, 10), (100, 10)], [(30, 4), (100, 10)], True, 0, id="slow, and answered in the end"),
        pytest.param(100, [(0, 10), (100, 10)], [(0, 9), (100, 9)], False, 0, id="lost before anybody looked"),
        pytest.param(100, [(0, 10), (30, 14), (100, 14)], [(0, 9), (100, 9)], False, 4, id="lost since then"),
        pytest.param(100, [(30, 10), (35, 2), (100, 2)], [(30, 9), (35, 2), (100, 2)], True, 1, id="a restart"),
        pytest.param(200, [(30, 10)], [(30, 3)], True, 0, id="a pod that is scraped no more tells nothing"),
    ],
)
def test_table(
    at: float, begun: list[tuple[float, float]], over: list[tuple[float, float]], newborn: bool, expected: int
) -> None:
    assert lost_at(at, [track(*begun)], [track(*over)] if over else [], newborn=newborn) == expected


def test_series_of_a_pod_are_added() -> None:
    begun = [track((30, 5), (100, 5), instance="a"), track((30, 5), (100, 5), instance="b")]
    over = [track((30, 4), (100, 4), instance="a"), track((30, 5), instance="b")]
    assert lost_at(100, begun, over) == 1


def test_a_pod_whose_counter_is_no_number_is_not_spoken_of() -> None:
    assert levels_by_pod([track((30, float("nan")))], []) == {}


REQUESTS = st.lists(st.tuples(st.floats(0, 400), st.floats(0, LONGEST.total_seconds()), st.booleans()), max_size=60)


@given(requests=REQUESTS, scrape=st.sampled_from([1, 7, 15, 30]), phase=st.floats(0, 1))
def test_nothing_under_way_is_charged_and_everything_lost_is_in_the_end(
    requests: list[tuple[float, float, bool]], scrape: int, phase: float
) -> None:
    """Each request arrives, takes a while, and ends; or is lost in preprocess, at once."""

    def sampled(at: float) -> tuple[int, int] | None:
        scraped = (at - phase * scrape) // scrape * scrape + phase * scrape
        if scraped < 0 or at - scraped > FRESH.total_seconds():
            return None
        return (
            sum(arrives <= scraped for arrives, _, _ in requests),
            sum(arrives + takes <= scraped and ends for arrives, takes, ends in requests),
        )

    grid = [(at, values) for at in range(0, 700, 5) if (values := sampled(at)) is not None]
    levels = levels_by_pod([track(*((at, n) for at, (n, _) in grid))], [track(*((at, n) for at, (_, n) in grid))])[POD]
    told = [lost(levels, moment(at), newborn=True) for at in range(0, 700, 10)]
    for at, each in zip(range(0, 700, 10), told, strict=True):
        assert each <= sum(arrives <= at and not ends for arrives, _, ends in requests)
    assert all(earlier <= later for earlier, later in pairwise(told))
    assert told[-1] == sum(not ends for _, _, ends in requests)


@given(seconds=st.integers(1, 30 * 86400))
def test_the_grid_is_fine_and_has_few_points(seconds: int) -> None:
    length = timedelta(seconds=seconds)
    step = grid_step(length)
    assert length / step <= MOST_POINTS
    assert grid_step(2 * length) in (step, 2 * step)
