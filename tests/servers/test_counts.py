"""Presets and gates against the real servers: what is counted is what was sent, exactly."""

import shutil

import pytest

from serinus import contract
from serinus.signals.detection import detect
from serinus.signals.presets import preset
from servers.catalogue import SERVERS, Server
from servers.mix import Sort, expected
from servers.proof import Told, run

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module", params=SERVERS, ids=lambda each: each.name)
def server(request: pytest.FixtureRequest) -> Server:
    wanted: Server = request.param
    if wanted.needs and shutil.which(wanted.needs) is None:
        pytest.skip(f"{wanted.name} needs {wanted.needs} on this machine")
    return wanted


@pytest.fixture(scope="module")
def told(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Told:
    return run(server, tmp_path_factory.mktemp(server.name))


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


def test_the_gates_pass_a_model_that_answers_and_no_other(server: Server, told: Told) -> None:
    assert told.passed.passed, told.passed
    assert (told.failed.passed, told.failed.reason) == (False, contract.REASON_SMOKE_FAILED)
    assert str(server.answers[Sort.FAILING].status) in told.failed.message


def test_the_protocol_knows_which_models_are_there(server: Server, told: Told) -> None:
    serving = preset(server.preset).serving
    assert serving is not None
    there, not_there = told.why_unready
    assert there == ""
    assert bool(not_there) == (serving.protocol in {"v1", "v2"})


def test_the_preset_says_that_it_was_tried_with_this_version(server: Server) -> None:
    tested = preset(server.preset).tested
    assert (tested.how, server.version in tested.version) == ("real", True)
