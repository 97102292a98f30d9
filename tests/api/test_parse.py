"""What people write: refused with a path and a sentence, or turned into what they ask for."""

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from api.specs import BAD, BAD_NAMES, GOOD, MINIMAL, RESERVED, body, minimal, model, rollout, signal, signals, steps
from serinus.api.parse import (
    make_desired,
    model_name,
    parse_model_deployment,
    parse_spec,
    read_commands,
    revision_source,
    tracks_config,
)
from serinus.errors import InvalidSpec, NotSupportedYet
from serinus.rollout.types import (
    Command,
    OnInconclusive,
    RolloutPlan,
    ServicePlan,
    Signal,
    SignalAction,
    SignalKind,
    Step,
    StepKind,
)

REVISION = "x7mn2pqr5s"


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
    ],
)
def test_signals(written: dict[str, Any], expected: dict[str, Any]) -> None:
    (planned,) = make_desired(body(signal(**written)), REVISION).plan.signals
    found = {name: getattr(planned, name) for name in expected}
    assert found == expected
    if "action" not in written:
        assert planned.action is SignalAction.ROLLBACK


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        pytest.param(signal(kind="Query", query="up{$pods}", max=1), "$", id="an unknown placeholder"),
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
