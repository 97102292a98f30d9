from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.signals.grid import LOOK_BACK, block_start, first_baseline, tick_at_or_before

moments = st.integers(1_500_000_000_000, 2_500_000_000_000).map(lambda ms: datetime.fromtimestamp(ms / 1000, UTC))
intervals = st.integers(1, 7200).map(lambda seconds: timedelta(seconds=seconds))
delays = st.integers(0, 60).map(lambda seconds: timedelta(seconds=seconds))


@given(moments, intervals)
def test_ticks_are_multiples_of_the_interval(moment: datetime, interval: timedelta) -> None:
    tick = tick_at_or_before(moment, interval)
    assert tick <= moment < tick + interval
    assert int(tick.timestamp()) % (interval // timedelta(seconds=1)) == 0
    assert tick_at_or_before(tick, interval) == tick


@given(moments, intervals, delays)
def test_the_first_block_begins_at_most_an_interval_before_the_pods_are_ready(
    ready: datetime, interval: timedelta, delay: timedelta
) -> None:
    sample_time = first_baseline(ready, interval, delay) - delay
    assert ready - interval < sample_time <= ready


@pytest.mark.parametrize(
    ("gap_seconds", "joins"),
    [(30, True), (90, True), (630, True), (660, False)],
    ids=["next", "late", "longest", "too long"],
)
def test_blocks_join_unless_the_gap_is_longer_than_the_look_back(gap_seconds: int, joins: bool) -> None:
    assert timedelta(seconds=600) == LOOK_BACK
    interval, gap, tick = timedelta(seconds=30), timedelta(seconds=gap_seconds), datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert block_start(tick, tick - gap, interval) == tick - (gap if joins else interval)


def test_an_interval_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above zero"):
        tick_at_or_before(datetime(2026, 1, 1, tzinfo=UTC), timedelta(0))
