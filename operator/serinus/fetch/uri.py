"""Takes a model's URI apart, and refuses what cannot be fetched, with what to write instead.

Pure: asks nobody.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.paths import safe_path

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HUB_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")
SCHEMES = "s3://, gs://, az://, https://, hf://, oci://, models:/name/version or models:/name@alias"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectUri:
    """``s3://bucket/key``, ``gs://bucket/key`` or ``az://container/key``: an object, or all below a prefix."""

    scheme: str
    bucket: str
    key: str
    account: str = ""
    """Azure's storage account, if the URI names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebUri:
    """``https://…``: one file."""

    url: str
    filename: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HubUri:
    """``hf://owner/name@revision/path``: a repository of a Hugging Face Hub, or what is below a path in it."""

    repository: str
    revision: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryUri:
    """``oci://host/repository:tag`` or ``…@sha256:…``: an artifact or image of an OCI registry."""

    host: str
    repository: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowUri:
    """``models:/name/version`` or ``models:/name@alias``; exactly one of version and alias is set."""

    name: str
    version: str = ""
    alias: str = ""


ModelUri = ObjectUri | WebUri | HubUri | RegistryUri | MlflowUri


def parse_uri(text: str) -> ModelUri:
    """Return what a URI means.

    Raises:
        FetchFailed: It cannot be fetched; the message says what to write instead.
    """
    # Keys of objects and names of models may hold spaces; a URL may not.
    lowest = " " if text.startswith(("s3://", "gs://", "az://", "models:/")) else "!"
    if any(character < lowest or character == "\x7f" for character in text):
        raise _refused("a URI holds no blanks or control characters; write %20 for a space")
    scheme, separator, rest = text.partition(":")
    if not separator:
        raise _refused(f"it has no scheme; write one of {SCHEMES}")
    match scheme:
        case "s3" | "gs" | "az":
            return _object(scheme, rest)
        case "https" | "http":
            return _web(text)
        case "hf":
            return _hub(rest)
        case "oci":
            return _registry(rest)
        case "models":
            return _mlflow(rest)
        case "pvc":
            raise _refused("a claim is mounted, not fetched; the operator does that from spec.model.uri")
        case _:
            raise _refused(f"the scheme {scheme[:20]}: is not known; write one of {SCHEMES}")


def _object(scheme: str, rest: str) -> ObjectUri:
    bucket, _, key = _after_slashes(scheme, rest).partition("/")
    account = ""
    if scheme == "az" and "@" in bucket:
        # az://container@account/key, after the way of abfss://.
        bucket, _, account = bucket.partition("@")
        account = account.partition(".")[0]
    if not _BUCKET.fullmatch(bucket):
        raise _refused(f"write {scheme}://bucket/path/of/the/model")
    if "?" in key or "#" in key:
        raise _refused("an object's key goes without ? and #; credentials belong into the Secret of secretRef")
    return ObjectUri(scheme=scheme, bucket=bucket, key=key.strip("/"), account=account)


def _web(text: str) -> WebUri:
    try:
        parts = urlsplit(text)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        raise _refused("it is no URL") from None
    if not host:
        raise _refused("write https://host/path/file")
    if parts.username or parts.password:
        raise _refused("a password in a URL is seen by everybody; put HTTPS_USERNAME and HTTPS_PASSWORD into secretRef")
    filename = unquote(parts.path.rstrip("/").rpartition("/")[2])
    if not filename:
        raise _refused("it names a directory, and HTTP cannot list one; name a file")
    return WebUri(url=text.partition("#")[0], filename=safe_path(filename))


def _hub(rest: str) -> HubUri:
    segments = _after_slashes("hf", rest).strip("/").split("/", 2)
    owner = segments[0]
    name, _, revision = (segments[1] if len(segments) > 1 else "").partition("@")
    path = segments[2] if len(segments) > 2 else ""
    if ":" in name:
        raise _refused("write a revision after an @: hf://owner/name@revision")
    if not _HUB_NAME.fullmatch(owner) or not _HUB_NAME.fullmatch(name):
        raise _refused("write hf://owner/name, hf://owner/name@revision or hf://owner/name@revision/path")
    # A branch may hold slashes; in the URI they are written %2F.
    return HubUri(repository=f"{owner}/{name}", revision=unquote(revision) or "main", path=path and safe_path(path))


def _registry(rest: str) -> RegistryUri:
    host, _, remainder = _after_slashes("oci", rest).partition("/")
    repository, at, digest = remainder.partition("@")
    tag = ""
    if not at:
        repository, _, tag = remainder.partition(":")
    reference = digest if at else tag or "latest"
    good = re.fullmatch(r"sha256:[0-9a-f]{64}", digest) if at else _TAG.fullmatch(reference)
    if "@" in host or not host or not good or not _REPOSITORY.fullmatch(repository):
        raise _refused("write oci://registry/repository:tag or oci://registry/repository@sha256:…")
    return RegistryUri(host=host, repository=repository, reference=reference)


def _mlflow(rest: str) -> MlflowUri:
    path = rest.lstrip("/")
    if "@" in path:
        name, _, alias = path.rpartition("@")
        if name and alias and "/" not in path:
            return MlflowUri(name=name, alias=alias)
    else:
        name, _, version = path.partition("/")
        if name and version.isascii() and version.isdigit():
            return MlflowUri(name=name, version=version)
    raise _refused(
        "write models:/name/version with a number, or models:/name@alias; stages and 'latest' are not supported"
    )


def _after_slashes(scheme: str, rest: str) -> str:
    if not rest.startswith("//"):
        raise _refused(f"write {scheme}://…")
    return rest[2:]


def _refused(hint: str) -> FetchFailed:
    return FetchFailed(Reason.UNSUPPORTED, f"spec.model.uri cannot be fetched: {hint}.")
