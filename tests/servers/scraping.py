"""A real Prometheus that scrapes one server as if it were a pod, and what a preset counts in it."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cluster import access, binaries
from serinus.prometheus.client import Prometheus
from serinus.prometheus.reader import Reader
from serinus.signals.preset import Counters, Histogram, Preset
from serinus.signals.scope import Scope, alike
from servers.mix import BOUND_SECONDS, Counts
from servers.processes import free_ports, running, wait_until

SCOPE = Scope(namespace="models", canary="iris-bcdfghjklm", stable="iris-zzxxwwvvtt", model="iris")
POD = f"{SCOPE.canary}-5f7c9d-abcde"
SCRAPE_SECONDS = 15

CONFIG = """\
global: {{scrape_interval: 400ms, scrape_timeout: 400ms}}
scrape_configs:
  - job_name: pods
    metrics_path: {path}
    static_configs:
      - targets: ["{target}"]
        labels: {{namespace: {namespace}, pod: {pod}}}
"""


def prometheus_binary() -> Path:
    """Return the binary of the test cluster, built if need be."""
    if given := os.environ.get("SERINUS_TEST_PROMETHEUS"):
        return Path(given)
    tool = next(each for each in binaries.CLUSTER_TOOLS if each.name == "prometheus")
    return access.built_binary(tool.name) or access.build_binary(tool)


@contextmanager
def scraped(target: str, path: str, folder: Path) -> Iterator["Scraped"]:
    """Let a Prometheus scrape a target more than twice a second."""
    (port,) = free_ports(1)
    config = CONFIG.format(target=target, path=path, namespace=SCOPE.namespace, pod=POD)
    (folder / "prometheus.yml").write_text(config)
    argv = [
        prometheus_binary(), "--config.file=prometheus.yml", "--storage.tsdb.path=data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with running(argv, folder, os.environ, f"{url}/-/ready"), Prometheus(url) as prometheus:
        yield Scraped(prometheus=prometheus, begun=datetime.now(UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scraped:
    """What Prometheus knows of the server."""

    prometheus: Prometheus
    begun: datetime

    def newest(self) -> datetime | None:
        """Return when the newest scrape began that succeeded."""
        now = datetime.now(UTC)
        samples = self.prometheus.instant(f'timestamp(up{{pod="{POD}"}} == 1)', now).samples
        return datetime.fromtimestamp(samples[0].value, UTC) if samples else None

    def scrape_after(self, moment: datetime) -> datetime:
        """Wait for a scrape that began after a moment; return when it began."""
        found: list[datetime] = []

        def there() -> bool:
            newest = self.newest()
            if newest is not None and newest > moment:
                found.append(newest)
            return bool(found)

        wait_until(there, SCRAPE_SECONDS, lambda: f"no scrape after {moment} succeeded")
        return found[-1]

    def exported(self, start: datetime) -> frozenset[str]:
        """Return the names of all metrics that the server exports."""
        samples = self.prometheus.instant(f'count by (__name__) ({{pod="{POD}"}})', start).samples
        return frozenset(each.labels["__name__"] for each in samples)

    def edges(self, preset: Preset, at: datetime) -> tuple[float, ...]:
        """Return the finite edges of the histogram that a preset reads, ascending; none if it reads none."""
        buckets = preset.latency.buckets if preset.latency else ()
        queries = [f'count by (le) ({each.metric}{{pod="{POD}"}})' for each in buckets]
        samples = [sample for query in queries for sample in self.prometheus.instant(query, at).samples]
        return tuple(sorted(edge for each in samples if math.isfinite(edge := float(each.labels["le"]))))

    def counts(self, preset: Preset, start: datetime, end: datetime, *, settled: bool = True) -> Counts:
        """Return what a preset counts between two scrapes, by the reader that a rollout is judged with.

        Args:
            preset: bound to the model.
            start: of the first scrape.
            end: of the second.
            settled: False: the second may still be on its way into Prometheus, so a pod may be left out.
        """
        reader = Reader(self.prometheus, SCOPE, start, end + timedelta(milliseconds=1))

        def rates(counters: Counters | None) -> tuple[int, int] | None:
            if counters is None:
                return None
            found = reader.rates(alike(counters)).canary
            assert not (settled and found.left_out), found.left_out
            return found.by_pod.get(POD, (0, 0))

        def slow(histogram: Histogram | None) -> tuple[int, int] | None:
            if histogram is None:
                return None
            found, edge = reader.slow(alike(histogram), BOUND_SECONDS)
            assert edge is None or not edge.note, edge
            return found.canary.by_pod.get(POD, (0, 0))

        return Counts(
            errors=rates(preset.errors),
            client_errors=rates(preset.client_errors),
            latency=slow(preset.latency),
        )
