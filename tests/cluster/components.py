"""All daemons in the order of their start, and the fingerprint by which two checkouts compare them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from cluster import (
    apiserver,
    containerd,
    controller_manager,
    coredns,
    etcd,
    kube_proxy,
    kubelet,
    objects,
    prometheus,
    scheduler,
)
from cluster.paths import Layout
from cluster.process import Daemon


def first(layout: Layout) -> tuple[Daemon, ...]:
    """Return what starts at once; the API server retries until it finds etcd."""
    return (etcd.daemon(layout), apiserver.daemon(layout), containerd.daemon(layout))


def node(layout: Layout) -> Daemon:
    """Return what starts when containerd answers, because it ends if it finds none; it waits for the API server."""
    return kubelet.daemon(layout)


def second(layout: Layout) -> tuple[Daemon, ...]:
    """Return what is better started once the API server is ready."""
    return (
        controller_manager.daemon(layout),
        scheduler.daemon(layout),
        kube_proxy.daemon(layout),
        coredns.daemon(layout),
        prometheus.daemon(layout),
    )


def every(layout: Layout) -> tuple[Daemon, ...]:
    """Return all of them."""
    return (*first(layout), node(layout), *second(layout))


NAMES = tuple(daemon.name for daemon in every(Layout(state=Path("/"), cache=Path("/"))))


def fingerprints(layout: Layout, binaries: Mapping[str, Path]) -> dict[str, str]:
    """Return one digest per component: what it runs (by the cache's key), how, and with which files."""
    found = {}
    for daemon in every(layout):
        binary = binaries.get(Path(daemon.argv[0]).name)
        files = {str(path): content for path, content in daemon.files.items()}
        found[daemon.name] = _digest([binary.parent.name if binary else None, daemon.argv, files])
    return {**found, "objects": _digest(objects.make_all()), "kubectl": _digest(binaries["kubectl"].parent.name)}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
