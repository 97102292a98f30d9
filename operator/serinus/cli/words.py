"""Say numbers, times and lists as a person would. Knows no wire format and no clock."""

from datetime import datetime

from serinus.api.quantities import parse_time

SECONDS_PER_MINUTE, SECONDS_PER_HOUR, SECONDS_PER_DAY = 60, 3600, 86400


def say_seconds(seconds: float) -> str:
    """Say a duration in its largest one or two units: ``34s``, ``2m05s``, ``3h10m``, ``2d4h``; never negative."""
    whole = max(0, int(seconds))
    if whole < SECONDS_PER_MINUTE:
        return f"{whole}s"
    if whole < SECONDS_PER_HOUR:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < SECONDS_PER_DAY:
        return f"{whole // SECONDS_PER_HOUR}h{whole % SECONDS_PER_HOUR // 60:02}m"
    return f"{whole // SECONDS_PER_DAY}d{whole % SECONDS_PER_DAY // SECONDS_PER_HOUR}h"


def say_age(since: str | None, now: datetime) -> str:
    """Say how long ago an RFC 3339 time was; a dash when it is unknown."""
    return say_seconds((now - parse_time(since)).total_seconds()) if since else "-"


def say_count(number: int, noun: str, nouns: str | None = None) -> str:
    """Say ``1 pod`` or ``1,204 pods``."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def say_share(bad: int, total: int) -> str:
    """Say a share of counts: ``41 of 402 (10.2 %)``."""
    return f"{bad:,} of {total:,} ({100 * bad / total:.1f} %)" if total else f"{bad:,} of {total:,}"


def say_number(value: float) -> str:
    """Say an evidence value or a threshold in three digits at most: ``0.43``, ``8.1``, ``24``, ``1.2e+06``."""
    if value >= 10_000:
        return f"{value:.1e}"
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0").rstrip(".")


def first_sentence(text: str, limit: int = 400) -> str:
    """Shorten a message to a limit of characters, at a word's end."""
    if len(text) <= limit:
        return text
    return text[:limit].rsplit(" ", 1)[0] + " …"
