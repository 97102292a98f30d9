"""Presets against the real servers: what they count is what was sent, exactly.

Each server gets a known mix of requests and is scraped by a real Prometheus; the counts come from the reader that a
rollout is judged with.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import pytest

from serinus.signals.detection import detect
from serinus.signals.presets import preset
from servers.catalogue import SERVERS, Server, started
from servers.mix import MIX, Counts, Sort, expected
from servers.processes import wait_until
from servers.scraping import SCOPE, Scraped, scraped
from servers.sending import send

pytestmark = pytest.mark.servers

EARLIER = {Sort.GOOD: 2, Sort.PROBE: 2}
"""Sent before the block that is counted: its counters do not begin at zero. No errors, whose series are born in it."""
AFTERWARDS = {Sort.PROBE: 3}
LATE_SECONDS = 20
"""Ray exports what it counted seconds later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was sent in a block, what the preset counted in it, and the names that the server exports."""

    sent: Mapping[Sort, int]
    counted: Counts
    exported: frozenset[str]


@pytest.fixture(scope="module", params=SERVERS, ids=lambda each: each.name)
def server(request: pytest.FixtureRequest) -> Server:
    wanted: Server = request.param
    if wanted.needs and shutil.which(wanted.needs) is None:
        pytest.skip(f"{wanted.name} needs {wanted.needs} on this machine")
    return wanted


@pytest.fixture(scope="module")
def told(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder, sent = tmp_path_factory.mktemp("server"), {each: MIX[each] for each in MIX if each in server.answers}
    with (
        started(server, folder) as running,
        scraped(running.metrics_target, server.metrics_path, tmp_path_factory.mktemp("prometheus")) as scrapes,
    ):
        first = scrapes.scrape_after(scrapes.begun)
        send(server, running, EARLIER)
        start = when_counted(server, scrapes, EARLIER, first)
        send(server, running, sent)
        send(server, running, AFTERWARDS)
        end = when_counted(server, scrapes, sent, start)
        yield Told(sent=sent, counted=counted(server, scrapes, start, end), exported=scrapes.exported(end))


def when_counted(server: Server, scrapes: Scraped, sent: Mapping[Sort, int], start: datetime) -> datetime:
    """Return the scrape after the one with which everything was counted; or the last, if that never happens."""
    found = [start]

    def complete() -> bool:
        found[0] = scrapes.scrape_after(found[0])
        late = (found[0] - start).total_seconds() > LATE_SECONDS
        return late or counted(server, scrapes, start, found[0]) == expected(server.answers, sent)

    wait_until(complete, 2 * LATE_SECONDS, lambda: "no scrapes")
    return scrapes.scrape_after(found[0])


def counted(server: Server, scrapes: Scraped, start: datetime, end: datetime) -> Counts:
    return scrapes.counts(preset(server.preset).bound_to(SCOPE.model), start, end)


def test_the_preset_counts_what_was_sent(server: Server, told: Told) -> None:
    assert told.counted == expected(server.answers, told.sent)


def test_the_server_is_recognised_by_what_it_exports(server: Server, told: Told) -> None:
    assert detect(told.exported, "generic").server == server.preset


def test_the_preset_says_that_it_was_tried_with_this_version(server: Server) -> None:
    tested = preset(server.preset).tested
    assert (tested.how, server.version in tested.version) == ("real", True)
