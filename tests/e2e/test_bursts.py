"""Bursts of errors are no reason: one of a stable pod, and one of requests that fail wherever they land."""

from typing import Any

from e2e.manifests import model_spec, pod_template, weights
from e2e.model import Model, Models, canary_of, is_ready_at, is_true, rejections_of
from e2e.place import Place

POISON = (b'{"poison": true}',)
POISONED = 60
BURSTING = {"BURST_SHARE": "0.8", "BURST_SECONDS": "3"}
SPEC: dict[str, Any] = {
    # The approval holds the rollout until both bursts are judged.
    "steps": [*weights(50), {"approval": {}}],
    "analysis": {
        "interval": "5s",
        "signals": [{"name": "errors", "kind": "Errors", "margin": "5%", "unacceptable": "20%"}],
    },
}


def test_bursts_roll_nothing_back_and_stop_no_promotion(models: Models, place: Place) -> None:
    model = models("bursts")
    model.apply(model_spec(template=pod_template(env=BURSTING), **SPEC))
    first = model.wait_ready()
    with model.load(new_per_second=30) as load:
        model.apply(model_spec(template=pod_template(env={**BURSTING, "VERSION": "2"}), **SPEC))
        second = model.wait_canary(after=first)["revision"]
        model.wait_assessed(second, lambda _: True, what="a first tick", within=40)

        burst_one_pod(model, place, first)
        wait_bad(model, second, "stable", 10)
        alone = model.evidence(second)
        assert alone["canaryBad"] == 0, "the burst was stable's alone"

        burst_everywhere(model)
        wait_bad(model, second, "canary", 5)

        model.wait("the approval's turn", lambda obj: canary_of(obj).get("step") == 1, within=90, never=rejections_of)
        model.order("approve", f"{second}/1/1")
        promoted = model.wait_promoted(second)
    assert is_ready_at(promoted, second)
    assert not is_true(promoted, "Stalled")
    evidence = model.evidence(second)
    assert evidence["canaryBad"] + evidence["stableBad"] >= POISONED
    assert evidence["dispersion"] > 1, "two stable pods that scatter more than chance allows"
    assert evidence["evidence"] < 20
    assert load.counts().new.failed == 0


def burst_one_pod(model: Model, place: Place, stable: str) -> None:
    """Let one of stable's pods fail for three seconds."""
    pod = model.pods(stable)[0]["metadata"]["name"]
    place.kubectl.run("exec", "-n", model.namespace, pod, "--", "sh", "-c", "kill -USR1 1")


def burst_everywhere(model: Model) -> None:
    """Send requests, for two seconds, that fail on whichever pod they meet."""
    with model.load(new_per_second=POISONED / 2, bodies=POISON, limit=POISONED) as poison:
        counts = poison.join()
    assert counts.new.bad == POISONED, counts.to_wire()


def wait_bad(model: Model, canary: str, side: str, at_least: int) -> None:
    """Wait until so many bad requests of a side are judged."""
    model.wait_assessed(
        canary,
        lambda _: model.evidence(canary).get(f"{side}Bad", 0) >= at_least,
        what=f"{at_least} bad requests of {side} are judged",
        within=40,
    )
