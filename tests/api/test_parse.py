"""What people write: refused with a path and a sentence, or turned into what they ask for."""

import json
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from api.specs import (
    BAD,
    BAD_NAMES,
    GOOD,
    MINIMAL,
    REFERENCE,
    RESERVED,
    analysis,
    body,
    minimal,
    model,
    rollout,
    signal,
    signals,
    steps,
)
from serinus.api.parse import (
    make_desired,
    model_name,
    parse_model_deployment,
    parse_spec,
    read_commands,
    revision_source,
    tracks_config,
)
from serinus.errors import InvalidSpec, NotSupportedYet, Stall
from serinus.rollout.defaults import DEFAULT_MARGINS
from serinus.rollout.types import (
    Command,
    OnInconclusive,
    Reference,
    RolloutPlan,
    ServicePlan,
    Signal,
    SignalAction,
    SignalKind,
    Step,
    StepKind,
    Worse,
)

REVISION = "x7mn2pqr5s"
PAIR = {"total": "a", "bad": "b"}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_spec_is_refused_where_it_is_bad(case: str) -> None:
    with pytest.raises(InvalidSpec) as refusal:
        parse_spec(body(BAD[case].spec))
    assert BAD[case].path + ":" in refusal.value.message
    assert "pydantic" not in refusal.value.message


@pytest.mark.parametrize("case", [case for case, bad in BAD.items() if not bad.schema_speaks])
def test_the_operator_says_the_same_sentence_as_the_api_server(case: str) -> None:
    with pytest.raises(InvalidSpec) as refusal:
        parse_spec(body(BAD[case].spec))
    assert BAD[case].says in refusal.value.message


@pytest.mark.parametrize("case", BAD_NAMES)
def test_a_bad_name_is_refused(case: str) -> None:
    with pytest.raises(InvalidSpec, match=r"metadata\.name: a name has at most 45 characters"):
        parse_spec(body(name=BAD_NAMES[case]))


@pytest.mark.parametrize("case", GOOD)
def test_a_good_spec_is_understood(case: str) -> None:
    assert make_desired(body(GOOD[case]), REVISION).revision == REVISION


def test_many_faults_are_named_together_up_to_a_limit() -> None:
    spec = minimal(**{f"wrong{index}": 1 for index in range(7)})
    with pytest.raises(InvalidSpec, match=r"spec\.wrong0: is no field.*spec\.wrong4: .*; and 2 more$"):
        parse_spec(body(spec))


@pytest.mark.parametrize("case", RESERVED)
def test_what_is_not_built_yet_is_said_with_its_field(case: str) -> None:
    spec, path = RESERVED[case]
    assert parse_spec(body(spec))
    with pytest.raises(NotSupportedYet) as refusal:
        parse_model_deployment(body(spec))
    assert f"{path} " in refusal.value.message.replace(":", " ").replace(".atLeast", ".atLeast ")
    assert "not supported yet" in refusal.value.message
    with pytest.raises(NotSupportedYet):
        make_desired(body(spec), REVISION)


def test_the_pin_annotation_is_not_built_yet() -> None:
    with pytest.raises(NotSupportedYet, match=r"serinus\.dev/pin"):
        parse_model_deployment(body(annotations={"serinus.dev/pin": REVISION}))


def test_everything_has_its_documented_default() -> None:
    desired = make_desired(body(), REVISION)
    weights = tuple(Step(kind=StepKind.WEIGHT, weight=weight) for weight in (5, 25, 50))
    errors = Signal(
        name="errors",
        kind=SignalKind.ERRORS,
        action=SignalAction.ROLLBACK,
        margin=0.005,
        unacceptable=0.01,
    )
    assert desired.plan == RolloutPlan(
        steps=weights,
        signals=(errors,),
        interval=timedelta(seconds=30),
        false_rollback_rate=0.05,
        false_promotion_rate=0.05,
        confirm_ticks=2,
        on_inconclusive=OnInconclusive.PAUSE,
        max_wait=timedelta(hours=2),
        progress_deadline=timedelta(minutes=10),
    )
    assert desired.service == ServicePlan(name="fraud", port=80)
    assert (desired.namespace, desired.name, desired.uid, desired.generation) == ("risk", "fraud", "7f5c", 3)
    assert (desired.replicas, desired.paused, desired.commands) == (1, False, ())
    assert desired.keep_old == timedelta(seconds=30)
    assert (desired.history_limit, desired.revision_history_limit) == (30, 5)


def test_everything_that_is_written_is_taken() -> None:
    spec = minimal(
        replicas=4,
        service={"name": "front", "port": 8080, "targetPort": "http", "appProtocol": "h2c", "annotations": {"a": "b"}},
        rollout={
            "steps": [{"weight": 10, "atLeast": "90s", "name": "peek"}],
            "onInconclusive": "PromoteIfCalm",
            "maxWait": "1h",
            "progressDeadline": "5m",
            "paused": True,
            "keepOld": "0s",
            "historyLimit": 7,
            "revisionHistoryLimit": 0,
        },
        analysis={"interval": "5s", "falseRollbackRate": 0.01, "falsePromotionRate": 0.1, "confirmTicks": 3},
    )
    desired = make_desired(body(spec), REVISION)
    assert desired.plan.steps == (Step(kind=StepKind.WEIGHT, weight=10, at_least=timedelta(seconds=90), name="peek"),)
    assert desired.plan.on_inconclusive is OnInconclusive.PROMOTE_IF_CALM
    assert desired.plan.max_wait == timedelta(hours=1)
    assert desired.plan.progress_deadline == timedelta(minutes=5)
    assert desired.plan.interval == timedelta(seconds=5)
    assert (desired.plan.false_rollback_rate, desired.plan.false_promotion_rate) == (0.01, 0.1)
    assert desired.plan.confirm_ticks == 3
    assert desired.service == ServicePlan(
        name="front", port=8080, target_port="http", app_protocol="h2c", annotations={"a": "b"}
    )
    assert (desired.replicas, desired.paused, desired.keep_old) == (4, True, timedelta(0))
    assert (desired.history_limit, desired.revision_history_limit) == (7, 0)


@pytest.mark.parametrize(
    ("written", "planned"),
    [
        pytest.param([{"approval": {}}], [("approval", 0)], id="an approval at the start has no traffic"),
        pytest.param(
            [{"weight": 5}, {"approval": {}}, {"weight": 50}, {"approval": {}}],
            [("weight", 5), ("approval", 5), ("weight", 50), ("approval", 50)],
            id="an approval keeps the weight before it",
        ),
        pytest.param(
            [{"weight": 50}, {"weight": 100}], [("weight", 50)], id="a last weight of 100 is promotion itself"
        ),
        pytest.param(
            [{"weight": 99}, {"weight": 100}, {"weight": 100}], [("weight", 99)], id="twice 100 is promotion, too"
        ),
        pytest.param([{"approval": {}}, {"weight": 100}], [("approval", 0)], id="an approval, then everything"),
    ],
)
def test_steps(written: list[Any], planned: list[tuple[str, int]]) -> None:
    plan = make_desired(body(steps(*written)), REVISION).plan
    assert [(step.kind.value, step.weight) for step in plan.steps] == planned


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param({"kind": "Errors"}, {"margin": 0.005, "unacceptable": 0.01}, id="Errors"),
        pytest.param(
            {"kind": "Latency", "bound": "300ms"},
            {"margin": 0.02, "unacceptable": 0.04, "bound_seconds": 0.3},
            id="Latency",
        ),
        pytest.param(
            {"kind": "Query", "query": "up{$selector}", "min": 1},
            {"margin": 0.0, "unacceptable": 0.0, "query": "up{$selector}", "minimum": 1.0, "maximum": None},
            id="Query",
        ),
        pytest.param(
            {"kind": "Errors", "margin": "1%", "action": "Hold"},
            {"margin": 0.01, "unacceptable": 0.02, "action": SignalAction.HOLD},
            id="unacceptable follows the margin",
        ),
        pytest.param(
            {"kind": "Errors", "margin": "0.003", "unacceptable": "4%"},
            {"margin": 0.003, "unacceptable": 0.04},
            id="both notations",
        ),
        pytest.param(
            {"kind": "Errors", "metrics": {"total": "mine_total", "bad": 'mine_total{code=~"5.."}'}},
            {"total": "mine_total", "bad": 'mine_total{code=~"5.."}'},
            id="own counters",
        ),
        pytest.param(
            {"kind": "ClientErrors"},
            {"margin": 0.01, "unacceptable": 0.02, "action": SignalAction.HOLD},
            id="ClientErrors",
        ),
        pytest.param(
            {"kind": "Accuracy", "metrics": PAIR, "slo": "20%", "weight": 3},
            {"margin": 0.01, "unacceptable": 0.02, "slo": 0.2, "weight": 3, "total": "a", "bad": "b"},
            id="Accuracy",
        ),
        pytest.param(
            {"kind": "Implausible", "metrics": PAIR}, {"margin": 0.001, "unacceptable": 0.002}, id="Implausible"
        ),
        pytest.param(
            {"kind": "Latency", "metrics": {"buckets": "mine_bucket"}},
            {"margin": 0.02, "unacceptable": 0.04, "bound_seconds": None, "buckets": "mine_bucket"},
            id="Latency over the whole histogram",
        ),
        pytest.param(
            {"kind": "PredictionDrift", "metrics": {"buckets": "score_bucket"}},
            {"margin": 0.1, "unacceptable": 0.0, "action": SignalAction.HOLD, "reference": None},
            id="PredictionDrift",
        ),
        pytest.param(
            {
                "kind": "FeatureDrift",
                "feature": "country",
                "metrics": {"categories": "seen_total", "label": "country"},
                "margin": "0.25",
                "action": "Rollback",
            },
            {
                "margin": 0.25,
                "unacceptable": 0.0,
                "action": SignalAction.ROLLBACK,
                "categories": "seen_total",
                "label": "country",
                "feature": "country",
            },
            id="FeatureDrift",
        ),
        pytest.param(
            {"kind": "Comparison", "query": "avg(rate(x{$selector}[90s]))"},
            {
                "margin": 0.1,
                "unacceptable": 0.0,
                "action": SignalAction.HOLD,
                "worse": Worse.HIGHER,
                "window_seconds": 90.0,
            },
            id="Comparison",
        ),
        pytest.param(
            {"kind": "Comparison", "query": "avg(x{$selector})", "worse": "Lower", "margin": "20%"},
            {"margin": 0.2, "worse": Worse.LOWER, "window_seconds": 0.0, "action": SignalAction.HOLD},
            id="Comparison where less is worse",
        ),
        pytest.param(
            {"kind": "ClientErrors", "source": "istio"},
            {"source": "istio", "total": None, "max_age_seconds": None, "action": SignalAction.HOLD},
            id="a view from outside",
        ),
        pytest.param(
            {"kind": "Query", "query": "min(p{})", "min": 0.05, "maxAge": "10m"},
            {"minimum": 0.05, "max_age_seconds": 600.0, "updated": None, "window_seconds": 0.0},
            id="a value that may not be old",
        ),
        pytest.param(
            {"kind": "Query", "query": "min(p{})", "min": 0.05, "maxAge": "10m", "updated": "max(t)"},
            {"max_age_seconds": 600.0, "updated": "max(t)", "window_seconds": 600.0},
            id="a value that is computed now and then",
        ),
    ],
)
def test_signals(written: dict[str, Any], expected: dict[str, Any]) -> None:
    (planned,) = make_desired(body(signal(**written)), REVISION).plan.signals
    found = {name: getattr(planned, name) for name in expected}
    assert found == expected
    if "action" not in expected:
        assert planned.action is SignalAction.ROLLBACK


def test_defaults_are_those_of_the_judge_on_a_command_line() -> None:
    assert set(DEFAULT_MARGINS) == set(SignalKind) - {SignalKind.QUERY}
    assert make_desired(body(analysis(strict=True)), REVISION).plan.strict
    assert not make_desired(body(), REVISION).plan.strict


PROFILE = (
    '{"schema": 1, "prediction": {"edges": [0.2, 0.5], "counts": [7, 2, 1]},'
    ' "features": {"country": {"categories": {"fr": 2, "de": 40}}}}'
)
OF_PREDICTIONS = signal(kind="PredictionDrift", metrics={"buckets": "score_bucket"}, reference=REFERENCE)
OF_COUNTRIES = signal(
    kind="FeatureDrift", feature="country", metrics={"categories": "a", "label": "b"}, reference=REFERENCE
)
AT = ("profile", "profile.json")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (OF_PREDICTIONS, Reference(counts=(7, 2, 1), edges=(0.2, 0.5))),
        (OF_COUNTRIES, Reference(counts=(40, 2), categories=("de", "fr"))),
    ],
)
def test_a_training_profile_is_frozen_into_the_plan(spec: dict[str, Any], expected: Reference) -> None:
    (planned,) = make_desired(body(spec), REVISION, {AT: PROFILE}).plan.signals
    assert planned.reference == expected


@pytest.mark.parametrize(
    ("spec", "references", "reason", "says"),
    [
        pytest.param(OF_PREDICTIONS, {}, "ConfigMapMissing", "ConfigMap profile, which does not exist", id="none"),
        pytest.param(OF_PREDICTIONS, {AT: None}, "ConfigMapMissing", "has no key profile.json", id="no key"),
        pytest.param(OF_PREDICTIONS, {AT: "edges"}, "InvalidSpec", "Invalid JSON", id="no JSON"),
        pytest.param(OF_PREDICTIONS, {AT: '{"schema": 2}'}, "InvalidSpec", "schema", id="of the future"),
        pytest.param(OF_PREDICTIONS, {AT: '{"schema": 1}'}, "InvalidSpec", "has no prediction", id="without it"),
        pytest.param(
            OF_COUNTRIES, {AT: '{"schema": 1, "features": {}}'}, "InvalidSpec", "no features.country", id="no feature"
        ),
        pytest.param(
            OF_PREDICTIONS,
            {AT: '{"schema": 1, "prediction": {"edges": [2, 1], "counts": [1, 2, 3]}}'},
            "InvalidSpec",
            "edges have to ascend",
            id="edges that descend",
        ),
        pytest.param(
            OF_PREDICTIONS,
            {AT: '{"schema": 1, "prediction": {"edges": [1, 2], "counts": [1, 2]}}'},
            "InvalidSpec",
            "one number more than edges",
            id="a count too few",
        ),
        pytest.param(
            OF_PREDICTIONS,
            {AT: '{"schema": 1, "prediction": {"edges": [1], "counts": [0, 0]}}'},
            "InvalidSpec",
            "all counts are zero",
            id="no counts",
        ),
        pytest.param(
            OF_PREDICTIONS,
            {AT: '{"schema": 1, "prediction": {"edges": [1], "counts": [1, -1]}}'},
            "InvalidSpec",
            "greater than or equal to 0",
            id="below zero",
        ),
        pytest.param(
            OF_PREDICTIONS,
            {AT: '{"schema": 1, "prediction": {"edges": [1]}}'},
            "InvalidSpec",
            "give edges and counts, or categories",
            id="half",
        ),
        pytest.param(
            OF_PREDICTIONS,
            {AT: '{"schema": 1, "prediction": {"categories": {"a": 1}}}'},
            "InvalidSpec",
            "of one form",
            id="another form",
        ),
    ],
)
def test_a_training_profile_that_cannot_be_used_stalls(
    spec: dict[str, Any], references: Any, reason: str, says: str
) -> None:
    with pytest.raises(Stall) as stall:
        make_desired(body(spec), REVISION, references)
    assert stall.value.reason == reason
    assert says in stall.value.message
    assert "spec.analysis.signals[0] (it): " in stall.value.message


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        pytest.param(signal(kind="Query", query="up{$pods}", max=1), "$", id="an unknown placeholder"),
        pytest.param(signal(kind="Query", query="up", max=1, maxAge="1m"), "my_metric{}", id="no metric with an age"),
        pytest.param(
            signal(kind="Query", query="up", max=1, maxAge="1m", updated="$when"), "$when", id="a wrong time of update"
        ),
        pytest.param(
            signal(kind="Errors", metrics={"total": "sum(a)", "bad": "b"}), "sum(a)", id="a function as a counter"
        ),
        pytest.param(
            signal(kind="Errors", unacceptable="0.1%"), "margin is 0.005 by default", id="a default above the limit"
        ),
    ],
)
def test_what_only_the_operator_can_tell_is_refused_by_it(spec: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.analysis\.signals\[0\] \(it\): ") as refusal:
        make_desired(body(spec), REVISION)
    assert says in refusal.value.message


def test_order_of_signals_is_kept() -> None:
    spec = signals({"name": "b", "kind": "Errors"}, {"name": "a", "kind": "Errors"})
    assert [each.name for each in make_desired(body(spec), REVISION).plan.signals] == ["b", "a"]


SAME = {
    "steps": steps({"weight": 50}),
    "signals": signal(kind="Errors"),
    "replicas": minimal(replicas=9),
    "the default runtime written out": minimal(runtime="generic"),
    "the default port written out": minimal(service={"port": 80}),
    "the Service's name": minimal(service={"name": "front"}),
    "pausing": rollout(paused=True),
}
DIFFERENT = {
    "image": minimal(template={"spec": {"containers": [{"name": "server", "image": "registry.example/fraud:2"}]}}),
    "a label": minimal(template={"metadata": {"labels": {"a": "b"}}, **MINIMAL["template"]}),
    "runtime": minimal(runtime="mlserver"),
    "model name": model(name="other"),
    "model digest": model(uri="s3://a/b", digest="sha256:" + "a" * 64),
    "port": minimal(service={"port": 81}),
    "target port": minimal(service={"targetPort": 8080}),
}


@pytest.mark.parametrize("case", SAME)
def test_what_restarts_nothing_is_no_new_revision(case: str) -> None:
    assert revision_source(body(SAME[case])) == revision_source(body())


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_changes_pods_is_a_new_revision(case: str) -> None:
    assert revision_source(body(DIFFERENT[case])) != revision_source(body())


def test_the_source_of_a_revision_is_no_part_of_the_body() -> None:
    given = body()
    before = deepcopy(given)
    make_desired(given, REVISION)
    revision_source(given)
    assert given == before


def test_model_name_is_the_objects_unless_written() -> None:
    assert model_name(body()) == "fraud"
    assert model_name(body(model(name="risk-model"))) == "risk-model"


def test_config_maps_are_tracked_unless_switched_off() -> None:
    assert tracks_config(body())
    assert tracks_config(body(rollout(trackConfig="ConfigMaps")))
    assert not tracks_config(body(rollout(trackConfig="None")))


def _managed(manager: str, annotation: str, time: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    owned = {"f:metadata": {"f:annotations": {f"f:{annotation}": {}}}}
    return {"manager": manager, "operation": "Apply", "time": time, "fieldsV1": owned}


def test_commands_name_who_wrote_them() -> None:
    metadata = body(
        annotations={"serinus.dev/approve": f" {REVISION}/1/3 ", "serinus.dev/pause": f"{REVISION}/1", "else": "x"},
        managedFields=[
            _managed("argocd", "else"),
            _managed("serinus-cli", "serinus.dev/approve"),
            {"manager": "kube", "fieldsV1": {"f:spec": {}}},
        ],
    )["metadata"]
    assert read_commands(metadata) == (
        Command(type="pause", value=f"{REVISION}/1", manager="unknown"),
        Command(type="approve", value=f"{REVISION}/1/3", manager="serinus-cli"),
    )


def test_the_last_of_two_owners_is_named() -> None:
    metadata = body(
        annotations={"serinus.dev/abort": "x/1"},
        managedFields=[
            _managed("second", "serinus.dev/abort", "2026-01-02T00:00:00Z"),
            _managed("first", "serinus.dev/abort", "2026-01-01T00:00:00Z"),
        ],
    )["metadata"]
    assert read_commands(metadata)[0].manager == "second"


def test_training_profiles_that_no_report_could_hold_are_refused() -> None:
    features = {f"f{index}": {"edges": list(range(99)), "counts": [1] * 100} for index in range(9)}
    profile = json.dumps({"schema": 1, "features": features})
    named = [
        {"name": name, "kind": "FeatureDrift", "feature": name, "metrics": {"buckets": "a"}, "reference": REFERENCE}
        for name in features
    ]
    assert len(make_desired(body(signals(*named[:8])), REVISION, {AT: profile}).plan.signals) == 8
    with pytest.raises(InvalidSpec, match="900 buckets and categories together, and 800 can be kept"):
        make_desired(body(signals(*named)), REVISION, {AT: profile})


@pytest.mark.parametrize("name", ["falseRollbackRate", "falsePromotionRate"])
def test_rates_next_to_nothing_are_refused(name: str) -> None:
    make_desired(body(analysis(**{name: 1e-9})), REVISION)
    with pytest.raises(InvalidSpec, match=f"spec.analysis.{name}: has to be at least 1e-09, not 5e-10: raise it"):
        make_desired(body(analysis(**{name: 5e-10})), REVISION)
