"""Which signals are refused before an attempt, on what evidence."""

import re

import pytest

from serinus.rollout.types import Signal, SignalAction, SignalKind
from serinus.signals.feasibility import Evidence, obstacles
from serinus.signals.presets import preset
from serinus.signals.scope import BySide
from serinus.signals.views import View

BUSY, IDLE = Evidence(busy=True), Evidence()


def signal(kind: SignalKind, **fields: object) -> Signal:
    return Signal(name="it", kind=kind, action=SignalAction.ROLLBACK, **fields)


def slow(bound: float, **fields: object) -> Signal:
    return signal(SignalKind.LATENCY, bound_seconds=bound, **fields)


def views(canary: str, stable: str, data: str | None = None):
    found = None if data is None else preset(data).bound_to("fraud")
    return BySide(
        canary=View(server=preset(canary).bound_to("fraud"), data=found),
        stable=View(server=preset(stable).bound_to("fraud"), data=found),
    )


KSERVE, DATA = views("kserve", "kserve"), views("kserve", "kserve", "instrument")
DRIFT = signal(SignalKind.PREDICTION_DRIFT)
AGE = signal(SignalKind.FEATURE_DRIFT, feature="age")
OWN = {"total": "a", "bad": "b"}

CASES = {
    "errors": (signal(SignalKind.ERRORS), KSERVE, BUSY, None),
    "a bound above the preset's last bucket": (slow(15), KSERVE, None, "largest finite bucket of .*, 10 s"),
    "a bound that stable's larger buckets allow": (slow(15), KSERVE, Evidence(edges={"it": (1.0, 20.0)}), None),
    "a bound above what stable really exports": (slow(3), KSERVE, Evidence(edges={"it": (1.0, 2.0)}), ", 2 s"),
    "a bound within": (slow(2), KSERVE, Evidence(edges={"it": (1.0, 2.0)}), None),
    "a bound above a user's own last bucket": (
        slow(3, buckets="mine_bucket"),
        KSERVE,
        Evidence(edges={"it": (1.0, 2.0)}),
        "mine_bucket, 2 s",
    ),
    "latency of a server with a mean": (slow(1), views("triton", "triton"), None, "by default only a sum"),
    "only the canary's server cannot": (slow(1), views("triton", "kserve"), BUSY, "triton cannot give"),
    "only stable's server cannot": (slow(1), views("kserve", "triton"), BUSY, "triton cannot give"),
    "no status": (signal(SignalKind.CLIENT_ERRORS), KSERVE, None, "kserve cannot give"),
    "a mesh instead": (signal(SignalKind.CLIENT_ERRORS, source="istio"), KSERVE, None, None),
    "a gateway that merges both": (signal(SignalKind.ERRORS, source="envoy-gateway"), KSERVE, None, "envoy-gateway"),
    "own counters": (signal(SignalKind.ACCURACY, **OWN), KSERVE, BUSY, None),
    "data without instrumentation, in use": (DRIFT, KSERVE, BUSY, "serinus-instrument"),
    "data without instrumentation, not in use": (DRIFT, KSERVE, IDLE, None),
    "data without an answer of Prometheus": (DRIFT, KSERVE, None, None),
    "data with instrumentation": (DRIFT, DATA, BUSY, None),
    "data that vllm has": (DRIFT, views("vllm", "vllm"), BUSY, None),
    "a feature that nobody counts": (AGE, DATA, Evidence(busy=True, silent=frozenset({"it"})), "feature 'age'"),
    "a feature that nobody counts yet": (AGE, DATA, Evidence(silent=frozenset({"it"})), None),
    "another model in the server": (
        signal(SignalKind.ERRORS),
        KSERVE,
        Evidence(models=("iris", "prices")),
        "requests of iris, prices, and none of a model fraud: set spec.model.name",
    ),
    "another model, and own counters": (signal(SignalKind.ERRORS, **OWN), KSERVE, Evidence(models=("iris",)), None),
    "another model, and a mesh": (signal(SignalKind.ERRORS, source="istio"), KSERVE, Evidence(models=("iris",)), None),
    "a mesh that is not there": (
        signal(SignalKind.ERRORS, source="istio"),
        KSERVE,
        Evidence(busy=True, silent=frozenset({"it"})),
        "nothing of istio: see whether the sidecar is there and Prometheus scrapes it .port 15020, path /stats",
    ),
    "a mesh without requests yet": (
        signal(SignalKind.ERRORS, source="istio"),
        KSERVE,
        Evidence(silent=frozenset({"it"})),
        None,
    ),
    "a query": (signal(SignalKind.QUERY, query="up", maximum=1.0), KSERVE, BUSY, None),
}


@pytest.mark.parametrize(("given", "known", "evidence", "why"), CASES.values(), ids=CASES)
def test_what_can_never_be_measured_is_said(given: Signal, known, evidence: Evidence | None, why: str | None) -> None:
    found = obstacles((given,), known, "fraud", evidence)
    if why is None:
        assert found == ()
    else:
        (sentence,) = found
        assert sentence.startswith("signal it: ")
        assert re.search(why, sentence), sentence


def test_stables_buckets_say_nothing_of_a_canary_of_another_server() -> None:
    other = BySide(canary=View(server=preset("knative-1.21")), stable=KSERVE.stable)
    (why,) = obstacles((slow(15),), other, "fraud", Evidence(edges={"it": (1.0, 20.0)}))
    assert "kn_serving_invocation_duration_seconds_bucket, 10 s" in why


@pytest.mark.parametrize(("given", "evidence"), [(slow(15), None), (DRIFT, BUSY), (AGE, Evidence(busy=True))])
def test_what_only_a_new_image_can_bring_may_be_brought_by_a_rollout(given: Signal, evidence: Evidence | None) -> None:
    (why,) = obstacles((given,), KSERVE, "fraud", evidence)
    assert "Observe for the rollout that brings" in why


def test_a_signal_that_decides_nothing_holds_nothing_up() -> None:
    observed = Signal(name="it", kind=SignalKind.LATENCY, action=SignalAction.OBSERVE, bound_seconds=15)
    assert obstacles((observed,), KSERVE, "fraud", BUSY) == ()
