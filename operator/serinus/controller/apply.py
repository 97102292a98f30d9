"""Walk through a plan: one idempotent write an action, in order; the first failure ends the walk.

An action whose effect stands already is not written, so an idle object costs no request. Decides nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from serinus import contract
from serinus.cluster.kinds import CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT, Manifest
from serinus.cluster.protocol import ClusterApi
from serinus.controller.cache import WatchCache
from serinus.controller.candidate import Candidate
from serinus.controller.children import Children
from serinus.errors import AlreadyExists, Stall
from serinus.rollout import names
from serinus.rollout.plan import Action, Forget, Point, Scale
from serinus.rollout.resources import (
    StoredRevision,
    digest_of,
    make_config_map_copy,
    make_controller_revision,
    make_deployment,
    make_service,
    read_controller_revision,
)


class Applier:
    """Carries out the plan for one ModelDeployment."""

    def __init__(
        self, cluster: ClusterApi, cache: WatchCache, children: Children, candidate: Candidate, settled: "Settled"
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._children = children
        self._candidate = candidate
        self._settled = settled
        self._known = {candidate.stored.revision: candidate.stored}

    def check(self, plan: Iterable[Action]) -> None:
        """Look whether every action of a plan can be done, before its intent is written.

        Raises:
            Stall: a name is taken by somebody else, or one Service would have to send to two ports.
        """
        ports = set()
        for action in plan:
            if not isinstance(action, Forget):
                self._children.live(self._manifest(action))
            if isinstance(action, Point):
                ports |= {self._stored(each).port for each in action.revisions}
        if len(ports) > 1:
            raise Stall(
                contract.REASON_INVALID_SPEC,
                "the canary listens on another port than stable, and one Service can't send to both: keep the port, or"
                " give both templates a port of the same name and set service.targetPort to that name",
            )

    def apply(self, plan: Iterable[Action]) -> None:
        """Do each action of a plan whose effect does not stand yet.

        Raises:
            ClusterError: a write failed; those before it stand, the next reconcile does the rest.
        """
        for action in plan:
            if isinstance(action, Forget):
                self._forget(action)
                continue
            if isinstance(action, Scale) and action.revision == self._candidate.stored.revision:
                self._store()
            self._put(self._manifest(action))

    def _manifest(self, action: Scale | Point) -> Manifest:
        """Return the whole intent of an action."""
        desired = self._candidate.desired
        match action:
            case Scale(revision=revision, replicas=replicas):
                return make_deployment(desired, self._stored(revision), replicas)
            case Point(role=role, revisions=revisions):
                only = revisions[0] if len(revisions) == 1 else None
                return make_service(desired, role, only, self._stored(revisions[0]).port)
            case _:
                assert_never(action)

    def _forget(self, action: Forget) -> None:
        """Delete what belongs to an old revision; the Deployment last, for by it the rest is found again."""
        stored = self._children.stored_revision(action.revision)
        child = names.child_name(self._children.name, action.revision)
        namespace = self._children.namespace
        if stored is not None:
            for config_map in read_controller_revision(stored).config_maps:
                self._cluster.delete(CONFIG_MAP, namespace, names.config_map_copy_name(config_map, action.revision))
            self._cluster.delete(CONTROLLER_REVISION, namespace, child, stored["metadata"]["uid"])
        self._cluster.delete(DEPLOYMENT, namespace, child)

    def _put(self, manifest: Manifest) -> None:
        """Apply a manifest unless the live object says all of it already."""
        live = self._children.live(manifest)
        if live is not None and (says(live, manifest) or self._settled.holds(live, manifest)):
            return
        applied = self._cluster.apply(manifest)
        self._cache.put(applied)
        self._settled.note(applied, manifest)

    def _stored(self, revision: str) -> StoredRevision:
        """Return a revision as it was rendered."""
        if revision not in self._known:
            found = self._children.stored_revision(revision)
            if found is None:
                raise Stall(
                    contract.REASON_REVISION_MISSING,
                    f"ControllerRevision {names.child_name(self._children.name, revision)} is gone, so the pods of"
                    f" revision {revision} are left as they are: restore it from a backup, or delete the"
                    " ModelDeployment with --cascade=orphan and apply it again",
                )
            self._known[revision] = read_controller_revision(found)
        return self._known[revision]

    def _store(self) -> None:
        """Keep the rendered revision and the copies of its ConfigMaps, before any pod needs them."""
        if self._candidate.is_stored:
            return
        desired, stored = self._candidate.desired, self._candidate.stored
        for name in stored.config_maps:
            self._create(make_config_map_copy(desired, stored, self._candidate.config_maps[name]))
        number = 1 + max((int(each["revision"]) for each in self._children.stored_revisions()), default=0)
        self._create(make_controller_revision(desired, stored, number))

    def _create(self, manifest: Manifest) -> None:
        try:
            self._cluster.create(manifest)
        except AlreadyExists:
            # Left by a run that was cut short: the name holds the hash of the content, so it is the same.
            self._children.live(manifest)


class Settled:
    """What was applied to which state of an object, for fields that the server writes in another way than we do.

    ``cpu: "0.5"`` comes back as ``500m``: compared as text it never settles, and would be applied for ever.
    """

    def __init__(self) -> None:
        self._applied: dict[str, tuple[object, str]] = {}

    def note(self, applied: Manifest, manifest: Manifest) -> None:
        """Remember that a manifest was applied and led to this object."""
        self._applied[applied["metadata"]["uid"]] = (_state_of(applied, manifest), digest_of(manifest))

    def holds(self, live: Manifest, manifest: Manifest) -> bool:
        """Tell whether this very manifest was applied, and what it led to still stands."""
        return self._applied.get(live["metadata"]["uid"]) == (_state_of(live, manifest), digest_of(manifest))


def _state_of(obj: Manifest, manifest: Manifest) -> object:
    """Return what changes when somebody changes a field that we own."""
    metadata = obj["metadata"]
    # A generation counts changes of the spec only, so our labels and annotations have to be looked at besides.
    ours = [
        {key: (metadata.get(part) or {}).get(key) for key in manifest["metadata"].get(part) or ()}
        for part in ("labels", "annotations")
    ]
    return metadata.get("generation") or metadata.get("resourceVersion"), ours


def says(live: Any, intended: Any) -> bool:
    """Tell whether a live value says all that is intended; what stands there besides does not matter.

    So it can't see what we applied before and intend no longer: a manifest that may lose fields carries its digest.

    Lists have to match element by element, apart from what the server added inside each; an empty value is the same
    as an absent one; selectors have to be equal, for a key more selects less.
    """
    if isinstance(intended, Mapping):
        if not isinstance(live, Mapping):
            return not intended and live is None
        return all(
            live.get(key) == value if key == "selector" else says(live.get(key), value)
            for key, value in intended.items()
        )
    if isinstance(intended, list | tuple):
        if not isinstance(live, list):
            return not intended and live is None
        return len(live) == len(intended) and all(says(*pair) for pair in zip(live, intended, strict=True))
    return bool(live == intended)
