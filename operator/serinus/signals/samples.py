"""Hold what Prometheus answers as plain values: samples, tracks of samples, and the scrape targets behind them.

Knows label names that every Kubernetes scrape configuration sets. Must not know queries, presets or the network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

NAME_LABEL = "__name__"
POD_LABEL = "pod"
NAMESPACE_LABEL = "namespace"
BUCKET_LABEL = "le"
UP = "up"
PROCESS_START = "process_start_time_seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One series' value at one instant."""

    labels: Mapping[str, str]
    value: float
    """May be NaN or infinite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """The raw samples of one series, oldest first."""

    labels: Mapping[str, str]
    points: tuple[tuple[datetime, float], ...]
    """Time of the scrape, and value."""


class Target(NamedTuple):
    """What Prometheus scrapes: one port of one pod, in one job."""

    pod: str
    instance: str
    job: str


SeriesKey = frozenset[tuple[str, str]]
"""A series' labels without its metric name, which PromQL functions drop or keep at will."""


def target_of(labels: Mapping[str, str]) -> Target:
    """Return the scrape target that a series comes from; absent labels are empty."""
    return Target(pod=labels.get(POD_LABEL, ""), instance=labels.get("instance", ""), job=labels.get("job", ""))


def series_key(labels: Mapping[str, str]) -> SeriesKey:
    """Return what identifies a series of one counter."""
    return frozenset((name, value) for name, value in labels.items() if name != NAME_LABEL)
