"""Ask about one block, and count what comes back: every question once, at the block's two ends.

Knows how the samples of one metric become increments. Must not know sides, signals or presets.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Protocol

from serinus.prometheus.answers import Matrix, Vector
from serinus.signals import queries
from serinus.signals.counts import (
    Block,
    Counted,
    Readings,
    Targets,
    Walks,
    added,
    count,
    counted_targets,
    pods_to_walk,
    read_targets,
)
from serinus.signals.samples import Sample, Target, Track, series_key, target_of
from serinus.signals.scope import Scope
from serinus.signals.selectors import Selector

Selectors = tuple[Selector, ...]


class Asks(Protocol):
    """What can be asked: ``Prometheus``, or anything that answers like it."""

    def instant(self, query: str, at: datetime) -> Vector:
        """Ask for the value of a query at one instant."""

    def matrix(self, query: str, at: datetime) -> Matrix:
        """Ask for the raw samples of a range selector at one instant."""


class BlockReader:
    """Counters of one block. The same question is asked once, whoever needs the answer."""

    def __init__(self, prometheus: Asks, scope: Scope, start: datetime, end: datetime) -> None:
        """Prepare to read.

        Args:
            prometheus: whom to ask.
            scope: whose series.
            start: sample time of the tick that the block begins with.
            end: sample time of the tick that it ends with.
        """
        self._prometheus = prometheus
        self._scope = scope
        self._start = start
        self._end = end
        self._answers: dict[tuple[str, datetime], tuple[Sample, ...]] = {}
        self._tracks: dict[tuple[str, datetime], tuple[Track, ...]] = {}
        self.remarks: set[str] = set()
        """What Prometheus remarked about the queries."""

    @cached_property
    def targets(self) -> Targets:
        """What is known about the pods' scrape targets at the end of the block."""
        return read_targets(self.instant(queries.targets(self._scope), self._end))

    def sums(self, *groups: Sequence[Selectors]) -> tuple[Counted, ...]:
        """Count each of some groups of counters, whose parts are added; what one tells of targets helps all.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand a selector.
        """
        readings = [[self._readings(part) for part in group] for group in groups]
        every = [each for group in readings for each in group]
        pods = frozenset(pod for each in every for pod in pods_to_walk(self.block, each))
        counted, block = self._counted(*every), self._block_knowing(*every)
        return tuple(
            added(
                [
                    count(block, reading, counted, self._walks(part, pods))
                    for part, reading in zip(parts, read, strict=True)
                ]
            )
            for parts, read in zip(groups, readings, strict=True)
        )

    def apart(
        self, parts: Iterable[Selectors], label: str, index: Mapping[str, int], groups: Iterable[object]
    ) -> list[Counted]:
        """Count series in groups that a label tells apart; a group's series may be of several metrics.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand a selector.
        """
        parts = tuple(parts)
        readings = [self._readings(part) for part in parts]
        counted, block = self._counted(*readings), self._block_knowing(*readings)
        sums: list[list[Counted]] = [[] for _ in groups]
        for part, whole in zip(parts, readings, strict=True):
            walks = self._walks(part, pods_to_walk(self.block, whole))
            ends: list[tuple[list[Sample], list[Sample]]] = [([], []) for _ in sums]
            for end, samples in enumerate((whole.before, whole.after)):
                for each in samples:
                    if (group := index.get(each.labels.get(label, ""))) is not None:
                        ends[group][end].append(each)
            for group, (before, after) in enumerate(ends):
                sums[group].append(count(block, Readings(before=before, after=after), counted, walks))
        return [each[0] if len(each) == 1 else added(each) for each in sums]

    @cached_property
    def block(self) -> Block:
        """What is known about the targets at both ends."""
        replaced = self.instant(queries.restarts(self._scope, self._end - self._start), self._end)
        return Block(
            start=self._start,
            end=self._end,
            before=read_targets(self.instant(queries.targets(self._scope), self._start)),
            after=self.targets,
            restarted=frozenset(target_of(each.labels) for each in replaced),
            created=self._scope.created,
        )

    def _counted(self, *readings: Readings) -> frozenset[Target]:
        counted = counted_targets(*readings, started=self.targets.started)
        for other in sorted(counted_targets(*readings) - counted):
            self.remarks.add(f"{other.pod} is scraped at {other.instance}, too, and is counted once")
        return counted

    def _block_knowing(self, *readings: Readings) -> Block:
        """Return the block with the knowledge that a target of which a counter was seen had been scraped."""
        before = self.block.before
        seen = {target_of(each.labels) for one in readings for each in one.before}
        return replace(self.block, before=replace(before, scraped=before.scraped | seen))

    def _readings(self, selectors: tuple[Selector, ...]) -> Readings:
        newest = queries.newest(selectors)
        return Readings(
            before=self.instant(newest, self._start),
            after=self.instant(newest, self._end),
            resets=self.instant(queries.resets(selectors, self._end - self._start), self._end),
        )

    def _walks(self, selectors: tuple[Selector, ...], pods: frozenset[str]) -> Walks:
        if not pods:
            return Walks()
        length = self._end - self._start
        tracks = [each for query in queries.raw(selectors, pods, length) for each in self.matrix(query, self._end)]
        starts = self.matrix(queries.raw_process_starts(self._scope, pods, length), self._end)
        return Walks(
            counters={series_key(each.labels): each for each in tracks},
            starts={target_of(each.labels): each for each in starts},
        )

    def instant(self, query: str, at: datetime) -> tuple[Sample, ...]:
        """Ask for the value of a query at one instant, unless it was asked before."""
        if (query, at) not in self._answers:
            answer = self._prometheus.instant(query, at)
            self.remarks.update(answer.warnings)
            self._answers[query, at] = answer.samples
        return self._answers[query, at]

    def matrix(self, query: str, at: datetime) -> tuple[Track, ...]:
        """Ask for the samples of a range at one instant, unless they were asked for before."""
        if (query, at) not in self._tracks:
            answer = self._prometheus.matrix(query, at)
            self.remarks.update(answer.warnings)
            self._tracks[query, at] = answer.tracks
        return self._tracks[query, at]
