"""Read one block of one rollout: every query once, at the block's two ends.

Knows which answers belong together. Must not know verdicts, steps or conditions.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Protocol

from serinus.prometheus.answers import Matrix, Vector
from serinus.signals import queries
from serinus.signals.counts import (
    Block,
    Rates,
    Readings,
    Targets,
    Walks,
    complement,
    count,
    counted_targets,
    pair,
    pods_to_walk,
    read_targets,
)
from serinus.signals.histogram import Edge, choose_edge, edges_by_pod, split_buckets
from serinus.signals.presets import Histogram
from serinus.signals.samples import Sample, Track, series_key, target_of
from serinus.signals.scope import Scope
from serinus.signals.selectors import Selector


class Asks(Protocol):
    """What can be asked: ``Prometheus``, or anything that answers like it."""

    def instant(self, query: str, at: datetime) -> Vector:
        """Ask for the value of a query at one instant."""

    def matrix(self, query: str, at: datetime) -> Matrix:
        """Ask for the raw samples of a range selector at one instant."""


class Reader:
    """Counts of one block. The same question is asked once, whichever signals need it."""

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
        self._tracks: dict[str, tuple[Track, ...]] = {}
        self.remarks: set[str] = set()
        """What Prometheus remarked about the queries."""

    @cached_property
    def targets(self) -> Targets:
        """What is known about the pods' scrape targets at the end of the block."""
        return read_targets(self._instant(queries.targets(self._scope), self._end))

    def rates(self, total: Iterable[Selector], bad: Iterable[Selector]) -> Rates:
        """Count requests and bad requests of both sides' pods.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand a selector.
        """
        all_requests, bad_requests = queries.of_pods(total, self._scope), queries.of_pods(bad, self._scope)
        readings = self._readings(all_requests), self._readings(bad_requests)
        pods = pods_to_walk(self._block, readings[0]) | pods_to_walk(self._block, readings[1])
        counted, block = counted_targets(*readings), self._block_knowing(*readings)
        return pair(
            count(block, readings[0], counted, self._walks(all_requests, pods)),
            count(block, readings[1], counted, self._walks(bad_requests, pods)),
        )

    def slow(self, histogram: Histogram, bound_seconds: float) -> tuple[Rates, Edge | None]:
        """Count requests, and those above a bound, of both sides' pods; and say which bucket's edge was used.

        The edge is None where no pod has a histogram; then nothing is counted.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: the bound does not fit the histogram's buckets.
        """
        selectors = queries.of_pods(histogram.buckets, self._scope)
        by_pod = edges_by_pod(self._instant(queries.edges_of(selectors), self._end))
        if not by_pod:
            return Rates(by_pod={}, left_out={}), None
        edge = choose_edge(by_pod, bound_seconds, histogram.seconds_per_unit)
        chosen = queries.buckets_at(selectors, (*edge.labels, *edge.infinite))
        both = self._readings(chosen)
        parts = [
            split_buckets(samples, edge) for samples in (tuple(both.before), tuple(both.after), tuple(both.resets))
        ]
        total, good = (Readings(before=parts[0][i], after=parts[1][i], resets=parts[2][i]) for i in (0, 1))
        walks = self._walks(chosen, pods_to_walk(self._block, both))
        counted, block = counted_targets(both), self._block_knowing(both)
        return complement(count(block, total, counted, walks), count(block, good, counted, walks)), edge

    def values(self, query: str) -> tuple[float, ...]:
        """Return what a user's query gives for the canary at the end of the block, one number per series.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand the query.
        """
        return tuple(each.value for each in self._instant(queries.canary_query(query, self._scope), self._end))

    @cached_property
    def _block(self) -> Block:
        replaced = self._instant(queries.restarts(self._scope, self._end - self._start), self._end)
        return Block(
            start=self._start,
            end=self._end,
            before=read_targets(self._instant(queries.targets(self._scope), self._start)),
            after=self.targets,
            restarted=frozenset(target_of(each.labels) for each in replaced),
            created=self._scope.created,
        )

    def _block_knowing(self, *readings: Readings) -> Block:
        """Return the block with the knowledge that a target of which a counter was seen had been scraped."""
        before = self._block.before
        seen = {target_of(each.labels) for one in readings for each in one.before}
        return replace(self._block, before=replace(before, scraped=before.scraped | seen))

    def _readings(self, selectors: tuple[Selector, ...]) -> Readings:
        newest = queries.newest(selectors)
        return Readings(
            before=self._instant(newest, self._start),
            after=self._instant(newest, self._end),
            resets=self._instant(queries.resets(selectors, self._end - self._start), self._end),
        )

    def _walks(self, selectors: tuple[Selector, ...], pods: frozenset[str]) -> Walks:
        if not pods:
            return Walks()
        length = self._end - self._start
        tracks = [each for query in queries.raw(selectors, pods, length) for each in self._matrix(query)]
        starts = self._matrix(queries.raw_process_starts(self._scope, pods, length))
        return Walks(
            counters={series_key(each.labels): each for each in tracks},
            starts={target_of(each.labels): each for each in starts},
        )

    def _instant(self, query: str, at: datetime) -> tuple[Sample, ...]:
        if (query, at) not in self._answers:
            answer = self._prometheus.instant(query, at)
            self.remarks.update(answer.warnings)
            self._answers[query, at] = answer.samples
        return self._answers[query, at]

    def _matrix(self, query: str) -> tuple[Track, ...]:
        if query not in self._tracks:
            answer = self._prometheus.matrix(query, self._end)
            self.remarks.update(answer.warnings)
            self._tracks[query] = answer.tracks
        return self._tracks[query]
