"""Kubernetes Events about ModelDeployments: what ``kubectl describe`` and ``kubectl get events`` show.

Knows how an Event is named, so that the same note twice is one Event with a count. Must not know when something is
worth telling. Best effort: an Event that can't be written never fails a reconcile.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from serinus import contract
from serinus.cluster.kinds import EVENT, Manifest
from serinus.cluster.protocol import ClusterApi
from serinus.errors import AlreadyExists, ClusterError

logger = logging.getLogger(__name__)

_LONGEST_MESSAGE = 1024
_LONGEST_NAME = 253
_CUT = " …".encode()


class EventNote(Protocol):
    """Something that happened; ``serinus.rollout.decide.Note`` is one."""

    @property
    def warning(self) -> bool:
        """True: type Warning; False: type Normal."""
        ...

    @property
    def reason(self) -> str:
        """One CamelCase word, one of contract's reasons."""
        ...

    @property
    def message(self) -> str:
        """The sentence that a person reads."""
        ...


class EventRecorder:
    """Writes notes about an object as Events in its namespace."""

    def __init__(self, *, cluster: ClusterApi, clock: Callable[[], datetime], instance: str) -> None:
        """Take the cluster to write to, a clock of aware datetimes, and the name of this replica."""
        self._cluster = cluster
        self._clock = clock
        self._instance = instance

    def record(self, body: Mapping[str, Any], notes: Iterable[EventNote]) -> None:
        """Write an Event for each note; one that was written before is counted up."""
        for note in notes:
            event = make_event(body, note, self._clock(), self._instance)
            try:
                self._write(event)
            except ClusterError as failure:
                logger.warning("the Event %s was not written: %s", note.reason, failure)

    def _write(self, event: Manifest) -> None:
        try:
            self._cluster.create(event)
        except AlreadyExists:
            metadata = event["metadata"]
            # The first patch is also how the count is learnt: reading Events is a right that nothing else needs.
            seen = self._cluster.patch(
                EVENT, metadata["namespace"], metadata["name"], {"lastTimestamp": event["lastTimestamp"]}
            )
            count = {"count": int(seen.get("count") or 1) + 1}
            self._cluster.patch(EVENT, metadata["namespace"], metadata["name"], count)


def make_event(body: Mapping[str, Any], note: EventNote, now: datetime, instance: str) -> Manifest:
    """Return the Event that tells a note about an object.

    Its name depends on the object's uid and on the note alone, so that a repeated note meets its own Event.
    """
    metadata = body["metadata"]
    at = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    type_ = "Warning" if note.warning else "Normal"
    told = "\0".join((metadata["uid"], type_, note.reason, note.message))
    suffix = hashlib.sha256(told.encode()).hexdigest()[:16]
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {
            "namespace": metadata["namespace"],
            "name": f"{metadata['name'][: _LONGEST_NAME - 17]}.{suffix}",
        },
        "involvedObject": {
            "apiVersion": body["apiVersion"],
            "kind": body["kind"],
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "resourceVersion": metadata.get("resourceVersion", ""),
        },
        "type": type_,
        "reason": note.reason,
        "message": _shorten(note.message),
        "source": {"component": contract.FIELD_MANAGER},
        "reportingComponent": contract.FIELD_MANAGER,
        "reportingInstance": instance,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }


def _shorten(message: str) -> str:
    """Keep a message within the API server's limit, which counts bytes."""
    encoded = message.encode()
    if len(encoded) <= _LONGEST_MESSAGE:
        return message
    return encoded[: _LONGEST_MESSAGE - len(_CUT)].decode(errors="ignore") + _CUT.decode()
