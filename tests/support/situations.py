"""The situations that most reconcile tests begin with."""

from typing import Any

from support.world import World, model_deployment

QUICK = {"steps": [{"weight": 25}, {"weight": 50}], "maxWait": "1m", "keepOld": "10s"}


def serving(first: str = "model:1", **spec: Any) -> tuple[World, str]:
    """Return a world in which a first revision serves, and that revision."""
    world = World()
    world.apply(model_deployment(first, **spec))
    world.run_until(lambda w: w.condition("Ready").get("status") == "True")
    return world, world.status()["stable"]["revision"]


def with_canary(**spec: Any) -> tuple[World, str, str]:
    """Return a world in which a second revision is analysed at step 0, and both revisions."""
    world, stable = serving(**spec)
    world.apply(model_deployment("model:2", **spec))
    world.run_until(lambda w: w.status().get("canary", {}).get("state") == "Analysing")
    return world, stable, world.status()["canary"]["revision"]


def truth(world: World) -> tuple[str, str, str]:
    return tuple(world.condition(each).get("status", "") for each in ("Ready", "Reconciling", "Stalled"))  # type: ignore[return-value]
