"""The values of a rollout: what is asked for, what was seen, what is remembered, what is to be done.

Frozen dataclasses only. Nothing here knows the wire format, a clock or the network. Times are aware UTC datetimes,
durations timedeltas, weights integers in percent, margins and rates shares in (0, 1).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from serinus.rollout.artifact import Known
from serinus.rollout.smoke import GateOutcome, Smoke

SMALLEST_RATE = 1e-9
"""Of false rollbacks and false promotions: nobody can tell smaller ones apart, and their evidence leaves the floats."""
NOTHING: Mapping[str, object] = MappingProxyType({})


class SignalKind(StrEnum):
    """What a signal measures."""

    ERRORS = "Errors"
    LATENCY = "Latency"
    QUERY = "Query"
    PREDICTION_DRIFT = "PredictionDrift"
    FEATURE_DRIFT = "FeatureDrift"
    IMPLAUSIBLE = "Implausible"
    ACCURACY = "Accuracy"
    CLIENT_ERRORS = "ClientErrors"
    COMPARISON = "Comparison"


class SignalAction(StrEnum):
    """What evidence of harm does."""

    ROLLBACK = "Rollback"
    HOLD = "Hold"
    OBSERVE = "Observe"


class OnInconclusive(StrEnum):
    """What happens when ``max_wait`` has passed in a step without a proof."""

    WAIT = "Wait"
    PAUSE = "Pause"
    ROLLBACK = "Rollback"
    PROMOTE_IF_CALM = "PromoteIfCalm"


class Worse(StrEnum):
    """Which way of a compared value does harm."""

    HIGHER = "Higher"
    LOWER = "Lower"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A histogram of the training data: either finite upper ``edges`` with one count more, or named ``categories``."""

    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One thing that is measured on canary and stable."""

    name: str
    kind: SignalKind
    action: SignalAction
    weight: int = 1
    """Share of the false rollback rate, relative to the other signals of the same action; at least 1."""
    margin: float = 0.0
    """Excess that is still accepted. Rates: the canary's share less stable's, in [0, 1). Drift: PSI. Comparison: share
    of stable's value. Unused by Query."""
    unacceptable: float = 0.0
    """Excess at full traffic against which promotion needs its proof; >= margin. Rates only."""
    slo: float | None = None
    """Rates: bound on the canary's own share of bad requests, in (0, 1); needs no baseline."""
    bound_seconds: float | None = None
    """Latency: requests slower than this are bad. Seconds. None: the whole histogram is judged."""
    total: str | None = None
    """A user's own counter of all requests: a PromQL selector without our labels. None: the preset's."""
    bad: str | None = None
    """A user's own counter of bad requests. None: the preset's."""
    buckets: str | None = None
    """Latency, drift: a user's own histogram, a PromQL selector of its ``_bucket`` series without our labels."""
    categories: str | None = None
    """Drift: a user's own counter per category, a PromQL selector without our labels."""
    label: str | None = None
    """Drift: the label of ``categories`` whose values are the categories."""
    feature: str | None = None
    """FeatureDrift: name of the input."""
    reference: Reference | None = None
    """Drift: the training reference, as it was at the start of the attempt."""
    query: str | None = None
    """Query, Comparison: PromQL with ``$selector`` for the pods of one side."""
    window_seconds: float = 0.0
    """Query, Comparison: longest range that the query looks back over; values nearer in time share data."""
    source: str | None = None
    """Errors, ClientErrors, Latency: preset of a view from outside, such as istio. None: the server's own."""
    max_age_seconds: float | None = None
    """Query, Comparison: a value that was computed longer ago is no data. None: every value is taken for fresh."""
    updated: str | None = None
    """Query, Comparison: PromQL for the Unix time at which the value was computed. None: the time of its samples."""
    worse: Worse = Worse.HIGHER
    """Comparison: which way does harm."""
    minimum: float | None = None
    """Query: lower bound of the value."""
    maximum: float | None = None
    """Query: upper bound of the value."""


class StepKind(StrEnum):
    """What a step waits for."""

    WEIGHT = "weight"
    APPROVAL = "approval"
    SMOKE = "smoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stage of a rollout."""

    kind: StepKind
    weight: int
    """Percent of traffic in force during the step; an approval keeps that of the step before it (0 at the start), and
    smoke comes before any."""
    at_least: timedelta = timedelta(0)
    """The step lasts at least so long after its pods are ready."""
    name: str = ""
    smoke: Smoke | None = None
    """What a smoke step asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPlan:
    """Everything that is frozen when an attempt starts: a later edit shows as ``planOutdated``."""

    steps: tuple[Step, ...]
    signals: tuple[Signal, ...]
    interval: timedelta = timedelta(seconds=30)
    """Ticks lie on multiples of this since the epoch."""
    false_rollback_rate: float = 0.05
    """alpha: over the whole rollout, all Rollback signals and all looks together."""
    false_promotion_rate: float = 0.05
    """beta: chance to promote a canary that is worse by ``unacceptable``."""
    confirm_ticks: int = 2
    planned_ticks: int = 240
    """Ticks over which the bets on a late change are spread; a rollout may take longer."""
    strict: bool = False
    """True: evidence must disprove an excess of the margin itself, not only "no worse at all"."""
    on_inconclusive: OnInconclusive = OnInconclusive.PAUSE
    max_wait: timedelta = timedelta(hours=2)
    """Longest time in one step without a proof, counted from when its pods were ready."""
    progress_deadline: timedelta = timedelta(minutes=10)
    """Longest time for a step's pods to become ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """The Service that clients use, and the two beside it."""

    name: str
    """Name of the main Service; ``-stable`` and ``-canary`` are appended for the other two."""
    port: int
    target_port: int | str | None = None
    """None: the runtime preset's port."""
    app_protocol: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An annotation seen on the object: a person's order."""

    type: str
    """One of ``contract.COMMANDS``."""
    value: str
    """``<revision>/<attempt>``, for approve ``<revision>/<attempt>/<step>``."""
    manager: str = "unknown"
    """Field manager that wrote the annotation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatchedCommand:
    """A command that was seen once: it never acts again, whatever becomes of its annotation."""

    type: str
    value: str
    at: datetime
    manager: str
    obeyed: bool
    """False when it named another revision or attempt, or came too late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What the spec and the annotations ask for, with every default filled in."""

    namespace: str
    name: str
    uid: str
    generation: int
    revision: str
    """Short name of the revision that the spec describes now."""
    replicas: int
    """Size of the serving side."""
    plan: RolloutPlan
    service: ServicePlan
    paused: bool = False
    keep_old: timedelta = timedelta(seconds=30)
    """How long pods that were promoted away from stay."""
    history_limit: int = 30
    """Reports kept."""
    revision_history_limit: int = 5
    """Old revisions kept as Deployments with 0 replicas."""
    commands: tuple[Command, ...] = ()
    model: Known | None = None
    """The artifact of this revision; None if image and template bring the model."""
    model_trouble: str = ""
    """Why nobody can tell at present whether a tracked artifact was replaced."""


class CanaryState(StrEnum):
    """Where an attempt stands; written to ``status.canary.state``."""

    WAITING = "WaitingForPods"
    """The step's pods are not all ready yet."""
    ANALYSING = "Analysing"
    """The step's pods are ready and its weight is in force."""
    PROMOTING = "Promoting"
    """The proof is there; waiting for as many canary pods as replicas ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stable:
    """The revision that serves."""

    revision: str
    since: datetime | None
    """When it first had a ready pod; None while the first revision is not up yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """The attempt under way."""

    revision: str
    attempt: int
    """Counted from 1 per revision."""
    step: int
    """Index into the frozen plan's steps."""
    weight: int
    """Percent in force now: 0 until the first step's pods are ready, then the weight of the last step that was."""
    state: CanaryState
    since: datetime
    """Start of the attempt."""
    step_since: datetime
    """Start of the step (or of the promotion): the progress deadline counts from here."""
    ready_since: datetime | None = None
    """When the step's pods were first all ready: ``at_least`` and ``max_wait`` count from here."""
    paused: bool = False
    """Held by a person or by ``rollout.paused``."""
    inconclusive: bool = False
    """``max_wait`` has passed and ``onInconclusive`` is Pause: held until a proof comes or a person decides."""

    @property
    def ordinal(self) -> int:
        """Return the step as people count, from 1."""
        return self.step + 1

    @property
    def identity(self) -> str:
        """Return ``<revision>/<attempt>``, the name that commands use."""
        return f"{self.revision}/{self.attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retiring:
    """A revision that was promoted away from and still has pods."""

    revision: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """An attempt that was rolled back. Never retried by itself."""

    revision: str
    attempt: int
    reason: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """All that the operator remembers about one ModelDeployment, read from and written to its status."""

    stable: Stable | None = None
    canary: Canary | None = None
    retiring: tuple[Retiring, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    commands: tuple[LatchedCommand, ...] = ()

    def rejection_of(self, revision: str) -> Rejection | None:
        """Return the newest rejection of a revision, None if it was never rejected."""
        found = [each for each in self.rejected if each.revision == revision]
        return found[-1] if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something wrong with a pod that needs no statistics."""

    reason: str
    """One of contract's facts: CrashLoop, ImagePullFailed, OOMKilled, Unschedulable, PodsRefused."""
    message: str
    """Pod, container, exit code, last log line or the registry's answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSeen:
    """One pod of a ModelDeployment that is not on its way out."""

    name: str
    revision: str
    ready: bool
    started: datetime
    """Creation of the pod object."""
    changed: datetime | None = None
    """When it last became ready, or not ready; None before it was either."""
    restarts: int = 0
    fact: Fact | None = None
    waits: str = ""
    """Why its model's files are not there yet, which may pass by itself; empty: nothing is known to be missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionSeen:
    """The Deployment of one revision."""

    revision: str
    created: datetime
    replicas: int
    """What its spec asks for now."""
    ready: int
    runtime: str = "generic"
    """The runtime that it was rendered with."""
    refusal: str | None = None
    """Why the controller cannot make pods (quota, admission), None if it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One consistent look at the cluster."""

    revisions: Mapping[str, RevisionSeen] = field(default_factory=dict)
    pods: tuple[PodSeen, ...] = ()
    """Pods without a deletion timestamp, of all revisions."""
    attempts: Mapping[str, int] = field(default_factory=dict)
    """Highest attempt that was ever started, per revision (from the reports)."""
    serving: str | None = None
    """Revision that the main Service selects now; None if it selects all, or does not exist."""
    frozen: RolloutPlan | None = None
    """The plan of the attempt under way, from its report; None without an attempt or with a lost report."""
    ruled: "Rejection | None" = None
    """A rollback of the attempt under way that stands in its report already: a crash came before the status."""
    obstacle: Fact | None = None
    """Why no attempt at the revision that the spec asks for may begin."""
    gate: GateOutcome | None = None
    """How the gate of the smoke step in force ended; None while it runs, and in other steps."""
    gate_waits: str = ""
    """What it waits for before it may begin; empty if for nothing."""

    def ready_pods(self, revision: str) -> int:
        """Count the ready pods of a revision."""
        return sum(1 for pod in self.pods if pod.revision == revision and pod.ready)
