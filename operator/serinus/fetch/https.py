"""A single file on a web server. HTTP is all that it knows."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager

from serinus.fetch.pins import Pin
from serinus.fetch.remote import Found, RemoteFile
from serinus.fetch.source import unchanged
from serinus.fetch.uri import WebUri
from serinus.fetch.web import Web, size_of, tag_of

HINT = "The Secret needs HTTPS_USERNAME and HTTPS_PASSWORD, or HTTPS_TOKEN for a bearer token."


class WebSource:
    """One file."""

    def __init__(self, uri: WebUri, environment: Mapping[str, str], web: Web) -> None:
        """Prepare, without asking the server."""
        self._uri, self._web = uri, web
        self._authorization = authorization(environment, "HTTPS")

    def find(self) -> Found:
        """Ask for the first byte: unlike a HEAD this works with signed URLs, and shows whether parts can be had."""
        headers = {"Range": "bytes=0-0"}
        # 416 is how a server says that there is no first byte.
        with self._web.open(self._uri.url, headers, self._authorization, own=frozenset({416})) as response:
            name = self._uri.filename
            # What follows the question mark may be a signature, which no pin may hold.
            key = self._uri.url.partition("?")[0]
            return Found(files=(RemoteFile(path=name, key=key, size=size_of(response), etag=tag_of(response)),))

    def recall(self, pin: Pin) -> Found:
        """Return the file of the pin; it is read under the URL of today, whose signature may have been renewed."""
        return pin.found if pin.found.files else unchanged(self.find(), pin)

    def read(self, file: RemoteFile, start: int, end: int | None) -> AbstractContextManager[Iterator[bytes]]:
        """Open a part of the file, on condition that it still is the same."""
        url = self._uri.url
        return self._web.part(url, start, end, self._authorization, expected=file.etag, size=file.size)


def authorization(environment: Mapping[str, str], prefix: str) -> str:
    """Return the value of the header Authorization that variables such as ``HTTPS_TOKEN`` ask for, or nothing."""
    if token := environment.get(f"{prefix}_TOKEN"):
        return f"Bearer {token.strip()}"
    username, password = environment.get(f"{prefix}_USERNAME"), environment.get(f"{prefix}_PASSWORD")
    return basic(username, password or "") if username else ""


def basic(username: str, password: str) -> str:
    """Return the value of the header Authorization for a user, by RFC 7617."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"
