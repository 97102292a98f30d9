"""Start each server once for all that is tried with it, and install the next ones meanwhile."""

import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from servers.catalogue import SERVERS
from servers.environments import environment
from servers.server import Server
from servers.starting import Running, started


@pytest.fixture(scope="session", autouse=True)
def installed_ahead(request: pytest.FixtureRequest) -> Iterator[None]:
    if sys.platform != "linux":
        pytest.skip("the processes of a server are found in /proc, which is Linux'")
    calls = [item.callspec for item in request.session.items if hasattr(item, "callspec")]
    wanted = dict.fromkeys(call.params["server"].packages for call in calls if "server" in call.params)
    with ThreadPoolExecutor(1) as ahead:
        # Who needs one of them waits for it, and is told by its own call if it cannot be had.
        for name in wanted:
            ahead.submit(environment, name)
        yield
        ahead.shutdown(cancel_futures=True)


@pytest.fixture(scope="session", params=SERVERS, ids=lambda each: each.name)
def server(request: pytest.FixtureRequest) -> Server:
    wanted: Server = request.param
    if wanted.needs and shutil.which(wanted.needs) is None:
        pytest.skip(f"{wanted.name} needs {wanted.needs} on this machine")
    return wanted


@pytest.fixture(scope="session")
def running(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with started(server, tmp_path_factory.mktemp(server.name)) as running:
        yield running
