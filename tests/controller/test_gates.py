"""Gates in a whole small world: who is asked, what an answer does, and what a person or a crash may do meanwhile."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from serinus.cluster.kinds import CONFIG_MAP, POD
from serinus.controller.gating import MOST_OF_NAMESPACE, Gatekeeper
from serinus.gates import gate
from serinus.gates.answers import Answer, NoAnswer
from serinus.gates.send import Target
from serinus.rollout.smoke import GateRequest
from support.world import NAMESPACE, World, model_deployment

RATE = 60.0
SMOKE = {"requests": [{"path": "/infer", "body": "{}", "expect": {"jsonPath": [{"path": "$.outputs", "equals": [1]}]}}]}
ONLY_STATUS = {"requests": [{"path": "/infer", "body": "{}"}]}


def rollout(smoke: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"steps": [{"name": "first", "smoke": smoke}, {"weight": 50}], "keepOld": "5s", "maxWait": "5m", **rest}


def gives(status: int, body: str = "{}") -> Callable[[GateRequest], Answer]:
    return lambda _: Answer(status=status, body=body, milliseconds=7)


def begun(smoke: dict[str, Any], reply: Callable[[GateRequest], Answer] | None = None, **rest: Any) -> World:
    """Return a world whose second revision's pods are not asked yet."""
    world = World(RATE)
    world.apply(model_deployment(rollout=rollout(smoke, **rest)))
    world.run(3)
    world.apply(model_deployment("model:2", rollout=rollout(smoke, **rest)))
    world.reconcile()
    if reply is not None:
        world.replies[canary(world)] = reply
    return world


def canary(world: World) -> str:
    return str(world.status()["canary"]["revision"])


def is_over(world: World) -> bool:
    return world.status()["phase"] in {"Stable", "Rejected"}


def users_of(world: World, revision: str) -> float:
    """Return how many requests of users a revision's pods had, above those of the gate."""
    pods = [each for each in world.prometheus.pods.values() if each.revision == revision]
    asked = sum(revision in pod for pod, _, _ in world.asked)
    return sum(each.history[-1][1] for each in pods) - asked


def test_a_canary_that_answers_500_is_rolled_back_before_any_user_reaches_it() -> None:
    world = begun(ONLY_STATUS, gives(500, "Traceback (most recent call last): boom"))
    tried, stable = canary(world), world.status()["stable"]["revision"]
    while not is_over(world):
        world.step()
        assert world.selected() == stable
    (rejected,) = world.status()["rejected"]
    assert rejected["reason"] == "SmokeFailed"
    assert (
        "answered 500 in 7 ms, expected a status below 400: Traceback (most recent call last): boom"
        in (rejected["message"])
    )
    assert users_of(world, tried) == 0
    assert world.condition("Stalled")["reason"] == "SmokeFailed"
    assert world.condition("Ready")["status"] == "False"
    assert world.condition("Available")["status"] == "True"
    (report,) = world.reports()
    assert [each["action"] for each in report["status"]["decisions"]] == ["PodsReady", "GateFailed"]
    assert report["status"]["outcome"]["reason"] == "SmokeFailed"


def test_an_answer_of_the_wrong_shape_is_told_with_its_excerpt() -> None:
    world = begun(SMOKE, gives(200, '{"predictions": [0.3]}'))
    world.run_until(is_over, 60)
    message = world.status()["rejected"][0]["message"]
    assert "$.outputs finds nothing" in message
    assert '{"predictions": [0.3]}' in message


def test_a_good_canary_goes_on_and_every_pod_of_the_first_weight_was_asked() -> None:
    world = begun(SMOKE, gives(200, '{"outputs": [1]}'))
    tried = canary(world)
    world.run_until(lambda seen: seen.status()["canary"]["step"] == 1, 60)
    assert world.selected() != tried
    assert len({pod for pod, _, _ in world.asked}) == 2, "50 % of 3 replicas are 2 pods, and both were asked"
    assert {identity for _, _, identity in world.asked} == {f"{tried}/1"}
    world.run_until(is_over, 300)
    assert world.status()["stable"]["revision"] == tried
    passed = next(each for each in world.reports()[0]["status"]["decisions"] if each["action"] == "StepPassed")
    assert "1 requests to 2 pods answered as expected" in passed["message"]


def test_nothing_is_asked_before_the_pods_are_ready_or_while_paused() -> None:
    world = begun(ONLY_STATUS)
    tried = canary(world)
    world.annotate("fraud", "pause", f"{tried}/1")
    world.run(30)
    assert not world.asked
    world.annotate("fraud", "resume", f"{tried}/1")
    world.run_until(lambda seen: seen.asked, 10)


class Held(list[Callable[[], None]]):
    """Gates that have begun and go on only when told to."""

    def release(self) -> None:
        for each in self:
            each()
        self.clear()


def held(world: World) -> Held:
    """Hold all gates of a world from now on."""
    works = Held()
    world.reconciler._gates = Gatekeeper(send=world.answer, start=works.append)
    return works


def test_a_pause_in_the_middle_holds_a_pass_and_not_a_failure() -> None:
    for reply, phase in ((gives(200), "Paused"), (gives(500), "Rejected")):
        world = begun(ONLY_STATUS, reply)
        gates = held(world)
        world.run_until(lambda _, gates=gates: bool(gates), 20)
        world.annotate("fraud", "pause", f"{canary(world)}/1")
        world.run(3)
        gates.release()
        world.run(3)
        assert world.status()["phase"] == phase


def test_an_abort_a_newer_spec_and_a_return_end_it() -> None:
    def abort(world: World) -> None:
        world.annotate("fraud", "abort", f"{canary(world)}/1")

    def replace(world: World) -> None:
        world.apply(model_deployment("model:3", rollout=rollout(ONLY_STATUS)))

    def back(world: World) -> None:
        world.apply(model_deployment("model:1", rollout=rollout(ONLY_STATUS)))

    for act, outcome in ((abort, "Aborted"), (replace, "Superseded"), (back, "Returned")):
        world = begun(ONLY_STATUS, gives(500))
        gates = held(world)
        world.run_until(lambda _, gates=gates: bool(gates), 20)
        late, tried = gates.pop(), canary(world)
        act(world)
        world.run(2)
        late()
        world.run(2)
        assert not world.asked, "a gate that nobody waits for sends nothing"
        first = next(each for each in world.reports() if each["spec"]["revision"] == tried)
        assert first["status"]["outcome"]["result"] == outcome


def test_promoted_by_hand_the_gate_has_no_say() -> None:
    world = begun(ONLY_STATUS, gives(500))
    gates = held(world)
    world.run_until(lambda _: bool(gates), 20)
    tried = canary(world)
    world.annotate("fraud", "promote", f"{tried}/1")
    gates.release()
    world.run_until(is_over, 60)
    assert world.status()["stable"]["revision"] == tried


def test_after_a_restart_the_gate_is_run_again() -> None:
    world = begun(ONLY_STATUS, gives(500))
    gates = held(world)
    world.run_until(lambda _: bool(gates), 20)
    world.restart()
    world.run_until(is_over, 20)
    assert world.status()["rejected"][0]["reason"] == "SmokeFailed"


def test_paused_in_the_middle_a_restarted_operator_waits_before_it_asks_again() -> None:
    world = begun(ONLY_STATUS)
    gates = held(world)
    world.run_until(lambda _: bool(gates), 20)
    tried = canary(world)
    world.annotate("fraud", "pause", f"{tried}/1")
    world.run(2)
    world.restart()
    world.run(10)
    assert not world.asked
    world.annotate("fraud", "resume", f"{tried}/1")
    world.run_until(lambda seen: seen.asked, 5)


def test_a_gate_without_result_ends_at_the_progress_deadline() -> None:
    world = begun(ONLY_STATUS, progressDeadline="20s")
    held(world)
    world.run_until(is_over, 60)
    (rejected,) = world.status()["rejected"]
    assert rejected["reason"] == "ProgressDeadlineExceeded"
    assert "the gate of step 1 had no result within 20 s" in rejected["message"]


@pytest.fixture
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "PAUSE_SECONDS", 0.001)


def gone_when_asked(world: World, revision: str) -> list[str]:
    """Let the first pod of a revision that is asked go in that moment, as when its node is drained."""
    gone: list[str] = []
    answer = world.answer

    def send(target: Target, request: GateRequest, identity: str, timeout_seconds: float) -> Answer:
        if revision in target.pod and not gone:
            world.cluster.remove(POD, NAMESPACE, target.pod)
            gone.append(target.pod)
        if target.pod in gone:
            raise NoAnswer("no route to host")
        return answer(target, request, identity, timeout_seconds)

    world.reconciler._gates = Gatekeeper(send=send, start=lambda work: work())
    return gone


GOLDEN = {"golden": {"requests": [{"path": "/infer", "body": "{}"}], "tolerance": 0.5}}


@pytest.mark.usefixtures("_no_pauses")
@pytest.mark.parametrize(("side", "smoke"), [("canary", ONLY_STATUS), ("stable", GOLDEN)])
def test_a_pod_that_goes_while_it_is_asked_is_nobodys_fault(side: str, smoke: dict[str, Any]) -> None:
    world = begun(smoke)
    tried = canary(world)
    world.replies = {world.status()[each]["revision"]: gives(200, "[0.5]") for each in ("canary", "stable")}
    gone = gone_when_asked(world, world.status()[side]["revision"])
    world.run_until(lambda seen: seen.status()["canary"]["step"] == 1, 30)
    assert gone
    pods = {each["metadata"]["name"] for each in world.cluster.list(POD, NAMESPACE)}
    asked = {pod for pod, _, _ in world.asked if tried in pod}
    assert side == "stable" or asked == {pod for pod in pods if tried in pod}, "the one in its place was asked"


def test_a_gate_stops_as_soon_as_one_of_its_pods_is_gone() -> None:
    world = begun(ONLY_STATUS)
    gates = held(world)
    world.run_until(lambda _: bool(gates), 20)
    (first,) = gates
    tried = canary(world)
    pod = next(each for each in world.cluster.list(POD, NAMESPACE) if tried in each["metadata"]["name"])
    pod["status"]["podIP"] = "10.9.9.9"
    world.cluster.put(pod)
    world.reconcile()
    assert len(gates) == 2
    first()
    assert not world.asked, "its old address may be another's by now"
    gates.pop()()
    assert world.asked


@pytest.mark.usefixtures("_no_pauses")
def test_pods_that_go_again_and_again_end_at_the_progress_deadline() -> None:
    world = begun(ONLY_STATUS, progressDeadline="20s")
    tried = canary(world)

    def send(target: Target, *_: Any) -> Answer:
        if world.cluster.get(POD, NAMESPACE, target.pod) is not None:
            world.cluster.remove(POD, NAMESPACE, target.pod)
        raise NoAnswer("no route to host")

    world.reconciler._gates = Gatekeeper(send=send, start=lambda work: work())
    world.run_until(is_over, 60)
    (rejected,) = world.status()["rejected"]
    assert (rejected["revision"], rejected["reason"]) == (tried, "ProgressDeadlineExceeded")


def flap(world: World, revision: str, *, ready: bool) -> str:
    """Let the first pod of a revision become ready or unready, and return its name."""
    pod = next(each for each in world.cluster.list(POD, NAMESPACE) if revision in each["metadata"]["name"])
    for condition in pod["status"]["conditions"]:
        if condition["type"] == "Ready":
            condition["status"] = str(ready)
    world.cluster.put(pod)
    return str(pod["metadata"]["name"])


def test_a_gate_waits_until_every_pod_of_the_step_is_ready() -> None:
    world = begun(ONLY_STATUS)
    gates = held(world)
    world.run_until(lambda _: bool(gates), 20)
    world.restart()
    tried = canary(world)
    gates = held(world)
    flapping = flap(world, tried, ready=False)
    world.reconcile()
    world.reconcile()
    assert not gates
    told = world.condition("Reconciling")["message"]
    assert "waiting for its turn to be asked: 1 of its 2 pods are ready" in told
    flap(world, tried, ready=True)
    world.reconcile()
    gates.release()
    assert flapping in {pod for pod, _, _ in world.asked}
    assert len({pod for pod, _, _ in world.asked}) == 2


def test_a_pod_that_stays_unready_ends_the_wait_at_the_progress_deadline() -> None:
    world = begun(ONLY_STATUS, progressDeadline="20s")
    gates = held(world)
    world.run_until(lambda _: bool(gates), 20)
    world.restart()
    tried = canary(world)
    for _ in range(25):
        flap(world, tried, ready=False)
        world.now += timedelta(seconds=1)
        world.reconcile()
    (rejected,) = world.status()["rejected"]
    assert rejected["reason"] == "ProgressDeadlineExceeded"
    assert "1 of its 2 pods are ready: see why they are not" in rejected["message"]
    assert not world.asked


def test_an_operator_that_was_away_for_long_gives_the_gate_its_time() -> None:
    world = begun(ONLY_STATUS, progressDeadline="20s")
    held(world)
    world.run_until(asking, 20)
    world.now += timedelta(minutes=5)
    world.restart()
    gates = held(world)
    world.run(15)
    assert asking(world), "the time in which nobody ran the gate is not held against it"
    gates.release()
    world.run_until(lambda seen: seen.status()["canary"]["step"] == 1, 10)


def asking(world: World) -> bool:
    return bool(world.status()["canary"]["state"] == "Analysing")


def test_a_gate_that_breaks_by_itself_says_so() -> None:
    def fails(_: GateRequest) -> Answer:
        raise ZeroDivisionError("oops")

    world = begun(ONLY_STATUS, fails)
    world.run_until(is_over, 60)
    (rejected,) = world.status()["rejected"]
    assert rejected["reason"] == "GateUnreachable"
    assert "the operator could not carry out the gate: ZeroDivisionError('oops')" in rejected["message"]


def test_golden_requests_go_to_one_pod_of_each_side() -> None:
    smoke = {"golden": {"requests": [{"path": "/infer", "body": "{}"}], "tolerance": 0.5}}
    world = begun(smoke, gives(200, "[1.0, 2.0]"))
    stable = world.status()["stable"]["revision"]
    world.replies[stable] = gives(200, "[1.0, 3.0]")
    world.run_until(is_over, 60)
    assert world.status()["rejected"][0]["reason"] == "GoldenDiffers"
    assert "largest distance 1 (mean 0.5) over 2 numbers, tolerance 0.5" in world.status()["rejected"][0]["message"]
    assert len({pod for pod, _, _ in world.asked}) == 2


def config_map(text: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": CONFIG_MAP.kind,
        "metadata": {"name": "golden", "namespace": NAMESPACE},
        "data": {"a.json": text},
    }


FROM_CONFIG_MAP = {
    "requests": [{"path": "/infer", "bodyFrom": {"configMapKeyRef": {"name": "golden", "key": "a.json"}}}]
}


def test_a_body_from_a_config_map_is_frozen_when_the_attempt_begins() -> None:
    world = World(RATE)
    world.apply(model_deployment(rollout=rollout(ONLY_STATUS)))
    world.run(3)
    world.cluster.put(config_map('{"x": 1}'))
    world.apply(model_deployment("model:2", rollout=rollout(FROM_CONFIG_MAP)))
    world.reconcile()
    world.cluster.put(config_map('{"x": 2}'))
    world.run_until(lambda seen: seen.asked, 30)
    assert world.asked[0][1].body == '{"x": 1}'
    assert world.asked[0][1].headers == {"Content-Type": "application/json"}
    assert world.status()["canary"]["planOutdated"] is True


def test_a_body_from_nowhere_stalls_before_anything_starts() -> None:
    world = World(RATE)
    world.apply(model_deployment(rollout=rollout(ONLY_STATUS)))
    world.run(3)
    world.apply(model_deployment("model:2", rollout=rollout(FROM_CONFIG_MAP)))
    world.run(3)
    assert world.condition("Stalled")["reason"] == "ConfigMapMissing"
    assert "ConfigMap golden does not exist" in world.condition("Stalled")["message"]
    assert "canary" not in world.status()


SCHEMA_FROM = {
    "requests": [{"path": "/", "expect": {"jsonSchemaFrom": {"configMapKeyRef": {"name": "golden", "key": "a.json"}}}}]
}


@pytest.mark.parametrize("smoke", [FROM_CONFIG_MAP, SCHEMA_FROM], ids=["body", "schema"])
@pytest.mark.parametrize("text", [None, '{"type": "nosuch"}', "x" * 60_000], ids=["pruned", "spoilt", "grown"])
def test_a_config_map_that_is_lost_later_takes_nothing_away(smoke: dict[str, Any], text: str | None) -> None:
    world = World(RATE)
    world.cluster.put(config_map('{"x": 1}'))
    world.apply(model_deployment(rollout=rollout(smoke)))
    world.run(3)
    world.apply(model_deployment("model:2", rollout=rollout(smoke)))
    world.reconcile()
    tried = canary(world)
    world.run_until(lambda seen: seen.status()["canary"]["weight"] == 50, 60)
    if text is None:
        world.cluster.remove(CONFIG_MAP, NAMESPACE, "golden")
    else:
        world.cluster.put(config_map(text))
    world.run(3)
    is_lost = text is None or len(text) > 100 or smoke is SCHEMA_FROM
    assert world.status()["canary"]["weight"] == 50
    assert world.status()["canary"]["planOutdated"] is True
    assert ("the next attempt could not begin: " in world.condition("Ready")["message"]) is is_lost
    world.run_until(is_over, 300)
    assert world.status()["stable"]["revision"] == tried
    world.run(20)
    assert world.status()["phase"] == "Stable"
    assert world.condition("Stalled")["status"] == "False"
    assert ("the next attempt could not begin: " in world.condition("Ready")["message"]) is is_lost
    world.apply(model_deployment("model:3", rollout=rollout(smoke)))
    world.run(3)
    assert (world.condition("Stalled")["status"] == "True") is is_lost


def test_only_so_many_gates_of_one_namespace_run_at_once() -> None:
    world = World(RATE)
    names = [f"model-{number}" for number in range(MOST_OF_NAMESPACE + 1)]
    for image in ("model:1", "model:2"):
        for name in names:
            world.apply(model_deployment(image, name=name, rollout=rollout(ONLY_STATUS)))
            world.run(3, name)
        if image == "model:1":
            gates = held(world)
    for name in names:
        world.run(5, name)
    assert len(gates) == MOST_OF_NAMESPACE
    told = world.condition("Reconciling", names[-1])["message"]
    assert "waiting for its turn to be asked: 4 gates of this namespace, or 16 of all, are under way" in told
    gates.release()
    for name in names:
        world.run(2, name)
    assert len(gates) == 1
    assert "waiting for its turn" not in world.condition("Reconciling", names[-1])["message"]


def test_a_gate_that_nobody_waits_for_keeps_its_place_until_it_ends() -> None:
    world = World(RATE)
    names = [f"model-{number}" for number in range(MOST_OF_NAMESPACE + 1)]
    for name in names:
        world.apply(model_deployment(name=name, rollout=rollout(ONLY_STATUS)))
        world.run(3, name)
    gates = held(world)
    for name in names[:-1]:
        world.apply(model_deployment("model:2", name=name, rollout=rollout(ONLY_STATUS)))
        world.run(8, name)
        world.annotate(name, "abort", f"{world.status(name)['canary']['revision']}/1")
        world.run(3, name)
    world.apply(model_deployment("model:2", name=names[-1], rollout=rollout(ONLY_STATUS)))
    world.run(8, names[-1])
    assert len(gates) == MOST_OF_NAMESPACE, "aborting does not make room while their requests are under way"
    gates.release()
    world.run(2, names[-1])
    assert len(gates) == 1


def test_pods_on_their_nodes_network_are_never_asked() -> None:
    world = begun(ONLY_STATUS)
    tried = canary(world)
    world.cluster.settle()
    for pod in [each for each in world.cluster.list(POD, NAMESPACE) if tried in each["metadata"]["name"]]:
        pod["spec"]["hostNetwork"] = True
        world.cluster.put(pod)
    world.run_until(is_over, 60)
    assert world.status()["rejected"][0]["reason"] == "GateUnreachable"
    assert "remove hostNetwork" in world.status()["rejected"][0]["message"]
    assert not world.asked


@pytest.mark.parametrize("weights", [[], [{"weight": 100}]])
def test_a_gate_alone_promotes_when_it_passes(weights: list[dict[str, int]]) -> None:
    spec = {"steps": [{"smoke": ONLY_STATUS}, *weights]}
    world = World(RATE)
    world.apply(model_deployment(rollout=spec))
    world.run(3)
    world.apply(model_deployment("model:2", rollout=spec))
    world.reconcile()
    tried = canary(world)
    world.run_until(is_over, 60)
    assert world.status()["stable"]["revision"] == tried
    assert world.asked


REFUSED = {"path": "/infer", "body": "no model takes this", "expect": {"status": 500}}


@pytest.mark.parametrize("seconds", [1, 7, 13], ids=lambda seconds: f"scraped every {seconds} s")
def test_no_request_of_a_gate_is_in_the_evidence(seconds: int) -> None:
    smoke = {"requests": [REFUSED] * 20, "golden": {"requests": [REFUSED] * 10}}
    world = begun(smoke, gives(500))
    world.prometheus.every_seconds = seconds
    stable = world.status()["stable"]["revision"]
    world.replies[stable] = gives(500)
    world.run_until(lambda seen: _errors(seen).get("canaryTotal", 0) > 100, 120)
    assert len(world.asked) == 2 * 20 + 2 * 10
    assert sum(pod.history[-1][2] for pod in world.prometheus.pods.values()) == 60, "the servers counted them"
    assert _errors(world)["canaryBad"] == 0
    assert _errors(world)["stableBad"] == 0


def _errors(world: World) -> dict[str, Any]:
    reports = world.reports()
    signals = ((reports[0].get("status") or {}).get("assessment") or {}).get("signals") or [] if reports else []
    return next((each for each in signals if each["name"] == "errors"), {})


def test_a_canary_that_nobody_scrapes_is_told_and_not_counted() -> None:
    world = begun(ONLY_STATUS)
    tried = canary(world)
    world.run_until(lambda seen: seen.status()["canary"]["weight"] == 50, 30)
    pods = world.prometheus.pods
    for name in [each for each in pods if tried in each]:
        del pods[name]
    hidden: dict[str, Any] = {}
    world.prometheus.pods = _Without(pods, tried, hidden)
    world.run(215)
    condition = world.condition("MetricsAvailable")
    assert (condition["status"], condition["reason"]) == ("False", "NoSeries")
    assert f"Prometheus has not scraped fraud-{tried}" in condition["message"]


class _Without(dict[str, Any]):
    """Counters, without those of one revision's pods."""

    def __init__(self, pods: dict[str, Any], revision: str, hidden: dict[str, Any]) -> None:
        super().__init__(pods)
        self._revision, self._hidden = revision, hidden

    def setdefault(self, name: str, default: Any = None) -> Any:
        return self._hidden.setdefault(name, default) if self._revision in name else super().setdefault(name, default)
