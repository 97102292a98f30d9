"""Names of revisions, shares of pods, latched commands, manifests and the plan's order."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.worlds import NOW, make_canary, make_desired, make_observed, make_plan, make_pods, make_progress
from serinus import contract
from serinus.rollout import commands, steps
from serinus.rollout.machine import State
from serinus.rollout.plan import Forget, Point, Scale, ServiceRole, drained
from serinus.rollout.plan import make_plan as actions_of
from serinus.rollout.resources import (
    StoredRevision,
    make_controller_revision,
    make_deployment,
    make_service,
    read_controller_revision,
)
from serinus.rollout.revision import revision_hash, revision_name
from serinus.rollout.smoke import Smoke
from serinus.rollout.triggers import fact_about
from serinus.rollout.types import CanaryState, Command, Fact, Retiring, Step, StepKind

SOURCE = {"template": {"spec": {"containers": [{"name": "a", "image": "b"}]}}, "runtime": "generic"}


def test_the_order_of_keys_does_not_make_a_revision() -> None:
    turned = dict(reversed(list(SOURCE.items())))
    assert revision_hash(SOURCE, {}) == revision_hash(turned, {})


@pytest.mark.parametrize(
    "other",
    [
        ({**SOURCE, "runtime": "mlserver"}, {}),
        (SOURCE, {"settings": {"data": {"a": "1"}}}),
        (SOURCE, {"settings": {"data": {"a": "2"}}}),
        (SOURCE, {"settings": {"binaryData": {"a": "1"}}}),
    ],
)
def test_what_changes_serving_pods_makes_a_revision(
    other: tuple[dict[str, object], dict[str, dict[str, object]]],
) -> None:
    assert revision_hash(*other) != revision_hash(SOURCE, {})


def test_a_revision_of_this_hash_version_keeps_its_name_for_ever() -> None:
    assert revision_name(revision_hash(SOURCE, {})) == "st4r5d8px4"


@given(st.binary(min_size=32, max_size=32).map(bytes.hex))
def test_a_longer_name_begins_with_the_shorter(full_hash: str) -> None:
    name = revision_name(full_hash)
    assert len(name) == contract.REVISION_LENGTH
    assert set(name) <= set(contract.REVISION_ALPHABET)
    assert revision_name(full_hash, 12).startswith(name)


@pytest.mark.parametrize(
    ("replicas", "weight", "pods", "percent"),
    [(4, 5, 1, 20), (4, 25, 1, 20), (4, 50, 2, 33), (3, 25, 1, 25), (19, 5, 1, 5), (1, 50, 1, 50), (10, 99, 10, 50)],
)
def test_pods_of_a_weight_and_what_they_really_give(replicas: int, weight: int, pods: int, percent: int) -> None:
    assert steps.canary_replicas(replicas, weight) == pods
    assert steps.reachable_percent(replicas, weight) == percent


SMOKE, ASK = Step(kind=StepKind.SMOKE, weight=0, smoke=Smoke()), Step(kind=StepKind.APPROVAL, weight=0)
FIRST, SECOND = Step(kind=StepKind.WEIGHT, weight=25), Step(kind=StepKind.WEIGHT, weight=50)


@pytest.mark.parametrize(
    ("plan", "pods"),
    [
        ((SMOKE, FIRST, SECOND), (3, 3, 5)),
        ((SMOKE, ASK, SMOKE, FIRST), (3, 3, 3, 3)),
        ((ASK, SMOKE, SECOND), (1, 5, 5)),
        ((ASK, FIRST, ASK), (1, 3, 1)),
        ((SMOKE,), (1,)),
    ],
)
def test_pods_of_each_step_of_ten_replicas(plan: tuple[Step, ...], pods: tuple[int, ...]) -> None:
    """From a smoke step on there are as many as the first weight needs, so those that were asked stay."""
    found = [steps.pods_of_step(make_plan(steps=plan), make_canary(step=index), 10) for index in range(len(plan))]
    assert tuple(found) == pods


def test_the_next_weight_looks_past_approvals_and_ends_at_all() -> None:
    plan = make_plan(
        steps=(
            Step(kind=StepKind.WEIGHT, weight=10),
            Step(kind=StepKind.APPROVAL, weight=10),
            Step(kind=StepKind.WEIGHT, weight=50),
        )
    )
    assert [steps.next_weight(plan, index) for index in range(3)] == [50, 50, 100]
    assert [steps.is_last(plan, index) for index in range(3)] == [False, False, True]


def obeyed(command: Command) -> bool:
    progress = make_progress()
    plan = make_plan(steps=(Step(kind=StepKind.WEIGHT, weight=5), Step(kind=StepKind.APPROVAL, weight=5)))
    desired = make_desired(commands=(command,), plan=plan)
    _, new = commands.latch(desired, progress, make_observed(frozen=plan), State.PROGRESSING, NOW)
    return new[0].obeyed


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        ("promote", "bbbb/1", True),
        ("promote", "bbbb/2", False),
        ("promote", "cccc/1", False),
        ("promote", "bbbb", False),
        ("abort", "bbbb/1", True),
        ("abort", "aaaa/1", False),
        ("pause", "bbbb/1", True),
        ("pause", "bbbb/1/again", True),
        ("pause", "bbbb/3/again", False),
        ("approve", "bbbb/1/1", True),
        ("approve", "bbbb/1/0", False),
        ("approve", "bbbb/1/7", False),
        ("approve", "bbbb/1", False),
        ("retry", "bbbb/2", False),
        ("promote", "", False),
        ("promote", "///", False),
    ],
)
def test_which_commands_are_obeyed_while_bbbb_1_is_at_step_0(type_: str, value: str, expected: bool) -> None:
    assert obeyed(Command(type=type_, value=value)) is expected


@pytest.mark.parametrize(("type_", "expected"), [("abort", True), ("promote", False), ("pause", False)])
def test_while_promoting_only_an_abort_still_matters(type_: str, expected: bool) -> None:
    command = Command(type=type_, value="bbbb/1")
    progress = make_progress(canary=make_canary(state=CanaryState.PROMOTING))
    _, new = commands.latch(make_desired(commands=(command,)), progress, make_observed(), State.PROMOTING, NOW)
    assert new[0].obeyed is expected


def test_a_command_is_latched_once_and_the_list_stays_short() -> None:
    progress = make_progress()
    for number in range(40):
        command = Command(type="pause", value=f"bbbb/1/{number}")
        progress, new = commands.latch(
            make_desired(commands=(command,)), progress, make_observed(), State.PROGRESSING, NOW
        )
        assert len(new) == 1
        _, again = commands.latch(make_desired(commands=(command,)), progress, make_observed(), State.PROGRESSING, NOW)
        assert again == ()
    assert len(progress.commands) == contract.MAX_COMMANDS
    assert commands.is_held(progress, "bbbb/1")


def test_a_stored_revision_is_read_back() -> None:
    stored = StoredRevision(
        revision="bbbb", full_hash="ab" * 32, runtime="generic", template={"spec": {}}, port=8080, config_maps=("a",)
    )
    assert read_controller_revision(make_controller_revision(make_desired(), stored, 3)) == stored


def test_children_belong_to_their_model_deployment_and_never_block_its_deletion() -> None:
    stored = StoredRevision(revision="bbbb", full_hash="ab" * 32, runtime="generic", template={"spec": {}}, port=8080)
    for child in (
        make_deployment(make_desired(), stored, 2),
        make_controller_revision(make_desired(), stored, 1),
        make_service(make_desired(), ServiceRole.MAIN, None, 8080),
    ):
        (owner,) = child["metadata"]["ownerReferences"]
        assert owner["uid"] == "u1"
        assert owner["controller"] is True
        assert owner["blockOwnerDeletion"] is False


def test_a_service_of_all_selects_by_the_model_deployment_alone() -> None:
    assert make_service(make_desired(), ServiceRole.MAIN, None, 8080)["spec"]["selector"] == {
        contract.LABEL_MODEL_DEPLOYMENT: "fraud"
    }
    assert len(make_service(make_desired(), ServiceRole.MAIN, "bbbb", 8080)["spec"]["selector"]) == 2


def test_a_plan_brings_pods_up_moves_services_and_only_then_takes_pods_down() -> None:
    pods = (*make_pods("aaaa", 4), *make_pods("bbbb", 2), *make_pods("cccc", 3))
    desired = make_desired(revision_history_limit=0)
    actions = actions_of(desired, make_progress(), make_observed(pods), None)
    kinds = [(type(each), getattr(each, "replicas", None) == 0) for each in actions]
    order = [(Scale, False), (Point, False), (Scale, True), (Forget, False)]
    assert [order.index(each) for each in kinds] == sorted(order.index(each) for each in kinds)
    assert Scale(revision="cccc", replicas=0) in actions
    assert Point(role=ServiceRole.MAIN, revisions=("aaaa",)) in actions, "a third revision has pods"


@pytest.mark.parametrize(
    ("age", "canary", "stays"), [(20, False, True), (31, False, False), (6, True, False), (3, True, True)]
)
def test_old_pods_stay_as_asked_but_make_room_for_a_new_canary(age: int, canary: bool, stays: bool) -> None:
    retiring = (Retiring(revision="cccc", since=NOW - timedelta(seconds=age)),)
    progress = make_progress(retiring=retiring)
    progress = progress if canary else replace(progress, canary=None)
    assert (drained(make_desired(), progress, make_observed(serving="aaaa"), NOW).retiring == retiring) is stays


def test_the_drain_begins_when_the_main_service_has_left_the_old_pods() -> None:
    retiring = (Retiring(revision="cccc", since=NOW - timedelta(hours=1)),)
    progress = replace(make_progress(retiring=retiring), canary=None)
    still = drained(make_desired(), progress, make_observed(serving="cccc"), NOW)
    assert still.retiring == (Retiring(revision="cccc", since=NOW),)


@pytest.mark.parametrize(("age", "counts"), [(timedelta(seconds=5), True), (timedelta(minutes=5), False)])
def test_what_an_older_pod_suffered_is_not_held_against_a_new_attempt(age: timedelta, counts: bool) -> None:
    fact = Fact(reason=contract.REASON_CRASH_LOOP, message="exit code 1")
    pods = tuple(replace(each, started=NOW - age) for each in make_pods("bbbb", 1, fact=fact))
    assert (fact_about(make_observed(pods), "bbbb", since=NOW) is not None) is counts
