"""Invariants of every decision, whatever spec, memory and cluster come together."""

from dataclasses import replace
from typing import Any

from hypothesis import given

from rollout.worlds import situations
from serinus import contract
from serinus.rollout import steps
from serinus.rollout.conditions import Condition
from serinus.rollout.decide import Decision, decide
from serinus.rollout.plan import Forget, Point, Scale, ServiceRole
from serinus.rollout.triggers import strangers
from serinus.rollout.types import CanaryState, StepKind


def scales(decision: Decision) -> dict[str, int]:
    return {each.revision: each.replicas for each in decision.plan if isinstance(each, Scale)}


def main_service(decision: Decision) -> tuple[str, ...]:
    for each in decision.plan:
        if isinstance(each, Point) and each.role is ServiceRole.MAIN:
            return each.revisions
    return ()


def condition(decision: Decision, type_: str) -> Condition:
    return next(each for each in decision.conditions if each.type == type_)


@given(situations())
def test_deciding_is_total_and_deterministic(situation: dict[str, Any]) -> None:
    assert decide(**situation) == decide(**situation)


@given(situations())
def test_deciding_again_on_what_was_remembered_changes_nothing_more(situation: dict[str, Any]) -> None:
    """The table has no cycle within one look: what one look decides, the next look at the same world leaves alone."""
    first = decide(**situation)
    if first.started is not None:
        return  # the world is looked at anew before anything follows
    same_attempt = (
        first.progress.canary is not None
        and situation["progress"].canary is not None
        and first.progress.canary.identity == situation["progress"].canary.identity
    )
    again = decide(
        **{
            **situation,
            "progress": first.progress,
            "assessment": situation["assessment"] if same_attempt else None,
            "observed": replace(situation["observed"], frozen=first.frozen if first.progress.canary else None),
        }
    )
    assert again.progress == first.progress
    assert again.plan == first.plan
    assert not again.rulings
    assert not again.notes


@given(situations())
def test_what_serves_users_is_never_scaled_away(situation: dict[str, Any]) -> None:
    decision = decide(**situation)
    targets = scales(decision)
    for revision in main_service(decision):
        assert targets.get(revision, 0) > 0 or situation["desired"].replicas == 0


@given(situations())
def test_stable_never_shrinks_while_a_canary_is_under_way(situation: dict[str, Any]) -> None:
    decision = decide(**situation)
    if decision.progress.canary is not None:
        stable = decision.progress.stable.revision
        seen = situation["observed"].revisions.get(stable)
        assert scales(decision).get(stable, 0) >= (seen.replicas if seen else 0)


@given(situations())
def test_users_meet_a_canary_only_when_its_pods_were_ready_and_no_third_revision_has_any(
    situation: dict[str, Any],
) -> None:
    decision = decide(**situation)
    canary = decision.progress.canary
    if len(set(main_service(decision))) == 2:
        assert canary is not None
        assert canary.weight > 0
        assert not strangers(decision.progress, situation["observed"])


@given(situations())
def test_weight_rises_only_onto_pods_that_are_ready(situation: dict[str, Any]) -> None:
    before, decision = situation["progress"].canary, decide(**situation)
    after = decision.progress.canary
    if after is not None and after.weight > 0:
        same = before is not None and before.identity == after.identity
        if not same or after.weight > before.weight:
            assert same, "an attempt begins without weight"
            needed = steps.canary_replicas(situation["desired"].replicas, after.weight)
            assert situation["observed"].ready_pods(after.revision) >= needed


@given(situations())
def test_promotion_needs_a_proof_or_a_person(situation: dict[str, Any]) -> None:
    before, decision = situation["progress"].canary, decide(**situation)
    after = decision.progress.canary
    if before is not None and before.state is not CanaryState.PROMOTING and after is not None:
        moved = after.identity == before.identity and (after.state is CanaryState.PROMOTING or after.step > before.step)
        if moved:
            ordered = any(each.obeyed and each.type in {"promote", "approve"} for each in decision.progress.commands)
            assessment = situation["assessment"]
            calm = situation["desired"].plan.on_inconclusive.value == "PromoteIfCalm" and assessment and assessment.calm
            assert ordered or calm or (assessment is not None and assessment.promote) or gate_says(situation, True)


def gate_says(situation: dict[str, Any], passed: bool) -> bool:
    """Tell whether the gate of the smoke step in force has ended so."""
    gate, canary = situation["observed"].gate, situation["progress"].canary
    return (
        gate is not None
        and canary.state is CanaryState.ANALYSING
        and (gate.identity, gate.step, gate.passed) == (canary.identity, canary.step, passed)
    )


@given(situations())
def test_a_gate_that_failed_ends_the_attempt_in_the_same_decision(situation: dict[str, Any]) -> None:
    before, decision = situation["progress"].canary, decide(**situation)
    promoted = any(each.obeyed and each.type == "promote" for each in decision.progress.commands)
    if gate_says(situation, False) and not promoted:
        after = decision.progress.canary
        assert after is None or after.identity != before.identity


@given(situations())
def test_a_smoke_step_is_left_only_by_its_gate_or_a_person(situation: dict[str, Any]) -> None:
    before, decision = situation["progress"].canary, decide(**situation)
    after = decision.progress.canary
    plan = situation["observed"].frozen or situation["desired"].plan
    if before is None or after is None or after.identity != before.identity:
        return
    if steps.current_step(plan, before).kind is StepKind.SMOKE and before.state is not CanaryState.PROMOTING:
        ordered = any(each.obeyed and each.type == "promote" for each in decision.progress.commands)
        moved = after.step > before.step or after.state is CanaryState.PROMOTING
        assert not moved or ordered or gate_says(situation, True)


@given(situations())
def test_a_failed_verdict_takes_the_canary_from_users_in_the_same_decision(situation: dict[str, Any]) -> None:
    before, assessment = situation["progress"].canary, situation["assessment"]
    decision = decide(**situation)
    judged = before is not None and assessment is not None and assessment.rollback
    if judged and before.state is not CanaryState.PROMOTING:
        after = decision.progress.canary
        assert after is None or after.identity != before.identity
        assert before.revision not in main_service(decision) or decision.progress.stable.revision == before.revision


@given(situations())
def test_a_rejected_revision_starts_again_only_when_ordered(situation: dict[str, Any]) -> None:
    decision = decide(**situation)
    if decision.started is not None and situation["progress"].rejection_of(decision.started.revision):
        assert any(each.type == "retry" and each.obeyed for each in decision.progress.commands)


@given(situations())
def test_conditions_keep_flux_rules(situation: dict[str, Any]) -> None:
    decision = decide(**situation)
    assert [each.type for each in decision.conditions] == list(contract.CONDITION_TYPES)
    ready, reconciling, stalled = (condition(decision, each).status for each in ("Ready", "Reconciling", "Stalled"))
    assert not (reconciling and stalled)
    assert not (ready and (reconciling or stalled))
    if stalled:
        assert condition(decision, "Stalled").message
    for each in decision.conditions:
        assert each.reason


@given(situations())
def test_what_serves_or_is_asked_for_is_never_forgotten(situation: dict[str, Any]) -> None:
    decision = decide(**situation)
    gone = {each.revision for each in decision.plan if isinstance(each, Forget)}
    kept = {each.revision for each in (decision.progress.stable, decision.progress.canary) if each}
    assert not gone & (kept | {situation["desired"].revision})


@given(situations())
def test_a_requeue_is_never_now(situation: dict[str, Any]) -> None:
    wait = decide(**situation).requeue_after
    assert wait is None or wait.total_seconds() > 0
    if decide(**situation).progress.canary is not None:
        assert wait is not None
        assert wait.total_seconds() <= 5
