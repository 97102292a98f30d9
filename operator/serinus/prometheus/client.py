"""Ask Prometheus: instant queries at an explicit time, typed answers, errors of our own tree.

The only importer of prometheus_api_client. Knows HTTP; must not know signals, pods or verdicts. The library's own
``custom_query`` puts the query into the URL, has no timeout, waits seconds between retries and drops warnings and
result types; its session, authentication and retry set-up are what we use.
"""

from collections.abc import Mapping
from datetime import datetime
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import NoReturn, Self
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
from prometheus_api_client import PrometheusConnect
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3.util.retry import Retry

from serinus.errors import BadQuery, MetricsUnavailable
from serinus.prometheus.answers import Matrix, Vector, parse_failure, parse_matrix, parse_vector

_CONNECT_SECONDS = 2.0
_BAD_QUERY_STATUSES = (400, 422)
_BAD_QUERY_TYPES = ("bad_data", "execution")
# A pooled connection that the server has just closed deserves a second try; a struggling server does not need more.
_RETRY = Retry(total=1, allowed_methods=None, respect_retry_after_header=False)


class Prometheus(PrometheusConnect):  # type: ignore[misc]
    """One Prometheus (or what speaks its query API). Safe to use from several threads."""

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float = 5.0,
        headers: Mapping[str, str] | None = None,
        auth: AuthBase | None = None,
        verify: bool | str = True,
    ) -> None:
        """Prepare a session; nothing is sent yet.

        Args:
            url: base address, such as ``http://prometheus.monitoring:9090``; a user and password in it are used for
                basic authentication and shown nowhere.
            timeout_seconds: for one answer; a query takes at most twice that and the time to connect.
            headers: sent with each request, such as a tenant's name.
            auth: what adds credentials to each request.
            verify: False, or the path of a CA bundle.
        """
        address, basic = _without_credentials(url)
        session = requests.Session()
        session.verify = verify
        # Neither proxies nor credentials from the environment: the address in the settings is meant as it stands.
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        super().__init__(url=address, headers=dict(headers or {}), session=session, retry=_RETRY, auth=auth or basic)
        self._answer_seconds = timeout_seconds

    def instant(self, query: str, at: datetime) -> Vector:
        """Ask for the value of a query at one instant.

        Args:
            query: PromQL.
            at: aware datetime; millisecond precision.

        Raises:
            MetricsUnavailable: no usable answer; asking again later may help.
            BadQuery: Prometheus says that the query itself is wrong.
        """
        return parse_vector(self._ask(query, at))

    def matrix(self, query: str, at: datetime) -> Matrix:
        """Ask for the raw samples that a range selector such as ``metric{…}[5m]`` has at one instant.

        Raises:
            MetricsUnavailable: no usable answer; asking again later may help.
            BadQuery: Prometheus says that the query itself is wrong.
        """
        return parse_matrix(self._ask(query, at))

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, query: str, at: datetime) -> object:
        form = {"query": query, "time": f"{at.timestamp():.3f}", "timeout": f"{self._answer_seconds:g}s"}
        try:
            response = self._session.post(
                f"{self.url}/api/v1/query",
                data=form,
                headers=self.headers,
                auth=self.auth,
                timeout=(_CONNECT_SECONDS, self._answer_seconds),
                allow_redirects=False,
            )
            answer = _json(response)
        except requests.RequestException as error:
            raise MetricsUnavailable(f"Prometheus at {self.url} {_trouble(error)}") from error
        if response.status_code != requests.codes.ok or answer is None:
            self._refuse(response, answer)
        return answer

    def _refuse(self, response: requests.Response, answer: object) -> NoReturn:
        status = response.status_code
        failure = parse_failure(answer)
        if failure and status in _BAD_QUERY_STATUSES and failure[0] in _BAD_QUERY_TYPES:
            raise BadQuery(f"Prometheus refuses the query: {failure[1]}")
        if status in (401, 403):
            why = f"does not accept our credentials (HTTP {status}): check the token or password"
        elif failure:
            why = f"reports {failure[0]} (HTTP {status}): {failure[1]}"
        elif status == requests.codes.ok:
            why = "answered with something that is not JSON: check that the address is the API's, without a login page"
        elif 300 <= status < 400:
            why = f"redirects elsewhere (HTTP {status}): set the final address, with its path prefix"
        else:
            why = f"answered with HTTP {status}"
        raise MetricsUnavailable(f"Prometheus at {self.url} {why}")


def _json(response: requests.Response) -> object:
    try:
        answer: object = response.json()
    except requests.exceptions.JSONDecodeError:
        return None
    return answer


def _trouble(error: requests.RequestException) -> str:
    # The foreign text changes with every try (ports, object addresses) and a condition's message should not.
    if isinstance(error, requests.exceptions.SSLError):
        return "has a certificate that cannot be verified: set its CA"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "did not answer in time"
    if isinstance(error, requests.ConnectionError) and "NameResolution" in str(error):
        return "cannot be found: check the host in its address"
    if isinstance(error, (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)):
        return "broke off its answer"
    if isinstance(error, requests.ConnectionError):
        return "cannot be reached: check that it runs and that its address and port are right"
    return f"cannot be asked ({type(error).__name__}): check its address"


def _without_credentials(url: str) -> tuple[str, AuthBase | None]:
    parts = urlsplit(url.rstrip("/"))
    host = parts.netloc.rpartition("@")[2]
    address = urlunsplit((parts.scheme, host, parts.path, "", ""))
    if parts.username is None:
        return address, None
    return address, HTTPBasicAuth(unquote(parts.username), unquote(parts.password or ""))
