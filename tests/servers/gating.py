"""Put the gates of a smoke step to a real server, as the operator puts them to a canary's pod."""

from serinus.gates.gate import Gate, Job
from serinus.gates.readiness import readiness_request, why_not_ready
from serinus.gates.send import Target, send
from serinus.rollout.smoke import Expect, GateOutcome, GateRequest, Golden, JsonCheck, Smoke, WarmUp
from serinus.signals.preset import Serving
from serinus.signals.presets import preset
from servers.catalogue import Running, Server
from servers.mix import GOOD, Sort

MODEL = "iris"
IDENTITY = "bcdfghjklm/1"


def pass_gates(server: Server, running: Running) -> GateOutcome:
    """Ask whether the model is ready and answers as it should, compare it with itself, and warm it up."""
    right = JsonCheck(path=server.answer_path, equals=str(2 * GOOD))
    request = _request(server, Sort.GOOD, Expect(status=200, json_path=(right,)))
    smoke = Smoke(
        requests=(request,),
        golden=Golden(requests=(request,), tolerance=0.0),
        warm_up=WarmUp(requests=(request,), times=3),
    )
    return _run(server, running, smoke)


def fail_gates(server: Server, running: Running) -> GateOutcome:
    """Ask what the model cannot answer."""
    return _run(server, running, Smoke(requests=(_request(server, Sort.FAILING, Expect(status=200)),)))


def why_unready(server: Server, running: Running, model: str) -> str:
    """Return why the server says that it does not serve a model; empty if it says that it does."""
    serving = _serving(server)
    path = preset(server.preset).bound_to(model).serving
    request = readiness_request(serving.protocol, model, path.readiness_path if path else None)
    if request is None:
        return ""
    return why_not_ready(serving.protocol, model, send(_target(running), request, IDENTITY, 10.0))


def _run(server: Server, running: Running, smoke: Smoke) -> GateOutcome:
    serving, target = _serving(server), _target(running)
    job = Job(
        identity=IDENTITY,
        step=0,
        smoke=smoke,
        canary=(target,),
        stable=(target,),
        model=MODEL,
        protocol=serving.protocol,
        stable_protocol=serving.protocol,
        probe_path=serving.readiness_path,
    )
    return Gate(job=job).run()


def _request(server: Server, sort: Sort, expect: Expect) -> GateRequest:
    asked = server.request(sort)
    assert asked.body is not None
    headers = {"Content-Type": "application/json"}
    return GateRequest(path=asked.path, method="POST", headers=headers, body=asked.body.decode(), expect=expect)


def _serving(server: Server) -> Serving:
    serving = preset(server.preset).bound_to(MODEL).serving
    assert serving is not None
    return serving


def _target(running: Running) -> Target:
    host, _, port = running.url.removeprefix("http://").partition(":")
    return Target(pod="iris", ip=host, port=int(port))
