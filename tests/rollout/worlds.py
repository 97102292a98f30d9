"""Builders and hypothesis strategies of the values that decisions are made on."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from serinus import contract
from serinus.rollout.assessment import Assessment, Measuring, Verdict
from serinus.rollout.smoke import GateOutcome, Smoke
from serinus.rollout.types import (
    Canary,
    CanaryState,
    Command,
    Desired,
    Fact,
    Observed,
    OnInconclusive,
    PodSeen,
    Progress,
    Rejection,
    Retiring,
    RevisionSeen,
    RolloutPlan,
    ServicePlan,
    Stable,
    Step,
    StepKind,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NOT_MEASURED = Measuring(available=None, reason=contract.REASON_NOT_MEASURED, message="")
WEIGHTS = (Step(kind=StepKind.WEIGHT, weight=25), Step(kind=StepKind.WEIGHT, weight=50))
REVISIONS = ("aaaa", "bbbb", "cccc")


def make_plan(**given: Any) -> RolloutPlan:
    return RolloutPlan(**{"steps": WEIGHTS, "signals": (), **given})


def make_desired(revision: str = "bbbb", **given: Any) -> Desired:
    return Desired(
        **{
            "namespace": "risk",
            "name": "fraud",
            "uid": "u1",
            "generation": 2,
            "revision": revision,
            "replicas": 4,
            "plan": make_plan(),
            "service": ServicePlan(name="fraud", port=80),
            **given,
        }
    )


def make_canary(revision: str = "bbbb", **given: Any) -> Canary:
    return Canary(
        **{
            "revision": revision,
            "attempt": 1,
            "step": 0,
            "weight": 25,
            "state": CanaryState.ANALYSING,
            "since": NOW - timedelta(minutes=5),
            "step_since": NOW - timedelta(minutes=4),
            "ready_since": NOW - timedelta(minutes=3),
            **given,
        }
    )


def make_progress(**given: Any) -> Progress:
    stable = Stable(revision="aaaa", since=NOW - timedelta(hours=1))
    return Progress(**{"stable": stable, "canary": make_canary(), **given})


def make_pods(revision: str, count: int, *, ready: bool = True, fact: Fact | None = None) -> tuple[PodSeen, ...]:
    return tuple(
        PodSeen(name=f"{revision}-{number}", revision=revision, ready=ready, started=NOW, fact=fact)
        for number in range(count)
    )


def make_observed(pods: tuple[PodSeen, ...] = (), **given: Any) -> Observed:
    found = {
        revision: RevisionSeen(
            revision=revision,
            created=NOW,
            replicas=sum(pod.revision == revision for pod in pods),
            ready=sum(pod.revision == revision and pod.ready for pod in pods),
        )
        for revision in {pod.revision for pod in pods}
    }
    return Observed(**{"revisions": found, "pods": pods, **given})


def make_assessment(**given: Any) -> Assessment:
    return Assessment(
        **{
            "at": NOW,
            "step": 0,
            "verdict": Verdict.INCONCLUSIVE,
            "rollback": False,
            "promote": False,
            "calm": True,
            "evidence": 1.0,
            "threshold": 20.0,
            "reason": contract.REASON_UNDECIDED,
            "because": "not enough yet",
            **given,
        }
    )


_moments = st.integers(0, 20_000).map(lambda seconds: NOW - timedelta(seconds=seconds))
_revisions = st.sampled_from(REVISIONS)


@st.composite
def plans(draw: st.DrawFn) -> RolloutPlan:
    """Plans as the API lets them through: weights rise, smoke comes first, an approval keeps the weight before it."""
    weight, steps = 0, []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from([each for each in StepKind if each is not StepKind.SMOKE or weight == 0]))
        if kind is StepKind.WEIGHT:
            weight = draw(st.integers(max(1, weight), 99))
        smoke = Smoke() if kind is StepKind.SMOKE else None
        least = timedelta(seconds=draw(st.sampled_from([0, 60])))
        steps.append(Step(kind=kind, weight=weight, at_least=least, smoke=smoke))
    if weight == 0:
        steps.append(Step(kind=StepKind.WEIGHT, weight=50))
    return make_plan(steps=tuple(steps), on_inconclusive=draw(st.sampled_from(OnInconclusive)))


@st.composite
def canaries(draw: st.DrawFn, plan: RolloutPlan) -> Canary:
    state = draw(st.sampled_from(CanaryState))
    step = draw(st.integers(0, len(plan.steps) - 1))
    ready = draw(_moments) if state is not CanaryState.WAITING else None
    paused = state is not CanaryState.PROMOTING and draw(st.booleans())
    return Canary(
        revision=draw(_revisions),
        attempt=draw(st.integers(1, 3)),
        step=step,
        weight=plan.steps[step].weight if state is CanaryState.ANALYSING else draw(st.sampled_from([0, 25])),
        state=state,
        since=NOW - timedelta(hours=6),
        step_since=draw(_moments),
        ready_since=ready,
        paused=paused,
        inconclusive=state is CanaryState.ANALYSING and draw(st.booleans()),
    )


def make_gate(canary: Canary, **given: Any) -> GateOutcome:
    passed = given.get("passed", True)
    return GateOutcome(
        **{
            "identity": canary.identity,
            "step": canary.step,
            "passed": passed,
            "reason": "" if passed else contract.REASON_SMOKE_FAILED,
            "message": "POST /infer answered 200" if passed else "POST /infer answered 500",
            **given,
        }
    )


@st.composite
def gates(draw: st.DrawFn, canary: Canary) -> GateOutcome | None:
    """Outcomes of the gate in force, of another step, or of an earlier attempt."""
    if draw(st.booleans()):
        return None
    return make_gate(
        canary,
        passed=draw(st.booleans()),
        step=draw(st.sampled_from([canary.step, canary.step, canary.step + 1])),
        identity=draw(st.sampled_from([canary.identity, canary.identity, "zzzz/1"])),
    )


@st.composite
def situations(draw: st.DrawFn) -> dict[str, Any]:
    """All arguments of ``decide``: any spec, any memory, any cluster, whether or not they fit each other."""
    plan = draw(plans())
    canary = draw(st.none() | canaries(plan))
    stable = draw(st.none() | st.builds(Stable, revision=_revisions, since=st.none() | _moments))
    if stable is None or stable.since is None or (canary is not None and canary.revision == stable.revision):
        canary = None
    rejected = draw(
        st.lists(
            st.builds(
                Rejection,
                revision=_revisions,
                attempt=st.integers(1, 3),
                reason=st.just(contract.REASON_ERRORS_WORSE),
                message=st.just("worse"),
                at=_moments,
            ),
            max_size=3,
        )
    )
    values = st.builds("{}/{}".format, _revisions, st.integers(1, 4)) | st.builds(
        "{}/{}/{}".format, _revisions, st.integers(1, 3), st.integers(0, 3)
    )
    commands = st.builds(
        Command, type=st.sampled_from(contract.COMMANDS), value=values, manager=st.just("kubectl-annotate")
    )
    fact = Fact(reason=contract.REASON_CRASH_LOOP, message="exit code 1")
    pods = tuple(
        pod
        for revision in REVISIONS
        for pod in make_pods(
            revision,
            draw(st.integers(0, 5)),
            ready=draw(st.booleans()),
            fact=draw(st.sampled_from([None, None, None, fact])),
        )
    )
    verdict = draw(st.sampled_from(Verdict))
    assessment = make_assessment(
        verdict=verdict,
        rollback=verdict is Verdict.FAIL,
        promote=verdict is Verdict.PASS,
        calm=draw(st.booleans()),
        reason=contract.REASON_ERRORS_WORSE,
        step=draw(st.integers(0, 3)),
    )
    retiring = st.lists(st.builds(Retiring, revision=_revisions, since=_moments), max_size=2)
    return {
        "desired": make_desired(
            draw(_revisions),
            replicas=draw(st.integers(0, 5)),
            plan=plan,
            paused=draw(st.booleans()),
            commands=tuple(draw(st.lists(commands, max_size=3))),
            revision_history_limit=draw(st.integers(0, 2)),
        ),
        "observed": make_observed(
            pods,
            frozen=draw(st.none() | st.just(plan)),
            attempts=draw(st.dictionaries(_revisions, st.integers(1, 3))),
            gate=draw(gates(canary)) if canary is not None else None,
        ),
        "progress": Progress(
            stable=stable, canary=canary, rejected=tuple(rejected), retiring=tuple(draw(retiring)) if stable else ()
        ),
        "assessment": draw(st.none() | st.just(assessment)) if canary else None,
        "measuring": NOT_MEASURED,
        "now": NOW,
    }
