"""Durations, shares and times: exact both ways, and strict."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given

from api.values import durations, times
from serinus.api.quantities import (
    DURATION_PATTERN,
    MAX_NOTATION_LENGTH,
    format_duration,
    format_time,
    parse_duration,
    parse_share,
    parse_time,
)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        ("300ms", timedelta(milliseconds=300)),
        ("0.0001s", timedelta(microseconds=100)),
        ("0s", timedelta(0)),
        ("8760h", timedelta(days=365)),
    ],
)
def test_a_duration_is_read_exactly(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "7d", "30", "-5s", "1h 30m", "s", "1e3s", "8760h1ms", "9" * 40 + "s", "1us", "٣s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a duration with units, such as 90s"):
        parse_duration(text)


@given(durations)
def test_a_duration_comes_back(duration: timedelta) -> None:
    text = format_duration(duration)
    assert parse_duration(text) == duration
    assert re.fullmatch(DURATION_PATTERN, text)
    assert len(text) <= MAX_NOTATION_LENGTH


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(hours=2), "2h"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(seconds=0.5), "0.5s"),
        (timedelta(days=2, seconds=1), "48h1s"),
    ],
)
def test_a_duration_is_written_as_people_would(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@pytest.mark.parametrize(
    ("text", "share"), [("0.5%", 0.005), ("5%", 0.05), ("99.9%", 0.999), ("0", 0.0), ("0.05", 0.05), ("00%", 0.0)]
)
def test_a_share_is_read(text: str, share: float) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize("text", ["1", "1.0", "100%", "-1%", ".5", "0,5%", "5 %", "half", "", "1e-3", "0." + "0" * 40])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a share as a percentage"):
        parse_share(text)


@given(times)
def test_a_time_comes_back(time: datetime) -> None:
    assert parse_time(format_time(time)) == time
    assert format_time(time).endswith("Z")


def test_a_time_is_read_in_any_zone_and_written_in_utc() -> None:
    time = parse_time("2026-11-22T09:30:00.25+02:00")
    assert time == datetime(2026, 11, 22, 7, 30, 0, 250000, tzinfo=UTC)
    assert format_time(time.astimezone(timezone(timedelta(hours=5)))) == "2026-11-22T07:30:00.250000Z"


@pytest.mark.parametrize("text", ["2026-11-22T09:30:00", "yesterday", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"zone|isoformat"):
        parse_time(text)
