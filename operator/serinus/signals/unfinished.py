"""Tell cases that began and never came to an end from those that are still under way.

Some servers count when work begins and when it is over, but not what failed in between (KServe: a request that raises
in preprocess is in no later counter). What has begun and is not over is either lost or under way, and only time tells
them apart. So what is lost is estimated from below: all that had begun ``LAG`` ago and is not made up for by what is
over now. What is under way is never charged, however slow it is, as long as one case takes less than ``LAG``; the
price is that losses are told late, after about as many as cases begin within ``LAG``. Must not know queries or signals.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, pairwise

from serinus.signals.samples import POD_LABEL, Track

LAG = timedelta(seconds=60)
"""A case that takes less than this, less ``FRESH``, is never charged as lost."""
FRESH = timedelta(seconds=30)
"""A sample older than this says nothing about an instant: a pod that is not scraped must not seem to have stopped."""
FINEST_STEP = timedelta(seconds=5)
MOST_POINTS = 240

Level = tuple[tuple[datetime, int], ...]
"""A count at instants, ascending, that never falls: what a process had counted when it was replaced is carried on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """How much a pod has begun, and how much of it is over, since its first instant."""

    begun: Level
    over: Level


def grid_step(length: timedelta) -> timedelta:
    """Return the distance of instants for looking back over a time: the finest one, doubled until they are few.

    Doubled, and not stretched, so that the instants of a coarser grid are instants of the finer ones as well.
    """
    step = FINEST_STEP
    while length / step > MOST_POINTS:
        step *= 2
    return step


def levels_by_pod(begun: Iterable[Track], over: Iterable[Track]) -> dict[str, Levels]:
    """Return what each pod has begun and finished, from the values of its counters on a grid.

    Args:
        begun: of counters that move when a case begins.
        over: of counters that move when one is over, for good or bad.
    """
    started, ended = _by_pod(begun), _by_pod(over)
    return {pod: Levels(begun=level, over=ended.get(pod, ())) for pod, level in started.items() if level}


def lost(levels: Levels, at: datetime, *, newborn: bool) -> int:
    """Return how many cases of a pod are surely lost by an instant; never falls with it.

    The largest of ``begun(t - LAG) - over(t)`` until then, less all that had begun and was not over at the pod's first
    instant, which nobody can tell apart any more.

    Args:
        levels: of the pod.
        at: the instant.
        newborn: whether the pod is younger than the time that is looked back over, so that it began with nothing.
    """
    first = levels.begun[0][0]
    unknown = 0 if newborn else _value(levels.begun, first) - _value(levels.over, first)
    seen = (each for each, _ in levels.begun if each <= at)
    surely = (_value(levels.begun, each - LAG) - _value(levels.over, each) for each in seen)
    return max(0, max(surely, default=0) - unknown)


def _value(level: Level, at: datetime) -> int:
    index = bisect_right(level, at, key=lambda point: point[0])
    return level[index - 1][1] if index else 0


def _by_pod(tracks: Iterable[Track]) -> dict[str, Level]:
    found: dict[str, list[Mapping[datetime, int]]] = {}
    for track in tracks:
        found.setdefault(track.labels.get(POD_LABEL, ""), []).append(_rising(track))
    return {pod: _sum(each) for pod, each in found.items()}


def _rising(track: Track) -> dict[datetime, int]:
    """Return a series' values with what was counted before each reset carried on."""
    points = [(at, math.floor(value)) for at, value in track.points if math.isfinite(value) and value >= 0]
    carried = accumulate((before if after < before else 0 for (_, before), (_, after) in pairwise(points)), initial=0)
    return {at: value + more for (at, value), more in zip(points, carried, strict=False)}


def _sum(series: list[Mapping[datetime, int]]) -> Level:
    """Add series that are known at other instants; one that is gone keeps what it had counted."""
    instants = sorted({at for each in series for at in each})
    sums, last = [], [0] * len(series)
    for at in instants:
        last = [each.get(at, before) for each, before in zip(series, last, strict=True)]
        sums.append((at, sum(last)))
    return tuple(sums)
