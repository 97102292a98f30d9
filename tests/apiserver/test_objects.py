"""Objects on a real API server: defaults, ownership of fields, conflicts, /scale, /status, frozen plans."""

import time
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.specs import MINIMAL, asked, body, minimal, rollout, steps
from apiserver.conftest import START_TIMEOUT_SECONDS, Answer, ApiServer, install
from serinus import contract
from serinus.api.crd import make_model_deployment_crd
from serinus.api.parse import make_desired, revision_source
from serinus.api.report import Entry, Outcome, OutcomeResult, make_report, read_plan, write_report_status
from serinus.api.status import Sight, read_progress, write_status
from serinus.cluster.merge import make_merge_patch
from serinus.rollout.assessment import Assessment, SignalEvidence, TrafficShare, Verdict
from serinus.rollout.conditions import Condition
from serinus.rollout.types import (
    Canary,
    CanaryState,
    LatchedCommand,
    Progress,
    Rejection,
    Retiring,
    SignalAction,
    SignalKind,
    Stable,
)

pytestmark = pytest.mark.api

EXAMPLES = Path(__file__).parents[2] / "examples"
GROUP = "/apis/serinus.dev/v1alpha1"
NOW = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
CANARY = Canary(
    revision="x7mn2pqr5s",
    attempt=2,
    step=1,
    weight=25,
    state=CanaryState.ANALYSING,
    since=NOW,
    step_since=NOW + timedelta(seconds=30),
    ready_since=NOW + timedelta(seconds=31),
)
PROGRESS = Progress(
    stable=Stable(revision="bcd4fgh2kl", since=NOW),
    canary=CANARY,
    retiring=(Retiring(revision="zt5vw2x6mn", since=NOW),),
    rejected=(Rejection(revision="zt5vw2x6mn", attempt=1, reason="ErrorsWorse", message="41 of 402", at=NOW),),
    commands=(LatchedCommand(type="pause", value="x7mn2pqr5s/2", at=NOW, manager="serinus-cli", obeyed=True),),
)


def models(namespace: str) -> str:
    return f"{GROUP}/namespaces/{namespace}/modeldeployments"


def manifest(namespace: str, spec: dict[str, Any] | None = None) -> dict[str, Any]:
    made = body(spec)
    made["metadata"] = {"name": "fraud", "namespace": namespace}
    return made


def create(server: ApiServer, namespace: str, spec: dict[str, Any] | None = None) -> dict[str, Any]:
    made = server.create(models(namespace), manifest(namespace, spec))
    assert made.code == 201, made.message
    return made.body


def test_exactly_four_defaults_are_written(server: ApiServer, namespace: str) -> None:
    made = create(server, namespace)
    assert made["spec"] == MINIMAL | {
        "replicas": 1,
        "runtime": "generic",
        "service": {"port": 80},
        "traffic": {"split": "Replicas"},
    }


def test_nothing_is_written_into_rollout_analysis_and_lists(server: ApiServer, namespace: str) -> None:
    spec = minimal(rollout={"steps": [{"weight": 5}]}, analysis={"signals": [{"name": "errors", "kind": "Errors"}]})
    made = create(server, namespace, spec)
    assert made["spec"]["rollout"] == spec["rollout"]
    assert made["spec"]["analysis"] == spec["analysis"]


def test_null_is_kept_as_a_value_to_compare_with(server: ApiServer, namespace: str) -> None:
    checks = [{"path": "$.error", "equals": None}, {"path": "$.model"}]
    expect = {"jsonPath": checks, "jsonSchema": {"properties": {"error": {"const": None}}}}
    made = create(server, namespace, asked(expect=expect))
    assert made["spec"]["rollout"]["steps"][0]["smoke"]["requests"][0]["expect"] == expect


def test_a_revision_does_not_depend_on_written_defaults(server: ApiServer, namespace: str) -> None:
    assert revision_source(create(server, namespace)) == revision_source(manifest(namespace))


def test_a_pod_template_passes_through_unchanged(server: ApiServer, namespace: str) -> None:
    pod = {
        "containers": [
            {
                "name": "server",
                "image": "registry.example/fraud:1",
                "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": True}}}],
                "ports": [{"containerPort": 8080}],
                "notKnownToUs": {"deep": [1, 2.5, None, "x"]},
            }
        ],
        "volumes": [{"name": "v", "emptyDir": {}}],
        "nodeSelector": {"a": "b"},
    }
    template = {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}, "spec": pod}
    assert create(server, namespace, {"template": template})["spec"]["template"] == template


@pytest.mark.parametrize(
    ("before", "after"), [({}, {"name": "other"}), ({"name": "other"}, {}), ({"name": "a"}, {"name": "b"})]
)
def test_a_service_keeps_its_name(
    server: ApiServer, namespace: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    path = models(namespace)
    made = server.apply(path, manifest(namespace, minimal(service={"port": 80, **before})), "argocd")
    assert made.code == 201, made.message
    same = server.apply(path, manifest(namespace, minimal(service={"port": 81, **before})), "argocd")
    assert same.code == 200, same.message
    other = server.apply(path, manifest(namespace, minimal(service={"port": 80, **after})), "argocd")
    assert other.code == 422
    assert "can't be changed: apply another ModelDeployment" in other.message


def test_two_managers_of_one_field_get_a_conflict_that_names_the_first(server: ApiServer, namespace: str) -> None:
    path = models(namespace)
    first = server.apply(path, manifest(namespace, minimal(replicas=4)), "argocd")
    assert first.code == 201, first.message
    second = server.apply(path, manifest(namespace, minimal(replicas=6)), "flux")
    assert second.code == 409
    assert "argocd" in second.message
    assert ".spec.replicas" in second.message


def test_signals_and_containers_are_owned_one_by_one(server: ApiServer, namespace: str) -> None:
    path = models(namespace)
    spec = minimal(analysis={"signals": [{"name": "errors", "kind": "Errors"}]})
    server.apply(path, manifest(namespace, spec), "argocd")
    other = manifest(namespace, {"analysis": {"signals": [{"name": "slow", "kind": "Latency", "bound": "300ms"}]}})
    answer = server.apply(path, other, "team")
    assert answer.code == 200, answer.message
    assert {each["name"] for each in answer.body["spec"]["analysis"]["signals"]} == {"errors", "slow"}


def test_steps_are_owned_as_a_whole(server: ApiServer, namespace: str) -> None:
    path = models(namespace)
    server.apply(path, manifest(namespace, steps({"weight": 5}, {"weight": 50})), "argocd")
    answer = server.apply(path, manifest(namespace, {"rollout": {"steps": [{"weight": 9}]}}), "team")
    assert answer.code == 409
    assert ".spec.rollout.steps" in answer.message


def write(server: ApiServer, namespace: str, seen: dict[str, Any], *, conditions: tuple[Condition, ...] = ()) -> Answer:
    before = seen.get("status", {})
    sight = Sight(
        observed_generation=seen["metadata"]["generation"],
        phase=contract.PHASE_PROGRESSING,
        conditions=conditions,
        now=NOW,
        replicas=4,
        ready_replicas=3,
        selector="serinus.dev/model-deployment=fraud,serinus.dev/revision=bcd4fgh2kl",
        actual_weight=20,
    )
    after = write_status(PROGRESS, sight, name="fraud", previous=before)
    version = {"metadata": {"resourceVersion": seen["metadata"]["resourceVersion"]}}
    patch = version | {"status": make_merge_patch(before, after)}
    return server.patch(
        f"{models(namespace)}/fraud/status", patch, fieldManager=contract.FIELD_MANAGER, fieldValidation="Strict"
    )


READY = Condition(type=contract.READY, status=False, reason="Analysing", message="at step 1")
UNKNOWN = Condition(type=contract.CANARY_HEALTHY, status=None, reason="NotDecidedYet", message="")


def test_the_whole_status_is_taken_and_read_back(server: ApiServer, namespace: str) -> None:
    answer = write(server, namespace, create(server, namespace), conditions=(READY, UNKNOWN))
    assert answer.code == 200, answer.message
    assert read_progress(answer.body["status"]) == PROGRESS
    conditions = {each["type"]: each["status"] for each in answer.body["status"]["conditions"]}
    assert conditions == {"Ready": "False", "CanaryHealthy": "Unknown"}


def test_a_status_from_an_old_look_is_refused(server: ApiServer, namespace: str) -> None:
    seen = create(server, namespace)
    changed = server.patch(f"{models(namespace)}/fraud", {"spec": {"replicas": 2}})
    assert changed.code == 200
    assert write(server, namespace, seen).code == 409


def test_the_same_status_again_writes_nothing(server: ApiServer, namespace: str) -> None:
    first = write(server, namespace, create(server, namespace), conditions=(READY,)).body
    second = write(server, namespace, first, conditions=(READY,)).body
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_a_status_write_owns_no_spec_and_moves_no_generation(server: ApiServer, namespace: str) -> None:
    seen = create(server, namespace)
    written = write(server, namespace, seen).body
    ours = [each for each in written["metadata"]["managedFields"] if each["manager"] == contract.FIELD_MANAGER]
    assert [each["subresource"] for each in ours] == ["status"]
    assert all("f:spec" not in each["fieldsV1"] for each in ours)
    assert written["metadata"]["generation"] == seen["metadata"]["generation"]


def test_scale_shows_and_sets_the_serving_side(server: ApiServer, namespace: str) -> None:
    write(server, namespace, create(server, namespace))
    path = f"{models(namespace)}/fraud"
    scale = server.request("GET", f"{path}/scale").body
    assert scale["status"] == {
        "replicas": 4,
        "selector": "serinus.dev/model-deployment=fraud,serinus.dev/revision=bcd4fgh2kl",
    }
    scaled = server.patch(f"{path}/scale", {"spec": {"replicas": 7}})
    assert scaled.code == 200, scaled.message
    assert server.request("GET", path).body["spec"]["replicas"] == 7


def tightened(plural: str, *, where: str) -> dict[str, Any]:
    """Return our CRD under another name, with a rule that no stored object keeps."""
    crd = make_model_deployment_crd()
    names = crd["spec"]["names"]
    crd["spec"]["names"] = {"kind": plural.capitalize(), "plural": plural, "singular": plural, "listKind": f"{plural}L"}
    crd["metadata"]["name"] = f"{plural}.{crd['spec']['group']}"
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    rule = {
        "rule": "!has(self.maxWait)" if where == "rollout" else "!has(self.rollout)",
        "message": "new in this version",
    }
    holder = spec["properties"]["rollout"] if where == "rollout" else spec
    holder["x-kubernetes-validations"] = [*holder.get("x-kubernetes-validations", []), rule]
    assert names["plural"] != plural
    return crd


def _until_refused(server: ApiServer, path: str, obj: dict[str, Any]) -> None:
    """Wait until the new schema is in force."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    fresh = deepcopy(obj)
    fresh["metadata"]["name"] = "probe"
    while server.create(path, fresh, dryRun="All").code == 201:
        assert time.monotonic() < deadline, "the new rule never came into force"


@pytest.mark.parametrize(("where", "plural", "code"), [("rollout", "rollouters", 200), ("spec", "specers", 422)])
def test_an_autoscaler_survives_a_new_rule_unless_it_sits_on_spec(
    server: ApiServer, namespace: str, where: str, plural: str, code: int
) -> None:
    crd = tightened(plural, where=where)
    before = deepcopy(crd)
    spec = before["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    holder = spec["properties"]["rollout"] if where == "rollout" else spec
    del holder["x-kubernetes-validations"][-1]
    install(server, before)
    path = f"{GROUP}/namespaces/{namespace}/{plural}"
    obj = manifest(namespace, rollout(maxWait="1h")) | {"kind": plural.capitalize()}
    made = server.create(path, obj)
    assert made.code == 201, made.message
    install(server, crd)
    _until_refused(server, path, obj)
    assert server.patch(f"{path}/fraud/scale", {"spec": {"replicas": 5}}).code == code


def report_of(server: ApiServer, namespace: str, spec: dict[str, Any] | None = None) -> dict[str, Any]:
    desired = make_desired(create(server, namespace, spec), CANARY.revision)
    report = make_report(desired, CANARY, desired.plan, stable="bcd4fgh2kl")
    made = server.create(f"{GROUP}/namespaces/{namespace}/rolloutreports", report)
    assert made.code == 201, made.message
    assert read_plan(made.body) == desired.plan
    return made.body


def test_the_plan_of_a_report_is_frozen(server: ApiServer, namespace: str) -> None:
    path = f"{GROUP}/namespaces/{namespace}/rolloutreports/{report_of(server, namespace)['metadata']['name']}"
    answer = server.patch(path, {"spec": {"confirmTicks": 1}})
    assert answer.code == 422
    assert "the plan of an attempt is frozen" in answer.message
    assert server.patch(path, {"metadata": {"annotations": {"a": "b"}}}).code == 200


@pytest.mark.parametrize("path", [pytest.param(each, id=each.stem) for each in sorted(EXAMPLES.rglob("*.yaml"))])
def test_every_example_is_taken(server: ApiServer, namespace: str, path: Path) -> None:
    for shown in yaml.safe_load_all(path.read_text()):
        if shown["kind"] != contract.KIND_MODEL_DEPLOYMENT:
            continue
        shown["metadata"] = {"name": shown["metadata"]["name"], "namespace": namespace}
        made = server.request("POST", models(namespace), shown, fieldValidation="Strict")
        assert made.code == 201, made.message


def test_all_kinds_of_signals_are_taken_frozen_and_read_back(server: ApiServer, namespace: str) -> None:
    profile, shown = yaml.safe_load_all((EXAMPLES / "signals.yaml").read_text())
    references = {(profile["metadata"]["name"], key): text for key, text in profile["data"].items()}
    desired = make_desired(create(server, namespace, shown["spec"]), CANARY.revision, references)
    report = make_report(desired, CANARY, desired.plan, stable="bcd4fgh2kl")
    path = f"{GROUP}/namespaces/{namespace}/rolloutreports"
    made = server.request("POST", path, report, fieldValidation="Strict")
    assert made.code == 201, made.message
    assert read_plan(made.body) == desired.plan
    assert sum(each.reference is not None for each in desired.plan.signals) == 2


def test_evidence_is_taken_and_read_back(server: ApiServer, namespace: str) -> None:
    report = report_of(server, namespace)
    signal = SignalEvidence(
        name="errors",
        kind=SignalKind.ERRORS,
        action=SignalAction.ROLLBACK,
        verdict=Verdict.FAIL,
        evidence=24.1,
        safety=0.2,
        effect=0.1,
        effect_standard_error=0.02,
        dispersion=1.5,
        more_requests=300.0,
        canary_from_reference=0.3,
        stable_from_reference=-0.01,
        canary_total=402,
        canary_bad=41,
        stable_total=1204,
        stable_bad=3,
        reason=contract.REASON_ERRORS_WORSE,
        because="41 of 402",
    )
    assessment = Assessment(
        at=NOW,
        step=1,
        verdict=Verdict.FAIL,
        rollback=True,
        promote=False,
        calm=False,
        evidence=24.1,
        threshold=20.0,
        reason=contract.REASON_ERRORS_WORSE,
        because="41 of 402",
        signals=(signal,),
        traffic=TrafficShare(expected=0.25, observed=0.05, evidence=31.0, off=True, because="5 % of 25 %"),
    )
    running = {"errors": {"e": [1.5, -2.5], "deep": {"any": [None, True]}}, "tick": 7}
    outcome = Outcome(result=OutcomeResult.REJECTED, at=NOW, reason="ErrorsWorse", message="41 of 402")
    entry = Entry(at=NOW, step=1, verdict=Verdict.FAIL, action="Failed", reason="ErrorsWorse", message="41 of 402")
    status = write_report_status({}, assessment=assessment, running=running, entries=[entry], outcome=outcome)
    path = f"{GROUP}/namespaces/{namespace}/rolloutreports/{report['metadata']['name']}/status"
    answer = server.patch(path, {"status": status}, fieldValidation="Strict")
    assert answer.code == 200, answer.message
    assert answer.body["status"] == status


def test_people_see_what_matters_in_a_list(server: ApiServer, namespace: str) -> None:
    write(server, namespace, create(server, namespace), conditions=(READY,))
    server.session.headers["Accept"] = "application/json;as=Table;v=v1;g=meta.k8s.io"
    try:
        table = server.request("GET", models(namespace)).body
    finally:
        del server.session.headers["Accept"]
    columns = {each["name"]: each["priority"] for each in table["columnDefinitions"]}
    row = dict(zip(columns, table["rows"][0]["cells"], strict=True))
    assert {key: row[key] for key in ("Phase", "Stable", "Canary", "Weight", "Ready", "Reason")} == {
        "Phase": "Progressing",
        "Stable": "bcd4fgh2kl",
        "Canary": "x7mn2pqr5s",
        "Weight": 25,
        "Ready": "False",
        "Reason": "Analysing",
    }
    assert [name for name, priority in columns.items() if priority == 1] == ["Reason", "Message"]


def test_short_names_and_categories(server: ApiServer) -> None:
    found = {each["name"]: each for each in server.request("GET", GROUP).body["resources"]}
    assert found["modeldeployments"]["shortNames"] == ["md", "mdep"]
    assert found["modeldeployments"]["categories"] == ["all", "serinus"]
    assert found["rolloutpolicies"]["shortNames"] == ["rp"]
    assert found["clusterrolloutpolicies"]["shortNames"] == ["crp"]
    assert not found["clusterrolloutpolicies"]["namespaced"]
    assert found["rolloutreports"]["shortNames"] == ["rr"]
    assert found["rolloutreports"]["categories"] == ["serinus"]


def test_policies_hold_the_same_settings_and_refuse_the_same_faults(server: ApiServer, namespace: str) -> None:
    kind = {"apiVersion": "serinus.dev/v1alpha1", "kind": "RolloutPolicy", "metadata": {"name": "careful"}}
    path = f"{GROUP}/namespaces/{namespace}/rolloutpolicies"
    good = {"rollout": {"steps": [{"weight": 1}, {"weight": 50}]}, "analysis": {"interval": "10s"}, "hooks": []}
    assert server.create(path, kind | {"spec": good}).code == 201
    bad = server.create(path, kind | {"spec": {"rollout": {"steps": [{"weight": 50}, {"weight": 1}]}}})
    assert "weights may not fall" in bad.message
    cluster = kind | {"kind": "ClusterRolloutPolicy", "spec": {"limits": {"firstWeight": 5, "bake": "1h"}} | good}
    assert server.create(f"{GROUP}/clusterrolloutpolicies", cluster, dryRun="All").code == 201
    unnamed = server.create(f"{GROUP}/clusterrolloutpolicies", cluster | {"metadata": {"name": "default"}})
    assert unnamed.code == 422
    assert "policies are not supported yet" in unnamed.message
