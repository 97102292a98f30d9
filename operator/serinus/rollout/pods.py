"""Read pods: which are ready, and which have something wrong that needs no statistics."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from serinus import contract
from serinus.rollout.artifact import NEEDS_A_PERSON, why_failed
from serinus.rollout.fetching import CONTAINER as FETCH_CONTAINER
from serinus.rollout.types import Fact, PodSeen

UNSCHEDULABLE_GRACE = timedelta(seconds=15)
"""A pod is unschedulable for a moment whenever another one is still leaving its place."""

SECRET_GRACE = timedelta(seconds=30)
"""A Secret may come moments after the pod that needs it, when something else brings it."""

FETCH_TRIES = 3
"""A store that does not answer is asked so often by one pod before that counts as a failure of the revision."""

_PULL_FAILURES = frozenset({"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
# ErrImagePull is the first failure of a pull; ImagePullBackOff says that it failed again or for good within seconds.
_MESSAGE_LENGTH = 600


def parse_pod(pod: Mapping[str, Any], now: datetime, *, secret_grace: timedelta = SECRET_GRACE) -> PodSeen | None:
    """Return what a pod tells, None if it is on its way out or has ended.

    Args:
        pod: the object.
        now: the time, aware.
        secret_grace: how old the pod is at least before it counts that the Secret of its fetch is missing.
    """
    metadata, status = pod["metadata"], pod.get("status") or {}
    if metadata.get("deletionTimestamp") or status.get("phase") == "Succeeded":
        return None
    containers = list(_container_statuses(status))
    changed = _condition(status, "Ready").get("lastTransitionTime")
    started = parse_time(metadata["creationTimestamp"])
    # A pod that was evicted or lost its node failed by no fault of its own; another one takes its place.
    blameless = status.get("phase") == "Failed" and bool(status.get("reason"))
    passing = [each for each in containers if blameless or (_lacks_secret(each) and now - started < secret_grace)]
    counting = [each for each in containers if each not in passing or each.get("name") != FETCH_CONTAINER]
    return PodSeen(
        name=metadata["name"],
        revision=(metadata.get("labels") or {}).get(contract.LABEL_REVISION, ""),
        ready=_condition(status, "Ready").get("status") == "True",
        started=started,
        changed=parse_time(changed) if changed else None,
        restarts=sum(int(each.get("restartCount") or 0) for each in containers),
        fact=_fact(metadata["name"], status, counting, now),
        waits=_waits(metadata["name"], containers),
    )


def parse_time(text: str) -> datetime:
    """Return the moment of an RFC 3339 time, aware."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _fact(pod: str, status: Mapping[str, Any], containers: list[Mapping[str, Any]], now: datetime) -> Fact | None:
    """Return the first thing that is wrong, None if nothing is."""
    for container in containers:
        if fact := _container_fact(pod, container):
            return fact
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        since = scheduled.get("lastTransitionTime")
        if since is None or now - parse_time(since) >= UNSCHEDULABLE_GRACE:
            return Fact(
                reason=contract.REASON_UNSCHEDULABLE,
                message=f"no node takes pod {pod}: {_shorten(scheduled.get('message') or 'no reason given')}",
            )
    return None


def _container_fact(pod: str, container: Mapping[str, Any]) -> Fact | None:
    """Return what one container's status says is wrong."""
    name, image = container.get("name", "?"), container.get("image", "?")
    state = container.get("state") or {}
    waiting = state.get("waiting") or {}
    if waiting.get("reason") in _PULL_FAILURES:
        answer = _shorten(waiting.get("message") or waiting["reason"])
        return Fact(
            reason=contract.REASON_IMAGE_PULL_FAILED,
            message=f"image {image} of container {name} in pod {pod} cannot be pulled: {answer}",
        )
    ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
    if name == FETCH_CONTAINER:
        return _fetch_fact(pod, container, ended)
    if ended.get("reason") == "OOMKilled":
        return Fact(
            reason=contract.REASON_OOM_KILLED,
            message=f"container {name} in pod {pod} needed more memory than its limit and was killed"
            f" (exit code {ended.get('exitCode', 137)}); raise resources.limits.memory or use a smaller model",
        )
    if waiting.get("reason") == "CrashLoopBackOff":
        return Fact(
            reason=contract.REASON_CRASH_LOOP,
            message=f"container {name} in pod {pod} crashes again and again: exit code"
            f" {ended.get('exitCode', 'unknown')}, last log line: {_last_line(ended.get('message'))}",
        )
    return None


def _fetch_fact(pod: str, container: Mapping[str, Any], ended: Mapping[str, Any]) -> Fact | None:
    """Return why a model's files do not come, None while they may still."""
    if not (message := _why_not_fetched(pod, container, ended)):
        return None
    if _lacks_secret(container):
        return Fact(reason=contract.REASON_MODEL_FETCH_FAILED, message=message)
    restarts = int(container.get("restartCount") or 0)
    tries = restarts if "running" in (container.get("state") or {}) else restarts + 1
    if ended.get("exitCode") != NEEDS_A_PERSON and tries < FETCH_TRIES:
        return None
    return Fact(reason=contract.REASON_MODEL_FETCH_FAILED, message=message)


def _waits(pod: str, containers: list[Mapping[str, Any]]) -> str:
    """Return why a model's files are not there yet, empty if they are or none are fetched."""
    for container in containers:
        if container.get("name") != FETCH_CONTAINER:
            continue
        state = container.get("state") or {}
        ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
        if message := _why_not_fetched(pod, container, ended):
            return message
        if "running" in state:
            return (
                f"the model is still being fetched in pod {pod}: kubectl logs {pod} -c {FETCH_CONTAINER} says how far"
                " it has come"
            )
    return ""


def _lacks_secret(container: Mapping[str, Any]) -> bool:
    waiting = (container.get("state") or {}).get("waiting") or {}
    return bool(waiting.get("reason") == "CreateContainerConfigError")


def _why_not_fetched(pod: str, container: Mapping[str, Any], ended: Mapping[str, Any]) -> str:
    """Return in a sentence how a fetch failed, empty if it did not."""
    if _lacks_secret(container):
        why = _shorten(container["state"]["waiting"].get("message") or "no reason given")
        return (
            f"the model cannot be fetched in pod {pod}: CredentialsMissing: {why}; create it, or mend model.secretRef"
        )
    code = ended.get("exitCode")
    if not code or ended.get("reason") == "Completed":
        return ""
    why = "it needed more memory than its limit" if ended.get("reason") == "OOMKilled" else ""
    return f"the model cannot be fetched in pod {pod}: {why or why_failed(ended.get('message'), code)}"


def _container_statuses(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _condition(status: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    return next((each for each in status.get("conditions") or () if each.get("type") == type_), {})


def _last_line(message: str | None) -> str:
    lines = [line.strip() for line in (message or "").splitlines() if line.strip()]
    return _shorten(lines[-1]) if lines else "(the container wrote none)"


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MESSAGE_LENGTH else text[: _MESSAGE_LENGTH - 1] + "…"
