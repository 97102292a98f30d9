"""Kill the operator at every single write of a rollout: the end is the same, and nothing is decided twice."""

from typing import Any

import pytest

from serinus.cluster.kinds import DEPLOYMENT
from serinus.gates.answers import Answer
from support.world import World, model_deployment

ROLLOUT = {"steps": [{"weight": 25}, {"weight": 50}], "keepOld": "5s", "maxWait": "5m"}
RATE = 60.0  # many requests a second, so that proofs are quick


class Killed(BaseException):
    """The process is gone: nothing of it may catch this."""


GATED = {**ROLLOUT, "steps": [{"smoke": {"requests": [{"path": "/infer"}]}}, {"weight": 50}]}


def rollout(
    *, crash_at: int | None, after: bool, bad: bool, spec: dict[str, Any] = ROLLOUT, refused: bool = False
) -> World:
    """Run one rollout to its end; the operator dies at its n-th write, before or after it took effect."""
    world = World(RATE)
    world.apply(model_deployment(rollout=spec))
    world.run(3)
    world.cluster.writes.clear()
    world.apply(model_deployment("model:2", rollout=spec))
    if crash_at is not None:
        world.cluster.fail_at(crash_at, Killed(), after=after)
    rest = 5  # an operator that died at the very end still has to come back and finish
    while rest:
        over = world.status()["phase"] in {"Stable", "Rejected"} and world.reports()
        rest -= 1 if over and not world.status().get("retiring") else 0
        try:
            if bad and (canary := world.status().get("canary")):
                world.error_share[canary["revision"]] = 0.2
            if refused and (canary := world.status().get("canary")):
                world.replies[canary["revision"]] = lambda _: Answer(status=500, body="", milliseconds=1)
            world.step()
        except Killed:
            world.restart()
    return world


def end_of(world: World) -> dict[str, Any]:
    """Return what people see at the end, without times."""
    status = world.status()
    return {
        "phase": status["phase"],
        "stable": status["stable"]["revision"],
        "rejected": [(each["revision"], each["attempt"], each["reason"]) for each in status.get("rejected", [])],
        "selected": world.selected(),
        "scale": {each["metadata"]["name"]: each["spec"]["replicas"] for each in world.cluster.list(DEPLOYMENT, "")},
        "reports": [
            (each["metadata"]["name"], (each["status"].get("outcome") or {}).get("result")) for each in world.reports()
        ],
        "steps": [
            (each["action"], each["step"])
            for report in world.reports()
            for each in report["status"].get("decisions", [])
            if each["action"] in {"StepPassed", "AllPassed", "Failed", "GateFailed"}
        ],
    }


@pytest.mark.parametrize("bad", [False, True], ids=["promoted", "rolled back"])
@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
def test_a_crash_at_any_write_changes_nothing_about_the_end(bad: bool, after: bool) -> None:
    undisturbed = rollout(crash_at=None, after=False, bad=bad)
    expected = end_of(undisturbed)
    assert expected["phase"] == ("Rejected" if bad else "Stable")
    writes = len([each for each in undisturbed.cluster.writes if not each.dry_run])
    assert writes > 8
    for number in range(1, writes + 2):
        assert end_of(rollout(crash_at=number, after=after, bad=bad)) == expected, f"crash at write {number}"


@pytest.mark.parametrize("refused", [False, True], ids=["let through", "refused"])
@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
def test_a_crash_around_a_gate_changes_nothing_about_the_end(refused: bool, after: bool) -> None:
    expected = end_of(rollout(crash_at=None, after=False, bad=False, spec=GATED, refused=refused))
    assert expected["phase"] == ("Rejected" if refused else "Stable")
    assert ("GateFailed", 0) in expected["steps"] if refused else ("StepPassed", 0) in expected["steps"]
    for number in range(6, 11):  # from the pods being ready to the first weight; the others are as without a gate
        world = rollout(crash_at=number, after=after, bad=False, spec=GATED, refused=refused)
        assert end_of(world) == expected, f"crash at write {number}"
