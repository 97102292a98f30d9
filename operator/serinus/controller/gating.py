"""Run gates beside the reconciles: each in a thread of its own, looked at whenever its ModelDeployment is.

The result is kept in memory until it stands in the record. After a restart a gate is run again: its requests are
inferences, which change nothing. Knows which pods a gate asks; must not know what it asks them.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from threading import Event, Lock, Thread
from typing import Any

from serinus import contract
from serinus.controller.candidate import Candidate
from serinus.controller.children import Children
from serinus.controller.observe import Sighting
from serinus.gates.answers import NotAddressable
from serinus.gates.gate import Gate, Job, Send, Stopped
from serinus.gates.send import Target, send, target_of
from serinus.rollout import steps
from serinus.rollout.resources import StoredRevision, read_controller_revision
from serinus.rollout.smoke import GateOutcome, Smoke
from serinus.rollout.types import Canary, CanaryState, Observed, RolloutPlan
from serinus.signals.preset import Serving
from serinus.signals.presets import preset

MOST = 16
"""Gates at once; further ones wait for their turn."""
MOST_OF_NAMESPACE = 4
"""Gates of one namespace at once, so that nobody's slow models hold up everybody's."""
PATIENCE_SHARE = 0.9
"""Share of the progress deadline in which a model may load, so that there is time left to say that it did not."""

log = logging.getLogger(__name__)

Start = Callable[[Callable[[], None]], None]
"""Runs something beside the caller."""


@dataclass(slots=True, kw_only=True)
class _Running:
    key: tuple[str, str, int]
    """The object's UID, the attempt and the step."""
    began: datetime | None = None
    """When it first got a place; kept where it begins anew with other pods."""
    job: Job | None = None
    """None while it waits for a place, or for a pod that is ready."""
    stop: Event = field(default_factory=Event)
    outcome: GateOutcome | None = None
    is_sure: bool = False
    """The pods that the outcome speaks of were still there after it."""
    late: GateOutcome | None = None
    """It took too long: what its thread says from now on does not count."""


def in_a_thread(work: Callable[[], None]) -> None:
    """Run something in a thread that does not keep the process from ending."""
    Thread(target=work, name="gate", daemon=True).start()


class Gatekeeper:
    """Keeps the gates that are under way, at most one per ModelDeployment."""

    def __init__(self, *, send: Send = send, start: Start = in_a_thread) -> None:
        self._send = send
        self._start = start
        self._lock = Lock()
        self._running: dict[tuple[str, str], _Running] = {}
        self._busy: list[str] = []
        """Namespace of each gate whose thread is alive, also where nobody waits for it any more."""

    def look(self, children: Children, candidate: Candidate, sighting: Sighting, model: str, now: datetime) -> Sighting:
        """Return what was seen with the outcome of the gate in force, if it has ended; begin it if it has not begun."""
        place = (children.namespace, children.name)
        found = _gate_in_force(candidate, sighting)
        if found is None:
            self.forget(*place)
            return sighting
        canary, plan, _ = found
        running = self._of(place, (candidate.desired.uid, canary.identity, canary.step), children)
        waits = ""
        if running.job is None and running.outcome is None and running.late is None:
            waits = self._let_begin(running, children, candidate, sighting, found, model, now)
        outcome = running.late or self._sure_outcome(running, children)
        if outcome is None and _is_over(running, plan, now):
            running.stop.set()
            outcome = running.late = _too_late(canary, plan, waits)
        return replace(sighting, observed=replace(sighting.observed, gate=outcome, gate_waits=waits))

    def _let_begin(
        self,
        running: _Running,
        children: Children,
        candidate: Candidate,
        sighting: Sighting,
        found: tuple[Canary, RolloutPlan, Smoke],
        model: str,
        now: datetime,
    ) -> str:
        """Let a gate begin unless it is paused, and return what it waits for if it cannot."""
        canary, plan, smoke = found
        if canary.paused:
            running.began = None
            return ""
        ready = sighting.observed.ready_pods(canary.revision)
        wanted = steps.pods_of_step(plan, canary, candidate.desired.replicas)
        # A pod that is not asked would meet users cold.
        if ready < wanted:
            running.began = running.began or now
            return f"{ready} of its {wanted} pods are ready"
        if not self._take(children.namespace):
            return f"{MOST_OF_NAMESPACE} gates of this namespace, or {MOST} of all, are under way"
        running.began = running.began or now
        patience = PATIENCE_SHARE * plan.progress_deadline - (now - running.began)
        make = partial(_make_job, children, candidate, sighting, canary, smoke, model, patience)
        self._begin(running, children, canary, make)
        return ""

    def forget(self, namespace: str, name: str) -> None:
        """Stop the gate of a ModelDeployment and drop its outcome, if there is one."""
        with self._lock:
            running = self._running.pop((namespace, name), None)
        if running is not None:
            running.stop.set()

    def _of(self, place: tuple[str, str], key: tuple[str, str, int], children: Children) -> _Running:
        """Return the gate of a ModelDeployment: the one it has, or a new one that has not begun."""
        with self._lock:
            running = self._running.get(place)
        if running is not None and running.key == key:
            if running.job is None or running.is_sure or not _gone(running.job, children):
                return running
            # Its addresses may be others' soon, and what it says of pods that had to go is not held against anybody.
            fresh = _Running(key=key, began=running.began, late=running.late)
        else:
            fresh = _Running(key=key)
        self.forget(*place)
        with self._lock:
            self._running[place] = fresh
        return fresh

    def _sure_outcome(self, running: _Running, children: Children) -> GateOutcome | None:
        """Return the outcome once its pods were seen after it; pods that went meanwhile make it void."""
        outcome = running.outcome
        if outcome is None or running.is_sure:
            return outcome
        running.is_sure = running.job is None or not _gone(running.job, children, only_canary=outcome.passed)
        return outcome if running.is_sure else None

    def _take(self, namespace: str) -> bool:
        """Take a place among the gates under way, if there is one."""
        with self._lock:
            if len(self._busy) >= MOST or self._busy.count(namespace) >= MOST_OF_NAMESPACE:
                return False
            self._busy.append(namespace)
        return True

    def _end(self, namespace: str) -> None:
        with self._lock:
            self._busy.remove(namespace)

    def _begin(self, running: _Running, children: Children, canary: Canary, make: Callable[[], Job | None]) -> None:
        """Let a gate begin that has taken a place; without a pod that is ready at this moment the next look does."""
        job: Job | None = None
        try:
            job = running.job = make()
        except NotAddressable as error:
            running.outcome = _unreachable(canary, str(error))
        finally:
            if job is None:
                self._end(children.namespace)
        if job is None:
            return
        place = {"namespace": children.namespace, "model_deployment": children.name}

        def work() -> None:
            try:
                running.outcome = Gate(job=job, stop=running.stop, send=self._send).run()
            except Stopped:
                log.info("the gate of step %d was stopped", canary.ordinal, extra=place)
            except Exception as error:
                log.exception("the gate of step %d failed by itself", canary.ordinal, extra=place)
                running.outcome = _unreachable(canary, f"the operator could not carry out the gate: {error!r}"[:300])
            finally:
                self._end(children.namespace)

        self._start(work)


def _gate_in_force(candidate: Candidate, sighting: Sighting) -> tuple[Canary, RolloutPlan, Smoke] | None:
    """Return the attempt, its plan and what its step asks, None unless a smoke step's pods are ready to be asked."""
    canary, plan = sighting.progress.canary, sighting.observed.frozen
    if canary is None or plan is None or canary.state is not CanaryState.ANALYSING:
        return None
    smoke = steps.current_step(plan, canary).smoke
    return (canary, plan, smoke) if smoke is not None and canary.revision == candidate.stored.revision else None


def _is_over(running: _Running, plan: RolloutPlan, now: datetime) -> bool:
    return running.began is not None and now - running.began >= plan.progress_deadline


def _gone(job: Job, children: Children, *, only_canary: bool = False) -> bool:
    """Tell whether a pod that a gate asks is not there any more, or not at the address that it asks."""
    there = {
        (pod["metadata"]["name"], (pod.get("status") or {}).get("podIP"))
        for pod in children.pods()
        if not pod["metadata"].get("deletionTimestamp")
        and (pod.get("status") or {}).get("phase") not in {"Failed", "Succeeded"}
    }
    asked = job.canary if only_canary else (*job.canary, *job.stable)
    return any((target.pod, target.ip) not in there for target in asked)


def _too_late(canary: Canary, plan: RolloutPlan, waits: str) -> GateOutcome:
    limit = int(plan.progress_deadline.total_seconds())
    advice = f"{waits}: see why they are not" if waits else "ask less in one step"
    message = (
        f"the gate of step {canary.ordinal} had no result within {limit} s: {advice}, or raise rollout.progressDeadline"
    )
    return replace(_unreachable(canary, message), reason=contract.REASON_PROGRESS_DEADLINE)


def _unreachable(canary: Canary, message: str) -> GateOutcome:
    return GateOutcome(
        identity=canary.identity,
        step=canary.step,
        passed=False,
        reason=contract.REASON_GATE_UNREACHABLE,
        message=message,
    )


def _make_job(
    children: Children,
    candidate: Candidate,
    sighting: Sighting,
    canary: Canary,
    smoke: Smoke,
    model: str,
    patience: timedelta,
) -> Job | None:
    """Return what a gate needs to know; None if no canary pod is ready at this very moment.

    Raises:
        NotAddressable: there is nowhere to send the canary's requests to.
    """
    pods = children.pods()
    targets = _targets(pods, sighting.observed, canary.revision, candidate.stored.port)
    if not targets:
        return None
    serving, stable = _serving(candidate.stored.runtime, model), _stable(children, sighting)
    return Job(
        identity=canary.identity,
        step=canary.step,
        smoke=smoke,
        patience=patience,
        canary=targets,
        stable=_stable_targets(pods, sighting.observed, stable) if stable is not None else (),
        model=model,
        protocol=serving.protocol if serving is not None else "http",
        probe_path=serving.readiness_path if serving is not None else None,
        stable_protocol=_protocol(stable.runtime, model) if stable is not None else "http",
    )


def _targets(pods: list[dict[str, Any]], observed: Observed, revision: str, port: int | str) -> tuple[Target, ...]:
    """Return where a revision's ready pods listen, by name."""
    ready = {pod.name for pod in observed.pods if pod.revision == revision and pod.ready}
    chosen: list[Mapping[str, Any]] = [pod for pod in pods if pod["metadata"]["name"] in ready]
    return tuple(target_of(pod, port) for pod in sorted(chosen, key=lambda pod: str(pod["metadata"]["name"])))


def _stable(children: Children, sighting: Sighting) -> StoredRevision | None:
    stable = sighting.progress.stable
    found = children.stored_revision(stable.revision) if stable is not None else None
    return read_controller_revision(found) if found is not None else None


def _stable_targets(pods: list[dict[str, Any]], observed: Observed, stable: StoredRevision) -> tuple[Target, ...]:
    try:
        return _targets(pods, observed, stable.revision, stable.port)[:1]
    except NotAddressable:
        return ()


def _serving(runtime: str, model: str) -> Serving | None:
    return preset(runtime).bound_to(model).serving


def _protocol(runtime: str, model: str) -> str:
    serving = _serving(runtime, model)
    return serving.protocol if serving is not None else "http"
