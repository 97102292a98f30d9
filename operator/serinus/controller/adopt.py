"""Take over what an earlier life of a ModelDeployment left behind, so that it goes with its new owner."""

from collections.abc import Iterable
from typing import Any

from serinus.cluster.kinds import CONFIG_MAP, CONTROLLER_REVISION, Manifest, kind_of
from serinus.cluster.protocol import ClusterApi
from serinus.errors import NotFound
from serinus.rollout import names
from serinus.rollout.resources import owner_reference, read_controller_revision
from serinus.rollout.types import Desired


def adopt(cluster: ClusterApi, orphans: Iterable[Manifest], desired: Desired) -> None:
    """Set the owner of objects that are never applied: reports, stored revisions and their ConfigMap copies.

    Raises:
        Conflict: somebody else changed one since it was seen.
    """
    for orphan in orphans:
        if kind_of(orphan) == CONTROLLER_REVISION:
            _adopt_copies(cluster, orphan, desired)
        metadata = orphan["metadata"]
        owner = {**_owner(desired), "resourceVersion": metadata["resourceVersion"]}
        cluster.patch(kind_of(orphan), metadata["namespace"], metadata["name"], {"metadata": owner})


def _adopt_copies(cluster: ClusterApi, revision: Manifest, desired: Desired) -> None:
    """Set the owner of a revision's ConfigMap copies; before the revision itself, by which they are found again."""
    stored = read_controller_revision(revision)
    for config_map in stored.config_maps:
        copy = names.config_map_copy_name(config_map, stored.revision)
        try:
            cluster.patch(CONFIG_MAP, desired.namespace, copy, {"metadata": _owner(desired)})
        except NotFound:
            continue  # somebody deleted it; that is no reason to leave the rest behind


def _owner(desired: Desired) -> dict[str, Any]:
    return {"ownerReferences": [owner_reference(desired)]}
