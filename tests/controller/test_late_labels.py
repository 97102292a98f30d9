"""Worlds in, worlds out: labels that come longer after the predictions than Prometheus is looked back over."""

from collections.abc import Callable
from datetime import timedelta

from serinus import contract
from serinus.signals.grid import LOOK_BACK
from support.situations import serving
from support.world import World, model_deployment

LATE = timedelta(minutes=10, seconds=30)
SPEC = {
    "rollout": {"steps": [{"weight": 25}, {"weight": 50}], "maxWait": "30m", "keepOld": "10s"},
    "analysis": {"interval": "10s", "signals": [{"name": "wrong", "kind": "Accuracy", "action": "Rollback"}]},
}
USUAL, WORSE = 0.05, 0.25


def labelled(canary_wrong: float) -> tuple[World, str, str]:
    """Return a world with a canary whose predictions are as often wrong, and the two revisions."""
    world, stable = serving(**SPEC)
    prometheus = world.prometheus
    prometheus.exports[stable] = ("serinus_predictions_total",)
    prometheus.labels_after, world.wrong_share[stable] = LATE, USUAL
    world.run(60)
    world.apply(model_deployment("model:2", **SPEC))
    world.run_until(lambda w: w.status().get("canary"))
    canary = world.status()["canary"]["revision"]
    prometheus.exports[canary], world.wrong_share[canary] = prometheus.exports[stable], canary_wrong
    return world, stable, canary


def pass_until(world: World, condition: Callable[[], object], limit: int) -> int:
    """Let time pass until something holds; the operator looks every five seconds. Return the seconds it took."""
    for passed in range(0, limit, 5):
        if condition():
            return passed
        for _ in range(4):
            world.now += timedelta(seconds=1)
            world.traffic("fraud")
        world.step()
    raise AssertionError(f"not within {limit} s: {world.status()}")


def test_a_canary_whose_labels_come_after_ten_minutes_is_found_by_them() -> None:
    assert LATE > LOOK_BACK
    world, stable, canary = labelled(WORSE)
    world.run_until(lambda w: w.status()["canary"].get("state") == "Analysing")
    begun = world.now
    pass_until(world, lambda: world.now - begun >= LATE, 700)
    status = world.status()["canary"]
    assert (status["revision"], status["step"]) == (canary, 0), "nobody goes on without a label"
    world.restart()  # an operator does not live for ever, and remembers nothing
    passed = pass_until(world, lambda: world.status().get("rejected"), 300)
    assert passed < 120, "a minute or two of labels are enough"
    assert world.status()["stable"]["revision"] == stable
    assert world.status()["rejected"][0]["reason"] == contract.REASON_ACCURACY_WORSE
    pass_until(world, lambda: not world.pods_of(canary), 60)


def test_a_canary_that_is_as_often_right_is_promoted_once_the_labels_tell() -> None:
    world, _, canary = labelled(USUAL)
    passed = pass_until(world, lambda: world.status()["stable"]["revision"] == canary, 1700)
    assert passed > LATE.total_seconds()
