"""What the rest of the operator may ask of a cluster: the real client and the tests' fake both fit it.

Objects are plain dicts in wire form; a returned object belongs to the caller. Each method may raise any
``ClusterError``; those named are the ones that a caller is expected to tell apart.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from serinus.cluster.kinds import Kind, Manifest

NO_LABELS: Mapping[str, str] = MappingProxyType({})


class ClusterApi(Protocol):
    """The calls that Serinus makes to an API server."""

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return an object, None if it does not exist."""
        ...

    def list(self, kind: Kind, namespace: str, labels: Mapping[str, str] = NO_LABELS) -> list[Manifest]:
        """Return all objects that carry all the labels; an empty namespace means all namespaces."""
        ...

    def create(self, obj: Manifest) -> Manifest:
        """Create an object.

        Raises:
            AlreadyExists: there is one of that name.
        """
        ...

    def apply(self, obj: Manifest, *, dry_run: bool = False) -> Manifest:
        """Server-side apply the whole intent, create what is absent, take fields over by force.

        A field that was applied before and is left out now is removed. ``metadata.resourceVersion`` in the object is
        a precondition. With ``dry_run`` the server validates and admits, and changes nothing.

        Raises:
            Refused: validation or admission said no; the message is the server's sentence.
            Conflict: the precondition did not hold.
        """
        ...

    def patch(self, kind: Kind, namespace: str, name: str, patch: Manifest) -> Manifest:
        """Merge-patch an object: None removes a field, a list replaces the list.

        Raises:
            NotFound: it does not exist.
            Conflict: the patch names a ``metadata.resourceVersion`` that is not the present one.
        """
        ...

    def patch_status(self, kind: Kind, namespace: str, name: str, status: Manifest, resource_version: str) -> Manifest:
        """Merge-patch ``/status``: None removes a field, a field left out stays, a list replaces the list.

        Raises:
            Conflict: the object is no longer at ``resource_version``.
            NotFound: it does not exist.
        """
        ...

    def replace(self, obj: Manifest) -> Manifest:
        """Put a whole object in place of the one at its ``metadata.resourceVersion``.

        Raises:
            Conflict: somebody else wrote first.
        """
        ...

    def delete(self, kind: Kind, namespace: str, name: str, uid: str | None = None) -> None:
        """Delete an object and, in the background, what it owns; an absent one is fine.

        Raises:
            Conflict: the object has another uid than the one given.
        """
        ...
