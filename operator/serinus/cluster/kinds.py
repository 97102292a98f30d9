"""The kinds of objects that Serinus reads and writes, and where the API server keeps them.

Knows names and paths only; no client, no network.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

from serinus import contract
from serinus.errors import BrokenInvariant

Manifest: TypeAlias = dict[str, Any]
"""An object as the API server speaks of it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object."""

    api_version: str
    """``v1`` or ``group/version``."""
    kind: str
    plural: str
    """Name in paths, lower case."""
    namespaced: bool = True

    @property
    def group(self) -> str:
        """Return the API group, empty for the core group."""
        return self.api_version.rpartition("/")[0]

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the path of a collection or, with a name, of an object or its subresource.

        An empty namespace with a namespaced kind is the collection over all namespaces.
        """
        parts = ["apis" if self.group else "api", self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(parts)


MODEL_DEPLOYMENT = Kind(contract.API_VERSION, contract.KIND_MODEL_DEPLOYMENT, contract.PLURAL_MODEL_DEPLOYMENTS)
ROLLOUT_REPORT = Kind(contract.API_VERSION, contract.KIND_ROLLOUT_REPORT, contract.PLURAL_ROLLOUT_REPORTS)
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
CONTROLLER_REVISION = Kind("apps/v1", "ControllerRevision", "controllerrevisions")
SERVICE = Kind("v1", "Service", "services")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
POD = Kind("v1", "Pod", "pods")
JOB = Kind("batch/v1", "Job", "jobs")
EVENT = Kind("v1", "Event", "events")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")

KINDS = (
    MODEL_DEPLOYMENT,
    ROLLOUT_REPORT,
    DEPLOYMENT,
    CONTROLLER_REVISION,
    SERVICE,
    CONFIG_MAP,
    POD,
    JOB,
    EVENT,
    LEASE,
)
WATCHED = (MODEL_DEPLOYMENT, DEPLOYMENT, SERVICE)
"""Kinds that the watch cache holds."""

_BY_NAME = {(each.api_version, each.kind): each for each in KINDS}


def kind_of(obj: Manifest) -> Kind:
    """Return the kind of a manifest, from its apiVersion and kind.

    Raises:
        BrokenInvariant: the manifest names a kind that this module does not list.
    """
    name = (obj.get("apiVersion", ""), obj.get("kind", ""))
    if name not in _BY_NAME:
        raise BrokenInvariant(f"no Kind is listed for apiVersion {name[0]!r}, kind {name[1]!r}")
    return _BY_NAME[name]
