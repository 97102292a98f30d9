"""Scenario 7: without requests there is no proof, so nothing is promoted; when they come, it goes on by itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

from e2e.manifests import model_spec, pod_template
from e2e.model import Beacon, Models, canary_of, condition, parse_time, rejections_of, stable_of
from e2e.waiting import eventually

MAX_WAIT = timedelta(seconds=12)
TWO_TICKS = timedelta(seconds=10)


def second_template() -> dict[str, Any]:
    """Return the template of another revision that is as good."""
    return pod_template(env={"VERSION": "2"})


def test_silent_canary_is_held_and_goes_on_when_requests_come(models: Models) -> None:
    model = models("silent-pause")
    rollout = {"maxWait": "12s", "onInconclusive": "Pause"}
    model.apply(model_spec(rollout=rollout))
    first = model.wait_ready()
    model.apply(model_spec(rollout=rollout, template=second_template()))
    canary = model.wait_canary(after=first)
    second = canary["revision"]
    model.wait_assessed(
        second,
        lambda seen: seen["verdict"] in {"INCONCLUSIVE", "NO_DATA"} and model.evidence(second)["because"],
        what="the judge says that it cannot tell, and why",
        within=30,
    )
    assert model.evidence(second)["reason"] in {"NoTraffic", "NoSeries"}

    held = model.wait(
        "held for want of evidence",
        lambda obj: condition(obj, "Paused").get("reason") == "Inconclusive",
        within=60,
        never=lambda obj: stable_of(obj)["revision"] != first or rejections_of(obj),
    )
    assert canary_of(held)["step"] == 0
    since = parse_time(condition(held, "Paused")["lastTransitionTime"])
    waited = since - parse_time(canary_of(held)["readySince"])
    assert MAX_WAIT <= waited <= MAX_WAIT + timedelta(seconds=8)

    with model.load(new_per_second=25):
        model.wait_promoted(second)


def test_silent_canary_meets_what_on_inconclusive_says(models: Models, beacon: Beacon) -> None:
    chosen = {policy: models(f"silent-{policy.lower()}") for policy in ("Wait", "PromoteIfCalm", "Rollback")}
    rollouts = {policy: {"maxWait": "12s", "onInconclusive": policy} for policy in chosen}
    for policy, model in chosen.items():
        model.apply(model_spec(replicas=1, rollout=rollouts[policy]))
    firsts = {policy: model.wait_ready() for policy, model in chosen.items()}
    for policy, model in chosen.items():
        model.apply(model_spec(replicas=1, rollout=rollouts[policy], template=second_template()))
    ready_since = {
        policy: parse_time(model.wait_canary(after=firsts[policy])["readySince"]) for policy, model in chosen.items()
    }

    rejection = chosen["Rollback"].wait_rejected(within=60)
    assert rejection["reason"] == "Inconclusive"
    assert parse_time(rejection["at"]) - ready_since["Rollback"] >= MAX_WAIT
    over = max(ready_since.values()) + MAX_WAIT + TWO_TICKS
    eventually("the longest wait is over for all", lambda: datetime.now(UTC) > over, within=60)
    beacon.settle()
    for policy in ("Wait", "PromoteIfCalm"):
        seen = chosen[policy].seen()
        assert stable_of(seen)["revision"] == firsts[policy], "no data promoted something"
        assert canary_of(seen)["step"] == 0
        assert not rejections_of(seen)
