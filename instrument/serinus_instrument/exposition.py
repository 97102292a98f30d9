"""Show the recorders' counts to Prometheus: as a collector, or as files where several processes serve.

Knows prometheus-client and how it merges processes; must not know what the counts mean.
"""

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, values
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from serinus_instrument.names import METRICS, Kind, Metric
from serinus_instrument.recorder import Count, Histogram, Recorder
from serinus_instrument.settings import Settings

log = logging.getLogger("serinus_instrument")

FLUSH_SECONDS = 1.0
ONE_FOR_ALL = "max"
"""Constants are the same in all processes of a server, and not to be added."""


class Book(Collector):
    """All recorders whose counts one registry shows."""

    def __init__(self) -> None:
        self._recorders: dict[str, Recorder] = {}
        self._lock = threading.Lock()

    def recorder(self, model: str, settings: Settings | None = None) -> Recorder:
        """Return the recorder of a model, made at its first call.

        Args:
            model: its name; the label of all its metrics.
            settings: what is declared about it; None leaves what was.
        """
        with self._lock:
            found = self._recorders.get(model)
            if found is None:
                found = self._recorders[model] = Recorder(model, settings)
            elif settings is not None:
                found.declare(settings)
            return found

    @property
    def recorders(self) -> tuple[Recorder, ...]:
        """Return them all."""
        with self._lock:
            return tuple(self._recorders.values())

    def collect(self) -> Iterator[Family]:
        """Yield one family per metric."""
        found: dict[Metric, list[Count | Histogram]] = {metric: [] for metric in METRICS}
        for each in _snapshots(self.recorders):
            found[each.metric].append(each)
        for metric, counts in found.items():
            yield _family(metric, counts)

    def describe(self) -> Sequence[Family]:
        """Return the families without counts: the registry asks for the names when it is told of this collector."""
        return [_family(metric, ()) for metric in METRICS]


class Files:
    """The files through which prometheus-client merges the processes of one server.

    They are written once a second and at the end of the process, not at each prediction: a file's place per bucket
    would cost more than all the counting. What stands in them stays until all processes have ended.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._written: dict[tuple[str, tuple[str, ...]], tuple[Any, float, float]] = {}
        self._versions: dict[str, int] = {}
        self._lock = threading.Lock()
        self._pid = 0
        atexit.register(self.write)

    def start(self) -> None:
        """Write from now on, in a thread; again in each forked child."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._written.clear()
            self._versions.clear()
            self._lock = threading.Lock()
            threading.Thread(target=self._keep_writing, name="serinus-instrument", daemon=True).start()

    def write(self) -> None:
        """Write what has changed."""
        with self._lock:
            for recorder in self._book.recorders:
                version = recorder.version
                if self._versions.get(recorder.model) == version:
                    continue
                for each in recorder.snapshot():
                    for name, labels, label_values, value in _cells(each):
                        self._put(each.metric, name, labels, label_values, value)
                self._versions[recorder.model] = version

    def _put(
        self, metric: Metric, name: str, labels: tuple[str, ...], label_values: tuple[str, ...], value: float
    ) -> None:
        key = (name, label_values)
        cell, before, earlier = self._written.get(key, (None, 0.0, 0.0))
        if cell is None:
            cell = values.ValueClass(
                metric.kind.value, metric.name, name, labels, label_values, metric.means, multiprocess_mode=ONE_FOR_ALL
            )
            cell.set(value)
        # The sum over all processes must not fall because one of them began again: all of it would look new.
        if value < before and not name.endswith("_sum") and metric.kind is not Kind.GAUGE:
            earlier += before
        if value != before:
            cell.set(earlier + value)
        self._written[key] = (cell, value, earlier)

    def _keep_writing(self) -> None:
        waiting = threading.Event()
        while not waiting.wait(FLUSH_SECONDS):
            try:
                self.write()
            except Exception as error:  # a full disk must not end the counting for good
                log.warning("the counts could not be written for the other processes: %r", error)


_BOOKS: "weakref.WeakKeyDictionary[CollectorRegistry, Book]" = weakref.WeakKeyDictionary()
_FILES: list[Files] = []
_LOCK = threading.Lock()


def recorder_of(model: str, settings: Settings | None = None, registry: CollectorRegistry | None = None) -> Recorder:
    """Return the recorder of a model and see to it that its counts are shown.

    Args:
        model: its name.
        settings: what is declared about it; None leaves what was.
        registry: where its counts are shown; None: the default one. Where ``PROMETHEUS_MULTIPROC_DIR`` is set,
            the default one's counts go to that folder instead, as those of all other metrics do.
    """
    where = REGISTRY if registry is None else registry
    with _LOCK:
        book = _BOOKS.get(where)
        if book is None:
            book = _BOOKS[where] = Book()
            if where is REGISTRY and values.ValueClass._multiprocess:
                _FILES.append(Files(book))
                os.register_at_fork(after_in_child=_FILES[-1].start)
                _FILES[-1].start()
            else:
                where.register(book)
    return book.recorder(model, settings)


def flush() -> None:
    """Write all counts for the other processes now; does nothing where one process serves."""
    for each in _FILES:
        each.write()


def _snapshots(recorders: Iterable[Recorder]) -> Iterator[Count | Histogram]:
    for recorder in recorders:
        yield from recorder.snapshot()


def _family(metric: Metric, counts: Sequence[Count | Histogram]) -> Family:
    if metric.kind is Kind.COUNTER:
        counter = CounterMetricFamily(metric.name, metric.means, labels=metric.labels)
        for each in counts:
            if isinstance(each, Count):
                counter.add_metric(each.labels, each.value)
        return counter
    if metric.kind is Kind.GAUGE:
        gauge = GaugeMetricFamily(metric.name, metric.means, labels=metric.labels)
        for each in counts:
            if isinstance(each, Count):
                gauge.add_metric(each.labels, each.value)
        return gauge
    family = HistogramMetricFamily(metric.name, metric.means, labels=metric.labels)
    for each in counts:
        if isinstance(each, Histogram):
            bounds = [*map(floatToGoString, each.edges), "+Inf"]
            cumulative = list(accumulate(each.counts))
            family.add_metric(each.labels, list(zip(bounds, cumulative, strict=True)), None)
            # By hand, because prometheus-client leaves both out where an edge is below zero.
            labels = dict(zip(metric.labels, each.labels, strict=True))
            family.add_sample(f"{metric.name}_count", labels, cumulative[-1])
            family.add_sample(f"{metric.name}_sum", labels, each.total)
    return family


def _cells(each: Count | Histogram) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...], float]]:
    """Yield name, labels and value of each cell of a file; buckets are not cumulative there."""
    metric = each.metric
    if isinstance(each, Count):
        yield metric.exported, metric.labels, each.labels, each.value
        return
    yield f"{metric.name}_sum", metric.labels, each.labels, each.total
    for bound, count in zip([*each.edges, float("inf")], each.counts, strict=True):
        label = floatToGoString(bound)  # type: ignore[no-untyped-call]
        yield f"{metric.name}_bucket", (*metric.labels, "le"), (*each.labels, label), count
