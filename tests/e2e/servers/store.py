"""A store with the API of S3 (moto's), which breaks off in the middle of objects under ``broken/`` when asked for them.

What breaks: the answer promises all bytes, sends some, and closes the connection. BREAKS says how often this happens
for each object, 0 for always.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

BREAKS = int(os.environ.get("BREAKS", "0"))


class Breaking:
    """Passes requests on to a WSGI application, and cuts some answers short."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._broken: Counter[str] = Counter()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        path = environ["PATH_INFO"]
        answer = self._app(environ, start_response)
        if environ["REQUEST_METHOD"] != "GET" or "/broken/" not in path or 0 < BREAKS <= self._broken[path]:
            return answer
        self._broken[path] += 1
        return half(answer)


def half(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the first half of an answer, and break."""
    whole = b"".join(chunks)
    yield whole[: len(whole) // 2]
    raise ConnectionAbortedError


if __name__ == "__main__":
    run_simple("0.0.0.0", 8080, Breaking(DomainDispatcherApplication(create_backend_app)), threaded=True)
