"""Wire models of how a new revision gets out: steps, bake, deadlines, what is kept."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from serinus.api.reserved import Match
from serinus.api.smoke import SmokeSpec
from serinus.api.wire import Duration, Percent, Rule, Ruled, Wire

MAX_STEPS = 50
STEP_KINDS = ("smoke", "shadow", "weight", "approval", "match")


class Shadow(Wire):
    """A copy of the traffic goes to the canary; its answers are thrown away."""

    percent: Percent
    """Share of the requests that are copied, in whole percent."""


class Approval(Wire):
    """Waits for a person: kubectl serinus approve."""


class StepSpec(Wire):
    """One stage of a rollout: exactly one of smoke, shadow, weight, approval, match."""

    rules = (
        Rule(
            cel="[" + ", ".join(f"has(self.{kind})" for kind in STEP_KINDS) + "].filter(given, given).size() == 1",
            message="a step is exactly one of smoke, shadow, weight, approval, match: split it into several steps",
            holds=lambda step: sum(getattr(step, kind) is not None for kind in STEP_KINDS) == 1,
        ),
    )

    name: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """For people to read."""
    at_least: Duration | None = None
    """The step lasts at least so long after its pods are ready."""
    smoke: SmokeSpec | None = None
    """Requests to canary pods that must succeed before any user reaches them."""
    shadow: Shadow | None = None
    """Copied traffic."""
    weight: Percent | None = None
    """Whole percent of the traffic that the canary gets, 1 to 100; promotion follows the last step."""
    approval: Approval | None = None
    """Waits for a person at the weight of the step before."""
    match: Match | None = None
    """Chosen requests go to the canary."""


def _weights_rise(steps: Any) -> bool:
    weights = [step.weight for step in steps if step.weight is not None]
    return weights == sorted(weights)


def _unseen_first(steps: Any) -> bool:
    order = [step.weight is not None for step in steps if step.smoke or step.shadow or step.weight is not None]
    return order == sorted(order)


Steps = Annotated[
    tuple[StepSpec, ...],
    Field(max_length=MAX_STEPS),
    Ruled(
        (
            Rule(
                cel="size(self) > 0",
                message="give at least one step, or leave steps out to get weights 5, 25 and 50",
                holds=lambda steps: len(steps) > 0,
            ),
            Rule(
                cel="self.filter(step, has(step.weight)).map(step, step.weight).isSorted()",
                message="weights may not fall from one step to the next: put them in rising order",
                holds=_weights_rise,
            ),
            Rule(
                cel="self.filter(step, has(step.smoke) || has(step.shadow) || has(step.weight))"
                ".map(step, has(step.weight) ? 1 : 0).isSorted()",
                message="smoke and shadow come before any user reaches the canary: put them before the first weight",
                holds=_unseen_first,
            ),
        ),
        {"x-kubernetes-list-type": "atomic"},
    ),
]


class Bake(Wire):
    """Watches the new stable after promotion."""

    for_: Annotated[Duration, Field(alias="for")]
    """How long."""
    holdback: Annotated[int, Field(ge=0, le=50)] | None = None
    """Whole percent that stays on the old revision, at most 50, so that there is something to compare with."""


class RolloutSettings(Wire):
    """How a new revision gets out, without the name of a policy."""

    rules = (
        Rule(
            cel="!has(self.progressDeadline) || self.progressDeadline.matches('[1-9]')",
            message="progressDeadline must be longer than zero, or no pod could ever be ready in time",
            holds=lambda rollout: rollout.progress_deadline is None or rollout.progress_deadline > timedelta(0),
        ),
        Rule(
            cel="!has(self.minAvailable) || (has(self.capacity) && self.capacity == 'InPlace')",
            message="minAvailable belongs to capacity: InPlace: set it, or remove minAvailable",
            holds=lambda rollout: rollout.min_available is None or rollout.capacity == "InPlace",
        ),
    )

    steps: Steps | None = None
    """The stages, at most 50; weights 5, 25 and 50 if absent."""
    bake: Bake | None = None
    """Watching after promotion."""
    on_inconclusive: Literal["Wait", "Pause", "Rollback", "PromoteIfCalm"] | None = None
    """What happens when maxWait has passed in a step without a proof; Pause if absent."""
    max_wait: Duration | None = None
    """Longest time in one step without a proof; 2h if absent."""
    progress_deadline: Duration | None = None
    """Longest time for a step's pods to become ready; 10m if absent."""
    paused: bool | None = None
    """True holds every rollout where it is."""
    track_config: Literal["None", "ConfigMaps"] | None = None
    """ConfigMaps: a change of a ConfigMap that the template mentions is a new revision. The default."""
    capacity: Literal["Surge", "InPlace"] | None = None
    """Surge: canary pods come on top. InPlace: they take the place of others."""
    min_available: Annotated[int, Field(ge=0)] | None = None
    """Pods that must stay ready, with capacity: InPlace."""
    canary_replicas: Annotated[int, Field(ge=1)] | None = None
    """Number of canary pods, whatever the weight."""
    keep_old: Duration | None = None
    """Old pods stay this long after promotion; 30s if absent."""
    history_limit: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Reports kept; 30 if absent."""
    revision_history_limit: Annotated[int, Field(ge=0, le=100)] | None = None
    """Old revisions kept as Deployments with 0 replicas; 5 if absent."""


class Rollout(RolloutSettings):
    """How a new revision of this ModelDeployment gets out."""

    policy: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """A RolloutPolicy of this namespace, else a ClusterRolloutPolicy, of this name."""
