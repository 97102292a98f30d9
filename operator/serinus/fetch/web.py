"""HTTP for stores that speak no more than that: redirects, credentials that stay with their host, parts, failures.

The only module of the fetch that knows requests and urllib3. It never decodes a content: what is stored is read.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from serinus.fetch.failures import FetchFailed, Passing, RangeIgnored, Reason
from serinus.fetch.source import BLOCK_BYTES, replaced

_TIMEOUTS_SECONDS = (10.0, 60.0)  # to connect; between two blocks
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_ANSWER_BYTES = 8 * 1024 * 1024
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524})
_BY_DATE = "Last-Modified:"


class Web:
    """A session with any number of hosts, for any number of threads."""

    def __init__(self, *, allow_http: bool, hint: str, certificates: str | None = None) -> None:
        """Prepare, without asking anybody.

        Args:
            allow_http: Whether connections without TLS are allowed.
            hint: Which variables the Secret needs, for the message when a host refuses us.
            certificates: Path of a file with the authorities to trust instead of the usual ones.
        """
        self._allow_http = allow_http
        self._hint = hint
        self._certificates = certificates
        self._session = requests.Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # Attempts are counted by whoever knows how far a file has come.
        adapter = HTTPAdapter(pool_connections=16, pool_maxsize=64, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    @contextmanager
    def open(
        self, url: str, headers: Mapping[str, str], authorization: str = "", *, own: frozenset[int] = frozenset()
    ) -> Iterator[requests.Response]:
        """Open the answer to a GET, after redirects; the credentials go to the URL's own host and port only.

        Args:
            url: Where.
            headers: Sent to every host on the way.
            authorization: Value of the header Authorization, empty for none.
            own: Statuses that the caller understands itself.

        Raises:
            FetchFailed: The host refuses.
            Passing: It failed, or could not be reached.
        """
        home = _origin(url)
        for _ in range(_MOST_REDIRECTS + 1):
            self._refuse_plain(url)
            sent = {"Accept-Encoding": "identity", "User-Agent": "serinus-fetch", **headers}
            if authorization and _origin(url) == home:
                sent["Authorization"] = authorization
            with self._request(url, sent) as response:
                if response.status_code in _REDIRECTS and response.headers.get("Location"):
                    url = urljoin(url, response.headers["Location"])
                    continue
                if response.status_code not in own:
                    self._judge(response, bool(authorization))
                yield response
                return
        raise FetchFailed(Reason.UNSUPPORTED, f"{_shown(url)} redirects more than {_MOST_REDIRECTS} times.")

    def text(
        self, url: str, headers: Mapping[str, str], authorization: str = "", *, own: frozenset[int] = frozenset()
    ) -> tuple[bytes, int]:
        """Return the body of a small answer, and its status.

        Args:
            url: Where.
            headers: Sent to every host on the way.
            authorization: Value of the header Authorization, empty for none.
            own: Statuses that the caller understands itself.

        Raises:
            FetchFailed: The host refuses, or the answer is larger than 8 MiB.
            Passing: It failed, or could not be reached.
        """
        with self.open(url, headers, authorization, own=own) as response:
            body = bytearray()
            for block in blocks(response, url):
                body += block
                if len(body) > _ANSWER_BYTES:
                    raise FetchFailed(
                        Reason.UNSUPPORTED, f"{_shown(url)} answers with more than 8 MiB where a list belongs."
                    )
            return bytes(body), response.status_code

    @contextmanager
    def part(
        self, url: str, start: int, end: int | None, authorization: str = "", *, expected: str = "", size: int = -1
    ) -> Iterator[Iterator[bytes]]:
        """Open the bytes of a file from ``start`` up to, without, ``end``, in blocks.

        Args:
            url: Where.
            start: First byte.
            end: Byte after the last one; None for the end of the file.
            authorization: Value of the header Authorization, empty for none.
            expected: The file's tag as ``tag_of`` gave it; another one means that it was replaced.
            size: Of the whole file in bytes, -1 if it is not known.

        Raises:
            FetchFailed: The host refuses, or the file was replaced.
            Passing: The connection failed.
            RangeIgnored: The host sends the whole instead of a part.
        """
        partial = start > 0 or end is not None
        headers = _conditions(expected)
        if partial:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        with self.open(url, headers, authorization, own=frozenset({412, 416})) as response:
            _refuse_replaced(response, url, expected)
            if partial and response.status_code != 206:
                raise RangeIgnored
            given, total = _content_range(response)
            if partial and given != start:
                raise Passing(f"{_shown(url)} sent another part than it was asked for")
            length = total if partial else _length(response)
            if size >= 0 and length >= 0 and length != size:
                raise replaced(f"{_shown(url)} had {size} bytes when it was resolved and has {length} now")
            _refuse_compressed(response, url)
            yield blocks(response, url)

    @contextmanager
    def _request(self, url: str, headers: Mapping[str, str]) -> Iterator[requests.Response]:
        try:
            response = self._session.get(
                url,
                headers=dict(headers),
                stream=True,
                allow_redirects=False,
                timeout=_TIMEOUTS_SECONDS,
                verify=self._certificates or True,
                # Otherwise a .netrc somewhere would decide who we are.
                auth=lambda request: request,
            )
        except requests.exceptions.SSLError as error:
            raise FetchFailed(
                Reason.UNREACHABLE,
                f"{_shown(url)} cannot be trusted: {_cause(error)}. Put the authority's certificate (PEM) into the "
                "Secret as SERINUS_FETCH_CA.",
            ) from None
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise Passing(f"{_shown(url)} cannot be reached: {_cause(error)}") from None
        except (requests.RequestException, ValueError) as error:
            raise FetchFailed(Reason.UNSUPPORTED, f"{_shown(url)} cannot be asked: {_cause(error)}.") from None
        try:
            yield response
        finally:
            response.close()

    def _refuse_plain(self, url: str) -> None:
        if urlsplit(url).scheme == "https" or (self._allow_http and urlsplit(url).scheme == "http"):
            return
        raise FetchFailed(
            Reason.UNSUPPORTED,
            f"{_shown(url)} is not https, so anybody on the way could change the model. Use https, or set "
            "SERINUS_FETCH_ALLOW_HTTP=true in the Secret if the network is yours.",
        )

    def _judge(self, response: requests.Response, had_credentials: bool) -> None:
        status, where = response.status_code, _shown(response.url)
        if status in _PASSING:
            raise Passing(f"{where} answers {status}", wait_seconds=_retry_after(response))
        if status in {401, 403}:
            if had_credentials:
                raise FetchFailed(Reason.FORBIDDEN, f"{where} answers {status} to our credentials. {self._hint}")
            raise FetchFailed(Reason.CREDENTIALS_MISSING, f"{where} answers {status} without credentials. {self._hint}")
        if status in {404, 410}:
            raise FetchFailed(Reason.NOT_FOUND, f"{where} does not exist (the server answers {status}).")
        if not 200 <= status < 300:
            raise FetchFailed(Reason.UNSUPPORTED, f"{where} answers {status}, which is no answer to a download.")


def blocks(response: requests.Response, url: str) -> Iterator[bytes]:
    """Yield the bytes of an answer as they were sent, in blocks of at most 1 MiB.

    Raises:
        Passing: The connection broke before all had come.
    """
    try:
        while block := response.raw.read(BLOCK_BYTES, decode_content=False):
            yield block
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Passing(f"the connection to {_shown(url)} broke: {_cause(error)}") from None


def tag_of(response: requests.Response) -> str:
    """Return what changes with the content: the ETag, else the time of the last change, else nothing."""
    if etag := response.headers.get("ETag", ""):
        return etag
    modified = response.headers.get("Last-Modified", "")
    return f"{_BY_DATE}{modified}" if modified else ""


def size_of(response: requests.Response) -> int:
    """Return the size of the whole file in bytes, -1 if the answer does not say."""
    return _content_range(response)[1] if response.status_code in {206, 416} else _length(response)


def _refuse_replaced(response: requests.Response, url: str, expected: str) -> None:
    """Refuse an answer that does not prove to be of the file that was resolved."""
    if response.status_code in {412, 416}:
        raise replaced(f"{_shown(url)} was replaced after it was resolved")
    if not expected:
        return
    # A server that sends ETags by now may still have the file of then, and its date tells.
    name = "Last-Modified" if expected.startswith(_BY_DATE) else "ETag"
    tag = response.headers.get(name, "")
    if not tag:
        raise replaced(
            f"{_shown(url)} comes without the {name} that it was resolved with, so nothing shows that it is the same"
        )
    if tag != expected.removeprefix(_BY_DATE):
        raise replaced(f"{_shown(url)} was replaced after it was resolved")


def _refuse_compressed(response: requests.Response, url: str) -> None:
    if (encoding := response.headers.get("Content-Encoding", "identity")) != "identity":
        raise FetchFailed(
            Reason.UNSUPPORTED,
            f"{_shown(url)} is sent compressed ({encoding}) although we asked for it as it is. Store it without a "
            "Content-Encoding.",
        )


def _conditions(expected: str) -> dict[str, str]:
    if expected.startswith(_BY_DATE):
        return {"If-Unmodified-Since": expected.removeprefix(_BY_DATE)}
    # A weak tag never matches by RFC 9110, 13.1.1; it is compared in the answer.
    return {"If-Match": expected} if expected.startswith('"') else {}


def _content_range(response: requests.Response) -> tuple[int, int]:
    """Return first byte and total size, each -1 if unknown, from a header such as ``bytes 0-99/1234``."""
    _, _, value = response.headers.get("Content-Range", "").partition(" ")
    span, _, total = value.partition("/")
    start = span.partition("-")[0]
    return (int(start) if start.isdigit() else -1, int(total) if total.isdigit() else -1)


def _length(response: requests.Response) -> int:
    value = response.headers.get("Content-Length", "")
    return int(value) if value.isdigit() else -1


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port


def _shown(url: str) -> str:
    parts = urlsplit(url)
    # Signatures stand in queries, passwords before an @: neither is needed to know which file is meant.
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _cause(error: BaseException) -> str:
    """Return the innermost reason of nested exceptions of requests and urllib3."""
    inner: BaseException = error
    while True:
        reason = getattr(inner, "reason", None)
        following = reason if isinstance(reason, BaseException) else None
        if following is None and inner.args and isinstance(inner.args[-1], BaseException):
            following = inner.args[-1]
        if following is None:
            text = str(inner)
            return text if len(text) <= 300 else f"{text[:300]}…"
        inner = following
