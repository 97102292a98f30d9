"""Ticks of sides that are read by presets of their own, by labels, or by counters of several metrics."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from serinus import contract
from serinus.controller.measure import Measured, measure
from serinus.errors import BadQuery
from serinus.judge.measurements import (
    ExpectedShare,
    HistogramMeasurement,
    Missing,
    PairMeasurement,
    RateMeasurement,
    ValueMeasurement,
)
from serinus.prometheus.answers import Vector
from serinus.rollout.types import Reference, RolloutPlan, Signal, SignalAction, SignalKind, Step, StepKind
from serinus.signals.recognition import Recognition
from serinus.signals.scope import BySide
from support.scraped import C1, CANARY, S1, SCOPE, STABLE, Scraped
from support.traffic import InProcess, moment
from support.tsdb import Tsdb

ERRORS = Signal(name="it", kind=SignalKind.ERRORS, action=SignalAction.ROLLBACK, margin=0.005, unacceptable=0.01)
SLOW = replace(ERRORS, kind=SignalKind.LATENCY, bound_seconds=0.25)


def tick(
    scraped: Scraped,
    *signals: Signal,
    canary: str = "generic",
    stable: str = "generic",
    asks: InProcess | None = None,
    **more: object,
) -> Measured:
    found = measure(
        plan=RolloutPlan(
            steps=(Step(kind=StepKind.WEIGHT, weight=25),), signals=signals, interval=timedelta(seconds=10)
        ),
        declared=BySide(canary=canary, stable=stable),
        scope=SCOPE,
        previous=moment(20),
        ready_since=moment(2),
        step=0,
        next_weight=50,
        now=moment(30),
        delay=timedelta(seconds=5),
        prometheus=asks or InProcess(scraped.tsdb),
        **more,
    )
    assert found is not None
    return found


def rates(canary: tuple[int, int], stable: tuple[int, int]) -> RateMeasurement:
    return RateMeasurement(canary={C1: canary}, stable={S1: stable})


def one(scraped: Scraped, signal: Signal, **more: object):
    return tick(scraped, signal, **more).tick.measurements["it"]


def test_counters_of_two_metrics_with_the_same_labels_are_added() -> None:
    scraped, model = Scraped(), {"model": "fraud", "version": "1"}
    for pod, success, failure in ((C1, 7, 3), (S1, 20, 1)):
        scraped.counter(pod, "nv_inference_request_success", success, **model)
        scraped.counter(pod, "nv_inference_request_failure", failure, **model)
        scraped.counter(pod, "nv_inference_request_failure", 50, reason="CANCELED", **model)
    assert one(scraped, ERRORS, canary="triton", stable="triton") == rates((100, 30), (210, 10))


def test_a_pod_that_lacks_one_of_the_metrics_that_are_added_has_counted_none_there() -> None:
    scraped = Scraped()
    for pod, success in ((C1, 7), (S1, 20)):
        scraped.counter(pod, "nv_inference_request_success", success, model="fraud")
    scraped.counter(S1, "nv_inference_request_failure", 1, model="fraud", reason="OTHER")
    assert one(scraped, ERRORS, canary="triton", stable="triton") == rates((70, 0), (210, 10))


def kserve(pod: str, before: float, after: float | None) -> Scraped:
    scraped = Scraped().counter(pod, "request_predict_seconds_count", before, model_name="fraud")
    return (
        scraped
        if after is None
        else scraped.counter(pod, "request_postprocess_seconds_count", after, model_name="fraud")
    )


@pytest.mark.parametrize(("after", "bad"), [(7.0, 30), (None, 100), (10.0, 0), (10.4, 0)])
def test_what_was_predicted_and_not_postprocessed_is_bad(after: float | None, bad: int) -> None:
    scraped = kserve(C1, 10, after)
    scraped.counter(S1, "request_predict_seconds_count", 5, model_name="fraud")
    scraped.counter(S1, "request_postprocess_seconds_count", 5, model_name="fraud")
    assert one(scraped, ERRORS, canary="kserve", stable="kserve") == rates((100, bad), (50, 0))


def renamed() -> Scraped:
    """Stable counts under the names of an old version, in milliseconds; canary under those of a new one, in seconds."""
    scraped = Scraped()
    scraped.counter(S1, "revision_app_request_count", 18, response_code_class="2xx")
    scraped.counter(S1, "revision_app_request_count", 2, response_code_class="5xx")
    scraped.histogram(S1, "revision_app_request_latencies", {"100": 9, "250": 6, "500": 4, "1000": 0, "+Inf": 1})
    new = "kn_serving_invocation_duration_seconds"
    scraped.counter(C1, f"{new}_count", 6, http_response_status_code="200")
    scraped.counter(C1, f"{new}_count", 4, http_response_status_code="503")
    return scraped.histogram(C1, new, {"0.1": 3, "0.25": 2, "0.3": 0, "0.5": 4, "1": 0, "+Inf": 1})


KNATIVE = {"canary": "knative", "stable": "knative"}


def test_metrics_renamed_by_a_new_version_are_read_on_each_side_by_its_own_names() -> None:
    found = tick(renamed(), ERRORS, **KNATIVE)
    assert found.tick.measurements["it"] == rates((100, 40), (200, 20))
    assert found.recognised is not None
    assert (found.recognised.canary.runtime, found.recognised.stable.runtime) == ("knative-1.21", "knative-1.0")


def test_histograms_in_two_units_share_their_edges() -> None:
    assert one(renamed(), SLOW, **KNATIVE) == rates((100, 50), (200, 50))
    whole = one(renamed(), replace(SLOW, bound_seconds=None), **KNATIVE)
    assert whole == HistogramMeasurement(
        canary={C1: (30, 20, 40, 0, 10)}, stable={S1: (90, 60, 40, 0, 10)}, edges=(0.1, 0.25, 0.5, 1.0)
    )


def test_the_past_is_read_by_stables_own_names() -> None:
    for signal in (ERRORS, SLOW, replace(SLOW, bound_seconds=None)):
        past = tick(renamed(), signal, **KNATIVE, begins=True).past
        assert past
        assert sum(sum(each.measurements["it"].stable[S1]) for each in past) > 0
    kserves = kserve(S1, 10, 7).counter(C1, "request_predict_seconds_count", 1, model_name="fraud")
    past = tick(kserves, ERRORS, canary="kserve", stable="kserve", begins=True).past
    assert {each.measurements["it"].stable[S1] for each in past} == {(100, 30)}


def test_a_canary_whose_metrics_nobody_knows_has_not_no_errors_but_no_data() -> None:
    scraped = Scraped().counter(S1, "model_infer_request_duration_count", 20, model="fraud", version="None")
    scraped.counter(C1, "model_inference_requests_total", 20, model="fraud")
    same = tick(scraped, ERRORS, canary="mlserver", stable="mlserver")
    # Of the same name: a scraped canary without a series has had no request, which promotes nobody either.
    assert same.tick.measurements["it"] == rates((0, 0), (200, 0))
    assert "canary: nothing was recognised yet, so it is read as mlserver" in same.measuring.message
    other = one(scraped, ERRORS, canary="kserve", stable="mlserver")
    assert isinstance(other, Missing)
    assert other.reason == contract.REASON_NO_SERIES
    assert "request_predict_seconds_count" in other.message


@pytest.mark.parametrize(
    ("share", "steady", "due"),
    [(0.5, 5, 200), (0.5, 15, 100), (0.5, 19.8, 0), (0.01, 5, 0), (None, 5, 0), (0.5, None, 0)],
)
@pytest.mark.parametrize("signal", [ERRORS, SLOW, replace(SLOW, bound_seconds=None)])
def test_a_canary_that_should_have_had_requests_and_shows_nothing_that_counts_them_is_not_recognised(
    signal: Signal, share: float | None, steady: float | None, due: int
) -> None:
    scraped = Scraped().counter(S1, "model_infer_request_duration_count", 20, model="fraud")
    scraped.histogram(S1, "rest_server_request_duration_seconds", {"0.25": 15, "+Inf": 5}, path="/v2/models/x/infer")
    # What it is recognised by is there, and what counts has another name.
    scraped.counter(C1, "rest_server_requests_total", 20, path="/metrics")
    scraped.counter(C1, "acme_infer_total", 20, model="fraud")
    mlserver = {
        "canary": "mlserver",
        "stable": "mlserver",
        "expected": None if share is None else ExpectedShare(share=share, promised=False),
        "steady_since": None if steady is None else moment(steady),
    }
    found = tick(scraped, signal, **mlserver)
    assert isinstance(found.tick.measurements["it"], Missing) == bool(due)
    if due:
        assert (found.measuring.available, found.measuring.reason) == (False, contract.REASON_NOT_RECOGNISED)
        assert f"about {due} requests should have come to the canary" in found.measuring.message
        assert ("of the model fraud" in found.measuring.message) == (signal is ERRORS), "where the series name it"
    scraped.counter(C1, "model_infer_request_duration_count", 0, model="fraud")
    shown = tick(scraped, ERRORS, **mlserver).tick.measurements["it"]
    assert not isinstance(shown, Missing), "the counter is there, and says 0"


def test_a_source_that_this_version_does_not_know_is_no_data() -> None:
    found = one(renamed(), replace(ERRORS, source="varnish"), **KNATIVE)
    assert isinstance(found, Missing)
    assert "the source varnish is not known" in found.message


def test_a_sidecar_that_is_not_scraped_is_told_with_its_own_port() -> None:
    scraped = kserve(C1, 1, 1)
    scraped.tsdb.series = type(scraped.tsdb.series)()
    found = one(scraped, replace(ERRORS, source="istio"), canary="kserve", stable="kserve")
    assert isinstance(found, Missing)
    assert "port 15020, path /stats/prometheus" in found.message


class Refusing(InProcess):
    """A Prometheus behind a proxy that lets nobody ask for names of metrics."""

    def instant(self, query: str, at: datetime) -> Vector:
        if query.startswith("count by (pod, __name__)"):
            raise BadQuery("a matcher on __name__ is not allowed")
        return super().instant(query, at)


def test_a_question_of_ours_that_is_refused_leaves_what_is_declared() -> None:
    scraped = renamed()
    found = tick(scraped, ERRORS, canary="knative-1.21", stable="knative-1.0", asks=Refusing(scraped.tsdb))
    assert found.tick.measurements["it"] == rates((100, 40), (200, 20))
    assert any("not allowed" in note for note in found.notes)


def instrumented(scraped: Scraped) -> Scraped:
    for pod, factor in ((C1, 1), (S1, 3)):
        scraped.counter(pod, "request_predict_seconds_count", 10 * factor, model_name="fraud")
        scraped.counter(pod, "serinus_predictions_total", 10 * factor, model="fraud")
        scraped.counter(pod, "serinus_implausible_predictions_total", 1, model="fraud", reason="out_of_range")
        scraped.counter(pod, "serinus_implausible_predictions_total", 2, model="fraud", reason="not_a_number")
        scraped.counter(pod, "serinus_implausible_predictions_total", 9, model="another", reason="not_a_number")
        rows = {"0.5": 6.0 * factor, "+Inf": 4.0 * factor}
        scraped.histogram(pod, "serinus_prediction", rows, model="fraud", output="prediction")
        scraped.histogram(pod, "serinus_prediction", {"0.5": 99, "+Inf": 0}, model="fraud", output="second")
        scraped.histogram(pod, "serinus_feature", rows, model="fraud", feature="age")
        for country, n in (("de", 7.0), ("fr", 3.0)):
            labels = {"model": "fraud", "feature": "country", "category": country}
            scraped.counter(pod, "serinus_feature_category_total", n * factor, **labels)
    return scraped


def data(kind: SignalKind, **fields: object) -> Signal:
    return replace(ERRORS, kind=kind, **fields)


DRIFTED = HistogramMeasurement(canary={C1: (60, 40)}, stable={S1: (180, 120)}, edges=(0.5,))
DATA = {
    "implausible": (data(SignalKind.IMPLAUSIBLE), rates((100, 30), (300, 30))),
    "predictions": (data(SignalKind.PREDICTION_DRIFT), DRIFTED),
    "a numeric feature": (data(SignalKind.FEATURE_DRIFT, feature="age"), DRIFTED),
    "a feature of categories": (
        data(SignalKind.FEATURE_DRIFT, feature="country"),
        HistogramMeasurement(canary={C1: (70, 30)}, stable={S1: (210, 90)}, categories=("de", "fr")),
    ),
    "with the training reference": (
        data(SignalKind.PREDICTION_DRIFT, reference=Reference(counts=(5, 4, 1), edges=(0.5, 0.9))),
        replace(DRIFTED, reference=(5, 5)),
    ),
}


@pytest.mark.parametrize(("signal", "expected"), DATA.values(), ids=DATA)
def test_signals_of_data_are_read_from_the_instrumentation(signal: Signal, expected: object) -> None:
    found = tick(instrumented(Scraped()), signal, canary="kserve", stable="kserve", begins=True)
    assert found.tick.measurements["it"] == expected
    assert found.recognised is not None
    assert found.recognised.stable.data == "instrument"
    assert found.past, "stable's past is learnt from as well"


def countries(canary: str, stable: str) -> Scraped:
    """Let both sides count a feature in categories: ten each of all but the last, of which there was none."""
    scraped = instrumented(Scraped())
    for pod, names in ((C1, canary.split()), (S1, stable.split())):
        for name in names:
            labels = {"model": "fraud", "feature": "sort", "category": name}
            scraped.counter(pod, "serinus_feature_category_total", 0 if name == names[-1] else 1, **labels)
    return scraped


SORT = replace(ERRORS, kind=SignalKind.FEATURE_DRIFT, feature="sort")


@pytest.mark.parametrize("whose", ["canary", "stable"])
@pytest.mark.parametrize("named", ["de fr __other__", "__other__"])
def test_groups_on_one_side_and_names_on_the_other_are_no_drift(whose: str, named: str) -> None:
    sides = {"canary": named, "stable": named, whose: "#00 #07 #19"}
    found = one(countries(**sides), SORT, canary="kserve", stable="kserve")
    assert isinstance(found, Missing)
    assert found.reason == contract.REASON_BUCKET_MISMATCH
    assert f"the pods of {whose} count serinus_feature_category_total in groups" in found.message


@pytest.mark.parametrize(
    ("canary", "stable"),
    [("#00 #01 #02", "#00 #01 #02"), ("#1 b", "de fr"), ("#12 lobby", "#13 hall"), ("es pt", "de fr"), ("", "#00 #01")],
)
def test_categories_that_may_be_compared_are(canary: str, stable: str) -> None:
    found = one(countries(canary, stable), SORT, canary="kserve", stable="kserve")
    assert isinstance(found, HistogramMeasurement)
    assert set(found.categories) == {*canary.split(), *stable.split()}


def test_names_in_the_reference_and_groups_in_the_pods_are_no_drift() -> None:
    trained = replace(SORT, reference=Reference(counts=(5, 5), categories=("de", "fr")))
    found = one(countries("#00 #01", "#00 #01"), trained, canary="kserve", stable="kserve")
    assert isinstance(found, Missing)
    assert "the training reference has names" in found.message


def with_profile(scraped: Scraped, pod: str, edges: str = "0.25 0.5 1 +Inf", model: str = "fraud") -> Scraped:
    """Let a pod export what its training profile counted: ten per bucket, none above the last edge."""
    labels = {"model": model}
    for i, le in enumerate(edges.split(), 1):
        at = 10.0 * min(i, len(edges.split()) - 1)
        scraped.counter(pod, "serinus_training_prediction_bucket", 0, at, output="prediction", le=le, **labels)
        scraped.counter(pod, "serinus_training_feature_bucket", 0, 2 * at, feature="age", le=le, **labels)
    for country, n in (("de", 8.0), ("it", 2.0), ("__other__", 0.0)):
        where = {"feature": "country", "category": country}
        scraped.counter(pod, "serinus_training_feature_category", 0, n, **where, **labels)
    return scraped


def finer(scraped: Scraped) -> Scraped:
    for pod in (C1, S1):
        rows = {"0.25": 3.0, "0.5": 3.0, "1": 4.0, "+Inf": 0.0}
        scraped.histogram(pod, "serinus_prediction", rows, model="fraud", output="prediction")
        scraped.histogram(pod, "serinus_feature", rows, model="fraud", feature="age")
    return scraped


KSERVE = {"canary": "kserve", "stable": "kserve"}
EXPORTED = {
    "predictions": (data(SignalKind.PREDICTION_DRIFT), (10, 10, 10, 0)),
    "a numeric feature": (data(SignalKind.FEATURE_DRIFT, feature="age"), (20, 20, 20, 0)),
    "categories": (data(SignalKind.FEATURE_DRIFT, feature="country"), (0, 8, 0, 2)),
    "what a person gave comes first": (
        data(SignalKind.PREDICTION_DRIFT, reference=Reference(counts=(5, 4, 1, 1), edges=(0.25, 0.5, 1.0))),
        (5, 4, 1, 1),
    ),
}


@pytest.mark.parametrize(("signal", "reference"), EXPORTED.values(), ids=EXPORTED)
def test_the_profile_inside_stables_model_is_the_reference(signal: Signal, reference: tuple[int, ...]) -> None:
    scraped = with_profile(with_profile(finer(instrumented(Scraped())), S1), S1, model="another")
    # The canary may have been trained on newer data; it is compared with what stable knows.
    with_profile(scraped, C1, "0.25 0.5 1 2 3 +Inf")
    for country in ("it", "__other__"):
        scraped.counter(S1, "serinus_feature_category_total", 0, model="fraud", feature="country", category=country)
    found = tick(scraped, signal, **KSERVE)
    assert found.tick.measurements["it"].reference == reference
    assert found.measuring.available, found.measuring.message
    assert "training profile" not in found.measuring.message


def test_a_profile_that_does_not_fit_is_told_and_the_sides_are_compared_without_it() -> None:
    for signal in (data(SignalKind.PREDICTION_DRIFT), data(SignalKind.FEATURE_DRIFT, feature="age")):
        plain = one(finer(instrumented(Scraped())), signal, **KSERVE)
        found = tick(with_profile(finer(instrumented(Scraped())), S1, "0.3 0.6 +Inf"), signal, **KSERVE)
        assert found.tick.measurements["it"] == plain
        assert plain.reference is None
        assert found.measuring.available
        assert "it: the training profile that stable's pods export has other edges" in found.measuring.message


MISMATCHES = {
    "categories for edges": (
        data(SignalKind.PREDICTION_DRIFT, reference=Reference(counts=(1, 1), categories=("a", "b"))),
        "other edges",
    ),
    "edges for categories": (
        data(SignalKind.FEATURE_DRIFT, feature="country", reference=Reference(counts=(1, 1), edges=(0.5,))),
        "counts categories",
    ),
    "another edge": (
        data(SignalKind.PREDICTION_DRIFT, reference=Reference(counts=(5, 5), edges=(0.7,))),
        "other edges",
    ),
}


@pytest.mark.parametrize(("signal", "message"), MISMATCHES.values(), ids=MISMATCHES)
def test_a_training_reference_of_another_form_is_said(signal: Signal, message: str) -> None:
    found = one(instrumented(Scraped()), signal, canary="kserve", stable="kserve")
    assert isinstance(found, Missing)
    assert found.reason == contract.REASON_BUCKET_MISMATCH
    assert message in found.message


def test_without_instrumentation_signals_of_data_say_what_to_do() -> None:
    scraped = kserve(C1, 1, 1).counter(S1, "request_predict_seconds_count", 5, model_name="fraud")
    found = one(scraped, data(SignalKind.PREDICTION_DRIFT), canary="kserve", stable="kserve")
    assert isinstance(found, Missing)
    assert found.reason == contract.REASON_NO_SERIES
    assert "serinus-instrument" in found.message


def test_late_labels_count_for_the_revision_that_predicted_whoever_reports_them() -> None:
    scraped = instrumented(Scraped())
    for pod, revision, right, wrong in ((S1, CANARY, 3, 2), (C1, CANARY, 1, 0), (S1, STABLE, 8, 1), (C1, STABLE, 1, 0)):
        for result, n in (("right", right), ("wrong", wrong)):
            labels = {"model": "fraud", "revision": revision, "result": result}
            scraped.counter(pod, "serinus_outcomes_total", n, **labels)
    scraped.counter(S1, "serinus_outcomes_total", 5, model="fraud", revision="older", result="wrong")
    found = one(scraped, data(SignalKind.ACCURACY), canary="kserve", stable="kserve")
    assert found == RateMeasurement(canary={C1: (10, 0), S1: (50, 20)}, stable={C1: (10, 0), S1: (90, 10)})


def test_the_past_of_labels_is_learnt_whoever_reports_them() -> None:
    scraped = instrumented(Scraped())
    for result, n in (("right", 3), ("wrong", 1)):
        scraped.counter(C1, "serinus_outcomes_total", n, model="fraud", revision=STABLE, result=result)
    past = tick(scraped, data(SignalKind.ACCURACY), canary="kserve", stable="kserve", begins=True).past
    assert {tuple(each.measurements["it"].stable.items()) for each in past} == {((C1, (40, 10)),)}


def test_a_side_without_labels_yet_has_none_and_is_not_missing() -> None:
    scraped = instrumented(Scraped())
    scraped.counter(S1, "serinus_outcomes_total", 4, model="fraud", revision=STABLE, result="right")
    found = one(scraped, data(SignalKind.ACCURACY), canary="kserve", stable="kserve")
    assert found == RateMeasurement(canary={C1: (0, 0), S1: (0, 0)}, stable={C1: (0, 0), S1: (40, 0)})


def test_vllm_needs_no_instrumentation() -> None:
    scraped = Scraped()
    for pod in (C1, S1):
        scraped.counter(pod, "vllm:kv_cache_usage_perc", 0, start=0.5)
        scraped.histogram(pod, "vllm:request_generation_tokens", {"100": 5, "1000": 4, "+Inf": 1})
        for reason, n in (("stop", 8), ("length", 1), ("abort", 1)):
            scraped.counter(pod, "vllm:request_success_total", n, finished_reason=reason)
    assert one(scraped, data(SignalKind.PREDICTION_DRIFT)) == HistogramMeasurement(
        canary={C1: (50, 40, 10)}, stable={S1: (50, 40, 10)}, edges=(100.0, 1000.0)
    )
    assert one(scraped, data(SignalKind.IMPLAUSIBLE)) == rates((100, 10), (100, 10))


def test_a_mesh_counts_instead_of_the_server() -> None:
    scraped = Scraped()
    for pod, bad in ((C1, 3), (S1, 1)):
        scraped.counter(pod, "http_requests_total", 50, status="200")
        for code, n in (("200", 10 - bad), ("500", bad), ("0", 20)):
            scraped.counter(pod, "istio_requests_total", n, reporter="destination", response_code=code)
        scraped.counter(pod, "istio_requests_total", 70, reporter="source", response_code="500")
        rows = {"100": 8.0, "250": 1.0, "+Inf": 1.0}
        scraped.histogram(pod, "istio_request_duration_milliseconds", rows, reporter="destination", response_code="200")
    assert one(scraped, replace(ERRORS, source="istio")) == rates((100, 30), (100, 10))
    assert one(scraped, replace(SLOW, source="istio")) == rates((100, 10), (100, 10))


def test_once_both_sides_are_known_nobody_asks_again() -> None:
    asks = InProcess(renamed().tsdb)
    known = {
        revision: Recognition(revision=revision, runtime=runtime, recognised=True)
        for revision, runtime in ((CANARY, "knative-1.21"), (STABLE, "knative-1.0"))
    }
    found = measure(
        plan=RolloutPlan(steps=(), signals=(ERRORS,), interval=timedelta(seconds=10)),
        declared=BySide(canary="knative", stable="knative"),
        scope=SCOPE,
        previous=moment(20),
        ready_since=moment(2),
        step=0,
        next_weight=50,
        now=moment(30),
        delay=timedelta(seconds=5),
        prometheus=asks,
        before=known,
    )
    assert found is not None
    assert found.tick.measurements["it"] == rates((100, 40), (200, 20))
    assert not any(query.startswith("count by (pod, __name__)") for query, _ in asks.asked)


def gauge(value: float, *, until: float, **updated: float) -> Tsdb:
    """Store a detector's gauge for both pods, scraped until some moment; and when each side's was computed."""
    tsdb = Tsdb()
    for pod, side in ((C1, "canary"), (S1, "stable")):
        for at in range(-20, 40):
            if at <= until:
                tsdb.add(moment(at), "drift_p_value", value, pod=pod, namespace="risk")
            if side in updated:
                computed = moment(updated[side]).timestamp()
                tsdb.add(moment(at), "drift_computed", computed, pod=pod, namespace="risk")
    return tsdb


P_VALUE = Signal(
    name="it",
    kind=SignalKind.QUERY,
    action=SignalAction.HOLD,
    query="min(drift_p_value{$selector})",
    minimum=0.05,
    max_age_seconds=10.0,
)
UPDATED = replace(P_VALUE, updated="max(drift_computed{$selector})")
# The tick is at 30, its sample time at 25.
AGES = {
    "fresh samples": (P_VALUE, gauge(0.01, until=40), None),
    "samples just young enough": (P_VALUE, gauge(0.01, until=15), None),
    "samples too old": (P_VALUE, gauge(0.01, until=14), "was computed 11 s ago; maxAge is 10 s"),
    "one of its metrics is gone": (
        replace(P_VALUE, query="min(drift_p_value{$selector}) or max(gone{$selector})"),
        gauge(0.01, until=40),
        "its newest sample is older",
    ),
    "the oldest of its metrics counts": (
        replace(P_VALUE, query="min(drift_p_value{$selector}) or max(drift_computed{$selector})"),
        gauge(0.01, until=14, canary=20),
        "was computed 11 s ago",
    ),
    "any age": (replace(P_VALUE, max_age_seconds=None), gauge(0.01, until=0), None),
    "computed lately": (UPDATED, gauge(0.01, until=40, canary=15), None),
    "computed long ago, and scraped again and again": (UPDATED, gauge(0.01, until=40, canary=14), "11 s ago"),
    "computed by a clock that is a little ahead": (UPDATED, gauge(0.01, until=40, canary=60), None),
    "updated in milliseconds": (
        replace(UPDATED, updated="max(drift_computed{$selector}) * 1000"),
        gauge(0.01, until=40, canary=-5000),
        "lies in the future",
    ),
    "nobody says when": (UPDATED, gauge(0.01, until=40), "nobody can tell when"),
}


@pytest.mark.parametrize(("signal", "tsdb", "why"), AGES.values(), ids=AGES)
def test_a_value_that_is_too_old_is_no_data(signal: Signal, tsdb: Tsdb, why: str | None) -> None:
    scraped = Scraped()
    scraped.tsdb = tsdb
    found = one(scraped, signal)
    if why is None:
        assert found == ValueMeasurement(value=0.01)
    else:
        assert isinstance(found, Missing)
        assert found.reason == contract.REASON_STALE_VALUE
        assert why in found.message


def test_a_comparison_needs_both_values_fresh() -> None:
    scraped = Scraped()
    scraped.tsdb = gauge(0.2, until=40, canary=20, stable=20)
    compared = replace(UPDATED, kind=SignalKind.COMPARISON, minimum=None)
    assert one(scraped, compared) == PairMeasurement(canary=0.2, stable=0.2)
    scraped.tsdb = gauge(0.2, until=40, canary=20, stable=-20)
    stale = one(scraped, compared)
    assert isinstance(stale, Missing)
    assert "stable's pods" in stale.message


UNTOLD = {
    "no label at all": {},
    "a label that was renamed": {"http_status": "500"},
    "a word instead of a status": {"status": "error"},
    "a gRPC code": {"code": "Internal"},
}


@pytest.mark.parametrize("labels", UNTOLD.values(), ids=UNTOLD)
def test_requests_of_which_nobody_can_tell_whether_they_failed_are_no_successes(labels: dict[str, str]) -> None:
    scraped = Scraped().counter(S1, "http_requests_total", 30, code="200")
    scraped.counter(C1, "http_requests_total", 10, **labels).counter(C1, "http_requests_total", 5, code="200")
    for kind in (SignalKind.ERRORS, SignalKind.CLIENT_ERRORS):
        found = tick(scraped, replace(ERRORS, kind=kind))
        assert isinstance(found.tick.measurements["it"], Missing)
        assert (found.measuring.available, found.measuring.reason) == (False, contract.REASON_SIGNAL_IMPOSSIBLE)
        assert "the pods of canary count in http_requests_total without a label code" in found.measuring.message
    own = replace(ERRORS, total="http_requests_total", bad='http_requests_total{code=~"5.."}')
    assert one(scraped, own) == rates((150, 0), (300, 0)), "a person says what is bad"


def test_what_once_went_without_a_status_holds_nothing_up_later_and_is_never_learnt_from() -> None:
    scraped = (
        Scraped().counter(S1, "http_requests_total", 30, code="200").counter(C1, "http_requests_total", 10, code="200")
    )
    scraped.counter(C1, "http_requests_total", 0, start=3)
    assert one(scraped, ERRORS) == rates((100, 0), (300, 0))
    scraped.counter(S1, "http_requests_total", 5, path="/x")
    found = tick(scraped, ERRORS, begins=True)
    assert isinstance(found.tick.measurements["it"], Missing)
    assert "the pods of stable" in found.measuring.message
    assert found.past == ()


def test_the_usual_names_with_other_labels_than_the_declared_servers_are_read_by_any_label() -> None:
    scraped = Scraped().counter(S1, "http_requests_total", 30, status_code="200")
    scraped.counter(C1, "http_requests_total", 10, status_code="500")
    assert one(scraped, ERRORS, canary="fastapi", stable="fastapi") == rates((100, 100), (300, 0))


def test_torchserves_failures_of_probes_hide_no_canary_that_fails_at_everything() -> None:
    scraped = Scraped().counter(S1, "ts_inference_requests_total", 30).counter(S1, "Requests5XX", 3)
    scraped.counter(C1, "ts_inference_requests_total", 10).counter(C1, "Requests5XX", 11)
    torchserve = {"canary": "torchserve", "stable": "torchserve"}
    assert one(scraped, ERRORS, **torchserve) == rates((100, 100), (300, 30))
    dead = Scraped().counter(S1, "ts_inference_requests_total", 3).counter(S1, "Requests5XX", 4)
    past = tick(dead.counter(C1, "Requests5XX", 1), ERRORS, **torchserve, begins=True)
    assert {each.measurements["it"].stable[S1] for each in past.past} == {(30, 30)}
    assert past.tick.measurements["it"] == rates((0, 0), (30, 30)), "it answered probes only"


def test_a_persons_own_counters_that_do_not_belong_together_count_nothing() -> None:
    scraped = Scraped()
    for pod in (C1, S1):
        scraped.counter(pod, "mine_total", 10).counter(pod, "mine_failed_total", 11)
    assert isinstance(one(scraped, replace(ERRORS, total="mine_total", bad="mine_failed_total")), Missing)


def scraped_twice(start: float) -> Scraped:
    """Both pods' metrics are merged with those of a mesh, at a port of its own, and scraped at their own port, too."""
    scraped = Scraped()
    for pod in (C1, S1):
        scraped.counter(pod, "http_requests_total", 9, code="200").counter(pod, "http_requests_total", 1, code="500")
        target = Scraped.target(pod) | {"instance": f"{pod}:15020"}
        for at in range(-20, 40):
            scraped.tsdb.add(moment(at), "up", 1, **target)
            scraped.tsdb.add(moment(at), "process_start_time_seconds", moment(start).timestamp(), **target)
            for code, n in (("200", 9), ("500", 1)):
                scraped.tsdb.add(moment(at), "http_requests_total", (at + 20) * n, code=code, **target)
    return scraped


def test_one_process_that_is_scraped_at_two_ports_is_counted_once() -> None:
    found = tick(scraped_twice(-9999), ERRORS)
    assert found.tick.measurements["it"] == rates((100, 10), (100, 10))
    assert [each for each in found.notes if f"{C1} is scraped at {C1}:8080, too, and is counted once" in each]
    two = one(scraped_twice(-9998), ERRORS)
    assert two == rates((200, 20), (200, 20)), "two processes serve requests of their own"
