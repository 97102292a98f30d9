"""Make the containers that run `serinus fetch`, and put a model's files where its server looks for them.

Knows pods. Must not know stores, clusters or what a pin holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serinus import contract
from serinus.errors import InvalidSpec, Stall
from serinus.rollout.artifact import Artifact, Known, Resolved

CONTAINER = "serinus-fetch"
VOLUME = "serinus-model"
_SCRATCH = "serinus-fetch-tmp"
_COMMAND = ["python3", "-m", "serinus", "fetch"]
_USER = 65532
_OF_THE_POD = ("emptyDir", "ephemeral")
_EXACT = ("cpu", "memory")
# No limit of cpu: a LimitRange may allow less than a fast link needs, and without one it sets its own.
_RESOURCES: Mapping[str, Any] = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchImage:
    """The image that has the program `serinus fetch`."""

    name: str
    pull_policy: str = "IfNotPresent"
    resources: Mapping[str, Any] = field(default_factory=lambda: _RESOURCES)
    """Of the containers that run it, as Kubernetes writes them, unless the pod's own are exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A model's artifact on its way into the pods of one revision."""

    artifact: Artifact
    resolved: Resolved | None = None
    """What a lookup found; None: the artifact names its digest, or is mounted."""
    image: FetchImage | None = None
    """None: none is set, which matters only if something is to be fetched."""

    @classmethod
    def of(cls, artifact: Artifact | None, resolved: Resolved | None, image: FetchImage | None) -> "Delivery | None":
        """Return the delivery of an artifact, None if there is none to deliver."""
        return cls(artifact=artifact, resolved=resolved, image=image) if artifact is not None else None

    @property
    def known(self) -> Known:
        """Return what is known about the artifact that the pods get."""
        if self.resolved is None:
            return Known(uri=self.artifact.shown, digest=self.artifact.digest)
        return Known(uri=self.artifact.shown, digest=self.resolved.digest, at=self.resolved.at)


def deliver(pod: dict[str, Any], delivery: Delivery) -> None:
    """Put a model's files into a pod: mounted from a claim, or fetched before the server starts.

    The first container gets them, read-only. A volume that the user mounts there already is filled instead of ours.

    Raises:
        InvalidSpec: the user's own volume there outlives the pod.
        Stall: something is to be fetched, and no image for that is set.
    """
    artifact = delivery.artifact
    server = pod["containers"][0]
    if artifact.claim is not None:
        _mount_claim(pod, server, artifact.claim, artifact.mount_path)
        return
    volume = _own_volume(pod, server, artifact.mount_path)
    if volume is None:
        volume = {"name": VOLUME, "mountPath": artifact.mount_path}
        pod["volumes"] = [*(pod.get("volumes") or ()), {"name": VOLUME, "emptyDir": {}}]
        server["volumeMounts"] = [*(server.get("volumeMounts") or ()), {**volume, "readOnly": True}]
    container = fetch_container(
        delivery.image,
        ["--uri", artifact.uri, "--to", artifact.mount_path, *_exactly(delivery)],
        secret=artifact.secret,
        user=(pod.get("securityContext") or {}).get("runAsUser"),
    )
    if (exact := _exact_resources(pod)) is not None:
        container["resources"] = exact
    container["volumeMounts"] = [volume, *container["volumeMounts"]]
    pod["volumes"] = [*(pod.get("volumes") or ()), scratch_volume()]
    pod["initContainers"] = [container, *(pod.get("initContainers") or ())]


def fetch_container(
    image: FetchImage | None, arguments: list[str], *, secret: str | None, user: int | None
) -> dict[str, Any]:
    """Return a container that runs `serinus fetch` without any privilege.

    Args:
        image: with the program.
        arguments: after the command.
        secret: whose keys become its environment.
        user: the one that the pod says it runs as; None: it says nothing.

    Raises:
        Stall: no image is set.
    """
    if image is None:
        raise Stall(
            contract.REASON_FETCH_IMAGE_MISSING,
            "spec.model.uri needs an image with the program serinus fetch, and the operator was given none: set"
            " SERINUS_FETCH_IMAGE (fetch.image of the chart), or let the template's image bring the model",
        )
    ours = {"runAsUser": _USER, "runAsGroup": _USER} if user is None else {}
    return {
        "name": CONTAINER,
        "image": image.name,
        "imagePullPolicy": image.pull_policy,
        "command": list(_COMMAND),
        "args": arguments,
        # Libraries of stores keep caches in the home directory, and the root of the file system is not theirs to write.
        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108
        **({"envFrom": [{"secretRef": {"name": secret}}]} if secret is not None else {}),
        "resources": dict(image.resources),
        "securityContext": {
            **ours,
            # Pod Security "restricted" wants it said here if the pod does not say it.
            **({"runAsNonRoot": True} if user != 0 else {}),
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": _SCRATCH, "mountPath": "/tmp"}],  # noqa: S108
    }


def _exact_resources(pod: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the server has, if all of the pod asks for exactly its limits: one that does not changes its class.

    An init container's share is not added to the pod's, so that it costs nothing.
    """
    resources = [each.get("resources") or {} for each in (*pod["containers"], *(pod.get("initContainers") or ()))]
    for each in resources:
        limits, requests = each.get("limits") or {}, each.get("requests") or {}
        if any(name not in limits or requests.get(name, limits[name]) != limits[name] for name in _EXACT):
            return None
    limits = {name: resources[0]["limits"][name] for name in _EXACT}
    return {"requests": dict(limits), "limits": limits}


def scratch_volume() -> dict[str, Any]:
    """Return the volume that a fetch container writes its temporary files to."""
    return {"name": _SCRATCH, "emptyDir": {}}


def _exactly(delivery: Delivery) -> list[str]:
    if delivery.resolved is not None:
        return ["--pin", delivery.resolved.pin]
    return ["--digest", delivery.artifact.digest] if delivery.artifact.digest is not None else []


def _mount_claim(pod: dict[str, Any], server: dict[str, Any], claim: tuple[str, str], path: str) -> None:
    name, inside = claim
    source = {"claimName": name, "readOnly": True}
    pod["volumes"] = [*(pod.get("volumes") or ()), {"name": VOLUME, "persistentVolumeClaim": source}]
    mount = {"name": VOLUME, "mountPath": path, "readOnly": True, **({"subPath": inside} if inside else {})}
    server["volumeMounts"] = [*(server.get("volumeMounts") or ()), mount]


def _own_volume(pod: Mapping[str, Any], server: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    """Return the mount for a volume of the user's that the server has at the path, None if there is none there."""
    mounts = [each for each in server.get("volumeMounts") or () if each["mountPath"].rstrip("/") == path.rstrip("/")]
    if not mounts:
        return None
    name = mounts[0]["name"]
    volume: Mapping[str, Any] = next((each for each in pod.get("volumes") or () if each.get("name") == name), {})
    if not any(kind in volume for kind in _OF_THE_POD):
        raise InvalidSpec(
            f"the template mounts volume {name} at {path}, where the model is to be fetched to, and it is no emptyDir"
            " and no ephemeral volume: revisions would overwrite each other's files; give another model.mountPath,"
            " or make it one of these"
        )
    return {key: value for key, value in mounts[0].items() if key != "readOnly"}
