"""Show who we are to Prometheus. Must not know queries. A secret never leaves this module but in a request's header."""

from pathlib import Path

from requests import PreparedRequest
from requests.auth import AuthBase

from serinus.errors import MetricsUnavailable


class TokenFile(AuthBase):
    """A bearer token from a file that is read anew for each request, because such tokens rotate."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the header."""
        try:
            token = self._path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise MetricsUnavailable(f"the token for Prometheus cannot be read from {self._path}") from error
        request.headers["Authorization"] = f"Bearer {token}"
        return request
