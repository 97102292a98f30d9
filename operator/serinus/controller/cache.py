"""The watch cache: the newest seen ModelDeployments, Deployments and Services, found by name or by owner.

Filled by watch events, by the periodic listing and by the answers to our own writes, in any order: the
resourceVersion decides which copy is newer. Knows no network. Thread-safe; what it returns is shared: read only.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable

from serinus import contract
from serinus.cluster.kinds import MODEL_DEPLOYMENT, Kind, Manifest, kind_of

Key = tuple[str, str, str]
"""Kind, namespace, name."""

_TOMBSTONES = 10_000


class WatchCache:
    """Objects by (kind, namespace, name), and children by the ModelDeployment that their label names."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[Key, Manifest] = {}
        self._children: dict[tuple[str, str], set[Key]] = {}
        # Versions at which objects went, so that a late copy of an older one does not bring it back.
        self._gone: OrderedDict[Key, int] = OrderedDict()

    def put(self, obj: Manifest) -> bool:
        """Keep an object unless a newer copy is held or it was deleted since; tell whether it was kept."""
        key, version = _key(obj), _version(obj)
        with self._lock:
            held = self._objects.get(key)
            if version is not None:
                if held is not None and _is_older(version, _version(held)):
                    return False
                if version <= self._gone.get(key, -1):
                    return False
            self._gone.pop(key, None)
            self._unlink(key, held)
            self._objects[key] = _slim(obj)
            self._link(key, obj)
            return True

    def drop(self, obj: Manifest) -> bool:
        """Forget a deleted object, unless a newer one of that name is held; tell whether one was forgotten.

        Args:
            obj: the object as the deletion reported it, with the resourceVersion of the deletion.
        """
        key, version = _key(obj), _version(obj)
        with self._lock:
            held = self._objects.get(key)
            if held is not None and version is not None and _is_older(version, _version(held)):
                return False
            if version is not None:
                self._gone[key] = max(version, self._gone.pop(key, -1))
                while len(self._gone) > _TOMBSTONES:
                    self._gone.popitem(last=False)
            if held is None:
                return False
            self._unlink(key, held)
            del self._objects[key]
            return True

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return the newest copy of an object, None if none is held."""
        with self._lock:
            return self._objects.get((kind.kind, namespace, name))

    def children(self, kind: Kind, namespace: str, owner: str) -> tuple[Manifest, ...]:
        """Return the objects of a kind whose label names the ModelDeployment ``owner``, by name."""
        with self._lock:
            keys = sorted(key for key in self._children.get((namespace, owner), ()) if key[0] == kind.kind)
            return tuple(self._objects[key] for key in keys)

    def objects(self, kind: Kind) -> tuple[Manifest, ...]:
        """Return all objects of a kind, in no particular order."""
        with self._lock:
            return tuple(obj for key, obj in self._objects.items() if key[0] == kind.kind)

    def model_deployments(self) -> tuple[tuple[str, str], ...]:
        """Return (namespace, name) of every ModelDeployment held."""
        with self._lock:
            return tuple((key[1], key[2]) for key in self._objects if key[0] == MODEL_DEPLOYMENT.kind)

    def missing(self, kind: Kind, listed: Iterable[Manifest], namespace: str = "") -> tuple[Manifest, ...]:
        """Return held objects of a kind whose uid is not among the listed ones: ghosts of a missed deletion.

        Args:
            kind: which kind was listed.
            listed: a complete listing.
            namespace: the namespace that was listed; empty: all.
        """
        alive = {obj["metadata"].get("uid") for obj in listed}
        with self._lock:
            return tuple(
                obj
                for key, obj in self._objects.items()
                if key[0] == kind.kind and namespace in ("", key[1]) and obj["metadata"].get("uid") not in alive
            )

    def __len__(self) -> int:
        with self._lock:
            return len(self._objects)

    def _link(self, key: Key, obj: Manifest) -> None:
        if owner := _owner(obj):
            self._children.setdefault((key[1], owner), set()).add(key)

    def _unlink(self, key: Key, held: Manifest | None) -> None:
        owner = _owner(held) if held is not None else None
        if owner is None:
            return
        family = self._children.get((key[1], owner), set())
        family.discard(key)
        if not family:
            self._children.pop((key[1], owner), None)


def _key(obj: Manifest) -> Key:
    metadata = obj["metadata"]
    return (kind_of(obj).kind, metadata.get("namespace", ""), metadata["name"])


def _owner(obj: Manifest) -> str | None:
    owner: str | None = (obj["metadata"].get("labels") or {}).get(contract.LABEL_MODEL_DEPLOYMENT)
    return owner


def _version(obj: Manifest) -> int | None:
    text = str(obj["metadata"].get("resourceVersion") or "")
    return int(text) if text.isdecimal() else None


def _is_older(version: int, held: int | None) -> bool:
    return held is not None and version < held


def _slim(obj: Manifest) -> Manifest:
    # Who owns which field matters for ModelDeployments only (who wrote a command), and is a third of an object.
    if obj["kind"] == MODEL_DEPLOYMENT.kind:
        return obj
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "managedFields"}}
