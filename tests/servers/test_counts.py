"""Presets against the real servers: what is counted is what was sent, exactly."""

import pytest

from serinus.signals.detection import detect
from serinus.signals.presets import preset
from servers.mix import expected
from servers.proof import Told, run
from servers.server import Server
from servers.starting import Running

pytestmark = pytest.mark.servers


@pytest.fixture(scope="session")
def told(server: Server, running: Running, tmp_path_factory: pytest.TempPathFactory) -> Told:
    return run(server, running, tmp_path_factory.mktemp("prometheus"))


def test_the_preset_counts_what_was_sent(server: Server, told: Told) -> None:
    assert told.counted == expected(server.answers, told.sent)


def test_the_server_is_recognised_by_what_it_exports(server: Server, told: Told) -> None:
    assert detect(told.exported, "generic").server == server.preset


def test_most_servers_are_recognised_before_their_first_request(server: Server, told: Told) -> None:
    assert detect(told.exported_idle, "generic").server == (server.preset if server.shows_itself_idle else None)


def test_the_buckets_are_those_that_the_preset_names(server: Server, told: Told) -> None:
    latency = preset(server.preset).latency
    if latency is None:
        assert told.edges == ()
    elif latency.edges:
        assert told.edges == latency.edges
    else:
        assert told.edges


def test_the_preset_says_that_it_was_tried_with_this_version(server: Server) -> None:
    tested = preset(server.preset).tested
    assert (tested.how, server.version in tested.version) == ("real", True)
