"""Find out which artifact a spec's model amounts to, and with it which revision: ask a Job, remember its answer.

A revision that is stored keeps what it was rendered with, so nobody is asked about it again; a tracked model is asked
about again and again. Writes no object but the Job. Must not know how a template is rendered.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from serinus import contract
from serinus.cluster.kinds import JOB, POD, Manifest
from serinus.cluster.protocol import ClusterApi
from serinus.controller.children import Children
from serinus.errors import AlreadyExists, Forbidden, Refused, Stall
from serinus.rollout import names
from serinus.rollout.artifact import Artifact, Known, Resolved
from serinus.rollout.fetching import FetchImage
from serinus.rollout.lookup import (
    LABEL_OF_PODS,
    POLL,
    Gone,
    Looking,
    Lookup,
    Unresolved,
    is_stale,
    last_failure_of,
    make_lookup_job,
    read_lookup,
    tries_of,
)
from serinus.rollout.pods import parse_time
from serinus.rollout.resources import make_job_metadata
from serinus.rollout.revision import revision_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """What the settings say about fetching models."""

    image: FetchImage | None = None
    """None: nothing can be fetched, and a spec that asks for it stalls."""
    track_interval: timedelta = timedelta(minutes=5)
    """How often a tracked URI is looked up."""


NO_FETCHING = Fetching()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The revision that a spec asks for, as far as its artifact is known."""

    revision: str
    full_hash: str
    found: Manifest | None
    """Its stored object, None if it was never rendered."""
    resolved: Resolved | None = None
    """What a lookup found; None if none was needed for this revision now."""
    known: Known | None = None
    """What a tracked URI had behind it when it was last looked up."""
    trouble: str = ""
    """Why the newest lookup of a tracked URI failed; what was known before stays in force."""
    again: timedelta | None = None
    """When the URI is due, or its lookup may have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A lookup is under way without whose answer the revision cannot be rendered."""

    message: str


Find = Callable[[str], tuple[str, Manifest | None]]
"""From a full hash to the revision's name and its stored object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookups:
    """Looks models up for one ModelDeployment."""

    cluster: ClusterApi
    children: Children
    fetching: Fetching
    body: Mapping[str, Any]
    now: datetime

    def target(self, artifact: Artifact | None, hash_with: Callable[[str | None], str], find: Find) -> Target | Pending:
        """Return the revision that is asked for, or that it is not known yet.

        Args:
            artifact: what the spec says about its model's files.
            hash_with: the revision's full hash, given the digest that belongs to it (None: none does).
            find: looks for a stored revision.

        Raises:
            Stall: the lookup failed and nothing is known from before.
        """
        plain = hash_with(None)
        if artifact is not None and artifact.is_looked_up and artifact.track:
            return self._tracked(artifact, plain, hash_with, find)
        revision, found = find(plain)
        target = Target(revision=revision, full_hash=plain, found=found)
        if artifact is None or not artifact.is_looked_up or found is not None:
            return target
        answer = self._ask(artifact, plain, newer_than=None)
        return replace(target, resolved=answer) if isinstance(answer, Resolved) else _without(answer, artifact)

    def _tracked(
        self, artifact: Artifact, plain: str, hash_with: Callable[[str | None], str], find: Find
    ) -> Target | Pending:
        """Return the revision of the newest artifact that is known; a failing store changes nothing about it."""
        known = Known.from_wire((self.body.get("status") or {}).get("model") or {})
        stands = None
        if known is not None and known.uri == artifact.shown and known.digest is not None and known.at is not None:
            full_hash = hash_with(known.digest)
            revision, found = find(full_hash)
            due = known.at + self.fetching.track_interval - self.now
            # Without its stored object the answer is needed once more: a run was cut short before it stored it.
            if found is not None:
                stands = Target(revision=revision, full_hash=full_hash, found=found, known=known, again=due)
                if due > timedelta(0):
                    return stands
        answer = self._ask(artifact, plain, newer_than=known.at if stands is not None and known is not None else None)
        if isinstance(answer, Resolved):
            full_hash = hash_with(answer.digest)
            revision, found = find(full_hash)
            seen = Known(uri=artifact.shown, digest=answer.digest, at=answer.at)
            again = max(answer.at + self.fetching.track_interval - self.now, POLL)
            return Target(revision=revision, full_hash=full_hash, found=found, resolved=answer, known=seen, again=again)
        if stands is None:
            return _without(answer, artifact)
        if isinstance(answer, Unresolved):
            return replace(stands, trouble=answer.message, again=self._until(answer))
        return replace(stands, again=POLL)

    def _ask(self, artifact: Artifact, full_hash: str, newer_than: datetime | None) -> Lookup:
        """Return how the lookup stands; start one where there is none, and another where one is due."""
        name = names.lookup_name(self.children.name, revision_name(full_hash))
        try:
            found = self.children.live(self._job(artifact, name))
            if found is None:
                self._start(artifact, name)
                return Looking()
            if found["metadata"].get("deletionTimestamp"):
                return Looking()
            return self._read(artifact, name, found, newer_than)
        except (Forbidden, Refused) as refusal:
            return Unresolved(message=f"the API server refuses the Job that looks the model up: {refusal.message}")
        except Stall as stall:
            return Unresolved(message=stall.message, reason=stall.reason)

    def _read(self, artifact: Artifact, name: str, job: Manifest, newer_than: datetime | None) -> Lookup:
        uid = job["metadata"]["uid"]
        pods = self.cluster.list(POD, self.children.namespace, {LABEL_OF_PODS: uid})
        lookup = read_lookup(job, pods, self.now)
        # A Job from before the newest answer is the one that gave it, or an earlier one.
        is_old = newer_than is not None and parse_time(job["metadata"]["creationTimestamp"]) <= newer_than
        is_old = is_old or is_stale(job, lookup, self.body["metadata"]["generation"], self.now)
        if isinstance(lookup, Gone) or (is_old and not isinstance(lookup, Looking)):
            self._start_again(artifact, name, uid)
            return Looking()
        if isinstance(lookup, Unresolved):
            if lookup.retry_at is not None and lookup.retry_at <= self.now:
                self._start_again(artifact, name, uid, tries=tries_of(job) + 1, last_failure=lookup.message)
            return lookup
        # While a lookup is tried again, what the one before said still holds: nothing flaps.
        if isinstance(lookup, Looking) and (failure := last_failure_of(job)):
            return Unresolved(message=failure)
        return lookup

    def _start_again(self, artifact: Artifact, name: str, uid: str, **given: Any) -> None:
        self.cluster.delete(JOB, self.children.namespace, name, uid)
        self._start(artifact, name, **given)

    def _start(self, artifact: Artifact, name: str, **given: Any) -> None:
        try:
            self.cluster.create(self._job(artifact, name, **given))
        except AlreadyExists:
            # The old one is still on its way out, or an earlier run started it: the next look tells.
            return

    def _job(self, artifact: Artifact, name: str, **given: Any) -> Manifest:
        return make_lookup_job(
            artifact,
            metadata=make_job_metadata(self.body["metadata"], name),
            pod=self.body["spec"]["template"]["spec"],
            image=self.fetching.image,
            generation=self.body["metadata"]["generation"],
            **given,
        )

    def _until(self, answer: Unresolved) -> timedelta:
        return POLL if answer.retry_at is None else max(answer.retry_at - self.now, POLL)


def _without(answer: Lookup, artifact: Artifact) -> Pending:
    """Return that an answer is waited for.

    Raises:
        Stall: it failed.
    """
    if isinstance(answer, Unresolved):
        message = (
            f"{answer.message}; what stands behind {artifact.shown} has to be known before a revision starts,"
            " it is tried again"
        )
        again = LOOK_AGAIN if answer.reason == contract.REASON_MODEL_UNRESOLVED else None
        raise Stall(answer.reason, message if again else answer.message, again=again)
    return Pending(message=f"looking up what stands behind {artifact.shown}; what serves stays as it is")


LOOK_AGAIN = timedelta(seconds=2)
"""A person mends a secret or a store outside of the object, and nothing tells of it."""
