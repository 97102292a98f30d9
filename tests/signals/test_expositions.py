"""Presets against what servers really export."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serinus.signals.presets import preset, runtimes
from serinus.signals.queries import newest, of_pods
from serinus.signals.scope import Scope
from support.tsdb import Tsdb

FOLDER = Path(__file__).parent / "expositions"
SCOPE = Scope(namespace="risk", canary="iris-bcdfghjklm", stable="iris-zzxxwwvvtt", model="iris")
POD = {"namespace": "risk", "pod": "iris-bcdfghjklm-5f7c9d-abcde", "instance": "10.0.0.1:8082", "job": "pods"}

EXPECTED = {  # total, bad, client errors, requests in the histogram
    "mlserver": (7, 2, 1, 7),
    "generic-status": (13, 3, 0, 13),
    "generic-grouped": (13, 3, 2, 13),
    "generic-code": (13, 3, 0, 13),
    "generic-status_code": (13, 3, 0, 13),
}


def scraped(name: str) -> Tsdb:
    tsdb = Tsdb()
    for family in text_string_to_metric_families((FOLDER / f"{name}.txt").read_text(encoding="utf-8")):
        for sample in family.samples:
            tsdb.add(100.0, sample.name, sample.value, **sample.labels, **POD)
    return tsdb


@pytest.mark.parametrize("name", EXPECTED)
def test_a_preset_picks_the_right_series(name: str) -> None:
    tsdb, found = scraped(name), preset(name.split("-", maxsplit=1)[0]).bound_to("iris")

    def total(selectors, **labels: str) -> float:
        _, answer = tsdb.query(newest(of_pods(selectors, SCOPE)), 101.0)
        return sum(float(each["value"][1]) for each in answer if labels.items() <= each["metric"].items())

    assert found.client_errors is not None
    assert found.latency is not None
    picked = (found.errors.total, found.errors.bad, found.client_errors.bad)
    assert (*map(total, picked), total(found.latency.buckets, le="+Inf")) == EXPECTED[name]


def test_every_preset_has_an_exposition() -> None:
    files = {each.stem.split("-")[0] for each in FOLDER.glob("*.txt")}
    assert files == set(runtimes()) == {name.split("-")[0] for name in EXPECTED}
