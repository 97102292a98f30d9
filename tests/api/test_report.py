"""Reports: the plan comes back exactly, evidence is thinned, decisions are kept, and the whole stays small."""

import json
import math
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given

from api.specs import MINIMAL, body
from api.values import assessments, canaries, plans
from serinus import contract
from serinus.api.desired import MOST_BUCKETS_IN_ALL
from serinus.api.desired_smoke import MOST_BYTES
from serinus.api.evidence import extend_series, read_assessment, write_assessment
from serinus.api.parse import make_desired
from serinus.api.report import (
    Entry,
    Outcome,
    OutcomeResult,
    make_report,
    read_attempts,
    read_last_assessment,
    read_outcome,
    read_plan,
    read_rejections,
    read_running,
    write_report_status,
)
from serinus.errors import BrokenInvariant, InvalidSpec, Stall
from serinus.rollout.assessment import Assessment, SignalEvidence, Verdict
from serinus.rollout.types import (
    Canary,
    CanaryState,
    Reference,
    RolloutPlan,
    Signal,
    SignalAction,
    SignalKind,
    Step,
    StepKind,
)

NOW = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
DESIRED = make_desired(body(), "x7mn2pqr5s")
CANARY = Canary(
    revision="x7mn2pqr5s", attempt=2, step=0, weight=0, state=CanaryState.WAITING, since=NOW, step_since=NOW
)
EVIDENCE = SignalEvidence(
    name="errors", kind=SignalKind.ERRORS, action=SignalAction.ROLLBACK, verdict=Verdict.INCONCLUSIVE
)
ASSESSMENT = Assessment(
    at=NOW,
    step=0,
    verdict=Verdict.INCONCLUSIVE,
    rollback=False,
    promote=False,
    calm=True,
    evidence=1.0,
    threshold=20.0,
    reason="NotDecidedYet",
    because="not yet",
    signals=(EVIDENCE,),
)


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def report(revision: str = "x7mn2pqr5s", attempt: int = 1, outcome: Outcome | None = None) -> dict[str, Any]:
    canary = replace(CANARY, revision=revision, attempt=attempt)
    made = make_report(DESIRED, canary, DESIRED.plan, stable="bcd4fgh2kl")
    return made | {"status": write_report_status({}, outcome=outcome)}


def ended(result: OutcomeResult, minutes: int = 0) -> Outcome:
    at = NOW + timedelta(minutes=minutes)
    return Outcome(result=result, at=at, reason="ErrorsWorse", message="41 of 402 failed")


@given(plans, canaries)
def test_the_frozen_plan_comes_back_exactly(plan: RolloutPlan, canary: Canary) -> None:
    assert read_plan(through_json(make_report(DESIRED, canary, plan))) == plan


def test_a_report_says_whose_attempt_it_is() -> None:
    made = make_report(DESIRED, CANARY, DESIRED.plan, stable="bcd4fgh2kl")
    assert made["metadata"] == {
        "name": "fraud-x7mn2pqr5s-2",
        "namespace": "risk",
        "labels": {
            "serinus.dev/model-deployment": "fraud",
            "serinus.dev/revision": "x7mn2pqr5s",
            "app.kubernetes.io/managed-by": "serinus",
        },
        "ownerReferences": [
            {
                "apiVersion": "serinus.dev/v1alpha1",
                "kind": "ModelDeployment",
                "name": "fraud",
                "uid": "7f5c",
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }
    spec = made["spec"]
    assert (spec["modelDeployment"], spec["revision"], spec["attempt"]) == ("fraud", "x7mn2pqr5s", 2)
    assert (spec["startedAt"], spec["stableRevision"]) == ("2026-11-22T07:30:00Z", "bcd4fgh2kl")
    assert spec["steps"][0] == {"kind": "weight", "weight": 5, "atLeast": "0s", "name": ""}


@pytest.mark.parametrize("spec", [{}, {"steps": "none"}, None])
def test_an_unreadable_plan_stalls(spec: Any) -> None:
    broken = report() | {"spec": spec} if spec is not None else {"metadata": {"name": "fraud-a-1"}}
    with pytest.raises(Stall, match=r"RolloutReport fraud-.* cannot be read") as stall:
        read_plan(broken)
    assert stall.value.reason == contract.REASON_STATUS_UNREADABLE


def test_the_highest_attempt_counts() -> None:
    assert read_attempts([report("a", 2), report("a", 1), report("b", 1)]) == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("result", "rejects"),
    [
        (OutcomeResult.REJECTED, True),
        (OutcomeResult.ABORTED, True),
        (OutcomeResult.PROMOTED, False),
        (OutcomeResult.SUPERSEDED, False),
        (OutcomeResult.RETURNED, False),
    ],
)
def test_only_a_rollback_is_a_rejection(result: OutcomeResult, rejects: bool) -> None:
    made = through_json(report(outcome=ended(result)))
    assert read_outcome(made) == ended(result)
    assert bool(read_rejections([made])) is rejects


def test_rejections_are_in_the_order_of_time_and_the_newest_twenty() -> None:
    reports = [report("a", 25 - each, ended(OutcomeResult.REJECTED, minutes=each)) for each in reversed(range(25))]
    found = read_rejections([*reports, report("b", 1)])
    assert [each.attempt for each in found] == list(range(20, 0, -1))
    assert found[-1].message == "41 of 402 failed"


def test_an_unreadable_outcome_stalls() -> None:
    with pytest.raises(Stall, match=r"status\.outcome of RolloutReport fraud-x7mn2pqr5s-1"):
        read_outcome(report() | {"status": {"outcome": {"result": "Vanished"}}})


def test_the_first_outcome_stands() -> None:
    status = write_report_status({}, outcome=ended(OutcomeResult.REJECTED))
    again = write_report_status(status, outcome=ended(OutcomeResult.PROMOTED, minutes=9))
    assert again == status


@given(assessments)
def test_an_assessment_comes_back_exactly(assessment: Assessment) -> None:
    assert read_assessment(through_json(write_assessment(assessment))) == assessment


def test_a_report_without_evidence_has_none() -> None:
    assert read_last_assessment(report()) is None
    assert read_running(report()) == {}
    assert read_outcome(report()) is None


@pytest.mark.parametrize(
    ("number", "written"), [(math.inf, sys.float_info.max), (-math.inf, -sys.float_info.max), (math.nan, None)]
)
def test_numbers_that_json_lacks_are_written_as_the_nearest(number: float, written: float | None) -> None:
    wire = write_assessment(replace(ASSESSMENT, signals=(replace(EVIDENCE, evidence=number),)))
    assert wire["signals"][0].get("evidence") == written


def test_a_judge_without_a_number_is_our_own_bug() -> None:
    with pytest.raises(BrokenInvariant):
        write_assessment(replace(ASSESSMENT, evidence=math.nan))


def test_an_unreadable_assessment_stalls() -> None:
    with pytest.raises(Stall, match="delete the report, or restore it"):
        read_assessment({"at": "2026-11-22T07:30:00Z"})


def tick(number: int, signals: int = 1) -> Assessment:
    each = (
        replace(EVIDENCE, name=f"s{index}", evidence=math.pi * number, canary_total=20 * number)
        for index in range(signals)
    )
    return replace(ASSESSMENT, at=NOW + timedelta(seconds=30 * number), signals=tuple(each))


@pytest.mark.parametrize(("signals", "limit"), [(1, 200), (2, 200), (4, 120), (9, 53), (20, 24)])
def test_a_series_is_thinned_by_halving_and_keeps_its_ends(signals: int, limit: int) -> None:
    series: dict[str, Any] = {}
    for number in range(1000):
        series = extend_series(series, tick(number, signals))
        for points in series.values():
            assert limit // 2 <= len(points) <= limit or number < limit
            totals = [point["canaryTotal"] for point in points]
            assert totals[-1] == 20 * number
            assert totals == sorted(set(totals))
    gaps = [later - earlier for earlier, later in pairwise(totals)]
    assert gaps == sorted(gaps, reverse=True), "older points lie further apart"


def test_a_tick_that_brought_nothing_is_no_point() -> None:
    first = extend_series({}, tick(1))
    silent = replace(tick(1), at=NOW + timedelta(hours=1))
    assert extend_series(first, silent) == first
    assert extend_series(first, tick(1)) == first
    assert extend_series(first, tick(0)) == first, "a tick from the past changes nothing"
    assert len(extend_series(first, tick(2))["s0"]) == 2


def entry(number: int, message: str = "m", **fields: Any) -> Entry:
    given: dict[str, Any] = {"action": "StepPassed", "reason": "StepStarted", "step": number, "verdict": Verdict.PASS}
    return Entry(at=NOW + timedelta(seconds=number), message=message, **given | fields)


def test_a_decision_that_is_repeated_after_a_crash_is_kept_once() -> None:
    status = write_report_status({}, entries=[entry(1)])
    again = write_report_status(status, entries=[replace(entry(1), at=NOW + timedelta(hours=1))])
    assert again == status
    assert len(write_report_status(status, entries=[entry(2)])["decisions"]) == 2


@pytest.mark.parametrize("message", ["m", "x" * 2000, "ü" * 2000], ids=["short", "long", "not ascii"])
def test_decisions_are_limited_and_the_first_one_stays(message: str) -> None:
    status: dict[str, Any] = {}
    for number in range(300):
        status = write_report_status(status, entries=[entry(number, message)])
    steps = [each["step"] for each in status["decisions"]]
    assert len(steps) <= contract.MAX_DECISIONS
    assert len(json.dumps(status["decisions"], ensure_ascii=False).encode()) <= 64 * 1024
    assert steps[0] == 0
    assert steps[1:] == list(range(300 - len(steps) + 1, 300))


def test_what_is_not_given_stays() -> None:
    before = write_report_status({}, assessment=ASSESSMENT, running={"a": 1}, entries=[entry(1)])
    after = write_report_status(before, outcome=ended(OutcomeResult.PROMOTED))
    assert {key: after[key] for key in before} == before


def test_the_largest_report_stays_below_256_kib() -> None:
    signals = tuple(
        Signal(
            name=f"{'s' * 43}{index:02}",
            kind=SignalKind.FEATURE_DRIFT,
            action=SignalAction.ROLLBACK,
            buckets="b" * 512,
            feature="f" * 253,
            reference=Reference(
                counts=(10**15,) * (MOST_BUCKETS_IN_ALL // 20 + 1),
                edges=(1.234567890123456e-100,) * (MOST_BUCKETS_IN_ALL // 20),
            ),
        )
        for index in range(20)
    )
    steps = tuple(
        Step(kind=StepKind.WEIGHT, weight=50, at_least=timedelta(hours=99, milliseconds=1), name="n" * 63)
        for _ in range(50)
    )
    made = make_report(DESIRED, CANARY, replace(DESIRED.plan, steps=steps, signals=signals), stable="bcd4fgh2kl")
    status: dict[str, Any] = write_report_status({}, running={"sums": "9" * (32 * 1024 - 12)})
    for number in range(700):
        evidence = tuple(
            replace(
                EVIDENCE,
                name=signal.name,
                evidence=1.23456789e-300 * (number + 1),
                safety=1.23456789e-300,
                effect=-1.23456789e-300,
                effect_standard_error=1.23456789e-300,
                dispersion=1.23456789,
                more_requests=1.23456789e-300,
                canary_from_reference=1.23456789e-300,
                stable_from_reference=1.23456789e-300,
                value=1.23456789e-300,
                canary_total=10**12 + number,
                canary_bad=10**12,
                stable_total=10**12,
                stable_bad=10**12,
                reason="R" * 30,
                because="b" * 400,
            )
            for signal in signals
        )
        assessment = replace(ASSESSMENT, at=NOW + timedelta(seconds=30 * number), signals=evidence, because="b" * 400)
        status = write_report_status(status, assessment=assessment, entries=[entry(number, "m" * 2000)])
    size = len(json.dumps(made | {"status": status}).encode())
    assert 192 * 1024 < size < 256 * 1024, "large, but within the limit"


def test_the_largest_gates_add_what_was_agreed_to_a_report() -> None:
    def plan_with(body_length: int) -> RolloutPlan:
        asked = {"path": "/", "body": '"' * body_length}
        step = {"smoke": {"requests": [asked] * 8, "golden": {"requests": [asked]}, "warmUp": {"times": 2}}}
        return make_desired(body({**MINIMAL, "rollout": {"steps": [step, {"weight": 5}]}}), "x7mn2pqr5s").plan

    with pytest.raises(InvalidSpec, match="can be kept"):
        plan_with(1600)
    made = make_report(DESIRED, CANARY, plan_with(1300), stable="bcd4fgh2kl")
    assert read_plan(through_json(made)) == plan_with(1300)
    without = make_report(DESIRED, CANARY, DESIRED.plan, stable="bcd4fgh2kl")
    assert 40 * 1024 < len(json.dumps(made)) - len(json.dumps(without)) < MOST_BYTES
