"""Sums of the judge that this version cannot read: a rollout that was under way when the operator was upgraded."""

from serinus import contract
from serinus.cluster.kinds import ROLLOUT_REPORT
from support.situations import with_canary
from support.world import NAMESPACE


def test_sums_of_another_version_hold_the_rollout_and_it_can_be_aborted() -> None:
    world, first, second = with_canary()
    world.run_until(lambda it: any("running" in (each.get("status") or {}) for each in it.reports()))
    name = world.reports()[0]["metadata"]["name"]
    world.cluster.edit(ROLLOUT_REPORT, NAMESPACE, name, {"status": {"running": {"version": 1}}})
    world.run(60)
    available = world.condition("MetricsAvailable")
    assert (available["status"], available["reason"]) == ("False", contract.REASON_STATUS_UNREADABLE)
    assert "abort" in available["message"]
    step = world.status()["canary"]["step"]
    world.run(600)
    assert world.status()["canary"]["step"] == step
    world.annotate("fraud", "abort", f"{second}/1")
    world.run_until(lambda it: it.selected() == first)
