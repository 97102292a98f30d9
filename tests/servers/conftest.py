"""Install the servers of the tests to come while the present one waits for scrapes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from servers.environments import environment


@pytest.fixture(scope="session", autouse=True)
def installed_ahead(request: pytest.FixtureRequest) -> Iterator[None]:
    calls = [item.callspec for item in request.session.items if hasattr(item, "callspec")]
    wanted = dict.fromkeys(call.params["server"].packages for call in calls if "server" in call.params)
    with ThreadPoolExecutor(1) as ahead:
        # Who needs one of them waits for it, and is told by its own call if it cannot be had.
        for name in wanted:
            ahead.submit(environment, name)
        yield
        ahead.shutdown(cancel_futures=True)
