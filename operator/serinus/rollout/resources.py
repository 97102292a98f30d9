"""Make the manifests of children. Each is the whole intent, for server-side apply or create; none needs a client."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serinus import contract
from serinus.rollout import names
from serinus.rollout.artifact import Known
from serinus.rollout.plan import ServiceRole
from serinus.rollout.template import revision_labels
from serinus.rollout.types import Desired

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRevision:
    """A revision as it was rendered, once; every later apply repeats it."""

    revision: str
    full_hash: str
    """64 hex digits behind the short name."""
    runtime: str
    template: Mapping[str, Any]
    """The rendered PodTemplateSpec."""
    port: int | str
    """Where requests go in its pods."""
    config_maps: tuple[str, ...] = ()
    """ConfigMaps that were copied for it, by their original names."""
    model: Known | None = None
    """The artifact that its pods get; None if image and template bring the model."""


def owner_reference(desired: Desired) -> Manifest:
    """Return the reference that makes a child go when its ModelDeployment goes."""
    return _owned_by(desired.name, desired.uid)


def make_job_metadata(owner: Mapping[str, Any], name: str) -> Manifest:
    """Return the metadata of a Job of a ModelDeployment whose own metadata are ``owner``."""
    return {
        "name": name,
        "namespace": owner["namespace"],
        "labels": {
            contract.LABEL_MODEL_DEPLOYMENT: owner["name"],
            contract.LABEL_MANAGED_BY: contract.MANAGED_BY,
        },
        "ownerReferences": [_owned_by(owner["name"], owner["uid"])],
    }


def _owned_by(name: str, uid: str) -> Manifest:
    return {
        "apiVersion": contract.API_VERSION,
        "kind": contract.KIND_MODEL_DEPLOYMENT,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def make_controller_revision(desired: Desired, stored: StoredRevision, number: int) -> Manifest:
    """Return the object that keeps a rendered revision; its data is immutable.

    Args:
        desired: The ModelDeployment.
        stored: The rendered revision.
        number: A number that grows with each revision, as the API asks for one.
    """
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": _metadata(desired, names.child_name(desired.name, stored.revision), stored),
        "revision": number,
        "data": {
            "hashVersion": contract.HASH_VERSION,
            "runtime": stored.runtime,
            "port": stored.port,
            "configMaps": list(stored.config_maps),
            **({"model": stored.model.to_wire()} if stored.model is not None else {}),
            "template": dict(stored.template),
        },
    }


def read_controller_revision(body: Mapping[str, Any]) -> StoredRevision:
    """Return the rendered revision that an object keeps."""
    data, metadata = body["data"], body["metadata"]
    return StoredRevision(
        revision=metadata["labels"][contract.LABEL_REVISION],
        full_hash=metadata["annotations"][contract.ANNOTATION_HASH],
        runtime=data["runtime"],
        template=data["template"],
        port=data["port"],
        config_maps=tuple(data.get("configMaps") or ()),
        model=Known.from_wire(data["model"]) if data.get("model") else None,
    )


def make_config_map_copy(desired: Desired, stored: StoredRevision, source: Mapping[str, Any]) -> Manifest:
    """Return the copy of a tracked ConfigMap that belongs to a revision, so that a rollback restores it too."""
    name = names.config_map_copy_name(source["metadata"]["name"], stored.revision)
    copy: Manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(desired, name, stored),
        "immutable": True,
    }
    return copy | {key: source[key] for key in ("data", "binaryData") if source.get(key)}


def make_deployment(desired: Desired, stored: StoredRevision, replicas: int) -> Manifest:
    """Return a revision's Deployment: the stored template, and how many pods of it."""
    labels = revision_labels(desired.name, stored.revision)
    selector = {key: labels[key] for key in (contract.LABEL_MODEL_DEPLOYMENT, contract.LABEL_REVISION)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(desired, names.child_name(desired.name, stored.revision), stored),
        "spec": {
            "replicas": replicas,
            # A revision's template never changes, so there is nothing to roll and no history worth keeping.
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": selector},
            "template": dict(stored.template),
        },
    }


def service_name(desired: Desired, role: ServiceRole) -> str:
    """Return the name of one of the three Services."""
    return {
        ServiceRole.MAIN: desired.service.name,
        ServiceRole.STABLE: names.stable_service_name(desired.service.name),
        ServiceRole.CANARY: names.canary_service_name(desired.service.name),
    }[role]


def make_service(desired: Desired, role: ServiceRole, revision: str | None, target_port: int | str) -> Manifest:
    """Return a Service that selects one revision, or with None all pods of the ModelDeployment.

    Its annotation ``serinus.dev/applied`` changes with everything else in it. What a person took out of
    ``spec.service`` is missing here and still stands in the live object, as much else does that the server or others
    put there; the annotation is what tells that the object was applied from another manifest than this one.
    """
    selector = {contract.LABEL_MODEL_DEPLOYMENT: desired.name}
    if revision is not None:
        selector[contract.LABEL_REVISION] = revision
    port: Manifest = {"name": "http", "port": desired.service.port, "targetPort": target_port, "protocol": "TCP"}
    if desired.service.app_protocol is not None:
        port["appProtocol"] = desired.service.app_protocol
    metadata: Manifest = {
        "name": service_name(desired, role),
        "namespace": desired.namespace,
        "labels": {
            contract.LABEL_MODEL_DEPLOYMENT: desired.name,
            contract.LABEL_MANAGED_BY: contract.MANAGED_BY,
        },
        "ownerReferences": [owner_reference(desired)],
    }
    if role is ServiceRole.MAIN and desired.service.annotations:
        metadata["annotations"] = dict(desired.service.annotations)
    service: Manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"selector": selector, "ports": [port]},
    }
    applied = {contract.ANNOTATION_APPLIED: digest_of(service)}
    metadata["annotations"] = metadata.get("annotations", {}) | applied
    return service


def digest_of(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 (64 hex digits) of a manifest: the same whatever the order of its keys."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _metadata(desired: Desired, name: str, stored: StoredRevision) -> Manifest:
    return {
        "name": name,
        "namespace": desired.namespace,
        "labels": revision_labels(desired.name, stored.revision),
        "annotations": {contract.ANNOTATION_HASH: stored.full_hash},
        "ownerReferences": [owner_reference(desired)],
    }
