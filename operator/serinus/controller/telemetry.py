"""The operator's own metrics: what the loop did and how long it took. Says nothing about models."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from serinus.cluster.kinds import Kind

_RUN_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_CALL_BUCKETS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)


class Telemetry:
    """Counters, histograms and gauges in one registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._runs = Histogram(
            "serinus_reconcile_duration_seconds",
            "Time that reconciles took, by outcome: ok, conflict, unavailable, error.",
            ["outcome"],
            buckets=_RUN_BUCKETS,
            registry=self.registry,
        )
        self._calls = Histogram(
            "serinus_api_call_duration_seconds",
            "Time that calls to the API server took, by verb, kind and HTTP status; 0 is no answer.",
            ["verb", "kind", "code"],
            buckets=_CALL_BUCKETS,
            registry=self.registry,
        )
        self._events = Counter(
            "serinus_watch_events", "Watch events that arrived, by kind.", ["kind"], registry=self.registry
        )
        self._last_event = Gauge(
            "serinus_last_watch_event_timestamp_seconds",
            "When the newest watch event arrived, by kind.",
            ["kind"],
            registry=self.registry,
        )

    def saw_run(self, outcome: str, seconds: float) -> None:
        """Count a reconcile."""
        self._runs.labels(outcome).observe(seconds)

    def saw_call(self, verb: str, kind: Kind, status: int, seconds: float) -> None:
        """Count a call to the API server."""
        self._calls.labels(verb, kind.kind, str(status)).observe(seconds)

    def saw_event(self, kind: Kind) -> None:
        """Count a watch event."""
        self._events.labels(kind.kind).inc()
        self._last_event.labels(kind.kind).set(time.time())

    def show(self, name: str, description: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read when metrics are scraped."""
        Gauge(name, description, registry=self.registry).set_function(read)
