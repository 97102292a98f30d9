"""Read and write the notation of durations, shares and times. Knows strings only, no field and no resource."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
SHARE_PATTERN = r"^([0-9]{1,2}(\.[0-9]+)?%|0(\.[0-9]+)?)$"
MAX_NOTATION_LENGTH = 32
LONGEST = timedelta(hours=8760)

DURATION_ADVICE = (
    "write a duration with units, such as 90s, 10m or 1h30m, of at most 8760h; "
    "days (7d) and numbers without a unit (30) are refused"
)
SHARE_ADVICE = (
    "write a share as a percentage such as 0.5%, or as a quoted decimal below 1 such as '0.005'; "
    "'1' is refused because it could mean 1 % or 100 %"
)

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_MICROSECONDS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}


def parse_duration(text: str) -> timedelta:
    """Read a duration in Go's notation, exact to the microsecond.

    Raises:
        ValueError: the text is no such duration, or longer than a year of 8760 hours.
    """
    if len(text) > MAX_NOTATION_LENGTH or not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(DURATION_ADVICE)
    microseconds = sum(Decimal(number) * _MICROSECONDS[unit] for number, unit in _PART.findall(text))
    if microseconds > LONGEST // timedelta(microseconds=1):
        raise ValueError(DURATION_ADVICE)
    return timedelta(microseconds=int(microseconds))


def format_duration(duration: timedelta) -> str:
    """Write a duration that is not negative in Go's notation; ``parse_duration`` reads it back exactly."""
    microseconds = duration // timedelta(microseconds=1)
    text = ""
    for unit in ("h", "m"):
        whole, microseconds = divmod(microseconds, _MICROSECONDS[unit])
        text += f"{whole}{unit}" if whole else ""
    if microseconds or not text:
        seconds = f"{Decimal(microseconds) / 1_000_000:f}"
        text += f"{seconds}s"
    return text


def parse_share(text: str) -> float:
    """Read a share in [0, 1): ``0.5%`` or a decimal below 1.

    Raises:
        ValueError: the text is neither.
    """
    if len(text) > MAX_NOTATION_LENGTH or not re.fullmatch(SHARE_PATTERN, text):
        raise ValueError(SHARE_ADVICE)
    return float(Decimal(text[:-1]) / 100 if text.endswith("%") else Decimal(text))


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time, with or without a fraction, as an aware UTC datetime.

    Raises:
        ValueError: the text is no such time, or has no zone.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time needs a zone, such as 2026-01-31T12:00:00Z")
    return time.astimezone(UTC)


def format_time(time: datetime) -> str:
    """Write an aware datetime as RFC 3339 in UTC, with a fraction only if there is one."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
