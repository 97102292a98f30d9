"""Every state, every trigger, and what follows: one table.

Rule 1: *everything* about transitions lives in this file. ``triggers.py`` finds the one trigger that the world pulls
now, ``decide.py`` carries out its effect on the memory. The state is not the API: users see conditions.

A pair that is not in the table cannot happen; "nothing happens" is written out as NOTHING, so a test can walk the
full product.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from serinus import contract


class State(StrEnum):
    """Where a ModelDeployment stands."""

    INITIALIZING = "Initializing"
    """The first revision is coming up; there is nothing to fall back to."""
    STABLE = "Stable"
    """One revision serves, and it is the one that the spec asks for."""
    PROGRESSING = "Progressing"
    """A canary is under way: its pods start, or evidence is gathered."""
    PAUSED = "Paused"
    """A canary is held where it is, by a person or for want of evidence. Harm still rolls it back."""
    PROMOTING = "Promoting"
    """The proof is there; enough canary pods for all traffic are starting."""
    REJECTED = "Rejected"
    """The spec asks for a revision that was rolled back; stable serves."""


class Trigger(StrEnum):
    """What can pull a transition, most urgent first: the first that holds is taken."""

    FIRST_UP = "first revision has a ready pod"
    FIRST_REPLACED = "spec changed before the first revision was up"
    RETURNED = "spec equals stable again"
    SUPERSEDED = "spec asks for yet another revision"
    ABANDONED = "spec asks for a revision that was rejected before, or may not begin"
    ABORTED = "aborted by a person"
    ADOPTED = "a rollback stands in the report already"
    FACT = "a canary pod fails (crash, image, memory, place)"
    FAILED = "evidence: worse than stable"
    GATE_FAILED = "a gate before any user refuses the canary"
    PROMOTED_BY_HAND = "promoted by a person"
    DEADLINE = "pods not ready in time"
    PAUSED = "paused by a person"
    RESUMED = "resumed by a person"
    PODS_READY = "the step's pods are ready"
    STEP_PASSED = "proof for the next step"
    ALL_PASSED = "proof for all traffic"
    GAVE_UP = "no verdict in time: roll back"
    HELD = "no verdict in time: hold"
    SWITCHED = "enough canary pods for all traffic"
    STARTED = "spec asks for a new revision"
    RETRIED = "a rejected revision is tried again by a person"
    NOTHING = "nothing new"


class Transition(NamedTuple):
    """Where a trigger leads, and the reason that is reported."""

    state: State
    reason: str


_FLYING = (State.PROGRESSING, State.PAUSED, State.PROMOTING)
_STEPPING = (State.PROGRESSING, State.PAUSED)


def _table() -> dict[tuple[State, Trigger], Transition]:
    """Build the table; rows that hold in several states are written once."""
    table = {(state, Trigger.NOTHING): Transition(state, "") for state in State}
    for state in _FLYING:
        table[state, Trigger.RETURNED] = Transition(State.STABLE, contract.REASON_RETURNED)
        table[state, Trigger.SUPERSEDED] = Transition(State.PROGRESSING, contract.REASON_SUPERSEDED)
        table[state, Trigger.ABANDONED] = Transition(State.REJECTED, contract.REASON_SUPERSEDED)
        table[state, Trigger.ABORTED] = Transition(State.REJECTED, contract.REASON_ABORTED)
        table[state, Trigger.ADOPTED] = Transition(State.REJECTED, "")
        table[state, Trigger.FACT] = Transition(State.REJECTED, "")
        table[state, Trigger.FAILED] = Transition(State.REJECTED, "")
    for state in (State.PROGRESSING, State.PROMOTING):
        table[state, Trigger.DEADLINE] = Transition(State.REJECTED, contract.REASON_PROGRESS_DEADLINE)
    for state in _STEPPING:
        table[state, Trigger.GATE_FAILED] = Transition(State.REJECTED, "")
        table[state, Trigger.PROMOTED_BY_HAND] = Transition(State.PROMOTING, contract.REASON_PROMOTING)
        table[state, Trigger.STEP_PASSED] = Transition(State.PROGRESSING, contract.REASON_STEP_STARTED)
        table[state, Trigger.ALL_PASSED] = Transition(State.PROMOTING, contract.REASON_PROMOTING)
    for state in (State.STABLE, State.REJECTED):
        table[state, Trigger.STARTED] = Transition(State.PROGRESSING, contract.REASON_ROLLOUT_STARTED)
    return table | {
        (State.INITIALIZING, Trigger.FIRST_UP): Transition(State.STABLE, contract.REASON_STABLE),
        (State.INITIALIZING, Trigger.FIRST_REPLACED): Transition(State.INITIALIZING, contract.REASON_SUPERSEDED),
        (State.PROGRESSING, Trigger.PAUSED): Transition(State.PAUSED, contract.REASON_PAUSED),
        (State.PAUSED, Trigger.RESUMED): Transition(State.PROGRESSING, contract.REASON_PROGRESSING),
        (State.PROGRESSING, Trigger.PODS_READY): Transition(State.PROGRESSING, contract.REASON_ANALYSING),
        (State.PROGRESSING, Trigger.GAVE_UP): Transition(State.REJECTED, contract.REASON_INCONCLUSIVE),
        (State.PROGRESSING, Trigger.HELD): Transition(State.PAUSED, contract.REASON_INCONCLUSIVE),
        (State.PAUSED, Trigger.PAUSED): Transition(State.PAUSED, contract.REASON_PAUSED),
        (State.PROMOTING, Trigger.SWITCHED): Transition(State.STABLE, contract.REASON_PROMOTED),
        (State.REJECTED, Trigger.RETRIED): Transition(State.PROGRESSING, contract.REASON_ROLLOUT_STARTED),
    }


TABLE: Mapping[tuple[State, Trigger], Transition] = MappingProxyType(_table())


def diagram() -> str:
    """Return the table as a Mermaid state diagram for the documentation."""
    lines = ["stateDiagram-v2", "    [*] --> Initializing"]
    lines += [
        f"    {state.value} --> {transition.state.value}: {trigger.value.replace(':', ',')}"
        for (state, trigger), transition in sorted(TABLE.items())
        if trigger is not Trigger.NOTHING
    ]
    return "\n".join(lines) + "\n"
