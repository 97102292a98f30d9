"""Artifacts and images of an OCI registry, by the OCI distribution specification 1.1.

Understands what ORAS writes (files by title), the CNCF model format, and images that hold a model below ``/models``.
"""

import hashlib
import json
import platform
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlencode

from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.https import basic
from serinus.fetch.pins import Pin
from serinus.fetch.remote import Found, RemoteFile
from serinus.fetch.source import replaced
from serinus.fetch.tree import is_digest
from serinus.fetch.uri import RegistryUri
from serinus.fetch.web import Web

HINT = (
    "The Secret needs OCI_USERNAME and OCI_PASSWORD, or .dockerconfigjson (a Secret of the type "
    "kubernetes.io/dockerconfigjson has it)."
)
_INDICES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_TITLE = "org.opencontainers.image.title"
_FILEPATHS = ("org.cncf.model.filepath", "org.cnai.model.filepath")
_UNPACK = "io.deis.oras.content.unpack"
_IMAGE_LAYERS = (
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
)
_IMAGE_DIRECTORY = "models"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class RegistrySource:
    """A manifest and what it names."""

    def __init__(self, uri: RegistryUri, environment: Mapping[str, str], web: Web, *, allow_http: bool) -> None:
        """Prepare, without asking the registry."""
        self._uri, self._web = uri, web
        self._base = f"{'http' if allow_http else 'https'}://{uri.host}/v2/{uri.repository}"
        self._login = login(environment, uri.host)
        self._authorization = ""

    def find(self) -> Found:
        """Ask for the manifest that the tag or digest stands for."""
        return self._at(self._uri.reference)

    def recall(self, pin: Pin) -> Found:
        """Ask for the manifest by its digest."""
        try:
            return self._at(pin.found.commit)
        except FetchFailed as failed:
            if failed.reason is Reason.NOT_FOUND:
                raise replaced(f"The manifest {pin.found.commit} was removed from {self._shown()}") from failed
            raise

    @contextmanager
    def read(self, file: RemoteFile, start: int, end: int | None) -> Iterator[Iterator[bytes]]:
        """Open a part of a blob; a token that has expired meanwhile is renewed once."""
        with ExitStack() as stack:
            url = f"{self._base}/blobs/{file.key}"
            try:
                part = self._web.part(url, start, end, self._authorization, size=file.size)
                blocks = stack.enter_context(part)
            except FetchFailed as failed:
                if failed.reason not in {Reason.FORBIDDEN, Reason.CREDENTIALS_MISSING}:
                    raise
                self._authenticate(f"{self._base}/manifests/{self._uri.reference}")
                part = self._web.part(url, start, end, self._authorization, size=file.size)
                blocks = stack.enter_context(part)
            yield blocks

    def _at(self, reference: str) -> Found:
        manifest, digest = self._manifest(reference)
        inner = manifest
        if manifest.get("mediaType") in _INDICES or "manifests" in manifest:
            inner, _ = self._manifest(_choose(manifest, self._shown()))
        layers = inner.get("layers")
        if not isinstance(layers, list) or not layers:
            raise FetchFailed(Reason.UNSUPPORTED, f"{self._shown()} has no layers, so no model is in it.")
        files = tuple(_file(index, layer) for index, layer in enumerate(layers))
        source = f"oci://{self._uri.host}/{self._uri.repository}@{digest}"
        return Found(files=files, commit=digest, sealed=True, source=source)

    def _manifest(self, reference: str) -> tuple[dict[str, Any], str]:
        url = f"{self._base}/manifests/{reference}"
        headers = {"Accept": ", ".join((*_MANIFESTS, *_INDICES))}
        self._authenticate(url)
        body, _ = self._web.text(url, headers, self._authorization)
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if is_digest(reference) and digest != reference:
            raise FetchFailed(Reason.INTERRUPTED, f"{self._shown()} sent another manifest than {reference}.")
        try:
            manifest = json.loads(body)
        except ValueError:
            manifest = None
        if not isinstance(manifest, dict):
            raise FetchFailed(Reason.UNSUPPORTED, f"{self._shown()} does not answer with a manifest. Is it a registry?")
        return manifest, digest

    def _authenticate(self, url: str) -> None:
        """Get what the registry wants to see, if it wants anything.

        The token service is whoever the registry names, as in every client; without TLS only where that is allowed.
        """
        headers = {"Accept": ", ".join((*_MANIFESTS, *_INDICES))}
        with self._web.open(url, headers, own=frozenset({401, 403, 404})) as response:
            if response.status_code != 401:
                return
            scheme, _, rest = response.headers.get("WWW-Authenticate", "").partition(" ")
        if scheme.lower() == "basic":
            self._authorization = self._login
            return
        challenge = dict(_CHALLENGE.findall(rest))
        if scheme.lower() != "bearer" or "realm" not in challenge:
            raise FetchFailed(
                Reason.UNSUPPORTED, f"{self._shown()} asks for credentials of a kind that is not known: {scheme}."
            )
        scope = challenge.get("scope") or f"repository:{self._uri.repository}:pull"
        query = urlencode({"service": challenge.get("service", ""), "scope": scope})
        body, _ = self._web.text(f"{challenge['realm']}?{query}", {}, self._login)
        try:
            answer = json.loads(body)
            token = answer.get("token") or answer["access_token"]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise FetchFailed(Reason.UNSUPPORTED, f"The token service of {self._shown()} sent no token.") from None
        self._authorization = f"Bearer {token}"

    def _shown(self) -> str:
        return f"oci://{self._uri.host}/{self._uri.repository}"


def login(environment: Mapping[str, str], host: str) -> str:
    """Return the value of the header Authorization for a registry, from the variables or the Docker configuration.

    Raises:
        FetchFailed: The configuration is no such JSON.
    """
    if username := environment.get("OCI_USERNAME"):
        return basic(username, environment.get("OCI_PASSWORD", ""))
    text = environment.get(".dockerconfigjson") or environment.get("DOCKER_CONFIG_JSON") or ""
    if not text:
        return ""
    try:
        for name, entry in json.loads(text).get("auths", {}).items():
            if re.sub(r"^https?://", "", name).split("/")[0] == host:
                if entry.get("auth"):
                    return f"Basic {entry['auth']}"
                return basic(entry["username"], entry["password"])
    except (ValueError, KeyError, AttributeError, TypeError):
        # Nothing of it may be quoted: it is a secret.
        raise FetchFailed(
            Reason.UNSUPPORTED, "The Secret's .dockerconfigjson is not the JSON that docker login writes."
        ) from None
    return ""


def _choose(index: Mapping[str, Any], shown: str) -> str:
    """Return the digest of the manifest for this machine, or of the only one."""
    manifests = [entry for entry in index.get("manifests", ()) if isinstance(entry, dict)]
    wanted = _MACHINES.get(platform.machine(), platform.machine())
    fitting = [entry for entry in manifests if (entry.get("platform") or {}).get("architecture") == wanted]
    chosen = fitting or (manifests if len(manifests) == 1 else [])
    digest = str(chosen[0].get("digest", "")) if chosen else ""
    if not is_digest(digest):
        raise FetchFailed(
            Reason.UNSUPPORTED, f"{shown} is an index without a manifest for {wanted}. Name one by its digest."
        )
    return digest


def _file(index: int, layer: Any) -> RemoteFile:
    digest, size = layer.get("digest", ""), layer.get("size")
    if not is_digest(digest) or not isinstance(size, int) or size < 0:
        raise FetchFailed(Reason.UNSUPPORTED, f"Layer {index} of the artifact has no SHA-256 digest or no size.")
    annotations = layer.get("annotations") or {}
    kind = str(layer.get("mediaType", ""))
    filepath = next((annotations[name] for name in _FILEPATHS if annotations.get(name)), "")
    title = annotations.get(_TITLE) or filepath
    archived = kind.endswith((".tar", ".tar+gzip"))
    below: str | None = None
    if annotations.get(_UNPACK) == "true" or (filepath and archived):
        below = ""
    elif not title and kind in _IMAGE_LAYERS:
        below = _IMAGE_DIRECTORY
    elif not title:
        raise FetchFailed(
            Reason.UNSUPPORTED,
            f"Layer {index} of the artifact ({kind}) has no title, and is no layer of an image. Push the files with "
            "`oras push`, or build an image that holds them below /models.",
        )
    path = title if below is None else f"layer-{index}-{digest[7:19]}"
    return RemoteFile(path=path, key=digest, size=size, sha256=digest.removeprefix("sha256:"), unpack=below)
