"""Builds the parts from the settings and hands them to each other. Starts nothing and calls nobody."""

import socket
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from serinus.cluster.client import Cluster, connect
from serinus.controller.admitting import Admission
from serinus.controller.artifacts import Fetching
from serinus.controller.cache import WatchCache
from serinus.controller.events import EventRecorder
from serinus.controller.gating import Gatekeeper
from serinus.controller.judging import Judge
from serinus.controller.lease import LeaseElector
from serinus.controller.reconcile import Reconciler
from serinus.controller.telemetry import Telemetry
from serinus.prometheus.auth import TokenFile
from serinus.prometheus.client import Prometheus
from serinus.rollout.fetching import FetchImage
from serinus.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the loop runs."""

    settings: Settings
    cluster: Cluster
    cache: WatchCache
    reconciler: Reconciler
    telemetry: Telemetry
    elector: LeaseElector | None
    """None: no election, this process acts alone."""


def make_parts(settings: Settings, version: str) -> Parts:
    """Build all parts.

    Raises:
        ClusterError: there is no way into a cluster.
    """
    telemetry, cache = Telemetry(), WatchCache()
    client = connect(f"serinus/{version}")
    identity = settings.pod_name or socket.gethostname()
    elector = None
    if settings.leader_election:
        elector = LeaseElector(
            # The Lease's own writes are not behind the fence that they hold up.
            cluster=Cluster(client, observe=telemetry.saw_call),
            namespace=settings.pod_namespace,
            identity=identity,
            monotonic=time.monotonic,
            now=_now,
        )
    may_write = elector.may_write if elector is not None else _always
    cluster = Cluster(client, may_write=may_write, observe=telemetry.saw_call)
    events = EventRecorder(cluster=cluster, clock=_now, instance=identity)
    prometheus = _make_prometheus(settings)
    judge = Judge(prometheus, settings.scrape_timeout)
    admission = Admission(prometheus, settings.scrape_timeout)
    reconciler = Reconciler(
        cluster=cluster,
        cache=cache,
        judge=judge,
        admission=admission,
        gates=Gatekeeper(),
        tell=events.record,
        clock=_now,
        fetching=_fetching(settings),
    )
    return Parts(
        settings=settings, cluster=cluster, cache=cache, reconciler=reconciler, telemetry=telemetry, elector=elector
    )


def _fetching(settings: Settings) -> Fetching:
    image = FetchImage(name=settings.fetch_image, pull_policy=settings.fetch_pull_policy)
    if settings.fetch_resources is not None:
        image = replace(image, resources=settings.fetch_resources)
    return Fetching(image=image if settings.fetch_image else None, track_interval=settings.track_interval)


def _make_prometheus(settings: Settings) -> Prometheus | None:
    if not settings.prometheus_url:
        return None
    token = TokenFile(Path(settings.prometheus_token_file)) if settings.prometheus_token_file else None
    return Prometheus(settings.prometheus_url, auth=token)


def _now() -> datetime:
    return datetime.now(UTC)


def _always() -> bool:
    return True
