"""Lay the common grid of ticks: multiples of the interval since the epoch, the same for all rollouts.

Knows calendar arithmetic only; must not know what is measured at a tick. A tick's *sample time* lies before the tick
by a delay: a sample carries the time at which its scrape began and appears when it has ended, at most a scrape timeout
later. Behind that delay samples never change, so a block may be asked for again and gives the same counts.
"""

from datetime import UTC, datetime, timedelta

LOOK_BACK = timedelta(minutes=10)
"""How far before an instant the newest sample of a series is searched for."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def tick_at_or_before(moment: datetime, interval: timedelta) -> datetime:
    """Return the newest tick that is not after a moment.

    Args:
        moment: aware datetime.
        interval: distance of two ticks, above zero.

    Raises:
        ValueError: the interval is not above zero.
    """
    if interval <= timedelta(0):
        raise ValueError(f"the interval of ticks must be above zero, not {interval}")
    return _EPOCH + (moment - _EPOCH) // interval * interval


def first_baseline(ready_since: datetime, interval: timedelta, delay: timedelta) -> datetime:
    """Return the tick from which an attempt counts.

    Its sample time is at most one interval before ``ready_since``, never after it: no request of a canary that has
    just become ready is lost, and hardly any from before is counted.
    """
    return tick_at_or_before(ready_since + delay, interval)


def block_start(tick: datetime, previous: datetime, interval: timedelta) -> datetime:
    """Return the tick at which the block that ends at ``tick`` begins.

    That is the previous tick, so that blocks join without a gap. After a gap longer than the look-back (plus the
    interval itself) it is one interval before ``tick``: counting begins anew.
    """
    return previous if tick - previous <= LOOK_BACK + interval else tick - interval
