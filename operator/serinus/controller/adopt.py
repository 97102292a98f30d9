"""Take over what an earlier life of a ModelDeployment left behind, so that it goes with its new owner."""

from collections.abc import Iterable

from serinus.cluster.kinds import Manifest, kind_of
from serinus.cluster.protocol import ClusterApi
from serinus.rollout.resources import owner_reference
from serinus.rollout.types import Desired


def adopt(cluster: ClusterApi, orphans: Iterable[Manifest], desired: Desired) -> None:
    """Set the owner of objects that are never applied: reports and stored revisions.

    Raises:
        Conflict: somebody else changed one since it was seen.
    """
    for orphan in orphans:
        metadata = orphan["metadata"]
        owner = {
            "resourceVersion": metadata["resourceVersion"],
            "ownerReferences": [owner_reference(desired)],
        }
        cluster.patch(kind_of(orphan), metadata["namespace"], metadata["name"], {"metadata": owner})
