"""The Job that finds out what stands behind a model's URI: its manifest, and what it says.

It runs in the tenant's namespace with the rights of the pods that will serve, never with the operator's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from serinus import contract
from serinus.rollout.artifact import NEEDS_A_PERSON, Artifact, Resolved, read_resolved, why_failed
from serinus.rollout.fetching import CONTAINER, FetchImage, fetch_container, scratch_volume
from serinus.rollout.pods import parse_pod, parse_time

POLL = timedelta(seconds=1)
"""Jobs are not watched: one that is under way is looked at this often."""
LONGEST = timedelta(minutes=5)
PATIENCE = LONGEST - timedelta(seconds=30)
"""A lookup whose pod cannot start is begun anew after this."""
KEPT = timedelta(minutes=10)
"""How long a lookup that ended stays, to be looked into."""
FRESH = timedelta(minutes=1)
"""An answer to an earlier spec is good for so long, so that an autoscaler's writes do not make it void."""
NO_POD_GRACE = timedelta(seconds=30)
_FIRST_DELAY = {True: timedelta(seconds=10), False: timedelta(seconds=30)}
LONGEST_DELAY = timedelta(minutes=2)
"""A person who mends what a lookup misses waits no longer than this."""
LABEL_OF_PODS = "batch.kubernetes.io/controller-uid"
# What pods of the same template need to reach their stores and registries the same way.
_SHARED = ("serviceAccountName", "imagePullSecrets", "tolerations", "dnsPolicy", "dnsConfig", "hostAliases")
# A proxy beside the lookup would run on when it has ended, and the Job with it.
_NO_SIDECARS = {"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"}
_MOST_MESSAGE = 1000
_TOOK_TOO_LONG = (
    f"the lookup of the model took longer than {LONGEST // timedelta(minutes=1)} min: either its store hangs, or it"
    " says nothing that changes with the content (no ETag, no digest), so that all of it was read: write"
    " spec.model.digest, or let the store give ETags"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """A lookup is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """A lookup failed, or cannot start."""

    message: str
    retry_at: datetime | None = None
    """When another Job is worth starting; None: there is one, or another would fail the same way."""
    reason: str = contract.REASON_MODEL_UNRESOLVED


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A lookup ended and nobody has its answer any more."""


Lookup = Looking | Resolved | Unresolved | Gone


def make_lookup_job(
    artifact: Artifact,
    *,
    metadata: Mapping[str, Any],
    pod: Mapping[str, Any],
    image: FetchImage | None,
    generation: int,
    tries: int = 1,
    last_failure: str = "",
) -> dict[str, Any]:
    """Return the Job that looks a URI up.

    Args:
        artifact: what is looked up.
        metadata: name, namespace, labels and owner of the Job.
        pod: spec of the template that is to serve the model.
        image: with the program.
        generation: of the spec that asks.
        tries: its number in a row of tries, counted from 1.
        last_failure: why the one before it failed.

    Raises:
        Stall: no image is set.
    """
    container = fetch_container(image, ["--uri", artifact.uri, "--resolve"], secret=artifact.secret, user=None)
    annotations = {
        contract.ANNOTATION_LOOKUP_TRIES: str(tries),
        contract.ANNOTATION_LOOKUP_GENERATION: str(generation),
    }
    if last_failure:
        annotations[contract.ANNOTATION_LOOKUP_FAILURE] = last_failure[:_MOST_MESSAGE]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {**metadata, "annotations": annotations},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": int(LONGEST.total_seconds()),
            "ttlSecondsAfterFinished": int(KEPT.total_seconds()),
            "template": _pod_template(metadata["name"], pod, container),
        },
    }


def _pod_template(job: str, pod: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, Any]:
    return {
        # None of our own labels: the Services select by those.
        "metadata": {"labels": {contract.LABEL_LOOKUP: job, **_NO_SIDECARS}, "annotations": _NO_SIDECARS},
        "spec": {
            **{key: pod[key] for key in _SHARED if key in pod},
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{**container, "terminationMessagePolicy": "FallbackToLogsOnError"}],
            "volumes": [scratch_volume()],
        },
    }


def read_lookup(job: Mapping[str, Any], pods: Iterable[Mapping[str, Any]], now: datetime) -> Lookup:
    """Return how a lookup stands.

    Args:
        job: the Job.
        pods: its pods.
        now: the time, aware.
    """
    started = parse_time(job["metadata"]["creationTimestamp"])
    newest = max(pods, key=lambda each: str(each["metadata"]["creationTimestamp"]), default=None)
    ended = _ended(newest) if newest is not None else None
    # What a container says that its Job's deadline stopped is that it was stopped.
    if _ran_out(job) and (ended is None or ended.get("exitCode") != 0):
        return Unresolved(message=_TOOK_TOO_LONG, retry_at=started + 2 * LONGEST)
    if newest is not None:
        if ended is not None:
            return _read_end(job, ended, now)
        # A lookup that misses its Secret rejects nothing and heals by itself: a person need not wait to be told.
        seen = parse_pod(newest, now, secret_grace=timedelta(0))
        if seen is not None and seen.fact is not None:
            # Its name would be another one for each try, and so would the sentence.
            why = seen.fact.message.replace(f" in pod {seen.name}", "").replace(f" pod {seen.name}", " its pod")
            # Before the Job's deadline takes the pod and with it the cause away.
            return Unresolved(message=f"the lookup of the model cannot start: {why}", retry_at=started + PATIENCE)
    if failed := _condition(job, "Failed"):
        why = failed.get("message") or failed.get("reason") or "no reason given"
        at = parse_time(failed["lastTransitionTime"]) if failed.get("lastTransitionTime") else now
        return Unresolved(message=f"the lookup of the model failed: {why}", retry_at=at + _delay(job, helps=True))
    if _condition(job, "Complete"):
        return Gone()
    if newest is None and now - started >= NO_POD_GRACE:
        name = job["metadata"]["name"]
        return Unresolved(
            message=f"the lookup of the model got no pod within {NO_POD_GRACE.seconds} s: a quota or admission may"
            f" refuse it, kubectl describe job {name} says which"
        )
    return Looking()


def is_stale(job: Mapping[str, Any], lookup: Lookup, generation: int, now: datetime) -> bool:
    """Tell whether an answer is too old for the spec in force: what stands there now is what was asked for."""
    asked = str((job["metadata"].get("annotations") or {}).get(contract.ANNOTATION_LOOKUP_GENERATION))
    return isinstance(lookup, Resolved) and asked != str(generation) and now - lookup.at > FRESH


def tries_of(job: Mapping[str, Any]) -> int:
    """Return a Job's number in a row of tries, counted from 1."""
    text = str((job["metadata"].get("annotations") or {}).get(contract.ANNOTATION_LOOKUP_TRIES, "1"))
    return int(text) if text.isdecimal() else 1


def last_failure_of(job: Mapping[str, Any]) -> str:
    """Return why the lookup before this one failed; empty if it did not."""
    return str((job["metadata"].get("annotations") or {}).get(contract.ANNOTATION_LOOKUP_FAILURE, ""))


def _read_end(job: Mapping[str, Any], ended: Mapping[str, Any], now: datetime) -> Lookup:
    """Return what a lookup that ended found, or why it found nothing."""
    at = parse_time(ended["finishedAt"]) if ended.get("finishedAt") else now
    code, message = ended.get("exitCode"), ended.get("message")
    if code == 0:
        resolved = read_resolved(message or "", at)
        if resolved is not None:
            return resolved
        sentence = (
            "the lookup of the model gave no answer that can be read: SERINUS_FETCH_IMAGE has to be of the operator's"
            " own version"
        )
        return Unresolved(message=sentence, retry_at=at + _delay(job, helps=False))
    sentence = f"the model cannot be looked up: {why_failed(message, code)}"
    return Unresolved(message=sentence, retry_at=at + _delay(job, helps=code != NEEDS_A_PERSON))


def _delay(job: Mapping[str, Any], *, helps: bool) -> timedelta:
    """Return how long to wait before the next lookup: twice as long each time."""
    doubled: timedelta = _FIRST_DELAY[helps] * 2 ** min(tries_of(job) - 1, 10)
    return min(doubled, LONGEST_DELAY)


def _ran_out(job: Mapping[str, Any]) -> bool:
    # The first of them comes at once, the second when the pods are gone.
    found = (_condition(job, type_) for type_ in ("FailureTarget", "Failed"))
    return any(each.get("reason") == "DeadlineExceeded" for each in found)


def _ended(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for each in (pod.get("status") or {}).get("containerStatuses") or ():
        if each.get("name") == CONTAINER:
            ended: Mapping[str, Any] | None = (each.get("state") or {}).get("terminated")
            return ended
    return None


def _condition(job: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == type_ and each.get("status") == "True"), {})
