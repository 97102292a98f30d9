"""Repositories of a Hugging Face Hub. The only module of the fetch that knows huggingface_hub.

The library says what a repository holds and where; the bytes come as from any web server, so that one piece of code
resumes, limits memory and keeps secrets.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager

from huggingface_hub import HfApi, ModelInfo, hf_hub_url
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from serinus.fetch.failures import FetchFailed, Passing, Reason
from serinus.fetch.pins import Pin
from serinus.fetch.remote import Found, RemoteFile
from serinus.fetch.source import replaced
from serinus.fetch.uri import HubUri
from serinus.fetch.web import Web

HINT = "The Secret needs HF_TOKEN, a token that may read the repository."
_ENDPOINT = "https://huggingface.co"


class HubSource:
    """A repository at a revision, or what is below a path in it."""

    def __init__(self, uri: HubUri, environment: Mapping[str, str], web: Web) -> None:
        """Prepare, without asking the hub."""
        self._uri, self._web = uri, web
        self._endpoint = (environment.get("HF_ENDPOINT") or _ENDPOINT).rstrip("/")
        self._token = (environment.get("HF_TOKEN") or environment.get("HUGGING_FACE_HUB_TOKEN") or "").strip()
        self._api = HfApi(endpoint=self._endpoint, token=self._token or False, library_name="serinus-fetch")

    def find(self) -> Found:
        """Ask for the commit that the revision stands for, and its files."""
        return self._at(self._uri.revision)

    def recall(self, pin: Pin) -> Found:
        """Ask for the files of the commit."""
        try:
            return self._at(pin.found.commit)
        except FetchFailed as failed:
            if failed.reason is Reason.NOT_FOUND:
                raise replaced(f"The commit {pin.found.commit} of {self._uri.repository} is gone") from failed
            raise

    def read(self, file: RemoteFile, start: int, end: int | None) -> AbstractContextManager[Iterator[bytes]]:
        """Open a part of a file of the commit."""
        # Answers may come from another host with its own etags; the content is compared with the commit's digests.
        authorization = f"Bearer {self._token}" if self._token else ""
        return self._web.part(file.key, start, end, authorization, size=file.size)

    def _at(self, revision: str) -> Found:
        info = self._ask(revision)
        commit = info.sha or ""
        prefix = f"{self._uri.path}/" if self._uri.path else ""
        files = tuple(
            RemoteFile(
                path=path,
                key=hf_hub_url(self._uri.repository, name, revision=commit, endpoint=self._endpoint),
                size=sibling.size if sibling.size is not None else -1,
                sha256=sibling.lfs.sha256 if sibling.lfs else "",
                git_blob="" if sibling.lfs else sibling.blob_id or "",
            )
            for sibling in info.siblings or ()
            for name in (sibling.rfilename,)
            if (path := _below(name, prefix))
        )
        if not files:
            raise FetchFailed(
                Reason.NOT_FOUND, f"{self._uri.repository} at {revision} has nothing at {self._uri.path!r}."
            )
        return Found(
            files=files, commit=commit, sealed=True, source=f"hf://{self._uri.repository}@{commit}/{self._uri.path}"
        )

    def _ask(self, revision: str) -> ModelInfo:
        name = f"{self._uri.repository} at {revision}"
        try:
            return self._api.model_info(self._uri.repository, revision=revision, files_metadata=True, timeout=60)
        except GatedRepoError as error:
            reason = Reason.FORBIDDEN if self._token else Reason.CREDENTIALS_MISSING
            raise FetchFailed(
                reason, f"{self._uri.repository} is gated: its owner has to grant access to the token's user. {HINT}"
            ) from error
        except RevisionNotFoundError as error:
            raise FetchFailed(
                Reason.NOT_FOUND, f"There is no revision {revision!r} of {self._uri.repository}."
            ) from error
        except RepositoryNotFoundError as error:
            # The hub does not say whether a repository is private or not there.
            raise FetchFailed(
                Reason.NOT_FOUND if self._token else Reason.CREDENTIALS_MISSING,
                f"{self._uri.repository} does not exist or is private. {HINT}",
            ) from error
        except HfHubHTTPError as error:
            raise self._refused(name, error.response.status_code) from error
        except Exception as error:
            # Its HTTP library is not ours to know; what it raises means that no usable answer came.
            raise Passing(f"{self._endpoint} cannot be asked about {name}: {type(error).__name__}: {error}") from error

    def _refused(self, name: str, status: int) -> Exception:
        if status in {401, 403}:
            reason = Reason.FORBIDDEN if self._token else Reason.CREDENTIALS_MISSING
            return FetchFailed(reason, f"{name} may not be read (status {status}). {HINT}")
        if status in {408, 429} or status >= 500:
            return Passing(f"{self._endpoint} answers {status} to a question about {name}")
        return FetchFailed(Reason.UNSUPPORTED, f"{self._endpoint} answers {status} to a question about {name}.")


def _below(name: str, prefix: str) -> str:
    """Return a file's path below a prefix, its last segment if the prefix is the file itself, else nothing."""
    if name == prefix.rstrip("/"):
        return name.rpartition("/")[2]
    return name.removeprefix(prefix) if name.startswith(prefix) else ""
