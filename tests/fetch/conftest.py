"""What the tests of the fetch share."""

from collections.abc import Iterator

import pytest

from fetch.web_server import WebServer, serving


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server of this test's own."""
    with serving() as server:
        yield server
