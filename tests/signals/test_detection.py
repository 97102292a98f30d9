"""Which server is recognised by which metrics, and what is said when that is not what was declared."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.signals.detection import detect, looked_for
from serinus.signals.presets import all_presets, family, runtimes

HTTP = "http_requests_total"
HIGHR = "http_request_duration_highr_seconds_count"
KSERVE = "request_preprocess_seconds_count"
MLSERVER = "model_infer_request_duration_count"
VLLM_OLD, VLLM_NEW = "vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"
KN_NEW, KN_MID = "kn_serving_invocation_duration_seconds_count", "kn_queueproxy_app_duration_seconds_count"
OTEL_NEW, OTEL_OLD = "http_server_request_duration_seconds_count", "http_server_duration_milliseconds_count"
STARLETTE, SELDON_V2 = "starlette_requests_total", "seldon_model_infer_total"
INSTRUMENT = "serinus_predictions_total"


@dataclass(frozen=True, kw_only=True)
class Case:
    exported: tuple[str, ...]
    declared: str = "generic"
    server: str | None
    data: str | None = None
    contradicts: bool = False
    others: tuple[str, ...] = ()
    says: str = ""


CASES = {
    "nothing yet": Case(exported=(), server=None, says="no metric of a known server"),
    "nothing yet of what is declared": Case(exported=(), declared="kserve", server=None, says="those of kserve"),
    "the usual names": Case(exported=(HTTP,), server="generic", says=HTTP),
    "the most specific wins over the usual names": Case(exported=(HTTP, HIGHR), server="fastapi-instrumentator"),
    "vLLM has the usual names and the instrumentator's too": Case(
        exported=(HTTP, HIGHR, VLLM_NEW), server="vllm-0.9", others=("fastapi-instrumentator",)
    ),
    "an older vLLM": Case(
        exported=(HTTP, HIGHR, VLLM_OLD), declared="vllm", server="vllm-0.6", others=("fastapi-instrumentator",)
    ),
    "a vLLM in between exports both": Case(exported=(HTTP, VLLM_OLD, VLLM_NEW), declared="vllm", server="vllm-0.9"),
    "a server behind Knative's sidecar": Case(exported=(KSERVE, KN_NEW), server="kserve", others=("knative-1.21",)),
    "Knative's sidecar alone": Case(exported=(KN_NEW,), server="knative-1.21"),
    "Knative's sidecar is wanted": Case(
        exported=(KSERVE, KN_NEW), declared="knative", server="knative-1.21", others=("kserve",)
    ),
    "a generation of a family is declared": Case(exported=(KN_MID,), declared="knative-1.19", server="knative-1.19"),
    "a family whose middle generation runs": Case(exported=(KN_MID,), declared="knative", server="knative-1.19"),
    "another generation than declared": Case(
        exported=(VLLM_OLD,), declared="vllm-0.9", server="vllm-0.6", contradicts=True, says="set spec.runtime to vllm"
    ),
    "declared and seen wins over the more specific": Case(
        exported=(OTEL_NEW, MLSERVER), declared="opentelemetry", server="opentelemetry-seconds", others=("mlserver",)
    ),
    "OpenTelemetry in both spellings": Case(exported=(OTEL_OLD, OTEL_NEW), server="opentelemetry-seconds"),
    "OpenTelemetry's older spelling": Case(
        exported=(OTEL_OLD,), declared="opentelemetry", server="opentelemetry-milliseconds"
    ),
    "the other library of a family": Case(exported=(STARLETTE,), declared="fastapi", server="starlette-exporter"),
    "Seldon's agent beside MLServer": Case(exported=(MLSERVER, SELDON_V2), server="seldon-v2", others=("mlserver",)),
    "another server than declared": Case(
        exported=(MLSERVER,),
        declared="kserve",
        server="mlserver",
        contradicts=True,
        says="none of its metrics is exported, while model_infer_request_duration_count of mlserver is",
    ),
    "a framework in place of a server": Case(
        exported=(OTEL_NEW,), declared="kserve", server="opentelemetry-seconds", contradicts=True
    ),
    "usual names beside a declared server that has had no request": Case(
        exported=(HTTP,), declared="kserve", server=None, says="come with the first request"
    ),
    "a sidecar beside a declared server that has had no request": Case(
        exported=(KN_NEW, HTTP), declared="kserve", server=None
    ),
    "a pinned generation of a sidecar, and another runs": Case(
        exported=(KN_MID, HTTP),
        declared="knative-1.21",
        server="knative-1.19",
        contradicts=True,
        says="set spec.runtime to knative",
    ),
    "a pinned generation beside another server": Case(
        exported=(KN_MID, KSERVE), declared="knative-1.21", server="knative-1.19", contradicts=True, others=("kserve",)
    ),
    "starlette-exporter with the prefix http": Case(
        exported=(HTTP,), declared="fastapi", server="generic", says="none of the metrics that tell fastapi from others"
    ),
    "usual names behind a sidecar, of which nobody can tell whose they are": Case(
        exported=(HTTP, KN_NEW), declared="fastapi", server=None
    ),
    "instrumentation beside a server": Case(exported=(KSERVE, INSTRUMENT), server="kserve", data="instrument"),
    "instrumentation and nothing else": Case(exported=(INSTRUMENT,), server=None, data="instrument"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_detection(case: Case) -> None:
    found = detect(frozenset(case.exported), case.declared)
    assert (found.server, found.data, found.contradicts, found.others) == (
        case.server,
        case.data,
        case.contradicts,
        case.others,
    )
    assert case.says in found.because


def test_every_server_is_looked_for_and_found_by_each_of_its_metrics() -> None:
    for name, preset in all_presets().items():
        if preset.kind == "outside":
            continue
        assert set(preset.recognised.metrics) <= set(looked_for())
        for metric in preset.recognised.metrics:
            found = detect(frozenset({metric}), name)
            assert name in (found.server, found.data)
            assert not found.contradicts


def test_no_two_presets_of_one_rank_are_recognised_by_one_metric() -> None:
    seen: dict[tuple[int, str], str] = {}
    for name, preset in all_presets().items():
        for metric in preset.recognised.metrics:
            assert seen.setdefault((preset.rank, metric), name) == name


@given(exported=st.sets(st.sampled_from(looked_for())), declared=st.sampled_from(runtimes()))
def test_whatever_is_exported_the_answer_is_consistent(exported: set[str], declared: str) -> None:
    found = detect(frozenset(exported), declared)
    assert found.because
    wanted = {each.runtime for each in family(declared)}
    if found.server is None:
        assert not found.contradicts
        return
    assert exported.intersection(all_presets()[found.server].recognised.metrics)
    assert found.server not in found.others
    if declared != "generic":
        assert found.contradicts is (found.server not in wanted and found.server != "generic")
    assert detect(frozenset(exported), found.server).server == found.server
