"""Object stores: S3 and what speaks its protocol, Google Cloud Storage, Azure Blob Storage; all through obstore.

The only module of the fetch that knows obstore, which finds its credentials in the environment by itself: keys, web
identities, the node's metadata service.
"""

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import obstore
from obstore import exceptions
from obstore.store import AzureStore, GCSStore, S3Store

from serinus.fetch.failures import FetchFailed, Passing, Reason
from serinus.fetch.pins import Pin, fingerprint
from serinus.fetch.remote import Found, RemoteFile
from serinus.fetch.s3_versions import recall_versions
from serinus.fetch.source import BLOCK_BYTES, replaced, unchanged
from serinus.fetch.uri import ObjectUri
from serinus.fetch.web import Web

# More versions do not fit into a pin, so asking for them would be in vain.
_MOST_VERSIONS = 80
CREDENTIALS = {
    "s3": "The Secret needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_REGION; AWS_ENDPOINT_URL for stores "
    "other than Amazon's), or AWS_SKIP_SIGNATURE=true for a public bucket.",
    "gs": "The Secret needs GOOGLE_SERVICE_ACCOUNT_KEY (the JSON of a key), or GOOGLE_SKIP_SIGNATURE=true for a public "
    "bucket.",
    "az": "The Secret needs AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN (or a "
    "client's AZURE_STORAGE_CLIENT_ID, …_SECRET and …_TENANT_ID), or AZURE_SKIP_SIGNATURE=true for a public container.",
}
# Where the clouds' metadata services are: asked only when no other credentials were found.
_METADATA = re.compile(r"169\.254\.\d|/latest/(api/token|meta-data)|computeMetadata|/metadata/identity|fd00:ec2::254")
_STATUS = re.compile(r"\bstatus(?: code)?:? \"?(\d{3})\b|\b(\d{3}) (?:Bad Request|Unauthorized|Forbidden|Not Found)")
_CODE = re.compile(r"<Code>([^<]*)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")
_UNTRUSTED = re.compile(r"invalid peer certificate[\w :]*|UnknownIssuer|CaUsedAsEndEntity")
_UNREADABLE = re.compile(r"(?i)unable to (?:decode|open) service account|DecodeCredentials|decode.{0,20}\bkey\b")
_MISSING = re.compile(
    r"(?i)missing (?:credential|account|key|bucket|region)|could not find|no credentials|MissingAccount"
)


class ObjectSource:
    """An object, or all objects below a prefix."""

    def __init__(
        self, uri: ObjectUri, environment: Mapping[str, str], web: Web, *, allow_http: bool, certificates: str = ""
    ) -> None:
        """Prepare, without asking the store.

        Args:
            uri: Where the model is.
            environment: What obstore reads from the process' own.
            web: Reaches the same store past obstore.
            allow_http: Whether connections without TLS are allowed.
            certificates: PEM of the authorities to trust beside the usual ones.

        Raises:
            FetchFailed: What is set does not fit together.
        """
        self._uri = uri
        self._web, self._environment = web, environment
        client: dict[str, Any] = {
            "allow_http": allow_http,
            "connect_timeout": timedelta(seconds=10),
            # Of the whole request: a part of 16 MiB over a thin line.
            "timeout": timedelta(minutes=10),
            "read_timeout": timedelta(seconds=60),
        }
        if certificates:
            client["root_certificate"] = certificates
        retry: dict[str, Any] = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}
        with self._failures(""):
            self._store = _open_store(uri, client, retry)

    def find(self) -> Found:
        """Ask the store for the object, or for all below the prefix, with versions where it keeps them."""
        files = self._list()
        with_versions = len(files) <= _MOST_VERSIONS
        with ThreadPoolExecutor(8) as pool:
            # An empty object may be how a console marks a directory: asked for by name, it is not there.
            asked = pool.map(lambda file: self._head(file) if with_versions or not file.size else file, files)
            return Found(files=tuple(file for file in asked if file is not None))

    def recall(self, pin: Pin) -> Found:
        """Return the files of the pin; if they did not fit into it, those of which its fingerprint was made."""
        if pin.found.files:
            return pin.found
        now = self.find()
        if self._uri.scheme == "s3" and fingerprint(now) != pin.fingerprint:
            earlier = recall_versions(self._web, self._environment, self._uri.bucket, self._uri.key, pin)
            return earlier or unchanged(now, pin)
        return unchanged(now, pin)

    @contextmanager
    def read(self, file: RemoteFile, start: int, end: int | None) -> Iterator[Iterator[bytes]]:
        """Open a part of an object: of its version, or on condition that it still has its etag."""
        options: dict[str, Any] = {}
        if file.version:
            options["version"] = file.version
        elif file.etag:
            options["if_match"] = file.etag
        if end is not None:
            options["range"] = (start, end)
        elif start:
            options["range"] = {"offset": start}
        try:
            with self._failures(file.key):
                result = obstore.get(self._store, file.key, options=options)  # type: ignore[arg-type]
        except FetchFailed as failed:
            # What was listed a moment ago, or pinned, and is not there now.
            if failed.reason is Reason.NOT_FOUND:
                raise replaced(f"{self._shown(file.key)} was removed after it was resolved") from failed
            raise
        if result.meta["size"] != file.size:
            raise replaced(
                f"{self._shown(file.key)} had {file.size} bytes when it was resolved, now {result.meta['size']}"
            )
        yield self._blocks(result, file.key)

    def _blocks(self, result: Any, key: str) -> Iterator[bytes]:
        with self._failures(key):
            for block in result.stream(min_chunk_size=BLOCK_BYTES):
                yield bytes(block)

    def _list(self) -> tuple[RemoteFile, ...]:
        prefix = self._uri.key
        with self._failures(prefix):
            listed = [meta for chunk in obstore.list(self._store, prefix or None, chunk_size=1000) for meta in chunk]
        files = _without_directories(prefix, listed)
        if files:
            return files
        if prefix:
            with self._failures(prefix):
                meta = obstore.head(self._store, prefix)
            return (_file(meta, prefix.rpartition("/")[2]),)
        raise FetchFailed(Reason.NOT_FOUND, f"{self._shown(prefix)} holds no object. Is the path right?")

    def _head(self, file: RemoteFile) -> RemoteFile | None:
        try:
            with self._failures(file.key):
                return _file(obstore.head(self._store, file.key), file.path)
        except FetchFailed as failed:
            if failed.reason is not Reason.NOT_FOUND:
                raise
            if not file.size:
                return None
            raise Passing(f"{self._shown(file.key)} was removed while it was being listed") from failed

    def _shown(self, key: str) -> str:
        return f"{self._uri.scheme}://{self._uri.bucket}/{key}"

    @contextmanager
    def _failures(self, key: str) -> Iterator[None]:
        """Turn obstore's errors into ours."""
        hint = CREDENTIALS[self._uri.scheme]
        shown = self._shown(key)
        try:
            yield
        except FileNotFoundError as error:
            raise FetchFailed(Reason.NOT_FOUND, f"{shown} does not exist. Is the path right?") from error
        except exceptions.PreconditionError as error:
            raise replaced(f"{shown} was replaced after it was resolved") from error
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise FetchFailed(
                Reason.FORBIDDEN, f"{shown} may not be read with these credentials ({_brief(error)}). {hint}"
            ) from error
        except exceptions.InvalidPathError as error:
            raise FetchFailed(
                Reason.UNSUPPORTED, f"{shown} holds an object whose name cannot be read ({_brief(error)}). Rename it."
            ) from error
        except (exceptions.BaseError, ValueError, OSError) as error:
            raise self._unclear(error, shown, hint) from error

    def _unclear(self, error: Exception, shown: str, hint: str) -> Exception:
        text = str(error)
        if _METADATA.search(text) or _MISSING.search(text):
            return FetchFailed(Reason.CREDENTIALS_MISSING, f"There are no credentials for {shown}. {hint}")
        if untrusted := _UNTRUSTED.search(text):
            return FetchFailed(
                Reason.UNREACHABLE,
                f"{shown} cannot be trusted: {untrusted[0]}. Put the authority's certificate (PEM) into the Secret as "
                "SERINUS_FETCH_CA.",
            )
        if _UNREADABLE.search(text):
            return FetchFailed(
                Reason.CREDENTIALS_MISSING,
                f"The credentials for {shown} are garbled ({_brief(error)}). {hint}",
            )
        status = _STATUS.search(text)
        code = int(status[1] or status[2]) if status else 0
        if code in {401, 403}:
            return FetchFailed(
                Reason.FORBIDDEN, f"{shown} may not be read with these credentials ({_brief(error)}). {hint}"
            )
        if code in {404, 410}:
            return FetchFailed(Reason.NOT_FOUND, f"{shown} does not exist ({_brief(error)}). Is the path right?")
        if 400 <= code < 500 and code not in {408, 425, 429}:
            return FetchFailed(Reason.UNSUPPORTED, f"{shown} cannot be read: {_brief(error)}.")
        if isinstance(error, exceptions.UnknownConfigurationKeyError | ValueError):
            return FetchFailed(Reason.UNSUPPORTED, f"The settings for {shown} do not fit: {_brief(error)}. {hint}")
        return Passing(f"{shown} cannot be read: {_brief(error)}")


def _open_store(uri: ObjectUri, client: dict[str, Any], retry: dict[str, Any]) -> Any:
    options: dict[str, Any] = {"client_options": client, "retry_config": retry}
    match uri.scheme:
        case "s3":
            return S3Store(uri.bucket, **options)
        case "gs":
            return GCSStore(uri.bucket, **options)
        case _:
            account: dict[str, Any] = {"account_name": uri.account} if uri.account else {}
            return AzureStore(uri.bucket, **account, **options)


def _without_directories(prefix: str, listed: list[Any]) -> tuple[RemoteFile, ...]:
    """Return the files of a listing, without the empty objects with which consoles mark a directory."""
    directories = {path[:i] for path in (str(meta["path"]) for meta in listed) for i, c in enumerate(path) if c == "/"}
    start = len(prefix) + 1 if prefix else 0
    return tuple(
        _file(meta, str(meta["path"])[start:])
        for meta in sorted(listed, key=lambda meta: str(meta["path"]).encode())
        if not (meta["size"] == 0 and (meta["path"] in directories or meta["path"] == prefix))
    )


def _file(meta: Any, path: str) -> RemoteFile:
    version = meta.get("version") or ""
    return RemoteFile(
        path=path,
        key=str(meta["path"]),
        size=int(meta["size"]),
        etag=meta.get("e_tag") or "",
        # What Amazon calls the version of an object that has none, and that the next write replaces.
        version="" if version == "null" else version,
    )


def _brief(error: Exception) -> str:
    """Return what a store says of an error, else its first sentences; the rest is a dump of the request."""
    text = " ".join(str(error).split("Debug source")[0].split())
    said = [match[1] for match in (_CODE.search(text), _MESSAGE.search(text)) if match]
    line = ": ".join(said) if said else text
    return line.rstrip(".") if len(line) <= 300 else f"{line[:300]}…"
