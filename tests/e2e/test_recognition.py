"""What a server's metrics cannot tell is refused before the start, and metrics that change their names are not lost."""

import json
from typing import Any

from e2e.counting import Totals
from e2e.mixes import address, errors, held, send_to_each, wait_counted
from e2e.model import Models, canary_of, condition, is_true, stable_of
from e2e.place import Place
from e2e.prometheus import ask
from e2e.serving import SCORER, START_SECONDS
from e2e.waiting import eventually

BODIES = [json.dumps({"inputs": [number]}).encode() for number in range(10)]
TOO_SLOW = {"name": "slow", "kind": "Latency", "bound": "15s", "margin": "2%"}


def test_bound_above_the_last_bucket_is_refused_before_the_start(place: Place, models: Models) -> None:
    """FastAPI's instrumentator has buckets up to 1 s; the stable revision's own buckets say so."""
    place.load_image(SCORER.name)
    model = models("bound")
    model.apply(SCORER.spec())
    first = model.wait_ready(within=START_SECONDS)
    pods = model.pod_uids(first)
    pods_of_stable = f'namespace="{model.namespace}",pod=~"{model.name}-{first}-.*"'
    buckets = f'http_request_duration_seconds_bucket{{{pods_of_stable},handler="{SCORER.path}"}}'
    with model.load(new_per_second=10, path=SCORER.path, bodies=BODIES):
        # The operator looks a scrape timeout back.
        eventually("stable's buckets are known", lambda: ask(place, f"{buckets} offset 3s"), within=20)
        model.apply(SCORER.spec({"VERSION": "2"}, analysis={"interval": "5s", "signals": [TOO_SLOW]}))
        stalled = model.wait("stalled", lambda obj: is_true(obj, "Stalled"), within=30, never=canary_of)
    assert condition(stalled, "Stalled")["reason"] == "SignalImpossible"
    assert "1 s" in condition(stalled, "Stalled")["message"]
    assert is_true(stalled, "Available")
    assert len(model.owned("Deployment")) == 1, "a canary was started"
    assert (stable_of(stalled)["revision"], model.pod_uids(first)) == (first, pods)

    mended = {"interval": "5s", "signals": [{**TOO_SLOW, "bound": "500ms", "margin": "5%"}]}
    with model.load(new_per_second=30, path=SCORER.path, bodies=BODIES):
        model.apply(SCORER.spec({"VERSION": "2"}, analysis=mended))
        model.wait_canary(after=first)


def renamed(models: Models, name: str, exporter: str) -> Any:
    """Serve with one exporter and bring up a canary with another one that answers three of ten requests with 500."""
    model = models(name)
    model.apply(SCORER.spec(**held(errors())))
    first = model.wait_ready(within=START_SECONDS)
    model.apply(SCORER.spec({"EXPORTER": exporter, "ERROR_BELOW": "3"}, **held(errors())))
    second = model.wait_canary(after=first)["revision"]
    sides = {"stable": first, "canary": second}
    return model, second, {side: address(model, revision, SCORER.port) for side, revision in sides.items()}


def test_metrics_renamed_by_a_new_version_are_read_on_each_side_by_their_own_names(
    place: Place, models: Models
) -> None:
    """Stable counts ``http_requests_total``, the canary ``starlette_requests_total``."""
    place.load_image(SCORER.name)
    model, canary, addresses = renamed(models, "renamed", "starlette")
    model.wait_assessed(canary, lambda _: True, what="a first tick", within=40)
    send_to_each(addresses, SCORER.path, BODIES)
    wait_counted(model, canary, {"stable": Totals(total=10, bad=0), "canary": Totals(total=10, bad=3)})
    metrics = model.seen()["status"]["metrics"]
    assert (metrics["stable"]["runtime"], metrics["canary"]["runtime"]) == (
        "fastapi-instrumentator",
        "starlette-exporter",
    )


def test_metrics_under_names_that_nobody_knows_are_never_no_errors(place: Place, models: Models) -> None:
    """The canary fails three of ten requests and counts them under a prefix of its own: that is no data."""
    place.load_image(SCORER.name)
    model, canary, _ = renamed(models, "unknown", "renamed")
    with model.load(new_per_second=20, path=SCORER.path, bodies=BODIES) as load:
        told = model.wait(
            "metrics are missed",
            lambda obj: condition(obj, "MetricsAvailable").get("reason") == "NotRecognised",
            within=45,
            never=lambda obj: stable_of(obj).get("revision") == canary,
        )
    assert load.counts().revisions[canary].bad > 0, "the canary failed no request"
    assert condition(told, "MetricsAvailable")["status"] == "False"
    assert "http_requests_total" in condition(told, "MetricsAvailable")["message"], "what was looked for"
    evidence = model.evidence(canary)
    assert (evidence["verdict"], evidence.get("canaryTotal", 0)) == ("NO_DATA", 0)
    assert canary_of(model.seen())["step"] == 0, "no data promoted it to the next step"
