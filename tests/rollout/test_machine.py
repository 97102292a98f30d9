"""The table walked in full: every state, every trigger, and what the documentation shows of it."""

import itertools

import pytest

from serinus.rollout.machine import TABLE, State, Trigger, diagram

# A decision that ends an attempt never leads back into it; these are the only ways on.
LEADS = {
    Trigger.FIRST_UP: {State.STABLE},
    Trigger.FIRST_REPLACED: {State.INITIALIZING},
    Trigger.RETURNED: {State.STABLE},
    Trigger.SUPERSEDED: {State.PROGRESSING},
    Trigger.ABANDONED: {State.REJECTED},
    Trigger.ABORTED: {State.REJECTED},
    Trigger.ADOPTED: {State.REJECTED},
    Trigger.FACT: {State.REJECTED},
    Trigger.FAILED: {State.REJECTED},
    Trigger.GATE_FAILED: {State.REJECTED},
    Trigger.DEADLINE: {State.REJECTED},
    Trigger.GAVE_UP: {State.REJECTED},
    Trigger.HELD: {State.PAUSED},
    Trigger.PAUSED: {State.PAUSED},
    Trigger.RESUMED: {State.PROGRESSING},
    Trigger.PODS_READY: {State.PROGRESSING},
    Trigger.STEP_PASSED: {State.PROGRESSING},
    Trigger.ALL_PASSED: {State.PROMOTING},
    Trigger.PROMOTED_BY_HAND: {State.PROMOTING},
    Trigger.SWITCHED: {State.STABLE},
    Trigger.STARTED: {State.PROGRESSING},
    Trigger.RETRIED: {State.PROGRESSING},
}


@pytest.mark.parametrize(("state", "trigger"), list(itertools.product(State, Trigger)))
def test_each_pair_leads_where_it_must_or_cannot_happen(state: State, trigger: Trigger) -> None:
    transition = TABLE.get((state, trigger))
    if trigger is Trigger.NOTHING:
        assert transition is not None
        assert transition.state is state
    elif transition is not None:
        assert transition.state in LEADS[trigger]


def test_every_trigger_is_in_the_table() -> None:
    assert {trigger for _, trigger in TABLE} == set(Trigger)


def test_harm_ends_an_attempt_from_every_state_that_has_one() -> None:
    for state in (State.PROGRESSING, State.PAUSED, State.PROMOTING):
        for trigger in (Trigger.FACT, Trigger.FAILED, Trigger.ABORTED):
            assert TABLE[state, trigger].state is State.REJECTED


def test_only_switching_makes_another_revision_stable() -> None:
    ways = {(state, trigger) for (state, trigger), to in TABLE.items() if to.state is State.STABLE}
    assert {trigger for _, trigger in ways if trigger is not Trigger.NOTHING} == {
        Trigger.FIRST_UP,
        Trigger.RETURNED,
        Trigger.SWITCHED,
    }


def test_the_diagram_draws_each_transition_once() -> None:
    lines = diagram().splitlines()
    moves = [key for key in TABLE if key[1] is not Trigger.NOTHING]
    assert len(lines) == len(moves) + 2
    assert "    Promoting --> Stable: enough canary pods for all traffic" in lines
