"""The periodic listing: fills the cache before the first reconcile, and finds what the watches missed.

Needed because kopf says nothing about objects that vanished while a watch was broken. Must not know the queue.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta

from serinus import contract
from serinus.cluster.kinds import MODEL_DEPLOYMENT, WATCHED, Kind, Manifest
from serinus.cluster.protocol import ClusterApi
from serinus.controller.cache import WatchCache

SHORTEST, LONGEST = timedelta(minutes=5), timedelta(minutes=10)
FIRST = timedelta(seconds=30)
"""The first listing after the start: something may have vanished between the start's own listing and the watches."""
OURS: Mapping[str, str] = {contract.LABEL_MANAGED_BY: contract.MANAGED_BY}


def selector_of(kind: Kind) -> Mapping[str, str]:
    """Return the labels by which the server filters a watched kind: children are ours by their label."""
    return {} if kind == MODEL_DEPLOYMENT else OURS


def list_all(cluster: ClusterApi, cache: WatchCache, namespaces: tuple[str, ...]) -> int:
    """List every watched kind into the cache and drop what is gone; return how many objects there are.

    Args:
        cluster: whom to ask.
        cache: what to bring up to date.
        namespaces: those that are watched; none: all of the cluster.

    Raises:
        ClusterError: a listing failed; the cache holds what was listed before.
    """
    count = 0
    for kind in WATCHED:
        for namespace in namespaces or ("",):
            listed = cluster.list(kind, namespace, selector_of(kind))
            for obj in listed:
                cache.put(obj)
            for ghost in cache.missing(kind, listed, namespace):
                _look_again(cluster, cache, kind, ghost)
            count += len(listed)
    return count


def next_delay(chance: Callable[[], float]) -> timedelta:
    """Return the time to the next listing, spread at random so that replicas and clusters don't beat in time."""
    return SHORTEST + (LONGEST - SHORTEST) * chance()


def _look_again(cluster: ClusterApi, cache: WatchCache, kind: Kind, ghost: Manifest) -> None:
    """Drop an object that the listing lacks, unless it was made after the listing."""
    metadata = ghost["metadata"]
    live = cluster.get(kind, metadata["namespace"], metadata["name"])
    if live is None:
        cache.drop(ghost)
    else:
        cache.put(live)
