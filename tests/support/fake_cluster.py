"""A cluster in memory for world-in → world-out tests: the calls of ``ClusterApi``, a write log, induced failures.

What it keeps of a real API server: resourceVersion moves only when something changed, stale versions are conflicts,
uid and generation, status apart from the rest, fields of an apply that vanish when they are left out, deletion of
what is owned, immutable Deployment selectors and report specs. What it leaves out: schemas, defaults, admission.
"""

import itertools
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from serinus.cluster.kinds import (
    DEPLOYMENT,
    MODEL_DEPLOYMENT,
    POD,
    ROLLOUT_REPORT,
    SERVICE,
    Kind,
    Manifest,
    kind_of,
)
from serinus.cluster.merge import merge
from serinus.cluster.protocol import NO_LABELS
from serinus.errors import AlreadyExists, ClusterUnavailable, Conflict, NotFound, Refused
from support.fake_jobs import FakeStore
from support.fake_pods import FakePods

T = TypeVar("T")
Key = tuple[str, str, str]
Subscriber = Callable[[str, Manifest], None]

_WITH_STATUS = {kind.kind for kind in (MODEL_DEPLOYMENT, ROLLOUT_REPORT, DEPLOYMENT, POD, SERVICE)}
_WITH_GENERATION = {kind.kind for kind in (MODEL_DEPLOYMENT, ROLLOUT_REPORT, DEPLOYMENT)}
_OF_THE_SERVER = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Write:
    """One line of the write log."""

    verb: str
    kind: str
    name: str
    changed: bool
    """False: the object was like that already, its resourceVersion stayed."""
    dry_run: bool = False


class FakeCluster:
    """An API server in memory; fits ``serinus.cluster.protocol.ClusterApi``."""

    def __init__(self, now: Callable[[], datetime] = lambda: START) -> None:
        self.now = now
        self.writes: list[Write] = []
        self.refuse: Callable[[str, Manifest], str | None] = lambda verb, obj: None
        """Admission: a sentence refuses the write (verb, object), None lets it pass."""
        self.unavailable = False
        """True: every call, also a read, raises ClusterUnavailable."""
        self.pods = FakePods(self)
        self.store = FakeStore(self)
        self._objects: dict[Key, Manifest] = {}
        self._pickled: dict[Key, bytes] = {}
        """The same objects, ready to be copied to whoever reads them."""
        self._applied: dict[Key, Manifest] = {}
        self._version = itertools.count(1)
        self._uid = itertools.count(1)
        self._subscribers: list[Subscriber] = []
        self._failure: tuple[int, Exception, bool] | None = None
        self._attempts = 0

    # --- what tests do ------------------------------------------------------------------------------------------

    def subscribe(self, subscriber: Subscriber) -> None:
        """Tell a callable of every change: ADDED, MODIFIED or DELETED, and a copy of the object."""
        self._subscribers.append(subscriber)

    def fail_at(self, write: int, error: Exception | None = None, *, after: bool = False) -> None:
        """Make the n-th write from now (1 is the next) raise, once.

        Args:
            write: which one; dry runs count.
            error: what it raises; ClusterUnavailable if not given.
            after: True: the write takes effect, only its answer is lost.
        """
        self._attempts = 0
        self._failure = (write, error or ClusterUnavailable("induced by the test", status=503), after)

    @property
    def changes(self) -> list[Write]:
        """Return the writes that changed something."""
        return [write for write in self.writes if write.changed]

    def put(self, obj: Manifest) -> Manifest:
        """Set an object as a person or another controller would: no log line; metadata, spec and status as given."""
        key = _key(obj)
        held = self._objects.get(key)
        stored = self._store(key, {**_copy(obj), "metadata": self._metadata(obj, held)}, held)
        return _copy(stored)

    def edit(self, kind: Kind, namespace: str, name: str, patch: Manifest) -> Manifest:
        """Merge-patch an object, status included, as a person or another controller would: no log line."""
        held = self._held(kind, namespace, name)
        return _copy(self._store(_key(held), merge(held, _copy(patch)), held))

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete an object and what it owns as a person or another controller would: no log line."""
        self._remove(_key(self._held(kind, namespace, name)))

    def settle(self) -> None:
        """Let the pods follow the Deployments and the lookups get on, once; ``pods`` and ``store`` say how."""
        self.pods.settle()
        self.store.settle()

    # --- ClusterApi ---------------------------------------------------------------------------------------------

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        self._read()
        return self._copy_of((kind.kind, namespace, name))

    def list(self, kind: Kind, namespace: str, labels: Mapping[str, str] = NO_LABELS) -> list[Manifest]:
        self._read()
        return [
            pickle.loads(self._pickled[key])
            for key, obj in sorted(self._objects.items())
            if key[0] == kind.kind and namespace in ("", key[1]) and _has_labels(obj, labels)
        ]

    def create(self, obj: Manifest) -> Manifest:
        key = _key(obj)

        def effect() -> tuple[Manifest, bool]:
            if key in self._objects:
                raise AlreadyExists(f'{key[0].lower()}s "{key[2]}" already exists', status=409)
            return self._store(key, {**_without_status(obj), "metadata": self._metadata(obj, None)}, None), True

        return self._write("create", obj, effect)

    def apply(self, obj: Manifest, *, dry_run: bool = False) -> Manifest:
        key = _key(obj)

        def effect() -> tuple[Manifest, bool]:
            held = self._objects.get(key)
            _check_preconditions(obj, held)
            intent = _without_status(obj)
            intent["metadata"] = {k: v for k, v in intent["metadata"].items() if k not in _OF_THE_SERVER}
            before = held or {}
            wanted = _overlay(_without_left_out(before, self._applied.get(key, {}), intent), intent)
            wanted["metadata"] = self._metadata(wanted, held)
            _check_immutable(held, wanted)
            if dry_run:
                return wanted, False
            self._applied[key] = _copy(intent)
            changed = held is None or wanted != held
            return self._store(key, wanted, held), changed

        return self._write("apply", obj, effect, dry_run=dry_run)

    def patch(self, kind: Kind, namespace: str, name: str, patch: Manifest) -> Manifest:
        def effect() -> tuple[Manifest, bool]:
            held = self._held(kind, namespace, name)
            _check_preconditions(patch, held)
            wanted = merge(held, _copy(_without_status(patch)))
            wanted["metadata"] = self._metadata(wanted, held)
            _check_immutable(held, wanted)
            return self._store(_key(held), wanted, held), wanted != held

        return self._write("patch", _reference(kind, namespace, name), effect)

    def patch_status(self, kind: Kind, namespace: str, name: str, status: Manifest, resource_version: str) -> Manifest:
        def effect() -> tuple[Manifest, bool]:
            held = self._held(kind, namespace, name)
            _check_preconditions({"metadata": {"resourceVersion": resource_version}}, held)
            wanted = {**held, "status": merge(held.get("status") or {}, _copy(status))}
            changed = wanted["status"] != (held.get("status") or {})
            return (self._store(_key(held), wanted, held) if changed else held), changed

        return self._write("patch_status", _reference(kind, namespace, name), effect)

    def replace(self, obj: Manifest) -> Manifest:
        def effect() -> tuple[Manifest, bool]:
            held = self._held(kind_of(obj), obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            _check_preconditions(obj, held)
            wanted = _without_status(obj)
            wanted["metadata"] = self._metadata(wanted, held)
            if "status" in held:
                wanted["status"] = held["status"]
            _check_immutable(held, wanted)
            return self._store(_key(held), wanted, held), wanted != held

        return self._write("replace", obj, effect)

    def delete(self, kind: Kind, namespace: str, name: str, uid: str | None = None) -> None:
        key = (kind.kind, namespace, name)

        def effect() -> tuple[Manifest, bool]:
            held = self._objects.get(key)
            if held is None:
                return {}, False
            if uid is not None and held["metadata"]["uid"] != uid:
                raise Conflict(f"the UID in the precondition ({uid}) does not match", status=409)
            self._remove(key)
            return {}, True

        self._write("delete", _reference(kind, namespace, name), effect)

    def is_served(self, kind: Kind) -> bool:
        self._read()
        return True

    # --- inside -------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        if self.unavailable:
            raise ClusterUnavailable("the fake cluster is down", status=503)

    def _write(
        self, verb: str, obj: Manifest, effect: Callable[[], tuple[Manifest, bool]], *, dry_run: bool = False
    ) -> Manifest:
        self._read()
        self._attempts += 1
        failure = self._failure if self._failure and self._failure[0] == self._attempts else None
        if failure:
            self._failure = None
            if not failure[2]:
                raise failure[1]
        if sentence := self.refuse(verb, obj):
            raise Refused(sentence, status=422)
        result, changed = effect()
        self.writes.append(Write(verb, obj["kind"], obj["metadata"]["name"], changed, dry_run))
        if failure:
            raise failure[1]
        return _copy(result)

    def _copy_of(self, key: Key) -> Manifest | None:
        return pickle.loads(self._pickled[key]) if key in self._pickled else None

    def _held(self, kind: Kind, namespace: str, name: str) -> Manifest:
        held = self._objects.get((kind.kind, namespace, name))
        if held is None:
            raise NotFound(f'{kind.plural} "{name}" not found', status=404)
        return held

    def _metadata(self, obj: Manifest, held: Manifest | None) -> dict[str, Any]:
        given = {k: v for k, v in _copy(obj["metadata"]).items() if k not in _OF_THE_SERVER or not held}
        if held is not None:
            kept = {k: v for k, v in held["metadata"].items() if k in _OF_THE_SERVER}
            if "managedFields" in obj["metadata"]:
                kept["managedFields"] = _copy(obj["metadata"]["managedFields"])
            return {**given, **kept}
        given.pop("resourceVersion", None)
        given.setdefault("uid", f"uid-{next(self._uid)}")
        given.setdefault("creationTimestamp", self.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        return given

    def _store(self, key: Key, wanted: Manifest, held: Manifest | None) -> Manifest:
        if held is not None and wanted == held:
            return held
        wanted = _copy(wanted)
        if key[0] in _WITH_GENERATION:
            generation = held["metadata"].get("generation", 0) if held else wanted["metadata"].get("generation", 1) - 1
            same = held is not None and wanted.get("spec") == held.get("spec")
            wanted["metadata"]["generation"] = generation if same else generation + 1
        wanted["metadata"]["resourceVersion"] = str(next(self._version))
        self._objects[key] = wanted
        self._pickled[key] = _pickled(wanted)
        self._tell("ADDED" if held is None else "MODIFIED", wanted)
        return wanted

    def _remove(self, key: Key) -> None:
        gone = self._objects.pop(key)
        del self._pickled[key]
        self._applied.pop(key, None)
        gone["metadata"]["resourceVersion"] = str(next(self._version))
        self._tell("DELETED", gone)
        uid = gone["metadata"]["uid"]
        for child in [k for k, obj in self._objects.items() if _is_owned(obj, uid)]:
            if child in self._objects:
                self._remove(child)

    def _tell(self, event: str, obj: Manifest) -> None:
        for subscriber in self._subscribers:
            subscriber(event, _copy(obj))


def _copy(value: T) -> T:
    """Return a deep copy; several times faster than the module of that name, and most of what a test costs."""
    copied: T = pickle.loads(_pickled(value))
    return copied


def _pickled(value: object) -> bytes:
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def _key(obj: Manifest) -> Key:
    return (kind_of(obj).kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


def _reference(kind: Kind, namespace: str, name: str) -> Manifest:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"namespace": namespace, "name": name}}


def _has_labels(obj: Manifest, labels: Mapping[str, str]) -> bool:
    own = obj["metadata"].get("labels") or {}
    return all(own.get(key) == value for key, value in labels.items())


def _is_owned(obj: Manifest, uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in obj["metadata"].get("ownerReferences") or ())


def _without_status(obj: Manifest) -> Manifest:
    copied = _copy(obj)
    if copied.get("kind", "") in _WITH_STATUS or "kind" not in copied:
        copied.pop("status", None)
    return copied


def _check_preconditions(obj: Manifest, held: Manifest | None) -> None:
    for field in ("resourceVersion", "uid"):
        asked = obj.get("metadata", {}).get(field)
        present = held["metadata"][field] if held else ""
        if asked is not None and asked != present:
            raise Conflict(
                "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest "
                f"version and try again ({field} {asked}, now {present or 'absent'})",
                status=409,
            )


_IMMUTABLE = {"Deployment": ("spec", "selector"), "RolloutReport": ("spec",), "ControllerRevision": ("data",)}


def _check_immutable(held: Manifest | None, wanted: Manifest) -> None:
    path = _IMMUTABLE.get(wanted["kind"])
    if held is None or path is None:
        return
    before: Any = held
    after: Any = wanted
    for part in path:
        before, after = (before or {}).get(part), (after or {}).get(part)
    if before != after:
        name = wanted["metadata"]["name"]
        raise Refused(f'{wanted["kind"]} "{name}" is invalid: {".".join(path)}: field is immutable', status=422)


def _without_left_out(present: Any, applied: Manifest, intent: Manifest) -> Any:
    """Return ``present`` without the fields that the last apply had and this one leaves out."""
    result = _copy(present)
    for key, value in applied.items():
        if key not in result:
            continue
        if key not in intent:
            left = _without_left_out(result[key], value, {}) if isinstance(value, dict) else None
            if left:
                result[key] = left
            else:
                del result[key]
        elif isinstance(value, dict) and isinstance(intent[key], dict) and isinstance(result[key], dict):
            result[key] = _without_left_out(result[key], value, intent[key])
    return result


def _overlay(base: Manifest, intent: Manifest) -> Manifest:
    result = dict(base)
    for key, value in intent.items():
        old = result.get(key)
        result[key] = _overlay(old, value) if isinstance(value, dict) and isinstance(old, dict) else _copy(value)
    return result
