"""Which signals a server cannot give, told before traffic moves."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from serinus.rollout.types import Signal, SignalAction, SignalKind
from serinus.signals.capabilities import data_source, obstacle
from serinus.signals.presets import all_presets, preset

INSTRUMENT = preset("instrument")


@dataclass(frozen=True, kw_only=True)
class Case:
    kind: SignalKind
    server: str
    says: tuple[str, ...] = ()
    """Nothing: there is no obstacle."""
    signal: dict[str, Any]
    data: bool = False
    edges: tuple[float, ...] | None = None
    one_service: bool = True


def case(kind: SignalKind, server: str, *says: str, **given: Any) -> Case:
    fields = {name: given.pop(name) for name in ("data", "edges", "one_service") if name in given}
    return Case(kind=kind, server=server, says=says, signal=given, **fields)


K = SignalKind
CASES = {
    "errors of a counter": case(K.ERRORS, "mlserver"),
    "errors by difference": case(K.ERRORS, "kserve"),
    "client errors": case(K.CLIENT_ERRORS, "bentoml"),
    "client errors of a server without statuses": case(
        K.CLIENT_ERRORS, "kserve", "kserve cannot give a signal of kind ClientErrors", "source: istio"
    ),
    "client errors by own metrics": case(K.CLIENT_ERRORS, "kserve", total="a", bad="b"),
    "latency within the buckets": case(K.LATENCY, "kserve", bound_seconds=10.0),
    "latency as a whole": case(K.LATENCY, "kserve"),
    "latency above the last bucket": case(
        K.LATENCY, "kserve", "the bound 15 s is above the largest finite bucket", "10 s or less", bound_seconds=15.0
    ),
    "latency below the first bucket": case(
        K.LATENCY, "kserve", "the bound 0.001 s is below the smallest bucket", "0.005 s", bound_seconds=0.001
    ),
    "latency in milliseconds": case(K.LATENCY, "knative-1.0", bound_seconds=100.0),
    "latency in milliseconds above the last bucket": case(K.LATENCY, "knative-1.0", "100 s or less", bound_seconds=101),
    "latency in microseconds": case(K.LATENCY, "tf-serving", bound_seconds=1200.0),
    "latency of a mean": case(K.LATENCY, "triton", "a mean follows but no share", "Comparison", bound_seconds=0.1),
    "latency of another mean": case(K.LATENCY, "seldon-v2", "has no model", bound_seconds=0.1),
    "latency of a mean as a whole": case(K.LATENCY, "torchserve", "only sums of durations"),
    "latency of a mean by own metrics": case(K.LATENCY, "triton", buckets="x_bucket", bound_seconds=99.0),
    "own histogram, exported edges": case(
        K.LATENCY, "triton", "x_bucket, 5 s", buckets="x_bucket", bound_seconds=99.0, edges=(1.0, 5.0)
    ),
    "edges that settings can change are not known": case(K.LATENCY, "fastapi", bound_seconds=5.0),
    "edges that are exported": case(K.LATENCY, "fastapi", "1 s or less", bound_seconds=5.0, edges=(0.1, 0.5, 1.0)),
    "exported edges beat the preset's": case(K.LATENCY, "kserve", bound_seconds=15.0, edges=(1.0, 20.0)),
    "exported edges are in the metric's unit": case(K.LATENCY, "ray-serve", bound_seconds=5.0, edges=(1.0, 5000.0)),
    "exported edges above": case(K.LATENCY, "ray-serve", "5 s or less", bound_seconds=6.0, edges=(1.0, 5000.0)),
    "an edge written with few digits": case(K.LATENCY, "kserve", bound_seconds=10.000000001),
    "predictions without instrumentation": case(
        K.PREDICTION_DRIFT, "kserve", "what the model predicts", "wrap the model with serinus-instrument"
    ),
    "predictions with instrumentation": case(K.PREDICTION_DRIFT, "kserve", data=True),
    "predictions by own metrics": case(K.PREDICTION_DRIFT, "kserve", buckets="x_bucket"),
    "classes by own metrics": case(K.PREDICTION_DRIFT, "kserve", categories="x_total", label="class"),
    "predictions of a server that tells them": case(K.PREDICTION_DRIFT, "vllm"),
    "features of a server that tells predictions only": case(K.FEATURE_DRIFT, "vllm", "inputs", feature="age"),
    "features with instrumentation": case(K.FEATURE_DRIFT, "vllm", feature="age", data=True),
    "implausible": case(K.IMPLAUSIBLE, "mlserver", "implausible predictions"),
    "implausible of vLLM": case(K.IMPLAUSIBLE, "vllm"),
    "accuracy": case(K.ACCURACY, "mlserver", "right and wrong predictions"),
    "accuracy with instrumentation": case(K.ACCURACY, "mlserver", data=True),
    "a sidecar in the pod": case(K.ERRORS, "istio"),
    "a sidecar's latency": case(K.LATENCY, "linkerd", bound_seconds=0.1),
    "an ingress before one Service": case(K.ERRORS, "ingress-nginx", "by Service", "leave source out"),
    "an ingress before two Services": case(K.ERRORS, "ingress-nginx", one_service=False),
    "a gateway that merges backends": case(K.ERRORS, "envoy-gateway", "all backends of a rule", one_service=False),
    "a gateway's latency": case(K.LATENCY, "traefik", "by Service", bound_seconds=0.3),
    "a gateway and own metrics": case(K.ERRORS, "envoy-gateway", total="a", bad="b"),
    "a query needs no preset": case(K.QUERY, "triton"),
    "nor does a comparison": case(K.COMPARISON, "triton"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_obstacles(case: Case) -> None:
    signal = replace(Signal(name="s", kind=case.kind, action=SignalAction.ROLLBACK), **case.signal)
    found = obstacle(
        signal, preset(case.server), INSTRUMENT if case.data else None, case.edges, one_service=case.one_service
    )
    if not case.says:
        assert found is None
    else:
        assert found is not None
        for words in case.says:
            assert words in found


@pytest.mark.parametrize("name", [each.runtime for each in all_presets().values() if each.kind == "server"])
def test_whatever_a_preset_lacks_is_explained(name: str) -> None:
    server = preset(name)
    for kind, part in ((K.ERRORS, server.errors), (K.CLIENT_ERRORS, server.client_errors), (K.LATENCY, server.latency)):
        found = obstacle(Signal(name="s", kind=kind, action=SignalAction.ROLLBACK), server)
        assert (found is None) == (part is not None)
    largest = server.latency.largest_seconds if server.latency and not server.latency.configurable else None
    if largest is not None:
        slow = Signal(name="s", kind=K.LATENCY, action=SignalAction.ROLLBACK, bound_seconds=largest)
        assert obstacle(slow, server) is None
        assert obstacle(replace(slow, bound_seconds=largest * 1.01), server) is not None


def test_a_servers_own_data_come_before_the_instrumentations() -> None:
    vllm = preset("vllm")
    assert data_source(K.PREDICTION_DRIFT, vllm, INSTRUMENT) is vllm
    assert data_source(K.FEATURE_DRIFT, vllm, INSTRUMENT) is INSTRUMENT
    assert data_source(K.ACCURACY, vllm, None) is None
