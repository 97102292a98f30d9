"""Read one block of one rollout: every query once, at the block's two ends.

Knows which answers belong together. Must not know verdicts, steps or conditions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol

from serinus.errors import BadQuery
from serinus.prometheus.answers import Matrix, Vector
from serinus.signals import queries
from serinus.signals.counts import (
    Block,
    Counted,
    Rates,
    Readings,
    Tallies,
    Targets,
    Walks,
    by_bucket,
    by_category,
    complement,
    count,
    counted_targets,
    pair,
    pods_to_walk,
    read_targets,
)
from serinus.signals.histogram import Buckets, Edge, choose_edge, edges_by_pod, shared_buckets, split_buckets
from serinus.signals.presets import Histogram
from serinus.signals.samples import BUCKET_LABEL, Sample, Track, series_key, target_of
from serinus.signals.scope import Scope, Side
from serinus.signals.selectors import Selector

MOST_CATEGORIES = 200


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
        self._tracks: dict[tuple[str, datetime], tuple[Track, ...]] = {}
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
        edge = self.edge(histogram, bound_seconds)
        if edge is None:
            return Rates(by_pod={}, left_out={}), None
        selectors = queries.of_pods(histogram.buckets, self._scope)
        chosen = queries.buckets_at(selectors, (*edge.labels, *edge.infinite))
        both = self._readings(chosen)
        parts = [
            split_buckets(samples, edge) for samples in (tuple(both.before), tuple(both.after), tuple(both.resets))
        ]
        total, good = (Readings(before=parts[0][i], after=parts[1][i], resets=parts[2][i]) for i in (0, 1))
        walks = self._walks(chosen, pods_to_walk(self._block, both))
        counted, block = counted_targets(both), self._block_knowing(both)
        return complement(count(block, total, counted, walks), count(block, good, counted, walks)), edge

    def edge(self, histogram: Histogram, bound_seconds: float) -> Edge | None:
        """Return the bucket's edge that stands for a bound; None where no pod has the histogram.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: the bound does not fit the histogram's buckets.
        """
        by_pod = self._labels(histogram.buckets)
        return choose_edge(by_pod, bound_seconds, histogram.seconds_per_unit) if by_pod else None

    def buckets(self, buckets: Iterable[Selector]) -> Buckets | None:
        """Return the buckets that all pods' histograms share; None where no pod has the histogram.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand a selector.
        """
        by_pod = self._labels(buckets)
        return shared_buckets(by_pod) if by_pod else None

    def histogram(self, buckets: Iterable[Selector]) -> tuple[Tallies, Buckets | None]:
        """Count requests by the buckets that the histograms of both sides' pods share.

        The buckets are None where no pod has the histogram, and without edges where too few are shared; then nothing
        is counted.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand a selector.
        """
        buckets = tuple(buckets)
        shared = self.buckets(buckets)
        if shared is None or not shared.edges:
            return Tallies(by_pod={}, left_out={}), shared
        selectors = queries.of_pods(buckets, self._scope)
        chosen = queries.buckets_at(selectors, (label for labels in shared.labels for label in labels))
        index = {label: i for i, labels in enumerate(shared.labels) for label in labels}
        return by_bucket(self._counted_apart(chosen, BUCKET_LABEL, index, len(shared.labels))), shared

    def categories(self, selector: Selector, label: str) -> tuple[Tallies, tuple[str, ...]]:
        """Count requests by the values of a label, sorted; those that no pod has now are not among them.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand the selector, or the label is no category.
        """
        selectors = queries.of_pods((selector,), self._scope)
        samples = self._instant(queries.newest(selectors), self._end)
        names = sorted({each.labels.get(label, "") for each in samples})
        if "" in names:
            raise BadQuery(
                f"series of {selector} have no label {label}, which should name the category: check its spelling, or "
                f'add {label}!="" to the selector'
            )
        if len(names) > MOST_CATEGORIES:
            raise BadQuery(
                f"label {label} of {selector} has {len(names)} values, and at most {MOST_CATEGORIES} categories can be "
                "compared: choose a label with fewer, or group them in the server"
            )
        index = {name: i for i, name in enumerate(names)}
        return by_category(self._counted_apart(selectors, label, index, len(names))), tuple(names)

    def values(self, query: str, side: Side = Side.CANARY) -> tuple[float, ...]:
        """Return what a user's query gives for one side at the end of the block, one number per series.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand the query.
        """
        return tuple(each.value for each in self._instant(queries.side_query(query, self._scope, side), self._end))

    def pods_before(self, side: Side, most: int) -> tuple[str, ...]:
        """Return the first by name of a side's pods that were scraped at the start of the block."""
        scraped = {target.pod for target in self._block.before.scraped}
        return tuple(sorted(pod for pod in scraped if self._scope.side_of(pod) is side)[:most])

    def past(
        self, selectors: Iterable[Selector], pods: Iterable[str], length: timedelta, step: timedelta
    ) -> tuple[Track, ...]:
        """Return the values of some pods' counter on a grid before the start of the block.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand a selector, or refuses so large an answer.
        """
        pods = tuple(pods)
        if not pods:
            return ()
        return self._matrix(queries.past(queries.of_pods(selectors, self._scope), pods, length, step), self._start)

    def past_values(self, query: str, side: Side, length: timedelta, step: timedelta) -> tuple[Track, ...]:
        """Return what a user's query gave for one side on a grid before the start of the block.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand the query, or refuses so large an answer.
        """
        return self._matrix(queries.past_query(query, self._scope, side, length, step), self._start)

    def _labels(self, buckets: Iterable[Selector]) -> Mapping[str, frozenset[str]]:
        return edges_by_pod(self._instant(queries.edges_of(queries.of_pods(buckets, self._scope)), self._end))

    def _counted_apart(
        self, selectors: tuple[Selector, ...], label: str, index: Mapping[str, int], size: int
    ) -> list[Counted]:
        """Count the series of one metric in groups that a label tells apart."""
        whole = self._readings(selectors)
        walks = self._walks(selectors, pods_to_walk(self._block, whole))
        counted, block = counted_targets(whole), self._block_knowing(whole)
        groups: list[tuple[list[Sample], list[Sample]]] = [([], []) for _ in range(size)]
        for end, samples in enumerate((whole.before, whole.after)):
            for each in samples:
                if (group := index.get(each.labels.get(label, ""))) is not None:
                    groups[group][end].append(each)
        return [count(block, Readings(before=before, after=after), counted, walks) for before, after in groups]

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
        tracks = [each for query in queries.raw(selectors, pods, length) for each in self._matrix(query, self._end)]
        starts = self._matrix(queries.raw_process_starts(self._scope, pods, length), self._end)
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

    def _matrix(self, query: str, at: datetime) -> tuple[Track, ...]:
        if (query, at) not in self._tracks:
            answer = self._prometheus.matrix(query, at)
            self.remarks.update(answer.warnings)
            self._tracks[query, at] = answer.tracks
        return self._tracks[query, at]
