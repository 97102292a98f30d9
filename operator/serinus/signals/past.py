"""Turn a counter's values on a grid of past instants into increments per pod, for what is learnt from history.

Simpler than ``counts``, because nothing is decided by these numbers: where a counter was reset, or a pod came, the pod
is left out of that one step. Must not know what the counters count or how samples are fetched.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, pairwise

from serinus.signals.counts import first_jobs
from serinus.signals.samples import Track, target_of

Rows = Mapping[str, tuple[int, ...]]
"""Increments per pod: one number per counter."""


def increments(counters: Sequence[Iterable[Track]], step: timedelta) -> Mapping[datetime, Rows]:
    """Return what each pod counted in each step of a grid, by the step's end.

    A series that was not there at a step's start while others of its pod were had counted nothing yet.

    Args:
        counters: the series of each counter on the grid.
        step: distance of two instants of the grid.
    """
    tracks = [tuple(each) for each in counters]
    counted = first_jobs(target_of(track.labels) for track in chain(*tracks))
    by_pod: dict[str, list[list[dict[datetime, float]]]] = {}
    for index, series in enumerate(tracks):
        for track in series:
            target = target_of(track.labels)
            if target in counted:
                rows = by_pod.setdefault(target.pod, [[] for _ in tracks])
                rows[index].append(dict(track.points))
    found: dict[datetime, dict[str, tuple[int, ...]]] = defaultdict(dict)
    for pod, rows in by_pod.items():
        instants = sorted(set(chain(*chain(*rows))))
        for start, end in pairwise(instants):
            row = [_gained(series, start, end) for series in rows] if end - start == step else [None]
            if None not in row:
                found[end][pod] = tuple(each for each in row if each is not None)
    return {at: found[at] for at in sorted(found)}


def _gained(series: Iterable[Mapping[datetime, float]], start: datetime, end: datetime) -> int | None:
    """Return the increment of one counter of one pod, None if one of its series was reset or is no count."""
    gained = 0
    for points in series:
        if end not in points:
            continue
        before, after = points.get(start, 0.0), points[end]
        if not (math.isfinite(before) and math.isfinite(after)) or not 0 <= before <= after:
            return None
        gained += math.floor(after) - math.floor(before)
    return gained
