"""What real servers count is read exactly: a known mix goes in, and the judge's numbers are the same ones.

KServe's Python server has no counter of errors at all, MLServer counts its models beside each other, and most home-made
servers count their probes.
"""

import json
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from e2e.counting import Totals
from e2e.mixes import address, errors, held, send_to_each, wait_counted
from e2e.model import Model, Models
from e2e.place import Place
from e2e.serving import KSERVE, MLSERVER, SCORER, START_SECONDS, Server
from e2e.waiting import eventually

PROBED_EACH_SECOND = {"readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A model with a canary that waits for a person, one pod on each side."""

    model: Model
    canary: str
    addresses: dict[str, str]


def bring_up(place: Place, model: Model, server: Server, worse: dict[str, str], **container: Any) -> Pair:
    """Serve with a server, bring up a worse canary, and wait for its first tick."""
    place.load_image(server.name)
    model.apply(server.spec(container=container, **held(errors())))
    first = model.wait_ready(within=START_SECONDS)
    model.apply(server.spec(worse, container=container, **held(errors())))
    second = model.wait_canary(after=first, within=START_SECONDS)["revision"]
    model.wait_assessed(second, lambda _: True, what="a first tick", within=40)
    sides = {"stable": first, "canary": second}
    return Pair(
        model=model,
        canary=second,
        addresses={side: address(model, revision, server.port) for side, revision in sides.items()},
    )


def test_failures_of_kserve_are_counted_though_it_has_no_counter_of_them(place: Place, models: Models) -> None:
    """Three of ten requests fail in predict; the error share is 0.30 exactly, and soon the canary is gone."""
    pair = bring_up(place, models("kserve"), KSERVE, {"FORGOT": "3"})
    digits = [json.dumps({"instances": [digit]}).encode() for digit in range(10)]
    sent = send_to_each(pair.addresses, KSERVE.path, digits, times=4)
    assert (sent["canary"].new.bad, sent["canary"].new.good) == (12, 28), "three of ten"
    truth = {"stable": Totals(total=40, bad=0), "canary": Totals(total=40, bad=12)}
    evidence = wait_counted(pair.model, pair.canary, truth)
    assert evidence["effect"] == pytest.approx(0.30, abs=1e-9)
    assert "12 of 40" in evidence["because"]


def test_failures_of_a_neighbour_in_the_same_server_are_not_charged(place: Place, models: Models) -> None:
    """Another model in the canary's server fails always, and a third one does not exist; this one's share stays 0."""
    pair = bring_up(place, models("neighbours"), MLSERVER, {"NEIGHBOUR_FAILS": "1"})
    body = [json.dumps({"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [2]}]}).encode()]
    answers = {
        name: send_to_each(pair.addresses, MLSERVER.path.replace("house", name), body, times=times)[
            "canary"
        ].new.answers
        for name, times in (("neighbour", 20), ("nobody", 5), ("house", 20))
    }
    assert answers == {"neighbour": {500: 20}, "nobody": {404: 5}, "house": {200: 20}}
    truth = {"stable": Totals(total=20, bad=0), "canary": Totals(total=20, bad=0)}
    wait_counted(pair.model, pair.canary, truth)


def test_probes_each_second_do_not_drown_the_share_of_failed_requests(place: Place, models: Models) -> None:
    """The server's own counter holds more probes than requests; the error share is that of requests, 0.30."""
    pair = bring_up(place, models("probed"), SCORER, {"ERROR_BELOW": "3"}, **PROBED_EACH_SECOND)
    inputs = [json.dumps({"inputs": [number]}).encode() for number in range(10)]
    eventually("more probes than requests will be", lambda: min(probes(pair)) > 10, within=20)
    send_to_each(pair.addresses, SCORER.path, inputs)
    truth = {"stable": Totals(total=10, bad=0), "canary": Totals(total=10, bad=3)}
    evidence = wait_counted(pair.model, pair.canary, truth)
    assert evidence["effect"] == pytest.approx(0.30, abs=1e-9)


def probes(pair: Pair) -> list[float]:
    """Return how many probes each server's own counter shows."""
    return [exported(where, "/healthz") for where in pair.addresses.values()]


def exported(where: str, handler: str) -> float:
    """Return how many requests for a path a server's own counter shows."""
    text = requests.get(f"http://{where}/metrics", timeout=5).text
    lines = [line for line in text.splitlines() if line.startswith("http_requests_total{") and f'"{handler}"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)
