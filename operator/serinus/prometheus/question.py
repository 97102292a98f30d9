"""Count what one question is about: series of one side, or of both sides' pods.

Knows which counters belong together. Must not know why a side is asked by itself, signals or ticks.
"""

from collections.abc import Mapping
from datetime import datetime

from serinus.errors import BadQuery
from serinus.prometheus.block import BlockReader, Selectors
from serinus.signals import queries
from serinus.signals.counts import ILLEGIBLE, Rates, Tallies, by_bucket, complement, failures, pair, with_lost, withheld
from serinus.signals.histogram import Buckets, Edge
from serinus.signals.legibility import Ways, is_legible, ways_to_tell
from serinus.signals.presets import Counters, Distribution, Histogram
from serinus.signals.samples import BUCKET_LABEL, Track, series_key, target_of
from serinus.signals.scope import Scope, Side
from serinus.signals.unfinished import FRESH, grid_step, levels_by_pod, lost

MOST_CATEGORIES = 200


class Question:
    """Asks for counters of one side, or of both for None."""

    def __init__(self, block: BlockReader, scope: Scope, start: datetime, end: datetime, *, since: datetime) -> None:
        self._block = block
        self._scope = scope
        self._start = start
        self._end = end
        self._since = since

    def rates(self, counters: Counters, side: Side | None) -> Rates:
        """Count requests and bad ones, except of pods whose series do not say which were bad."""
        return withheld(self._rates(counters, side), self._illegible(counters, side), ILLEGIBLE)

    def is_legible(self, counters: Counters, side: Side) -> bool:
        """Tell whether a side's series say which of its requests were bad; true where there is none.

        Of one in a hundred it need not be told: clients go away before there is an answer.
        """
        told = untold = 0.0
        found = []
        for part, ways in self._ways(counters, side):
            for each in self._block.instant(queries.newest(part), self._end):
                found.append(is_legible(each.labels, ways))
                told, untold = (told + each.value, untold) if found[-1] else (told, untold + each.value)
        return not found or (any(found) and untold * 100 <= told + untold)

    def _illegible(self, counters: Counters, side: Side | None) -> frozenset[str]:
        """Return the pods that counted in this block what does not say whether it was bad; nothing is asked anew."""
        pods = set()
        for part, ways in self._ways(counters, side):
            newest = queries.newest(part)
            before = {series_key(each.labels): each.value for each in self._block.instant(newest, self._start)}
            for each in self._block.instant(newest, self._end):
                has_counted = each.value > 0 and each.value != before.get(series_key(each.labels))
                if has_counted and not is_legible(each.labels, ways):
                    pods.add(target_of(each.labels).pod)
        return frozenset(pods)

    def _ways(self, counters: Counters, side: Side | None) -> list[tuple[Selectors, Ways]]:
        """Return the parts of the total that have to say which cases are bad, and how they do."""
        ways = ways_to_tell(counters)
        return [(part, ways[part[0].metric]) for part in self.parts(counters.total, side) if part[0].metric in ways]

    def _rates(self, counters: Counters, side: Side | None) -> Rates:
        total, other = self._block.sums(
            self.parts(counters.total, side), self.parts(counters.good or counters.bad, side)
        )
        if not counters.good:
            return pair(total, other, bad_counts_more=counters.bad_counts_more)
        return with_lost(failures(total, other), self._lost(counters, side) if counters.begun else {})

    def _lost(self, counters: Counters, side: Side | None) -> dict[str, int]:
        """Count what is told in this block of the cases that began and never came to an end, by pod."""
        levels = levels_by_pod(self._on_grid(counters.begun, side), self._on_grid(counters.total, side))
        found = {}
        for pod, each in levels.items():
            created = self._scope.created.get(pod)
            newborn = created is not None and created >= self._since
            found[pod] = lost(each, self._end, newborn=newborn) - lost(each, self._start, newborn=newborn)
        return found

    def _on_grid(self, selectors: Selectors, side: Side | None) -> list[Track]:
        length = self._end - self._since
        asked = (queries.on_grid(part, length, grid_step(length), FRESH) for part in self.parts(selectors, side))
        return [track for query in asked for track in self._block.matrix(query, self._end)]

    def slow(self, histogram: Histogram, edge: Edge, side: Side | None) -> Rates:
        """Count requests, and those above an edge."""
        index = {**dict.fromkeys(edge.labels, 0), **dict.fromkeys(edge.infinite, 1)}
        parts = [queries.buckets_at(part, index) for part in self.parts(histogram.buckets, side)]
        good, total = self._block.apart(parts, BUCKET_LABEL, index, range(2))
        return complement(total, good)

    def in_buckets(self, histogram: Histogram, shared: Buckets, side: Side | None) -> Tallies:
        """Count requests by bucket."""
        index = {label: i for i, labels in enumerate(shared.labels) for label in labels}
        parts = [queries.buckets_at(part, index) for part in self.parts(histogram.buckets, side)]
        return by_bucket(self._block.apart(parts, BUCKET_LABEL, index, shared.labels))

    def categories(self, wanted: Distribution, side: Side | None) -> tuple[Selectors, Mapping[str, frozenset[str]]]:
        """Return the selector narrowed to pods, and per category at the end of the block the pods that have it."""
        selector, label = wanted.categories, wanted.label or ""
        if selector is None:
            return (), {}
        narrowed = queries.of_pods((selector,), self._scope, side)
        names: dict[str, frozenset[str]] = {}
        for each in self._block.instant(queries.newest(narrowed), self._end):
            name = each.labels.get(label, "")
            names[name] = names.get(name, frozenset()) | {target_of(each.labels).pod}
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
        return narrowed, names

    def parts(self, selectors: Selectors, side: Side | None) -> tuple[Selectors, ...]:
        """Return the selectors narrowed to pods, in groups that can be asked at once."""
        return queries.by_metric(queries.of_pods(selectors, self._scope, side))
