"""Wire models of the specs that people write: ModelDeployment, RolloutPolicy, ClusterRolloutPolicy."""

from typing import Annotated

from pydantic import AfterValidator, Field

from serinus.api.analysis import Analysis, Rate
from serinus.api.reserved import Dependencies, Hooks, Notifications, OnDrift, Variants
from serinus.api.rollout import Rollout, RolloutSettings
from serinus.api.schema import written
from serinus.api.serving import Model, Service, Template, Traffic
from serinus.api.wire import Duration, Name, Percent, Wire
from serinus.signals.presets import runtimes


def _known_runtime(name: str) -> str:
    if name not in runtimes():
        raise ValueError(f"runtime must be one of {', '.join(runtimes())} (generic fits any HTTP server)")
    return name


class ModelDeploymentSpec(Wire):
    """What to serve, how traffic is split, how a new revision gets out."""

    replicas: Annotated[int, Field(ge=0, le=2147483647, json_schema_extra={"format": "int32", **written(1)})] = 1
    """Size of the serving side; written through /scale by an autoscaler."""
    runtime: Annotated[
        str,
        AfterValidator(_known_runtime),
        Field(json_schema_extra={"enum": list(runtimes()), **written("generic")}),
    ] = "generic"
    """A preset: ports, probes, protocol, metric names."""
    model: Model | None = None
    """The model; an image alone is enough."""
    template: Template
    """The pods that serve."""
    service: Annotated[Service, Field(default_factory=Service, json_schema_extra=written({}))]
    """The Service that clients use."""
    traffic: Annotated[Traffic, Field(default_factory=Traffic, json_schema_extra=written({}))]
    """How traffic is split between stable and canary."""
    rollout: Rollout | None = None
    """How a new revision gets out."""
    analysis: Analysis | None = None
    """How canary and stable are compared."""
    hooks: Hooks | None = None
    """Reserved."""
    notifications: Notifications | None = None
    """Reserved."""
    on_drift: OnDrift | None = None
    """Reserved."""
    variants: Variants | None = None
    """Reserved."""
    depends_on: Dependencies | None = None
    """Reserved."""
    deletion_protection: bool | None = None
    """Reserved."""


class RolloutPolicySpec(Wire):
    """Settings for many ModelDeployments; each of them may override fields."""

    rollout: RolloutSettings | None = None
    """How new revisions get out."""
    analysis: Analysis | None = None
    """How canary and stable are compared."""
    hooks: Hooks | None = None
    """Reserved."""
    notifications: Notifications | None = None
    """Reserved."""


class PolicyLimits(Wire):
    """What tenants cannot override."""

    first_weight: Percent | None = None
    """Largest weight of the first step, in whole percent."""
    required_signals: Annotated[tuple[Name, ...], Field(max_length=20)] | None = None
    """Names of signals that every rollout must have."""
    bake: Duration | None = None
    """Shortest bake."""
    false_rollback_rate: Rate | None = None
    """Largest false rollback rate."""


class ClusterRolloutPolicySpec(RolloutPolicySpec):
    """Settings for all namespaces, with limits."""

    limits: PolicyLimits | None = None
    """What tenants cannot override."""
