"""The Kubernetes API as plain dicts: get, list, apply, patch, delete, and errors of our own tree.

The only module that makes calls with the official client, of which it uses connection, login and pool; the typed
models stay out, because they refuse what they don't know and cost more than the call. Synchronous and thread-safe.
Must not know what the objects mean.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import urllib3
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config import ConfigException

from serinus import contract
from serinus.cluster.failures import make_error
from serinus.cluster.kinds import Kind, Manifest, kind_of
from serinus.cluster.login import load_configuration
from serinus.cluster.protocol import NO_LABELS
from serinus.errors import ClusterUnavailable, NotFound

CONNECT_SECONDS, READ_SECONDS = 3, 10
PAGE_SIZE = 500
POOL_SIZE = 32
_JSON = "application/json"
_APPLY = "application/apply-patch+yaml"
# The body is JSON all the same. The API server keeps the data of a ControllerRevision as the bytes that came, and
# refuses every later patch as a change unless they are as Go writes them; what comes as YAML it writes anew itself.
_CREATE = "application/yaml"
_MERGE = "application/merge-patch+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """One HTTP request, and the verb under which it is counted."""

    verb: str
    kind: Kind
    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Manifest | None = None
    content_type: str = _JSON


CallObserver = Callable[[str, Kind, int, float], None]
"""Told of each call: verb, kind, HTTP status (0: no answer), seconds."""


def _observe_nothing(verb: str, kind: Kind, status: int, seconds: float) -> None:
    pass


def _always() -> bool:
    return True


class Cluster:
    """Calls to one API server; fits ``serinus.cluster.protocol.ClusterApi``, where the methods are described."""

    def __init__(
        self,
        client: ApiClient,
        *,
        field_manager: str = contract.FIELD_MANAGER,
        may_write: Callable[[], bool] = _always,
        observe: CallObserver = _observe_nothing,
    ) -> None:
        """Use a client that ``connect`` made.

        Args:
            client: connection and login; may be shared by several Clusters.
            field_manager: the name under which fields are owned.
            may_write: asked just before each write; False refuses it (a lost lease).
            observe: told of each call.
        """
        self._client = client
        self._field_manager = field_manager
        self._may_write = may_write
        self._observe = observe

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return an object, None if it does not exist."""
        try:
            return self._call(_Request(verb="get", kind=kind, method="GET", path=kind.path(namespace, name)))
        except NotFound:
            return None

    def list(self, kind: Kind, namespace: str, labels: Mapping[str, str] = NO_LABELS) -> list[Manifest]:
        """Return all objects that carry all the labels; an empty namespace means all namespaces.

        Raises:
            ClusterUnavailable: also when a page's continue token has expired on the way.
        """
        query: dict[str, Any] = {"limit": PAGE_SIZE}
        if labels:
            query["labelSelector"] = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        found: list[Manifest] = []
        while True:
            page = self._call(_Request(verb="list", kind=kind, method="GET", path=kind.path(namespace), query=query))
            # Items of a list come without their type.
            found += [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in page.get("items") or ()]
            token = page.get("metadata", {}).get("continue")
            if not token:
                return found
            query["continue"] = token

    def create(self, obj: Manifest) -> Manifest:
        """Create an object; ``AlreadyExists`` if there is one of that name."""
        kind, namespace, _ = _identify(obj)
        request = _Request(
            verb="create", kind=kind, method="POST", path=kind.path(namespace), body=obj, content_type=_CREATE
        )
        return self._write(request)

    def apply(self, obj: Manifest, *, dry_run: bool = False) -> Manifest:
        """Server-side apply the whole intent by force; create what is absent."""
        kind, namespace, name = _identify(obj)
        query = {"force": "true", **({"dryRun": "All"} if dry_run else {})}
        return self._write(
            _Request(
                verb="apply",
                kind=kind,
                method="PATCH",
                path=kind.path(namespace, name),
                query=query,
                body=obj,
                content_type=_APPLY,
            )
        )

    def patch(self, kind: Kind, namespace: str, name: str, patch: Manifest) -> Manifest:
        """Merge-patch an object: None removes a field, a list replaces the list."""
        return self._write(
            _Request(
                verb="patch",
                kind=kind,
                method="PATCH",
                path=kind.path(namespace, name),
                body=patch,
                content_type=_MERGE,
            )
        )

    def patch_status(self, kind: Kind, namespace: str, name: str, status: Manifest, resource_version: str) -> Manifest:
        """Merge-patch ``/status``; ``Conflict`` unless the object is still at ``resource_version``."""
        path = kind.path(namespace, name, "status")
        body = {"metadata": {"resourceVersion": resource_version}, "status": status}
        return self._write(
            _Request(verb="patch_status", kind=kind, method="PATCH", path=path, body=body, content_type=_MERGE)
        )

    def replace(self, obj: Manifest) -> Manifest:
        """Put a whole object in place of the one at its resourceVersion."""
        kind, namespace, name = _identify(obj)
        return self._write(_Request(verb="replace", kind=kind, method="PUT", path=kind.path(namespace, name), body=obj))

    def delete(self, kind: Kind, namespace: str, name: str, uid: str | None = None) -> None:
        """Delete an object and, in the background, what it owns; an absent one is fine."""
        options: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            self._write(
                _Request(verb="delete", kind=kind, method="DELETE", path=kind.path(namespace, name), body=options)
            )
        except NotFound:
            return

    def is_served(self, kind: Kind) -> bool:
        """Tell whether the API server knows the kind now: False before its CRD is established."""
        path = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.api_version}"
        try:
            reply = self._call(_Request(verb="discover", kind=kind, method="GET", path=path))
        except ClusterUnavailable as unknown:
            if unknown.status == 404:
                return False
            raise
        return any(each.get("name") == kind.plural for each in reply.get("resources") or ())

    def _write(self, request: _Request) -> Manifest:
        if not self._may_write():
            raise ClusterUnavailable(
                f"no {request.verb} on {request.path}: the lease is no longer ours, another replica acts now"
            )
        if request.method == "DELETE":
            return self._call(request)
        query = {**request.query, "fieldManager": self._field_manager, "fieldValidation": "Strict"}
        return self._call(replace(request, query=query))

    def _call(self, request: _Request) -> Manifest:
        status, started = 0, time.monotonic()
        what = f"{request.verb} {request.path}"
        try:
            status, data = self._exchange(request)
        except (urllib3.exceptions.HTTPError, OSError, ApiException, ConfigException) as lost:
            raise ClusterUnavailable(
                f"no answer from the API server to {what}: {getattr(lost, 'reason', lost)}"
            ) from lost
        finally:
            self._observe(request.verb, request.kind, status, time.monotonic() - started)
        if status >= 400:
            raise make_error(status, data, verb=request.verb, path=request.path)
        try:
            reply: Manifest = json.loads(data)
        except ValueError as garbled:
            raise ClusterUnavailable(f"the answer to {what} is no JSON: {garbled}", status=status) from garbled
        return reply

    def _exchange(self, request: _Request) -> tuple[int, bytes]:
        serialized = self._client.param_serialize(
            method=request.method,
            resource_path=request.path,
            query_params=list(request.query.items()),
            header_params={"Accept": _JSON, "Content-Type": request.content_type},
            body=request.body,
            auth_settings=["BearerToken"],
        )
        response = self._client.call_api(*serialized, _request_timeout=(CONNECT_SECONDS, READ_SECONDS))
        data: bytes = response.read() or b""  # type: ignore[no-untyped-call]
        return int(response.status), data


def connect(user_agent: str, configuration: Configuration | None = None) -> ApiClient:
    """Return a client with a connection pool for many threads; makes no call yet.

    Args:
        user_agent: such as ``serinus/0.1.0``: what the API server's audit log shows.
        configuration: where and who; None: the pod's ServiceAccount or the kubeconfig.

    Raises:
        ClusterError: no way into a cluster was found.
    """
    configuration = configuration or load_configuration()
    configuration.connection_pool_maxsize = POOL_SIZE
    # One more try for a connection that could not be made; answers and lost answers are the work queue's business.
    configuration.retries = urllib3.Retry(
        total=1, connect=1, read=0, redirect=0, status=0, other=0, respect_retry_after_header=False
    )
    if not configuration.verify_ssl:
        # Whoever wrote the kubeconfig chose this; a warning per request would bury everything else.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    client = ApiClient(configuration)
    client.user_agent = user_agent
    return client


def _identify(obj: Manifest) -> tuple[Kind, str, str]:
    metadata = obj.get("metadata", {})
    return kind_of(obj), metadata.get("namespace", ""), metadata["name"]
