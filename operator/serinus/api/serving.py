"""Wire models of what serves: the model, its pods, its Service and the way traffic is split."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field

from serinus import contract
from serinus.api.model_uri import URI_RULES
from serinus.api.reserved import SessionAffinity
from serinus.api.schema import written
from serinus.api.wire import Loose, Name, Rule, Ruled, Strings, Wire

MOUNT_PATTERN = r"^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+/?$"
TAKEN_PATHS = r"^/(tmp|dev|proc|sys)(/|$)"
DIGEST_PATTERN = "^sha256:[a-f0-9]{64}$"
PORT_NAME_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

Port = Annotated[int, Field(ge=1, le=65535)]

_ours = f"'{contract.LABEL_PREFIX}'"
OwnKeys = Ruled(
    (
        Rule(
            cel=f"self.all(key, !key.startsWith({_ours}))",
            message=f"remove the keys under {contract.LABEL_PREFIX}: the operator sets them itself",
            holds=lambda keys: not any(key.startswith(contract.LABEL_PREFIX) for key in keys),
        ),
    )
)


def _is_port(value: Any) -> bool:
    if isinstance(value, int):
        return 1 <= value <= 65535
    return len(value) <= 15 and re.fullmatch(PORT_NAME_PATTERN, value) is not None


PortOrName = Annotated[
    int | str,
    Ruled(
        (
            Rule(
                cel="type(self) == int ? self >= 1 && self <= 65535 : "
                f"size(string(self)) <= 15 && string(self).matches('{PORT_NAME_PATTERN}')",
                message="give a port number from 1 to 65535, or the name of a container port",
                holds=_is_port,
            ),
        ),
        {"maxLength": 15},
    ),
]


class Container(Loose):
    """A container; all fields of Kubernetes are passed through."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    """Unique within the pod."""
    image: Annotated[str, Field(min_length=1, max_length=1024)]
    """Image reference."""


class TemplateMetadata(Loose):
    """Metadata of the pods."""

    labels: Annotated[Strings, OwnKeys] | None = None
    """Labels of the pods; those under serinus.dev/ are ours."""
    annotations: Annotated[Strings, OwnKeys] | None = None
    """Annotations of the pods; those under serinus.dev/ are ours."""


class TemplateSpec(Loose):
    """A PodSpec; all fields of Kubernetes are passed through."""

    containers: Annotated[
        tuple[Container, ...],
        Field(min_length=1, max_length=32),
        Ruled(
            (
                Rule(
                    cel=None,
                    message="give each container a name of its own",
                    holds=lambda all_: len({each.name for each in all_}) == len(all_),
                ),
            ),
            {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ]
    """The first one is the model server unless the preset says otherwise."""


class Template(Loose):
    """A PodTemplateSpec, passed through; dry-run before a revision starts."""

    metadata: TemplateMetadata | None = None
    """Labels and annotations of the pods."""
    spec: TemplateSpec
    """The pods."""


class SecretReference(Wire):
    """A Secret of the same namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Its name."""


class Model(Wire):
    """The model that is served. An image alone is enough: then only the name matters."""

    rules = (
        Rule(
            cel="has(self.uri) || !(has(self.digest) || has(self.track) || has(self.mountPath) || has(self.secretRef))",
            message="digest, track, mountPath and secretRef say how to fetch a model: give uri, or remove them",
            holds=lambda model: (
                model.uri is not None
                or (
                    (model.digest is None and model.track is None)
                    and (model.mount_path is None and model.secret_ref is None)
                )
            ),
        ),
        Rule(
            cel="!has(self.digest) || !has(self.track) || !self.track",
            message="digest fixes the content and track follows it: keep one of them",
            holds=lambda model: model.digest is None or not model.track,
        ),
        Rule(
            cel="!has(self.uri) || !self.uri.startsWith('pvc://') || "
            "!(has(self.digest) || has(self.track) || has(self.secretRef))",
            message="a claim is mounted as it is: remove digest, track and secretRef, and give each version of the "
            "model a folder of its own in the volume",
            holds=lambda model: (
                not (model.uri or "").startswith("pvc://")
                or (model.digest is None and model.track is None and model.secret_ref is None)
            ),
        ),
    )

    name: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Name that the server knows; the object's name if absent."""
    uri: (
        Annotated[
            str,
            Field(max_length=2048),
            Ruled(URI_RULES),
        ]
        | None
    ) = None
    """Where the model is fetched from before the server starts: s3 gs az https hf oci pvc models:/."""
    digest: (
        Annotated[
            str,
            Field(max_length=71),
            Ruled(
                (
                    Rule(
                        cel=f"self.matches('{DIGEST_PATTERN}')",
                        message="write sha256: and 64 hexadecimal digits in lower case",
                        holds=lambda digest: re.fullmatch(DIGEST_PATTERN, digest) is not None,
                    ),
                )
            ),
        ]
        | None
    ) = None
    """Expected content, verified after the fetch: sha256:…"""
    track: bool | None = None
    """True: a new digest behind the same uri is a new revision."""
    mount_path: (
        Annotated[
            str,
            Field(max_length=1024),
            Ruled(
                (
                    Rule(
                        cel=f"self.matches('{MOUNT_PATTERN}') && !self.matches('{TAKEN_PATHS}')",
                        message="give an absolute path of a directory of its own, such as /mnt/models, and none below "
                        "/tmp, /dev, /proc or /sys",
                        holds=lambda path: (
                            re.match(MOUNT_PATTERN, path) is not None and re.match(TAKEN_PATHS, path) is None
                        ),
                    ),
                )
            ),
        ]
        | None
    ) = None
    """Where the server finds the files."""
    secret_ref: SecretReference | None = None
    """Credentials, mounted into the fetch container only."""


class Service(Wire):
    """The Service that clients use."""

    rules = (
        Rule(
            cel="has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name)",
            message="clients know the Service by its name, so it can't be changed: apply another ModelDeployment with "
            "the new name, move the clients, and delete this one",
            holds=lambda _: True,
        ),
    )

    name: Name | None = None
    """Its name; the object's name if absent. -stable and -canary are appended for the other two."""
    port: Annotated[Port, Field(json_schema_extra=written(80))] = 80
    """Port that clients use."""
    target_port: PortOrName | None = None
    """Port of the pods, by number or name; the preset's if absent."""
    app_protocol: Annotated[str, Field(min_length=1, max_length=316)] | None = None
    """Protocol hint for meshes and gateways, such as kubernetes.io/h2c."""
    annotations: Annotated[Strings, OwnKeys] | None = None
    """Annotations of the Service."""


class ParentReference(Loose):
    """A Gateway to attach our route to, as in Gateway API."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the Gateway."""


class RouteReference(Wire):
    """A rule in a route that the user owns: its two weights are set and nothing else."""

    kind: Literal["HTTPRoute", "GRPCRoute"]
    """Kind of the route."""
    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the route in the same namespace."""
    rule: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Name of the rule; needed if the route has several."""


class Gateway(Wire):
    """Traffic through Gateway API."""

    rules = (
        Rule(
            cel="has(self.parentRefs) != has(self.routeRef)",
            message="give either parentRefs (for a route that the operator makes) or routeRef (for a route of yours)",
            holds=lambda gateway: (gateway.parent_refs is None) != (gateway.route_ref is None),
        ),
        Rule(
            cel="!has(self.routeRef) || !(has(self.hostnames) || has(self.kind))",
            message="hostnames and kind belong to a route that the operator makes: remove them beside routeRef",
            holds=lambda gateway: gateway.route_ref is None or (gateway.hostnames is None and gateway.kind is None),
        ),
    )

    parent_refs: Annotated[tuple[ParentReference, ...], Field(min_length=1, max_length=8)] | None = None
    """Gateways for a route of our own."""
    hostnames: (
        Annotated[tuple[Annotated[str, Field(min_length=1, max_length=253)], ...], Field(min_length=1, max_length=16)]
        | None
    ) = None
    """Host names of a route of our own."""
    kind: Literal["HTTPRoute", "GRPCRoute"] | None = None
    """Kind of a route of our own."""
    route_ref: RouteReference | None = None
    """A route that the user owns."""


class Traffic(Wire):
    """How traffic is split between stable and canary."""

    rules = (
        Rule(
            cel="(has(self.split) && self.split == 'Gateway') == has(self.gateway)",
            message="split: Gateway and gateway go together: give both, or neither",
            holds=lambda traffic: (traffic.split == "Gateway") == (traffic.gateway is not None),
        ),
    )

    split: Annotated[Literal["Replicas", "Gateway"], Field(json_schema_extra=written("Replicas"))] = "Replicas"
    """Replicas: by the number of pods, no dependency. Gateway: by weights in a Gateway API route."""
    gateway: Gateway | None = None
    """Where the weights are, with split: Gateway."""
    session_affinity: SessionAffinity | None = None
    """Keeps a client on one side."""
