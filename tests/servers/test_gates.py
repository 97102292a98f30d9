"""Gates against the real servers: each tells its readiness in its own protocol, and a useless answer is caught."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from serinus.gates.gate import Gate, Job
from serinus.gates.send import Target
from serinus.rollout.smoke import Expect, GateOutcome, GateRequest, Golden, JsonCheck, Smoke, WarmUp
from serinus.signals.presets import preset
from servers.mix import GOOD, Sort
from servers.server import Server
from servers.starting import Running

pytestmark = pytest.mark.servers
MODEL = "iris"
NAMED = {"v1", "v2"}
"""Protocols in which a server is asked for a model by name."""


@pytest.fixture
def target(running: Running) -> Target:
    return Target(pod="iris-1", ip="127.0.0.1", port=urlsplit(running.url).port or 0)


def ask(
    server: Server, target: Target, smoke: Smoke, model: str = MODEL, patience: timedelta = timedelta(seconds=30)
) -> GateOutcome:
    serving = preset(server.preset).bound_to(model).serving
    assert serving is not None
    return Gate(
        job=Job(
            identity="bcdfghjklm/1",
            step=0,
            smoke=smoke,
            canary=(target,),
            stable=(target,),
            model=model,
            protocol=serving.protocol,
            probe_path=serving.readiness_path,
            stable_protocol=serving.protocol,
            patience=patience,
        )
    ).run()


def request(server: Server, sort: Sort) -> GateRequest:
    made = server.request(sort)
    right = JsonCheck(path=server.answer_path, equals=str(2 * GOOD))
    return GateRequest(
        path=made.path,
        method="POST",
        headers={"Content-Type": "application/json"},
        body=(made.body or b"").decode(),
        expect=Expect(status=200, json_path=(right,)),
    )


def test_a_good_model_passes(server: Server, target: Target) -> None:
    good = request(server, Sort.GOOD)
    smoke = Smoke(
        requests=(good,), golden=Golden(requests=(good,), tolerance=0.0), warm_up=WarmUp(requests=(good,), times=3)
    )
    outcome = ask(server, target, smoke)
    assert outcome.passed, outcome.message
    assert "1 requests to 1 pod answered as expected" in outcome.message
    assert "golden: over 1 requests to both sides" in outcome.message
    assert "3 warm-up calls" in outcome.message


def test_a_model_that_fails_is_caught_with_what_it_said(server: Server, target: Target) -> None:
    failing = request(server, Sort.FAILING)
    outcome = ask(server, target, Smoke(requests=(request(server, Sort.GOOD), failing), attempts=1))
    assert outcome.reason == "SmokeFailed"
    assert f"POST {failing.path} of pod iris-1 answered 5" in outcome.message
    assert "expected status 200: " in outcome.message


def test_a_server_without_the_model_is_not_ready(server: Server, target: Target) -> None:
    serving = preset(server.preset).serving
    outcome = ask(server, target, Smoke(), model="nosuch", patience=timedelta(0))
    if serving is not None and serving.protocol in NAMED:
        assert outcome.reason == "ModelNotReady"
        assert "nosuch" in outcome.message
    else:
        assert outcome.passed, "the protocol knows no models by name"
