"""What real servers count is read exactly: a known mix goes in, and the judge's numbers are the same ones.

KServe's Python server has no counter of errors at all, MLServer counts its models beside each other, and most home-made
servers count their probes.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from e2e.api_server import ApiServer, Object
from e2e.counting import COUNTED_WITHIN, Totals, judged
from e2e.manifests import weights
from e2e.mixes import address, errors, held, send
from e2e.model import Model, Models, canary_of, condition, stable_of
from e2e.operator_process import OperatorProcess
from e2e.place import Place
from e2e.serving import KSERVE, MLSERVER, PROBED_EACH_SECOND, SCORER, Server
from e2e.waiting import eventually

START_SECONDS = 120
"""Until a pod of a real server is ready, on a slow machine."""


def begin(
    place: Place, model: Model, server: Server, *signals: dict[str, Any], worse: dict[str, str], **container: Any
) -> tuple[str, str]:
    """Serve with a server and bring up a worse canary that waits; return both revisions, stable's first."""
    place.load_image(server.name)
    model.apply(server.spec(container=container, **held(*signals)))
    first = model.wait_ready(within=START_SECONDS)
    model.apply(server.spec(worse, container=container, **held(*signals)))
    second = model.wait_canary(after=first, within=START_SECONDS)["revision"]
    model.wait_assessed(second, lambda _: True, what="a first tick", within=40)
    return first, second


def wait_counted(model: Model, canary: str, sides: dict[str, Totals], signal: str = "errors") -> Object:
    """Wait until the judge counts so much on each side, and never more; return the evidence."""
    seen: dict[str, Totals] = {}

    def same() -> Object | None:
        evidence = model.evidence(canary, signal)
        seen.update({side: judged(evidence, side) for side in sides})
        too_many = [
            side for side, truth in sides.items() if seen[side].total > truth.total or seen[side].bad > truth.bad
        ]
        assert not too_many, f"counted more than was sent: {seen}, sent: {sides}"
        return evidence if seen == sides else None

    try:
        return eventually("the judge's counts are what was sent", same, within=COUNTED_WITHIN)
    except AssertionError as error:
        msg = f"counted {seen}, sent: {sides}"
        raise AssertionError(msg) from error


def test_failures_of_kserve_are_counted_though_it_has_no_counter_of_them(place: Place, models: Models) -> None:
    model = models("kserve")
    _, second = first, second = begin(place, model, KSERVE, errors(), worse={"FORGOT": "3"})
    digits = [json.dumps({"instances": [digit]}).encode() for digit in range(10)]
    sent = {
        side: send(address(model, revision, KSERVE.port), KSERVE.path, digits, times=4)
        for side, revision in (("stable", first), ("canary", second))
    }
    assert (sent["canary"].new.bad, sent["canary"].new.good) == (12, 28), "three of ten"
    evidence = wait_counted(model, second, {"stable": Totals(total=40, bad=0), "canary": Totals(total=40, bad=12)})
    assert evidence["effect"] == pytest.approx(0.30, abs=1e-9)


def test_failures_of_a_neighbour_in_the_same_server_are_not_charged(place: Place, models: Models) -> None:
    model = models("neighbours")
    first, second = begin(place, model, MLSERVER, errors(), worse={"NEIGHBOUR_FAILS": "1"})
    body = [json.dumps({"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [2]}]}).encode()]
    failed = 0
    for revision in (first, second):
        where = address(model, revision, MLSERVER.port)
        assert send(where, MLSERVER.path, body, times=20).new.good == 20
        failed += send(where, MLSERVER.path.replace("house", "neighbour"), body, times=20).new.bad
        assert send(where, MLSERVER.path.replace("house", "nobody"), body, times=5).new.answers == {404: 5}
    assert failed == 20, "the canary's neighbour is broken"
    wait_counted(model, second, {"stable": Totals(total=20, bad=0), "canary": Totals(total=20, bad=0)})
    model.order("approve", f"{second}/1/1")


def test_probes_each_second_do_not_drown_the_share_of_failed_requests(place: Place, models: Models) -> None:
    model = models("probed")
    first, second = begin(place, model, SCORER, errors(), worse={"ERROR_BELOW": "3"}, **PROBED_EACH_SECOND)
    inputs = [json.dumps({"inputs": [number]}).encode() for number in range(10)]
    for revision in (first, second):
        send(address(model, revision, SCORER.port), SCORER.path, inputs, per_second=2)
    probes = {
        side: exported(address(model, revision, SCORER.port), "/healthz")
        for side, revision in (("stable", first), ("canary", second))
    }
    assert min(probes.values()) > 10, f"more probes than requests are in the server's counter: {probes}"
    evidence = wait_counted(model, second, {"stable": Totals(total=10, bad=0), "canary": Totals(total=10, bad=3)})
    assert evidence["effect"] == pytest.approx(0.30, abs=1e-9)


def exported(where: str, handler: str) -> float:
    """Return how many requests for a path a server's own counter shows."""
    text = requests.get(f"http://{where}/metrics", timeout=5).text
    lines = [line for line in text.splitlines() if line.startswith("http_requests_total{") and f'"{handler}"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)
