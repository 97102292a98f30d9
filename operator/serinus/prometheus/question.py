"""Count what one question is about: series of one side, or of both sides' pods.

Knows which counters belong together. Must not know why a side is asked by itself, signals or ticks.
"""

from datetime import datetime

from serinus.errors import BadQuery
from serinus.prometheus.block import BlockReader, Selectors
from serinus.signals import queries
from serinus.signals.counts import Rates, Tallies, by_bucket, complement, failures, pair
from serinus.signals.histogram import Buckets, Edge
from serinus.signals.presets import Counters, Distribution, Histogram
from serinus.signals.samples import BUCKET_LABEL
from serinus.signals.scope import Scope, Side

MOST_CATEGORIES = 200


class Question:
    """Asks for counters of one side, or of both for None."""

    def __init__(self, block: BlockReader, scope: Scope, start: datetime, end: datetime) -> None:
        self._block = block
        self._scope = scope
        self._start = start
        self._end = end

    def rates(self, counters: Counters, side: Side | None) -> Rates:
        """Count requests and bad ones."""
        total, other = self._block.sums(
            self.parts(counters.total, side), self.parts(counters.good or counters.bad, side)
        )
        return failures(total, other) if counters.good else pair(total, other)

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

    def categories(self, wanted: Distribution, side: Side | None) -> tuple[Selectors, frozenset[str]]:
        """Return the selector narrowed to pods, and the categories that there are at the end of the block."""
        selector, label = wanted.categories, wanted.label or ""
        if selector is None:
            return (), frozenset()
        narrowed = queries.of_pods((selector,), self._scope, side)
        names = frozenset(
            each.labels.get(label, "") for each in self._block.instant(queries.newest(narrowed), self._end)
        )
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
