"""A whole gate against pods that answer by a script: the order, the first failure, the words."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from serinus.gates import confined
from serinus.gates import gate as gates
from serinus.gates.answers import Answer, NoAnswer
from serinus.gates.gate import Gate, Job, Stopped
from serinus.gates.send import Target
from serinus.rollout.smoke import (
    ContractMode,
    Expect,
    GateOutcome,
    GateRequest,
    Golden,
    JsonCheck,
    Smoke,
    WarmUp,
)

CANARY = tuple(Target(pod=f"canary-{each}", ip=f"10.0.0.{each}", port=8080) for each in (1, 2))
STABLE = Target(pod="stable-1", ip="10.0.0.9", port=8080)
INFER = GateRequest(path="/v2/models/m/infer", method="POST", body="{}", expect=Expect(status=200))
METADATA = '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]}], "outputs": []}'
OTHER_METADATA = '{"inputs": [{"name": "x", "datatype": "FP64", "shape": [-1]}], "outputs": []}'

Reply = str | tuple[int, str] | NoAnswer


@dataclass
class Pods:
    """What each path answers, by pod where they differ; a list is answered one after the other."""

    replies: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def send(self, target: Target, request: GateRequest, identity: str, timeout_seconds: float) -> Answer:
        assert identity == "rev/1"
        self.asked.append((target.pod, request.path))
        reply = self.replies.get(f"{target.pod} {request.path}", self.replies.get(request.path, "{}"))
        if isinstance(reply, list):
            reply = reply.pop(0) if len(reply) > 1 else reply[0]
        if isinstance(reply, NoAnswer):
            raise reply
        status, body = reply if isinstance(reply, tuple) else (200, reply)
        return Answer(status=status, body=body, milliseconds=12)

    def paths(self) -> list[str]:
        return [path for _, path in self.asked]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(gates, "UNKNOWN_SECONDS", 0.005)


def run(pods: Pods, smoke: Smoke, **rest: Any) -> GateOutcome:
    given = {"protocol": "v2", "stable_protocol": "v2", "stable": (STABLE,), **rest}
    return Gate(job=Job(identity="rev/1", step=0, smoke=smoke, canary=CANARY, model="m", **given), send=pods.send).run()


def test_everything_is_asked_in_order_and_told() -> None:
    pods = Pods({"/v2/models/m": METADATA, "/golden": "[1, 2]", "stable-1 /golden": "[1, 2.5]"})
    golden = Golden(requests=(GateRequest(path="/golden", method="GET"),), outputs=("$",))
    smoke = Smoke(requests=(INFER,), golden=golden, warm_up=WarmUp(requests=(INFER,), times=3))
    outcome = run(pods, smoke)
    assert outcome == GateOutcome(
        identity="rev/1",
        step=0,
        passed=True,
        reason="",
        message="inputs and outputs are stable's; 1 requests to 2 pods answered as expected, the last one "
        "POST /v2/models/m/infer: 200 in 12 ms, {}; golden: over 1 requests to both sides largest distance 0.5 "
        "(mean 0.25) over 2 numbers; 6 warm-up calls, the first 12 ms, the last 12 ms",
    )
    assert pods.asked == [
        ("canary-1", "/v2/models/m/ready"),
        ("canary-2", "/v2/models/m/ready"),
        ("stable-1", "/v2/models/m"),
        ("canary-1", "/v2/models/m"),
        ("canary-1", "/v2/models/m/infer"),
        ("canary-2", "/v2/models/m/infer"),
        ("canary-1", "/golden"),
        ("stable-1", "/golden"),
        *[(pod, "/v2/models/m/infer") for pod in ("canary-1", "canary-2") for _ in range(3)],
    ]


DEAF = NoAnswer("nothing listens on port 8080")
LOOKS_INSIDE = Expect(json_path=(JsonCheck(path="$.outputs", equals="[1]"),))


@pytest.mark.parametrize(
    ("replies", "smoke", "reason", "says"),
    [
        pytest.param(
            {"canary-2 /v2/models/m/infer": (500, "Traceback:\n  boom")},
            Smoke(requests=(INFER,)),
            "SmokeFailed",
            "POST /v2/models/m/infer of pod canary-2 answered 500 in 12 ms, expected status 200: Traceback: boom",
            id="one of two pods answers 500",
        ),
        pytest.param(
            {"/v2/models/m/infer": '{"outputs": [2]}'},
            Smoke(requests=(replace(INFER, expect=LOOKS_INSIDE),)),
            "SmokeFailed",
            'pod canary-1 answered 200 in 12 ms, $.outputs is [2], expected [1]: {"outputs": [2]}',
            id="the wrong shape",
        ),
        pytest.param(
            {"/v2/models/m/infer": DEAF},
            Smoke(requests=(INFER,), attempts=2),
            "GateUnreachable",
            "pod canary-1 gave no answer to POST /v2/models/m/infer on port 8080, asked 2 times: nothing listens",
            id="no answer",
        ),
        pytest.param(
            {"/v2/models/m/ready": (404, "")},
            Smoke(requests=(INFER,)),
            "ModelNotReady",
            "pod canary-1 is ready, but for 0 s GET /v2/models/m/ready says its model is not: does not know the",
            id="the model is not served",
        ),
        pytest.param(
            {"/v2/models/m": OTHER_METADATA, "stable-1 /v2/models/m": METADATA},
            Smoke(contract=ContractMode.REQUIRE),
            "ContractBroken",
            "what pod canary-1 takes and gives is not what stable does: input x is FP64[-1], was FP32[-1]; it says "
            '{"inputs": [{"name": "x", "datatype": "FP64"',
            id="another contract",
        ),
        pytest.param(
            {"/golden": "[1, 2]", "stable-1 /golden": "[1, 2.5]"},
            Smoke(golden=Golden(requests=(GateRequest(path="/golden", method="GET"),), outputs=("$",), tolerance=0.4)),
            "GoldenDiffers",
            "largest distance 0.5 (mean 0.25) over 2 numbers, tolerance 0.4; furthest apart is request 1, GET /golden: "
            "the canary answered [1, 2], stable [1, 2.5]",
            id="golden outputs too far apart",
        ),
        pytest.param(
            {"/golden": '{"predictions": [1]}'},
            Smoke(
                golden=Golden(requests=(GateRequest(path="/golden", method="GET"),), outputs=("$.preds",), tolerance=9)
            ),
            "GoldenDiffers",
            "1 of the pairs have nothing to compare, tolerance 9: $.preds hold no value, so give golden.outputs",
            id="golden outputs that nobody gives",
        ),
        pytest.param(
            {"/v2/models/m/infer": '{"' + "k" * 500_000 + '": 1}'},
            Smoke(requests=(replace(INFER, expect=Expect(json_schema='{"additionalProperties": {"type": "null"}}')),)),
            "SmokeFailed",
            "1 is not of type 'null': {\"kkkk",
            id="a long name in an answer does not push out its excerpt",
        ),
        pytest.param(
            {"stable-1 /golden": (503, "busy")},
            Smoke(golden=Golden(requests=(GateRequest(path="/golden", method="GET"),), tolerance=0.4)),
            "GateUnreachable",
            "stable's pod stable-1 answered GET /golden with 503: busy; retry when it answers",
            id="a bound that stable leaves unchecked",
        ),
        pytest.param(
            {"stable-1 /v2/models/m": DEAF},
            Smoke(contract=ContractMode.REQUIRE),
            "GateUnreachable",
            "the contract cannot be compared, because pod stable-1 gave no answer to GET /v2/models/m: nothing",
            id="a contract that stable leaves unchecked",
        ),
        pytest.param(
            {"canary-1 /v2/models/m": DEAF, "/v2/models/m": METADATA},
            Smoke(contract=ContractMode.REQUIRE),
            "GateUnreachable",
            "the contract cannot be compared, because pod canary-1 gave no answer to GET /v2/models/m: nothing listens",
            id="a contract that the canary leaves unchecked",
        ),
        pytest.param(
            {"/warm": ["{}", "{}", (503, "overloaded")]},
            Smoke(warm_up=WarmUp(requests=(GateRequest(path="/warm", method="GET"),), times=5)),
            "SmokeFailed",
            "GET /warm of pod canary-1 answered 503 in 12 ms, expected no error in warm-up call 3: overloaded",
            id="an error in warm-up",
        ),
    ],
)
def test_the_first_failure_ends_it_with_its_reason(
    replies: dict[str, Any], smoke: Smoke, reason: str, says: str
) -> None:
    pods = Pods(replies)
    outcome = run(pods, smoke)
    assert (outcome.passed, outcome.reason) == (False, reason)
    assert says in outcome.message
    assert len(outcome.message) < 1000


@pytest.mark.parametrize(
    ("replies", "smoke", "says"),
    [
        pytest.param(
            {"/v2/models/m": OTHER_METADATA, "stable-1 /v2/models/m": METADATA},
            Smoke(requests=(INFER,)),
            "contract differs: input x is FP64[-1], was FP32[-1]",
            id="a contract that is only reported",
        ),
        pytest.param(
            {"stable-1 /golden": (503, "busy")},
            Smoke(golden=Golden(requests=(GateRequest(path="/golden", method="GET"),))),
            "golden: not compared, because stable's pod stable-1 answered GET /golden with 503",
            id="golden without a bound",
        ),
        pytest.param(
            {"stable-1 /v2/models/m": DEAF}, Smoke(requests=(INFER,)), "contract: not compared", id="stable is deaf"
        ),
        pytest.param(
            {"canary-1 /v2/models/m": DEAF, "/v2/models/m": METADATA},
            Smoke(warm_up=WarmUp(requests=(INFER,), times=1), timeout=timedelta(minutes=5)),
            "contract: not compared, because pod canary-1 gave no answer to GET /v2/models/m: nothing listens",
            id="a contract that nobody requires and the canary does not tell",
        ),
        pytest.param(
            {"/v2/models/m/infer": [DEAF, DEAF, "{}"]}, Smoke(requests=(INFER,)), "answered as expected", id="third try"
        ),
        pytest.param(
            {"/v2/models/m/ready": [(503, ""), DEAF, ""]}, Smoke(requests=(INFER,)), "as expected", id="ready at last"
        ),
    ],
)
def test_what_does_not_fail_a_gate_is_told(replies: dict[str, Any], smoke: Smoke, says: str) -> None:
    outcome = run(Pods(replies), smoke)
    assert outcome.passed, outcome.message
    assert says in outcome.message


@pytest.mark.parametrize("side", ["canary-1", "stable-1"])
@pytest.mark.parametrize(("mode", "times"), [(ContractMode.REPORT, 1), (ContractMode.REQUIRE, 3)])
def test_metadata_that_decides_nothing_is_asked_for_once_and_not_for_long(
    side: str, mode: ContractMode, times: int
) -> None:
    waited: list[float] = []
    pods = Pods({f"{side} /v2/models/m": DEAF, "/v2/models/m": METADATA})

    def send(target: Target, request: GateRequest, identity: str, timeout_seconds: float) -> Answer:
        if (target.pod, request.path) == (side, "/v2/models/m"):
            waited.append(timeout_seconds)
        return pods.send(target, request, identity, timeout_seconds)

    smoke = Smoke(contract=mode, timeout=timedelta(minutes=5), attempts=3)
    given = {"protocol": "v2", "stable_protocol": "v2", "stable": (STABLE,), "model": "m", "canary": CANARY}
    outcome = Gate(job=Job(identity="rev/1", step=0, smoke=smoke, **given), send=send).run()  # type: ignore[arg-type]
    assert outcome.passed is (mode is ContractMode.REPORT)
    assert waited == [10.0 if outcome.passed else 300.0] * times


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_request_without_answer_is_sent_as_often_as_is_written(attempts: int) -> None:
    pods = Pods({INFER.path: DEAF})
    assert run(pods, Smoke(requests=(INFER,), attempts=attempts)).reason == "GateUnreachable"
    assert pods.paths().count(INFER.path) == attempts


def test_an_answer_is_never_asked_for_again() -> None:
    pods = Pods({"/v2/models/m/infer": [(500, ""), "{}"]})
    assert run(pods, Smoke(requests=(INFER,), attempts=3)).reason == "SmokeFailed"
    assert pods.paths().count("/v2/models/m/infer") == 1


def test_without_a_protocol_only_what_is_written_is_asked() -> None:
    pods = Pods()
    assert run(pods, Smoke(requests=(INFER,)), protocol="http", stable_protocol="http").passed
    assert set(pods.paths()) == {INFER.path}


def test_a_gate_that_nobody_waits_for_ends() -> None:
    stop, pods = Event(), Pods()
    job = Job(identity="rev/1", step=0, smoke=Smoke(requests=(INFER,) * 9), canary=CANARY, model="m")

    def send(*args: Any) -> Answer:
        if len(pods.asked) == 2:
            stop.set()
        return pods.send(*args)

    with pytest.raises(Stopped):
        Gate(job=job, stop=stop, send=send).run()
    assert len(pods.asked) == 3


@pytest.mark.parametrize(
    ("status", "passes"), [(503, True), (404, False)], ids=["a model that loads", "a name that is not known"]
)
def test_a_model_may_load_for_long_but_has_to_be_known(status: int, passes: bool) -> None:
    pods = Pods({"/v2/models/m/ready": [(status, "")] * 30 + [""]})
    outcome = run(pods, Smoke(requests=(INFER,)))
    assert outcome.passed is passes
    assert len(pods.paths()) > 30 or not passes


def test_a_model_that_never_loads_is_asked_for_as_long_as_there_is_patience() -> None:
    pods = Pods({"/v2/models/m/ready": (503, "loading")})
    outcome = run(pods, Smoke(requests=(INFER,)), patience=timedelta(seconds=0.05))
    assert outcome.reason == "ModelNotReady"
    assert "answered 503: loading" in outcome.message
    assert set(pods.paths()) == {"/v2/models/m/ready"}


def test_each_request_gets_its_timeout() -> None:
    seen: list[float] = []

    def send(target: Target, request: GateRequest, identity: str, timeout_seconds: float) -> Answer:
        seen.append(timeout_seconds)
        return Answer(status=200, body="{}", milliseconds=1)

    ask: Callable[..., Answer] = send
    job = Job(
        identity="rev/1",
        step=0,
        smoke=Smoke(requests=(INFER,), timeout=timedelta(seconds=2.5)),
        canary=CANARY,
        model="m",
    )
    assert Gate(job=job, send=ask).run().passed
    assert set(seen) == {2.5}


def test_long_answers_are_looked_into_as_they_come() -> None:
    long = '["' + "x" * 600_000 + '"]'
    looks = replace(INFER, expect=Expect(json_path=(JsonCheck(path="$[0]"),)))
    pods = Pods({INFER.path: [long, long, "{}", "[]"]})
    outcome = run(pods, Smoke(requests=(looks,) * 5))
    assert "$[0] finds nothing" in outcome.message
    assert pods.paths().count(INFER.path) == 5, "the third was looked into with the fourth and the fifth"
    pods = Pods({INFER.path: [long, "{}", long]})
    run(pods, Smoke(requests=(looks,) * 5))
    assert pods.paths().count(INFER.path) == 3, "what is long is not collected"


def test_golden_answers_that_are_too_long_are_not_compared() -> None:
    def send(*_: Any) -> Answer:
        return Answer(status=200, body="[1", milliseconds=1, is_cut=True)

    golden = Golden(requests=(GateRequest(path="/golden", method="GET"),), tolerance=1.0)
    job = Job(identity="rev/1", step=0, smoke=Smoke(golden=golden), canary=CANARY, stable=(STABLE,), model="m")
    outcome = Gate(job=job, send=send).run()
    assert outcome.reason == "SmokeFailed"
    assert "longer than 1 MiB" in outcome.message


WORDY = '{"p": %s, "text": "' + "x" * 500_000 + '"}'


@pytest.mark.parametrize(
    ("canary", "stable", "number"),
    [
        (["[1]", "[2]", "[9]", "[1]"], ["[1]", "[1]", "[1]", "[1]"], 3),
        (["[1]", '["a"]', "[9]"], ["[1]", '["b"]', "[1]"], 2),
        (["[1]", "[9]", "[]", "[9]"], ["[1]", "[1]", "[1]", "[1]"], 3),
        ([WORDY % 1, WORDY % 2, WORDY % 1, WORDY % 9, WORDY % 1], [WORDY % 1] * 5, 4),
    ],
    ids=["the largest distance", "a text that differs", "another shape", "over several portions"],
)
def test_the_answers_that_lie_furthest_apart_are_quoted(canary: list[str], stable: list[str], number: int) -> None:
    paths = [f"/{each}" for each in range(1, len(canary) + 1)]
    requests = tuple(GateRequest(path=path, method="GET") for path in paths)
    outputs = ("$.p",) if canary[0].startswith("{") else ("$",)
    smoke = Smoke(golden=Golden(requests=requests, outputs=outputs, tolerance=0.4))
    answers = {f"canary-1 {path}": text for path, text in zip(paths, canary, strict=True)}
    answers |= {f"stable-1 {path}": text for path, text in zip(paths, stable, strict=True)}
    message = run(Pods(answers), smoke).message
    mine, theirs = canary[number - 1][:60], stable[number - 1][:60]
    assert f"; furthest apart is request {number}, GET /{number}: the canary answered {mine}" in message
    assert f", stable {theirs}" in message


def test_a_check_that_costs_too_much_is_told_of_its_own_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "CPU_SECONDS", 1)
    looks = Expect(json_schema='{"pattern": "^(a+)+$"}')
    requests = tuple(GateRequest(path=f"/{each}", method="GET", expect=looks) for each in (1, 2, 3))
    pods = Pods({"/1": '"a"', "/2": f'"{"a" * 60}!"', "/3": '"a"'})
    message = run(pods, Smoke(requests=requests)).message
    assert message.startswith("GET /2 of pod canary-1 answered 200 in 12 ms, its JSONPaths and its JSON Schema took")


def test_outputs_of_v2_are_found_where_the_runtime_is_known_by_v1() -> None:
    golden = Golden(requests=(GateRequest(path="/golden", method="GET"),), tolerance=1)
    for path, name in (("outputs", '[{"data": [%d]}]'), ("predictions", "[%d]")):
        told = f'{{"id": "%d", "{path}": {name}}}'
        pods = Pods({"/golden": told % (1, 1), "stable-1 /golden": told % (2, 3), "/v1/models/m": '{"ready": true}'})
        outcome = run(pods, Smoke(golden=golden), protocol="v1", stable_protocol="v1")
        assert "largest distance 2 (mean 2) over 1 numbers, tolerance 1;" in outcome.message
