"""Model versions of an MLflow registry, by MLflow's REST interface 2.0; the files themselves are where it says.

Artifacts that MLflow serves itself come through its proxy; all others straight from their store.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.https import authorization
from serinus.fetch.pins import Pin
from serinus.fetch.remote import Found, RemoteFile
from serinus.fetch.source import Source, unchanged
from serinus.fetch.uri import MlflowUri
from serinus.fetch.web import Web, size_of, tag_of

HINT = "The Secret needs MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
_PROXIED = "mlflow-artifacts:"
_ELSEWHERE = ("s3://", "gs://", "https://")
_MOST_DIRECTORIES = 10_000


class MlflowSource:
    """A version of a registered model, by its number or by an alias that points to it."""

    def __init__(
        self, uri: MlflowUri, environment: Mapping[str, str], web: Web, open_elsewhere: Callable[[str], Source]
    ) -> None:
        """Prepare, without asking the registry.

        Args:
            uri: Which version.
            environment: Says where the registry is, and how to log in.
            web: Reaches it.
            open_elsewhere: Opens the store in which the version's files are.

        Raises:
            FetchFailed: Nobody said where the registry is.
        """
        base = (environment.get("MLFLOW_REGISTRY_URI") or environment.get("MLFLOW_TRACKING_URI") or "").rstrip("/")
        if not base.startswith(("http://", "https://")):
            raise FetchFailed(
                Reason.CREDENTIALS_MISSING,
                "models:/ needs to know the registry: put MLFLOW_TRACKING_URI=https://… into the Secret of secretRef "
                "(and the user and password, if it wants them).",
            )
        self._uri, self._web, self._base = uri, web, base
        self._authorization = authorization(environment, "MLFLOW_TRACKING")
        self._open_elsewhere = open_elsewhere
        self._inner: Source | None = None

    def find(self) -> Found:
        """Ask which version it is, where its files are, and what is there."""
        version = self._version()
        where = self._location(version)
        self._inner = self._open(where)
        found = self._inner.find()
        # A signature in it may not be pinned: the registry is asked for it again.
        source = "" if "?" in where else where
        return replace(found, commit=f"{self._uri.name}/{version['version']}", sealed=False, source=source)

    def recall(self, pin: Pin) -> Found:
        """Return what the pin remembers, from where the version's files were then, whatever the alias means now."""
        where = pin.found.source or self._location({"version": pin.found.commit.rpartition("/")[2]})
        self._inner = self._open(where)
        return self._inner.recall(pin)

    def read(self, file: RemoteFile, start: int, end: int | None) -> AbstractContextManager[Iterator[bytes]]:
        """Open a part of a file in the store where it is."""
        if self._inner is None:
            raise RuntimeError("nothing was found or recalled yet")
        return self._inner.read(file, start, end)

    def _version(self) -> dict[str, Any]:
        if self._uri.alias:
            answer = self._ask("registered-models/alias", name=self._uri.name, alias=self._uri.alias)
        else:
            answer = self._ask("model-versions/get", name=self._uri.name, version=self._uri.version)
        version = answer.get("model_version")
        if not isinstance(version, dict) or not str(version.get("version", "")).isdigit():
            raise FetchFailed(Reason.UNSUPPORTED, f"{self._base} does not answer like an MLflow registry.")
        if version.get("status", "READY") != "READY":
            raise FetchFailed(
                Reason.NOT_FOUND,
                f"Version {version['version']} of {self._uri.name} is not ready: {version.get('status')} "
                f"{version.get('status_message', '')}".rstrip()
                + ".",
            )
        return version

    def _location(self, version: Mapping[str, Any]) -> str:
        answer = self._ask("model-versions/get-download-uri", name=self._uri.name, version=str(version["version"]))
        where = str(answer.get("artifact_uri") or version.get("source") or "")
        if where.startswith("models:/"):
            # MLflow 3: a version may stand for a logged model.
            model = where.removeprefix("models:/").strip("/")
            info = self._ask(f"logged-models/{quote(model, safe='')}").get("model", {}).get("info", {})
            where = str(info.get("artifact_uri", ""))
        return where

    def _open(self, where: str) -> Source:
        if where.startswith(_PROXIED):
            # mlflow-artifacts://host/path names another server than the one that we were told to trust.
            path = urlsplit(where).path.strip("/")
            return _Proxied(self._web, self._base, self._authorization, path)
        if where.startswith("wasbs://"):
            where = _from_wasbs(where)
        if where.startswith((*_ELSEWHERE, "az://")):
            return self._open_elsewhere(where)
        scheme = where.partition(":")[0] if ":" in where else "a path of the server"
        raise FetchFailed(
            Reason.UNSUPPORTED,
            f"The files of {self._uri.name} are at {scheme}, out of reach from here. Start the tracking server "
            "with --artifacts-destination (it then serves them itself), or with a store of s3, gs or wasbs.",
        )

    def _ask(self, what: str, **query: str) -> dict[str, Any]:
        return ask_mlflow(self._web, f"{self._base}/api/2.0/mlflow/{what}", query, self._authorization)


class _Proxied:
    """Files that the tracking server keeps, or hands through from a store."""

    def __init__(self, web: Web, base: str, authorization: str, path: str) -> None:
        self._web, self._authorization, self._root = web, authorization, path
        self._artifacts = f"{base}/api/2.0/mlflow-artifacts/artifacts"

    def find(self) -> Found:
        files: list[RemoteFile] = []
        waiting = [""]
        asked = 0
        while waiting:
            asked += 1
            if asked > _MOST_DIRECTORIES:
                raise FetchFailed(Reason.UNSUPPORTED, f"The model has more than {_MOST_DIRECTORIES} directories.")
            below = waiting.pop()
            for entry in self._list(below):
                # Servers differ in whether they name a file from the root or from the directory that was asked for.
                name = str(entry.get("path", "")).rpartition("/")[2]
                path = f"{below}/{name}".lstrip("/")
                if entry.get("is_dir"):
                    waiting.append(path)
                else:
                    size = entry.get("file_size")
                    size = -1 if size is None else int(size)
                    files.append(RemoteFile(path=path, key=f"{self._root}/{path}", size=size))
        if not files:
            raise FetchFailed(Reason.NOT_FOUND, "The model version has no files.")
        files.sort(key=lambda file: file.path.encode())
        with ThreadPoolExecutor(8) as pool:
            return Found(files=tuple(pool.map(self._with_tag, files)))

    def _with_tag(self, file: RemoteFile) -> RemoteFile:
        """Ask for the first byte: the server has an etag for files of its own disk, and none for those of a store.

        Raises:
            FetchFailed: The server contradicts itself about the file's size.
        """
        url = f"{self._artifacts}/{quote(file.key)}"
        headers = {"Range": "bytes=0-0"}
        with self._web.open(url, headers, self._authorization, own=frozenset({416})) as response:
            size = size_of(response)
            if file.size >= 0 and size >= 0 and file.size != size:
                raise FetchFailed(
                    Reason.UNSUPPORTED,
                    f"The MLflow server lists {file.path} with {file.size} bytes and sends {size}: it may be "
                    "written just now, or was damaged. Log the model again.",
                )
            return replace(file, etag=tag_of(response), size=max(size, file.size))

    def recall(self, pin: Pin) -> Found:
        return pin.found if pin.found.files else unchanged(self.find(), pin)

    def read(self, file: RemoteFile, start: int, end: int | None) -> AbstractContextManager[Iterator[bytes]]:
        url = f"{self._artifacts}/{quote(file.key)}"
        return self._web.part(url, start, end, self._authorization, expected=file.etag, size=file.size)

    def _list(self, below: str) -> list[dict[str, Any]]:
        path = f"{self._root}/{below}".rstrip("/")
        answer = ask_mlflow(self._web, self._artifacts, {"path": path}, self._authorization)
        files = answer.get("files", [])
        return [entry for entry in files if isinstance(entry, dict)] if isinstance(files, list) else []


def ask_mlflow(web: Web, url: str, query: Mapping[str, str], authorization: str) -> dict[str, Any]:
    """Return the JSON object that MLflow answers.

    Raises:
        FetchFailed: It refuses, or the answer is none.
        Passing: It failed, or could not be reached.
    """
    headers = {"Accept": "application/json"}
    body, status = web.text(f"{url}?{urlencode(query)}", headers, authorization, own=frozenset({400, 404}))
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise FetchFailed(Reason.UNSUPPORTED, f"{url} does not answer like an MLflow server.")
    if status != 200:
        # An alias that is not there is a 400 to MLflow.
        raise FetchFailed(Reason.NOT_FOUND, f"MLflow says: {answer.get('message') or status}")
    return answer


def _from_wasbs(where: str) -> str:
    """Return ``az://container@account/path`` for Hadoop's spelling of the same."""
    parts = urlsplit(where)
    container, _, host = parts.netloc.partition("@")
    return f"az://{container}@{host.partition('.')[0]}{parts.path}"
