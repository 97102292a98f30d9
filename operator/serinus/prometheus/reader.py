"""Read one block of one rollout: what each side counted, by the pods that export it.

Knows whose series answer for which side. Must not know verdicts, steps or conditions.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from serinus.prometheus.block import Asks, BlockReader, Selectors
from serinus.prometheus.question import Question
from serinus.rollout.types import Signal
from serinus.signals import queries
from serinus.signals.counts import Rates, Tallies, Targets, by_category
from serinus.signals.histogram import (
    Buckets,
    Edge,
    choose_edge,
    edges_by_pod,
    in_unit,
    shared_buckets,
    shared_edges,
    written,
)
from serinus.signals.placeholders import MODEL, tells_sides_apart
from serinus.signals.presets import Counters, Distribution, Histogram
from serinus.signals.samples import NAME_LABEL, POD_LABEL, Sample, Track
from serinus.signals.scope import BySide, Scope, Side, alike
from serinus.signals.selectors import Selector

__all__ = ["Asks", "Reader"]

Found = TypeVar("Found", Rates, Tallies)
Wanted = TypeVar("Wanted")
_Edges = Mapping[Side | None, tuple[Mapping[str, frozenset[str]], float]]
"""Per question: the ``le`` labels that each pod has, and what their numbers are to be multiplied with."""
_Asked = Mapping[Side | None, tuple[Selectors, Mapping[str, frozenset[str]]]]
"""Per question: its selectors, and the pods that have each category."""


class Reader:
    """Counts of one block, of both sides."""

    def __init__(
        self, prometheus: Asks, scope: Scope, start: datetime, end: datetime, *, since: datetime | None = None
    ) -> None:
        """Prepare to read.

        Args:
            prometheus: whom to ask.
            scope: whose series.
            start: sample time of the tick that the block begins with.
            end: sample time of the tick that it ends with.
            since: the same time in all blocks of an attempt, before the first: cases that began after it and never
                came to an end are counted as well, where the server tells. None: the start of the block.
        """
        self._block = BlockReader(prometheus, scope, start, end)
        self._question = Question(self._block, scope, start, end, since=min(since or start, start))
        self._scope = scope
        self._start = start
        self._end = end

    @property
    def remarks(self) -> set[str]:
        """What Prometheus remarked about the queries."""
        return self._block.remarks

    @property
    def targets(self) -> Targets:
        """What is known about the pods' scrape targets at the end of the block."""
        return self._block.targets

    def exported(self, names: Iterable[str]) -> BySide[frozenset[str]]:
        """Return which of some metrics each side's pods export at the end of the block.

        Raises:
            MetricsUnavailable: no usable answer.
        """
        found: dict[Side, set[str]] = {side: set() for side in Side}
        for each in self._block.instant(queries.exported(names, self._scope), self._end):
            if (side := self._scope.side_of(each.labels.get(POD_LABEL, ""))) is not None:
                found[side].add(each.labels.get(NAME_LABEL, ""))
        return BySide(canary=frozenset(found[Side.CANARY]), stable=frozenset(found[Side.STABLE]))

    def rates(self, counters: BySide[Counters]) -> BySide[Rates]:
        """Count requests and bad requests of both sides, by the pods that export them.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand a selector.
        """
        sides = _questions(counters, lambda of: (*of.total, *of.bad, *of.good, *of.begun))
        return self._by_side({side: self._question.rates(counters.of(_whose(side)), side) for side in sides})

    def slow(self, histograms: BySide[Histogram], bound_seconds: float) -> tuple[BySide[Rates], Edge | None]:
        """Count requests, and those above a bound, of both sides; and say which bucket's edge was used.

        The edge is None where no pod has a histogram; then nothing is counted.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: the bound does not fit the histograms' buckets.
        """
        edges = self.edge(histograms, bound_seconds)
        if edges is None:
            return alike(Rates(by_pod={}, left_out={})), None
        found = {
            side: self._question.slow(histograms.of(_whose(side)), edges.of(_whose(side)), side)
            for side in _questions(histograms, _buckets)
        }
        return self._by_side(found), edges.canary

    def edge(self, histograms: BySide[Histogram], bound_seconds: float) -> BySide[Edge] | None:
        """Return the bucket's edge that stands for a bound, as each side writes it; None where no pod has it.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: the bound does not fit the histograms' buckets.
        """
        found = self._edges(histograms)
        if not (known := _in_seconds(found)):
            return None
        edge = choose_edge(known, bound_seconds, 1.0)

        def of(side: Side) -> Edge:
            labels, unit = found[side] if side in found else found[None]
            infinite = written(labels, unit, float("inf"))
            return replace(edge, labels=written(labels, unit, edge.seconds), infinite=infinite)

        return BySide(canary=of(Side.CANARY), stable=of(Side.STABLE))

    def buckets(self, histograms: BySide[Histogram]) -> BySide[Buckets] | None:
        """Return the buckets that all pods' histograms share, as each side writes them; None where no pod has any.

        The edges are those of the metrics times their unit, the same for both sides.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand a selector.
        """
        found = self._edges(histograms)
        if not (known := _in_seconds(found)):
            return None
        shared = shared_buckets(known)

        def of(side: Side) -> Buckets:
            labels, unit = found[side] if side in found else found[None]
            ways = [written(labels, unit, edge) for edge in (*shared.edges, float("inf"))]
            return replace(shared, labels=tuple(ways))

        return BySide(canary=of(Side.CANARY), stable=of(Side.STABLE))

    def histogram(self, histograms: BySide[Histogram]) -> tuple[BySide[Tallies], Buckets | None]:
        """Count requests by the buckets that the histograms of both sides' pods share.

        The buckets are None where no pod has the histogram, and without edges where too few are shared; then nothing
        is counted.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand a selector.
        """
        shared = self.buckets(histograms)
        if shared is None or not shared.canary.edges:
            return alike(Tallies(by_pod={}, left_out={})), None if shared is None else shared.canary
        found = {
            side: self._question.in_buckets(histograms.of(_whose(side)), shared.of(_whose(side)), side)
            for side in _questions(histograms, _buckets)
        }
        return self._by_side(found), shared.canary

    def categories(
        self, wanted: BySide[Distribution]
    ) -> tuple[BySide[Tallies], tuple[str, ...], BySide[frozenset[str]]]:
        """Count requests by the values of a label, sorted; those that no pod has now are not among them.

        Beside these all, return those that each side has, also where it has counted none.

        Args:
            wanted: counters, and the label whose values are the categories.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand the selector, or the label is no category.
        """
        sides = _questions(wanted, _category)
        asked = {side: self._question.categories(wanted.of(_whose(side)), side) for side in sides}
        names = tuple(sorted({name for _, found in asked.values() for name in found}))
        named = BySide(canary=self._names(asked, Side.CANARY), stable=self._names(asked, Side.STABLE))
        index = {name: i for i, name in enumerate(names)}
        tallies = {
            side: by_category(self._block.apart((parts,), wanted.of(_whose(side)).label or "", index, names))
            for side, (parts, _) in asked.items()
        }
        return self._by_side(tallies), names, named

    def _names(self, asked: _Asked, side: Side) -> frozenset[str]:
        if side in asked:
            return frozenset(asked[side][1])
        return frozenset(
            name for name, pods in asked[None][1].items() if any(self._scope.side_of(pod) is side for pod in pods)
        )

    def training(self, constants: Selector) -> tuple[Sample, ...]:
        """Return the constants of stable's pods that tell what their training data had.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand the selector.
        """
        narrowed = queries.of_pods((constants,), self._scope, Side.STABLE)
        return self._block.instant(queries.newest(narrowed), self._end)

    def has(self, wanted: BySide[Distribution]) -> bool:
        """Tell whether any pod exports a distribution at the end of the block.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand the selector.
        """
        if wanted.canary.buckets is not None and wanted.stable.buckets is not None:
            histograms = BySide(canary=_histogram(wanted.canary), stable=_histogram(wanted.stable))
            return bool(_in_seconds(self._edges(histograms)))
        sides = _questions(wanted, _category)
        return any(self._question.categories(wanted.of(_whose(side)), side)[1] for side in sides)

    def has_counted(self, counter: Iterable[Selector]) -> bool:
        """Tell whether any of stable's series of a counter is above zero at the end of the block.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand a selector.
        """
        parts = self._question.parts(tuple(counter), Side.STABLE)
        return any(each.value > 0 for part in parts for each in self._block.instant(queries.newest(part), self._end))

    def models_of_stable(self, counter: Iterable[Selector]) -> tuple[str, ...]:
        """Return the models that stable's series of a counter are about, as far as any was counted, sorted.

        Args:
            counter: of a preset, with the placeholder ``$model`` as the value of a label.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand a selector.
        """
        found: set[str] = set()
        for each in counter:
            label = next((matcher.label for matcher in each.matchers if matcher.value == MODEL), None)
            if label is None:
                continue
            rest = replace(each, matchers=tuple(matcher for matcher in each.matchers if matcher.label != label))
            for part in self._question.parts((rest,), Side.STABLE):
                samples = self._block.instant(queries.newest(part), self._end)
                found |= {sample.labels.get(label, "") for sample in samples if sample.value > 0}
        return tuple(sorted(found - {""}))

    def is_legible(self, counters: Counters) -> bool:
        """Tell whether stable's series of a counter say which requests were bad; true where there is none.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand a selector.
        """
        return self._question.is_legible(counters, Side.STABLE)

    def edges_of_stable(self, histogram: Histogram) -> tuple[float, ...] | None:
        """Return the finite edges that the histograms of all of stable's pods have, ascending, in the metric's unit.

        None where none has it.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand a selector.
        """
        narrowed = queries.of_pods(histogram.buckets, self._scope, Side.STABLE)
        by_pod = edges_by_pod(self._block.instant(queries.edges_of(narrowed), self._end))
        return shared_edges(by_pod) if by_pod else None

    def values(self, query: str, side: Side = Side.CANARY) -> tuple[float, ...]:
        """Return what a user's query gives for one side at the end of the block, one number per series.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand the query.
        """
        return tuple(
            each.value for each in self._block.instant(queries.side_query(query, self._scope, side), self._end)
        )

    def age(self, signal: Signal, side: Side) -> timedelta | None:
        """Return how long before the end of the block the value of a signal's query was computed; None: unknown.

        Its own query for that time decides, else the newest samples of the metrics that it reads: the oldest of these.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand a query.
        """
        if signal.updated is not None:
            asked: tuple[str, ...] = (queries.side_query(signal.updated, self._scope, side),)
        else:
            longest = timedelta(seconds=signal.max_age_seconds or 0.0)
            asked = queries.newest_samples(signal.query or "", self._scope, side, longest)
        times = [max((each.value for each in self._block.instant(one, self._end)), default=None) for one in asked]
        known = [each for each in times if each is not None and math.isfinite(each)]
        if not known or len(known) < len(times):
            return None
        return timedelta(seconds=self._end.timestamp() - min(known))

    def pods_before(self, side: Side, most: int) -> tuple[str, ...]:
        """Return the first by name of a side's pods that were scraped at the start of the block."""
        scraped = {target.pod for target in self._block.block.before.scraped}
        return tuple(sorted(pod for pod in scraped if self._scope.side_of(pod) is side)[:most])

    def past(
        self, selectors: Iterable[Selector], pods: Iterable[str], length: timedelta, step: timedelta
    ) -> tuple[Track, ...]:
        """Return the values of some pods' counters on a grid before the start of the block.

        Args:
            selectors: of stable's series; the counters may be of several metrics.
            pods: names of stable's pods; of series that tell by their labels whose they are, other pods' count, too.
            length: how far back.
            step: distance of two instants.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand a selector, or refuses so large an answer.
        """
        pods = tuple(pods)
        if not pods:
            return ()
        tracks: list[Track] = []
        for part in queries.by_metric(queries.of_pods(selectors, self._scope, Side.STABLE)):
            tracks += self._block.matrix(queries.past(part, pods, length, step), self._start)
        return tuple(tracks)

    def past_values(self, query: str, side: Side, length: timedelta, step: timedelta) -> tuple[Track, ...]:
        """Return what a user's query gave for one side on a grid before the start of the block.

        Raises:
            MetricsUnavailable: no usable answer.
            BadQuery: Prometheus does not understand the query, or refuses so large an answer.
        """
        return self._block.matrix(queries.past_query(query, self._scope, side, length, step), self._start)

    def _edges(self, histograms: BySide[Histogram]) -> _Edges:
        found = {}
        for side in _questions(histograms, _buckets):
            histogram = histograms.of(_whose(side))
            narrowed = queries.of_pods(histogram.buckets, self._scope, side)
            found[side] = (
                edges_by_pod(self._block.instant(queries.edges_of(narrowed), self._end)),
                histogram.seconds_per_unit,
            )
        return found

    def _by_side(self, found: Mapping[Side | None, Found]) -> BySide[Found]:
        """Return what each side counted, from the answers to one question for both or to one for each."""
        if None in found:
            return self._split(found[None])
        return BySide(canary=found[Side.CANARY], stable=found[Side.STABLE])

    def _split(self, found: Found) -> BySide[Found]:
        """Divide what was counted of all pods by the side that each pod belongs to."""

        def of(side: Side) -> Found:
            return replace(
                found,
                by_pod={pod: n for pod, n in found.by_pod.items() if self._scope.side_of(pod) is side},
                left_out={pod: why for pod, why in found.left_out.items() if self._scope.side_of(pod) is side},
            )

        return BySide(canary=of(Side.CANARY), stable=of(Side.STABLE))


def _questions(wanted: BySide[Wanted], selectors: Callable[[Wanted], Selectors]) -> tuple[Side | None, ...]:
    """Return what to ask: once for both sides (None), whose pods then say whose the answers are, or once for each."""
    is_one = wanted.canary == wanted.stable and not any(map(tells_sides_apart, selectors(wanted.canary)))
    return (None,) if is_one else tuple(Side)


def _whose(side: Side | None) -> Side:
    """Return the side whose wishes a question carries; one for both sides carries what both wish."""
    return side or Side.CANARY


def _buckets(histogram: Histogram) -> Selectors:
    return histogram.buckets


def _category(distribution: Distribution) -> Selectors:
    return () if distribution.categories is None else (distribution.categories,)


def _histogram(distribution: Distribution) -> Histogram:
    buckets = () if distribution.buckets is None else (distribution.buckets,)
    return Histogram(buckets=buckets, seconds_per_unit=1.0)


def _in_seconds(found: _Edges) -> Mapping[str, frozenset[str]]:
    return {
        f"{side or ''}/{pod}": labels
        for side, (by_pod, unit) in found.items()
        for pod, labels in in_unit(by_pod, unit).items()
    }
