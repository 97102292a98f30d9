"""Wire models of a RolloutReport: the frozen plan of one attempt, its evidence, its decisions, its end."""

from typing import Annotated

from pydantic import Field

from serinus import contract
from serinus.api.evidence import AssessmentStatus, Point, Sentence
from serinus.api.profile import MOST_BUCKETS
from serinus.api.wire import Duration, Loose, Rule, Ruled, Seen, Timestamp

_atomic = Ruled(extra={"x-kubernetes-list-type": "atomic"})


class PlannedCheck(Seen):
    """What the values that a JSONPath finds must be."""

    path: str
    """JSONPath."""
    equals: str | None = None
    """JSON text of the only value allowed."""
    tolerance: float = 0.0
    """Largest absolute distance of a number."""
    minimum: float | None = None
    """Smallest number allowed."""
    maximum: float | None = None
    """Largest number allowed."""


class PlannedExpectation(Seen):
    """What an answer must be."""

    status: int | None = None
    """HTTP status; below 400 if absent."""
    body: str | None = None
    """Text that it must contain."""
    json_path: Annotated[tuple[PlannedCheck, ...], Field(max_length=16), _atomic] = ()
    """Values inside it."""
    json_schema: str | None = None
    """Text of the JSON Schema that it must meet."""


class PlannedRequest(Seen):
    """One request to a pod, with the texts that ConfigMaps held when the attempt began."""

    path: str
    """Path and query."""
    method: str
    """GET, HEAD, POST or PUT."""
    headers: Annotated[dict[str, str], Field(default_factory=dict)]
    """Request headers."""
    body: str | None = None
    """Request body."""
    expect: PlannedExpectation = PlannedExpectation()
    """What must come back."""


class PlannedGolden(Seen):
    """Requests to both sides."""

    requests: Annotated[tuple[PlannedRequest, ...], Field(max_length=16), _atomic]
    """In order."""
    outputs: Annotated[tuple[str, ...], Field(max_length=8), _atomic] = ()
    """JSONPaths of what is compared."""
    tolerance: float | None = None
    """Largest absolute distance of two numbers."""


class PlannedWarmUp(Seen):
    """Calls that take the cold start away from the first users."""

    requests: Annotated[tuple[PlannedRequest, ...], Field(max_length=32), _atomic]
    """In order."""
    times: int
    """How often each pod gets all of them."""


class PlannedSmoke(Seen):
    """What is asked of canary pods before any user reaches them."""

    requests: Annotated[tuple[PlannedRequest, ...], Field(max_length=32), _atomic] = ()
    """To each canary pod."""
    golden: PlannedGolden | None = None
    """To both sides."""
    contract: str
    """Require or Report."""
    warm_up: PlannedWarmUp | None = None
    """Before users come."""
    timeout: Duration
    """Of one request."""
    attempts: int
    """How often a request is sent that gets no answer."""


class PlannedStep(Seen):
    """One stage."""

    kind: str
    """weight, approval or smoke."""
    weight: int
    """Percent of the traffic during the step."""
    at_least: Duration
    """Shortest time in the step."""
    name: str = ""
    """For people to read."""
    smoke: PlannedSmoke | None = None
    """What a smoke step asks."""


class PlannedReference(Seen):
    """A histogram of the training data, as it was when the attempt began."""

    counts: Annotated[tuple[int, ...], Field(max_length=MOST_BUCKETS + 1), _atomic]
    """Per bucket or category, not cumulative."""
    edges: Annotated[tuple[float, ...], Field(max_length=MOST_BUCKETS), _atomic] = ()
    """Finite upper edges."""
    categories: Annotated[tuple[str, ...], Field(max_length=MOST_BUCKETS), _atomic] = ()
    """Names of the categories."""


class PlannedSignal(Seen):
    """One signal with every default filled in."""

    name: str
    """Its name."""
    kind: str
    """What it measures."""
    action: str
    """What evidence of harm does."""
    weight: int = 1
    """Share of the false rollback rate, relative to the other signals of the same action."""
    margin: float
    """What is accepted. Rates: excess, a share; drift: population stability index; Comparison: share of the value."""
    unacceptable: float
    """Rates: excess that promotion must rule out, as a share."""
    slo: float | None = None
    """Rates: largest share of bad requests of the canary alone."""
    bound_seconds: float | None = None
    """Latency: requests slower than this are bad."""
    source: str | None = None
    """Requests: the view from outside that counts them."""
    max_age_seconds: float | None = None
    """Query, Comparison: a value that was computed longer ago is no data."""
    updated: str | None = None
    """Query, Comparison: PromQL for the Unix time at which the value was computed."""
    total: str | None = None
    """Own counter of all requests."""
    bad: str | None = None
    """Own counter of bad requests."""
    buckets: str | None = None
    """Own histogram."""
    categories: str | None = None
    """Own counter per category."""
    label: str | None = None
    """Label of that counter whose values are the categories."""
    feature: str | None = None
    """FeatureDrift: name of the input."""
    reference: PlannedReference | None = None
    """Drift: the training reference."""
    query: str | None = None
    """Query, Comparison: PromQL."""
    worse: str = "Higher"
    """Comparison: which way of the value does harm."""
    window_seconds: float = 0.0
    """Query, Comparison: longest range that the query looks back over."""
    minimum: float | None = None
    """Query: lower bound."""
    maximum: float | None = None
    """Query: upper bound."""


class Plan(Seen):
    """Everything that is frozen when an attempt starts, with every default filled in."""

    steps: Annotated[tuple[PlannedStep, ...], Field(max_length=50), _atomic]
    """The stages."""
    signals: Annotated[tuple[PlannedSignal, ...], Field(max_length=20), _atomic]
    """What is measured."""
    interval: Duration
    """Time between two looks."""
    false_rollback_rate: float
    """Chance to roll back a canary that is no worse."""
    false_promotion_rate: float
    """Chance to promote a canary that is worse by unacceptable."""
    confirm_ticks: int
    """Looks that a rollback needs at least."""
    strict: bool = False
    """A rollback needs evidence against an excess of the margin itself."""
    on_inconclusive: str
    """What happens when maxWait has passed without a proof."""
    max_wait: Duration
    """Longest time in one step without a proof."""
    progress_deadline: Duration
    """Longest time for a step's pods to become ready."""


class TriedModel(Seen):
    """The artifact of a revision."""

    uri: str
    """Where it lies."""
    digest: str | None = None
    """What the spec says, else a fingerprint of what the store tells about the files; absent for a pvc://."""
    resolved_at: Timestamp | None = None
    """When it was found; absent if the spec says the digest."""


class RolloutReportSpec(Plan):
    """The plan of one attempt, frozen at its start."""

    rules = (
        Rule(
            cel="self == oldSelf",
            message="the plan of an attempt is frozen: change the ModelDeployment instead, the next attempt follows it",
            holds=lambda _: True,
        ),
    )

    model_deployment: str
    """Name of the ModelDeployment."""
    revision: str
    """The revision that was tried."""
    attempt: int
    """Counted from 1 per revision."""
    started_at: Timestamp
    """Start of the attempt."""
    stable_revision: str | None = None
    """The revision that served at the start."""
    model: TriedModel | None = None
    """The artifact that was tried."""


class DecisionStatus(Seen):
    """One decision about the attempt."""

    at: Timestamp
    """When."""
    step: int
    """Index of the step in force."""
    verdict: str | None = None
    """The judge's newest answer."""
    action: str
    """What was decided."""
    reason: str
    """One CamelCase word."""
    message: Sentence
    """One sentence."""


class OutcomeStatus(Seen):
    """The end of the attempt."""

    result: str
    """Promoted, Rejected, Superseded, Returned or Aborted."""
    at: Timestamp
    """When."""
    reason: str
    """One CamelCase word."""
    message: Sentence
    """One sentence."""


class Running(Loose):
    """The judge's running numbers; only the judge reads them."""


class RolloutReportStatus(Seen):
    """Evidence, decisions and the end."""

    running: Running | None = None
    """The judge's running numbers; only the judge reads them."""
    assessment: AssessmentStatus | None = None
    """The judge's newest answer."""
    decisions: Annotated[tuple[DecisionStatus, ...], Field(max_length=contract.MAX_DECISIONS), _atomic] | None = None
    """What was decided, oldest first; the first one always stays."""
    series: (
        Annotated[
            dict[str, Annotated[tuple[Point, ...], Field(max_length=contract.MAX_SERIES_POINTS), _atomic]],
            Field(max_length=20),
        ]
        | None
    ) = None
    """Per signal, at most 200 points, thinned by halving."""
    outcome: OutcomeStatus | None = None
    """How the attempt ended; absent while it goes on."""
