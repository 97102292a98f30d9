"""What is seen goes into the cache, and the ModelDeployment that it concerns into the queue.

Watches and the periodic listing both end here. Must not know who watches, nor what a reconcile does.
"""

from collections.abc import Callable

from serinus import contract
from serinus.cluster.kinds import MODEL_DEPLOYMENT, Manifest, kind_of
from serinus.controller.cache import WatchCache
from serinus.controller.queue import Key


class Intake:
    """Takes objects in."""

    def __init__(self, cache: WatchCache, wake: Callable[[Key], None]) -> None:
        """Take the cache to fill, and what has a ModelDeployment reconciled."""
        self._cache = cache
        self._wake = wake

    def see(self, obj: Manifest) -> None:
        """Take an object that was listed, made or changed."""
        held = self._cache.get(kind_of(obj), obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        if self._cache.put(obj):
            self._wake_owners(obj, held)

    def see_gone(self, obj: Manifest) -> None:
        """Take an object that was deleted, in its last state."""
        if self._cache.drop(obj):
            self._wake_owners(obj, None)

    def _wake_owners(self, obj: Manifest, held: Manifest | None) -> None:
        # A child whose label moved concerns the ModelDeployment that it left, too.
        for key in {find_key(each) for each in (obj, held) if each is not None}:
            if key is not None:
                self._wake(key)


def find_key(obj: Manifest) -> Key | None:
    """Return the ModelDeployment that an object is or that its label names; None if it names none."""
    metadata = obj["metadata"]
    namespace = metadata.get("namespace", "")
    if kind_of(obj) == MODEL_DEPLOYMENT:
        return Key(namespace, metadata["name"])
    owner = (metadata.get("labels") or {}).get(contract.LABEL_MODEL_DEPLOYMENT)
    return Key(namespace, owner) if owner else None
