"""Reach the children of one ModelDeployment: from the watch cache where it is enough, live where it is not.

Knows whose object is whose. Decides nothing about rollouts.
"""

from collections.abc import Mapping
from typing import Any

from serinus import contract
from serinus.cluster.kinds import (
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    POD,
    ROLLOUT_REPORT,
    SERVICE,
    Kind,
    Manifest,
    kind_of,
)
from serinus.cluster.protocol import ClusterApi
from serinus.controller.cache import WatchCache
from serinus.errors import Stall
from serinus.rollout import names


class Children:
    """The objects that belong to one ModelDeployment."""

    def __init__(self, cluster: ClusterApi, cache: WatchCache, body: Mapping[str, Any]) -> None:
        metadata = body["metadata"]
        self.namespace: str = metadata["namespace"]
        self.name: str = metadata["name"]
        self._uid: str = metadata["uid"]
        self._cluster = cluster
        self._cache = cache

    def deployments(self) -> list[Manifest]:
        """Return our Deployments, from the cache; orphans of an earlier life of the same name are ours, too."""
        return [each for each in self._cache.children(DEPLOYMENT, self.namespace, self.name) if self.is_ours(each)]

    def services(self) -> list[Manifest]:
        """Return our Services, from the cache."""
        return [each for each in self._cache.children(SERVICE, self.namespace, self.name) if self.is_ours(each)]

    def pods(self) -> list[Manifest]:
        """Return all pods that carry our label, live."""
        return self._cluster.list(POD, self.namespace, self._labels())

    def reports(self) -> list[Manifest]:
        """Return our reports, live."""
        found = self._cluster.list(ROLLOUT_REPORT, self.namespace, self._labels())
        return [each for each in found if self.is_ours(each)]

    def stored_revisions(self) -> list[Manifest]:
        """Return our stored revisions, live."""
        found = self._cluster.list(CONTROLLER_REVISION, self.namespace, self._labels())
        return [each for each in found if self.is_ours(each)]

    def stored_revision(self, revision: str) -> Manifest | None:
        """Return one stored revision, live; None if it was never stored.

        Raises:
            Stall: somebody else's object has its name.
        """
        name = names.child_name(self.name, revision)
        found = self._cluster.get(CONTROLLER_REVISION, self.namespace, name)
        if found is not None:
            self._check(CONTROLLER_REVISION, found)
        return found

    def config_map(self, name: str) -> Manifest | None:
        """Return a ConfigMap of the user's, live."""
        return self._cluster.get(CONFIG_MAP, self.namespace, name)

    def selected_by(self, service: str) -> str | None:
        """Return the revision that a Service of ours selects, live; None if it selects none, or is not there."""
        found = self._cluster.get(SERVICE, self.namespace, service)
        selector = ((found or {}).get("spec") or {}).get("selector") or {}
        if selector.get(contract.LABEL_MODEL_DEPLOYMENT) != self.name:
            return None
        revision: str | None = selector.get(contract.LABEL_REVISION)
        return revision

    def live(self, manifest: Manifest) -> Manifest | None:
        """Return the object that has a manifest's name now, None if there is none.

        Raises:
            Stall: it belongs to somebody else.
        """
        kind, name = kind_of(manifest), manifest["metadata"]["name"]
        found = self._cache.get(kind, self.namespace, name)
        if found is None or not self.owns(found):
            found = self._cluster.get(kind, self.namespace, name)
        if found is not None:
            self._check(kind, found)
        return found

    def owns(self, obj: Mapping[str, Any]) -> bool:
        """Tell whether this ModelDeployment is an object's controller."""
        controller = _controller(obj)
        return controller is not None and controller.get("uid") == self._uid

    def is_orphan(self, obj: Mapping[str, Any]) -> bool:
        """Tell whether an object was left behind by an earlier life of this ModelDeployment."""
        labels = obj["metadata"].get("labels") or {}
        return _controller(obj) is None and labels.get(contract.LABEL_MODEL_DEPLOYMENT) == self.name

    def is_ours(self, obj: Mapping[str, Any]) -> bool:
        """Tell whether an object is this ModelDeployment's, or would be but for the owner that it lost."""
        return self.owns(obj) or self.is_orphan(obj)

    def _labels(self) -> dict[str, str]:
        return {contract.LABEL_MODEL_DEPLOYMENT: self.name, contract.LABEL_MANAGED_BY: contract.MANAGED_BY}

    def _check(self, kind: Kind, found: Manifest) -> None:
        """Refuse an object that is controlled by another, or by nobody and not given to us."""
        controller = _controller(found)
        metadata = found["metadata"]
        if controller is None:
            given = (metadata.get("annotations") or {}).get(contract.ANNOTATION_ADOPT) == self.name
            if self.is_orphan(found) or given:
                return
            owner = "nobody"
        elif controller.get("uid") == self._uid:
            return
        else:
            owner = f"{controller.get('kind')} {controller.get('name')}"
        raise Stall(
            contract.REASON_NAME_TAKEN,
            f"{kind.kind} {metadata['name']} exists and is controlled by {owner}: delete or rename it, choose another"
            f" name (spec.service.name for Services), or, if nobody controls it, annotate it with"
            f" {contract.ANNOTATION_ADOPT}={self.name}",
        )


def _controller(obj: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for each in obj["metadata"].get("ownerReferences") or ():
        if each.get("controller"):
            reference: Mapping[str, Any] = each
            return reference
    return None
