"""Prepare the revision that a spec asks for: find it stored, or render it and let the server rehearse it.

Nothing is written here but the Job that looks a model up. A revision that was stored once is never rendered again, so
an upgrade restarts nothing.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from serinus import contract
from serinus.api.analysis import Analysis
from serinus.api.artifact import make_artifact
from serinus.api.desired import References, wanted_references
from serinus.api.desired_smoke import wanted_texts
from serinus.api.parse import make_desired, model_name, parse_model_deployment, revision_source, tracks_config
from serinus.api.rollout import Rollout
from serinus.api.spec import ModelDeploymentSpec
from serinus.cluster.kinds import Manifest
from serinus.cluster.protocol import ClusterApi
from serinus.controller.artifacts import Lookups, Pending, Target
from serinus.controller.children import Children
from serinus.errors import BrokenInvariant, Refused, Stall
from serinus.rollout import names
from serinus.rollout.decide import Note
from serinus.rollout.fetching import Delivery
from serinus.rollout.lookup import POLL
from serinus.rollout.plan import ServiceRole
from serinus.rollout.resources import (
    StoredRevision,
    make_config_map_copy,
    make_deployment,
    make_service,
    read_controller_revision,
)
from serinus.rollout.revision import revision_hash, revision_name
from serinus.rollout.template import Runtime, render_template, serving_port, tracked_config_maps
from serinus.rollout.types import Desired, Progress
from serinus.signals.presets import preset

_MOST_COLLISIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What a spec asks for, and the revision behind it."""

    desired: Desired
    stored: StoredRevision
    is_stored: bool
    """False: its ControllerRevision does not exist yet."""
    config_maps: Mapping[str, Manifest]
    """The tracked ConfigMaps as they are now."""
    pending: str = ""
    """Not empty: the spec asks for another revision, whose artifact is being looked up; this one is under way."""
    again: timedelta | None = None
    """When the artifact has to be looked at again."""
    notes: tuple[Note, ...] = ()
    """What came to light about the artifact: Events."""
    hindrance: str = ""
    """Not empty: why no further attempt could begin now; the plan of the one under way is frozen and goes on."""


def prepare(children: Children, body: Mapping[str, Any], progress: Progress, lookups: Lookups) -> Candidate | Pending:
    """Return what a ModelDeployment asks for; what is under way while that is not known yet; Pending if nothing is.

    Raises:
        Stall: the spec cannot be understood, is not supported yet, needs a missing ConfigMap or a taken name, or the
            server refuses its pod template.
    """
    spec = parse_model_deployment(body)
    config_maps = _tracked(children, body)
    source, artifact = revision_source(body), make_artifact(spec.model)

    def hash_with(digest: str | None) -> str:
        return revision_hash(source if digest is None else {**source, "artifact": digest}, config_maps)

    target = lookups.target(artifact, hash_with, lambda full_hash: _find(children, full_hash))
    references = _references(children, spec)
    if isinstance(target, Pending):
        under_way = _revision_under_way(children, progress, spec.service.name or children.name)
        stored = children.stored_revision(under_way) if under_way is not None else None
        return target if stored is None else _hold(body, spec, read_controller_revision(stored), references, target)
    known = {each.revision for each in (progress.canary, progress.stable) if each is not None}
    desired, hindrance = _desire(body, spec, target.revision, references, under_way=known)
    if target.found is not None:
        revision = read_controller_revision(target.found)
    else:
        delivery = Delivery.of(artifact, target.resolved, lookups.fetching.image)
        revision = _render(body, desired, target, delivery, config_maps)
    candidate = Candidate(
        desired=replace(desired, model=target.known or revision.model, model_trouble=target.trouble),
        stored=revision,
        is_stored=target.found is not None,
        config_maps=config_maps,
        again=target.again,
        notes=_notes(body, target, revision),
        hindrance=hindrance,
    )
    if not candidate.is_stored:
        _rehearse(lookups.cluster, children, candidate)
    return candidate


def _desire(
    body: Mapping[str, Any], spec: ModelDeploymentSpec, revision: str, references: References, *, under_way: Set[str]
) -> tuple[Desired, str]:
    """Return what is asked for, and why no attempt could begin with it; empty if one could.

    Texts of smoke steps are needed when an attempt begins, which keeps them. For a revision that is under way, or
    that serves, none begins, and a ConfigMap that was pruned meanwhile takes nothing away from it.
    """
    try:
        return make_desired(body, revision, references), ""
    except Stall as stall:
        if revision not in under_way:
            raise
        texts = {(each.name, each.key): "{}" for each in wanted_texts((spec.rollout or Rollout()).steps or ())}
        if not texts:
            raise
        return make_desired(body, revision, {**references, **texts}), stall.message


def _hold(
    body: Mapping[str, Any],
    spec: ModelDeploymentSpec,
    stored: StoredRevision,
    references: References,
    pending: Pending,
) -> Candidate:
    """Return what is under way as if it were asked for, until what is asked for is known."""
    desired, hindrance = _desire(body, spec, stored.revision, references, under_way={stored.revision})
    return Candidate(
        desired=replace(desired, model=stored.model),
        stored=stored,
        is_stored=True,
        config_maps={},
        pending=pending.message,
        again=POLL,
        hindrance=hindrance,
    )


def _revision_under_way(children: Children, progress: Progress, service: str) -> str | None:
    """Return the revision that goes on while a newer one is not known: the canary's, else the one that serves."""
    if progress.canary is not None:
        return progress.canary.revision
    if progress.stable is not None:
        return progress.stable.revision
    return children.selected_by(names.stable_service_name(service))


def _notes(body: Mapping[str, Any], target: Target, stored: StoredRevision) -> tuple[Note, ...]:
    """Return the Events about an artifact: what was found, and once why a tracked one cannot be followed."""
    told = ((body.get("status") or {}).get("model") or {}).get("message")
    if target.trouble and target.trouble != told:
        return (Note(warning=True, reason=contract.REASON_MODEL_UNRESOLVED, message=target.trouble),)
    if target.found is None and target.resolved is not None and stored.model is not None:
        message = f"revision {stored.revision} has {stored.model.uri} as it is now, {stored.model.digest}"
        return (Note(warning=False, reason=contract.REASON_MODEL_RESOLVED, message=message),)
    return ()


def _tracked(children: Children, body: Mapping[str, Any]) -> dict[str, Manifest]:
    """Fetch the ConfigMaps whose content is part of the revision."""
    if not tracks_config(body):
        return {}
    found: dict[str, Manifest] = {}
    for name, optional in tracked_config_maps(body["spec"]["template"]).items():
        config_map = children.config_map(name)
        if config_map is not None:
            found[name] = config_map
        elif not optional:
            raise Stall(
                contract.REASON_CONFIG_MAP_MISSING,
                f"the template names ConfigMap {name}, which does not exist: create it, mark the reference optional,"
                " or set rollout.trackConfig to None",
            )
    return found


def _references(children: Children, spec: ModelDeploymentSpec) -> dict[tuple[str, str], str | None]:
    """Fetch the texts of ConfigMaps that signals and smoke steps name; what does not exist is left out."""
    wanted = wanted_references(spec.analysis or Analysis(), spec.rollout or Rollout())
    found = {name: children.config_map(name) for name in sorted({each.name for each in wanted})}
    return {
        (each.name, each.key): (config_map.get("data") or {}).get(each.key)
        for each in wanted
        if (config_map := found[each.name]) is not None
    }


def _find(children: Children, full_hash: str) -> tuple[str, Manifest | None]:
    """Return the revision's name, longer if another content has it already, and its stored object."""
    for extra in range(_MOST_COLLISIONS):
        revision = revision_name(full_hash, contract.REVISION_LENGTH + extra)
        found = children.stored_revision(revision)
        if found is None or read_controller_revision(found).full_hash == full_hash:
            return revision, found
    raise Stall(contract.REASON_NAME_TAKEN, "the revision's name collides again and again: change the template")


def _render(
    body: Mapping[str, Any],
    desired: Desired,
    target: Target,
    delivery: Delivery | None,
    config_maps: Mapping[str, Manifest],
) -> StoredRevision:
    """Render a revision for the first and only time."""
    spec = body["spec"]
    runtime = _runtime(spec.get("runtime", "generic"), model_name(body))
    port = desired.service.target_port
    template = render_template(
        spec["template"],
        name=desired.name,
        revision=desired.revision,
        runtime=runtime,
        target_port=port,
        config_maps=config_maps,
        delivery=delivery,
        model=model_name(body),
    )
    return StoredRevision(
        revision=desired.revision,
        full_hash=target.full_hash,
        runtime=runtime.name,
        template=template,
        port=serving_port(spec["template"], runtime, port),
        config_maps=tuple(sorted(config_maps)),
        model=delivery.known if delivery is not None else None,
    )


def _runtime(name: str, model: str) -> Runtime:
    """Return what the preset of a runtime says about serving pods; of a family, what its newest member says."""
    known = preset(name).bound_to(model)
    serving, metrics = known.serving, known.metrics
    if serving is None or metrics is None:
        raise BrokenInvariant(f"runtime {name}: its preset does not say where it serves")
    return Runtime(
        name=name,
        port=serving.port,
        any_port=serving.any_port,
        metrics_port=metrics.port if metrics.port != serving.port else None,
        metrics_path=metrics.path,
        readiness_path=serving.readiness_path,
    )


def _rehearse(cluster: ClusterApi, children: Children, candidate: Candidate) -> None:
    """Check names and let the server validate and admit the Deployment, before anything starts."""
    desired, stored = candidate.desired, candidate.stored
    deployment = make_deployment(desired, stored, desired.replicas)
    children.live(deployment)
    for config_map in candidate.config_maps.values():
        children.live(make_config_map_copy(desired, stored, config_map))
    for role in ServiceRole:
        children.live(make_service(desired, role, desired.revision, stored.port))
    try:
        cluster.apply(deployment, dry_run=True)
    except Refused as refused:
        message = f"the server refuses the pods of this template: {refused.message}; mend spec.template"
        raise Stall(contract.REASON_TEMPLATE_REFUSED, message) from refused
