"""Send known requests, and insist on the answers that they are known to get."""

from collections.abc import Mapping

import requests

from servers.mix import Sort
from servers.server import Server
from servers.starting import Running


def send(server: Server, running: Running, sorts: Mapping[Sort, int]) -> None:
    """Send each sort of request so many times.

    Raises:
        AssertionError: an answer has another status than the catalogue says.
    """
    for sort, times in sorts.items():
        asked, wanted = server.request(sort), server.answers[sort].status
        for _ in range(times):
            # A connection each: some servers close it after an exception without saying so.
            answer = requests.request(
                "GET" if asked.body is None else "POST",
                running.url + asked.path,
                data=asked.body,
                headers={"Content-Type": "application/json"} if asked.body else {},
                timeout=30,
            )
            assert answer.status_code == wanted, (sort, answer.status_code, answer.text[-2000:])
