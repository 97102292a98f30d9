"""What is reported and decides nothing: servers recognised, an unexpected share of requests, a changed world.

Knows pods and assessments. Must not know Prometheus or how a share is tested.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from serinus import contract
from serinus.judge.measurements import ExpectedShare
from serinus.rollout.assessment import Assessment, Measuring
from serinus.rollout.decide import Note
from serinus.rollout.types import Canary, CanaryState, Observed
from serinus.signals.recognition import Recognition, Recognitions
from serinus.signals.scope import Side

KEPT_CONNECTIONS = "clients that keep connections open stay with the pods they know"
SHARE_IS_OFF = (
    "the canary does not get the share of requests that its pods should give (status.assessment.traffic of the "
    f"RolloutReport has the figures): {KEPT_CONNECTIONS}"
)
WORLD_CHANGED = (
    "{names}: canary and stable both moved away from the training reference and agree with each other: "
    "the world changed, not the model; retrain, or renew the reference"
)


def expected_share(observed: Observed, canary: str, stable: str) -> ExpectedShare | None:
    """Return the share of connections that the canary's ready pods get now; None while a side has none.

    Not promised: with split Replicas connections are spread over pods, and some carry more requests than others.

    Args:
        observed: one look at the cluster.
        canary: revision.
        stable: revision.
    """
    tried, serving = observed.ready_pods(canary), observed.ready_pods(stable)
    if not (tried and serving):
        return None
    return ExpectedShare(share=tried / (tried + serving), promised=False)


def steady_since(observed: Observed, canary: Canary, stable: str) -> datetime | None:
    """Return since when the pods of both sides are as they are now; None while a step's pods come and go."""
    if canary.state is not CanaryState.ANALYSING or canary.ready_since is None:
        return None
    pods = [pod for pod in observed.pods if pod.revision in (canary.revision, stable)]
    return max([canary.ready_since, *(pod.changed or pod.started for pod in pods)])


def notes_of(before: Assessment | None, after: Assessment) -> tuple[Note, ...]:
    """Return the Events of what a tick brought to light: once per step for the share, once for a changed world."""
    notes = []
    if _is_off(after) and not (before is not None and before.step == after.step and _is_off(before)):
        because = after.traffic.because if after.traffic is not None else ""
        message = f"{because}; {KEPT_CONNECTIONS}" if because else SHARE_IS_OFF
        notes.append(Note(warning=True, reason=contract.REASON_TRAFFIC_SHARE_OFF, message=message))
    known = set(_changed_worlds(before)) if before is not None else set()
    if news := [name for name in _changed_worlds(after) if name not in known]:
        message = WORLD_CHANGED.format(names=", ".join(news))
        notes.append(Note(warning=True, reason=contract.REASON_WORLD_CHANGED, message=message))
    return tuple(notes)


def recognition_notes(before: Mapping[str, Recognition], now: Recognitions | None) -> tuple[Note, ...]:
    """Return the Events of what servers were recognised: once per revision, and again if it proves another one."""
    notes: list[Note] = []
    if now is None:
        return ()
    for side in Side:
        found = now.of(side)
        known = before.get(found.revision)
        is_new = known is None or (known.recognised, known.runtime, known.data) != (True, found.runtime, found.data)
        if found.recognised and is_new:
            data = f", and its data as {found.data}" if found.data else ""
            message = f"{side} {found.revision} is read as {found.runtime}{data}: {found.because}"
            notes.append(Note(warning=found.contradicts, reason=contract.REASON_SERVER_RECOGNISED, message=message))
    return tuple(notes)


def with_remarks(measuring: Measuring, assessment: Assessment) -> Measuring:
    """Return what the condition MetricsAvailable says, with what was reported and decides nothing."""
    remarks = [SHARE_IS_OFF] if _is_off(assessment) else []
    if names := _changed_worlds(assessment):
        remarks.append(WORLD_CHANGED.format(names=", ".join(names)))
    return replace(measuring, message="; ".join([measuring.message, *remarks])) if remarks else measuring


def _is_off(assessment: Assessment) -> bool:
    return assessment.traffic is not None and assessment.traffic.off


def _changed_worlds(assessment: Assessment) -> tuple[str, ...]:
    return tuple(each.name for each in assessment.signals if each.reason == contract.REASON_WORLD_CHANGED)
