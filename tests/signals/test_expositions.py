"""Presets against what servers really export, or are documented to."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from serinus.errors import BrokenInvariant
from serinus.signals.detection import detect, looked_for
from serinus.signals.placeholders import filled
from serinus.signals.preset import Preset
from serinus.signals.presets import all_presets, read_folder
from serinus.signals.selectors import Matcher, Operator, Selector
from support.expositions import FOLDER, Exposition, chosen, counted, expositions

PRESETS = all_presets()
ALL = expositions()


@pytest.mark.parametrize("exposition", [pytest.param(each, id=f"{each.preset}/{each.name}") for each in ALL])
def test_a_preset_counts_what_was_sent(exposition: Exposition) -> None:
    bound = exposition.bind(PRESETS[exposition.preset])
    assert counted(bound, exposition) == exposition.about["counts"]


@pytest.mark.parametrize("exposition", [pytest.param(each, id=f"{each.preset}/{each.name}") for each in ALL])
def test_a_server_is_recognised(exposition: Exposition) -> None:
    asked_for = exposition.exported & frozenset(looked_for())
    assert (detect(asked_for, "generic").server or "") == exposition.about.get("detected", exposition.preset)
    recognised = frozenset(PRESETS[exposition.preset].recognised.metrics)
    assert recognised & exposition.exported


@pytest.mark.parametrize("exposition", [pytest.param(each, id=f"{each.preset}/{each.name}") for each in ALL])
def test_no_series_is_counted_twice(exposition: Exposition) -> None:
    bound = exposition.bind(PRESETS[exposition.preset])
    lists = [
        each
        for pair in (bound.errors, bound.client_errors, bound.implausible, bound.accuracy)
        if pair
        for each in (pair.total, pair.bad, pair.good, pair.begun)
    ]
    for selectors in (*lists, bound.latency.buckets if bound.latency else ()):
        picked = [str(series) for part in chosen(selectors, exposition.series) for series in part]
        assert len(picked) == len(set(picked))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_an_exposition_of_the_kind_that_it_claims(name: str) -> None:
    how = {each.about["how"] for each in ALL if each.preset == name}
    assert how
    assert how <= {"recorded", "documented"}
    if PRESETS[name].tested.how != "documented":
        assert "recorded" in how


def weakened(selector: Selector) -> Iterator[Selector]:
    """Yield a selector without each of its matchers, and without each alternative of a pattern."""
    for place, each in enumerate(selector.matchers):
        before, after = selector.matchers[:place], selector.matchers[place + 1 :]
        yield Selector(metric=selector.metric, matchers=before + after)
        alternatives = [] if "(" in each.value or each.operator != "=~" else each.value.split("|")
        for gone in alternatives if len(alternatives) > 1 else []:
            fewer = replace(each, value="|".join(other for other in alternatives if other != gone))
            yield Selector(metric=selector.metric, matchers=(*before, fewer, *after))


def exchanged(preset: Preset, place: int, by: Selector) -> Preset:
    """Return a preset with another selector at a place."""
    places = count()
    return preset.mapped(lambda selector: by if next(places) == place else selector)


@pytest.mark.parametrize("name", PRESETS)
def test_every_matcher_earns_its_place(name: str) -> None:
    """Without any one of them, or any alternative of one, at least one exposition is counted differently."""
    preset = PRESETS[name]
    mine = [(each, counted(each.bind(preset), each)) for each in ALL if each.preset == name]
    for place, selector in enumerate(preset.selectors()):
        for weaker in weakened(selector):
            changed = exchanged(preset, place, weaker)
            assert any(counted(each.bind(changed), each) != before for each, before in mine), (
                f"{selector} counts the same as {weaker}: extend an exposition"
            )


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.probes])
def test_probes_are_not_counted(name: str) -> None:
    preset = PRESETS[name]
    mine = [(each, counted(each.bind(preset), each)) for each in ALL if each.preset == name]
    assert preset.probes is not None
    for label in preset.probes.labels:
        fewer = tuple(each for each in preset.probes.labels if each != label)
        weaker = replace(preset, probes=replace(preset.probes, labels=fewer))
        assert any(counted(each.bind(weaker), each) != before for each, before in mine), label
    # Where labels arrive, with serinus-instrument, is no request of a user either.
    pattern = preset.probes.pattern
    weaker = replace(preset, probes=replace(preset.probes, pattern=pattern.replace("|serinus/outcomes", "")))
    assert weaker.probes != preset.probes
    assert any(counted(each.bind(weaker), each) != before for each, before in mine)


def test_the_edges_of_a_preset_are_those_that_are_exported() -> None:
    for each in ALL:
        latency = each.bind(PRESETS[each.preset]).latency
        if latency is None or not latency.edges or latency.configurable:
            continue
        picked = [series for part in chosen(latency.buckets, each.series) for series in part]
        exported = sorted({float(labels["le"]) for _, labels, _ in picked})[:-1]
        assert tuple(exported) == latency.edges, (each.preset, each.name)


NEW_SERVER = """
schema = 2
runtime = "oracle"
kind = "server"
rank = 3
versions = ">=1"
summary = "A server that nobody has heard of"
source = "https://oracle.example/metrics"

[tested]
version = "1.0"
how = "documented"

[recognised]
metrics = ["oracle_answers_total"]

[serving]
protocol = "http"
port = 7000
readiness_path = "/models/$model/up"

[metrics]
port = 7001
path = "/metrics"

[errors]
total = ['oracle_answers_total{model="$model"}']
bad = ['oracle_answers_total{model="$model",outcome="failed"}']

[latency]
buckets = ['oracle_answer_milliseconds_bucket{model="$model"}']
seconds_per_unit = 0.001
edges = [10.0, 100.0]

[absent]
client_errors = "the oracle never refuses a question"
"""
NEW_EXPOSITION = """
oracle_answers_total{model="iris",outcome="answered"} 7
oracle_answers_total{model="iris",outcome="failed"} 3
oracle_answers_total{model="other",outcome="failed"} 5
oracle_answer_milliseconds_bucket{model="iris",le="10"} 4
oracle_answer_milliseconds_bucket{model="iris",le="100"} 9
oracle_answer_milliseconds_bucket{model="iris",le="+Inf"} 10
"""
NEW_HEADER = """
server = "oracle 1.0"
how = "documented"
mix = "7 answered, 3 fail; 5 of another model fail; 1 slower than 0.1 s"
source = "https://oracle.example/metrics"

[counts]
errors = [10, 3]
latency = { total = 10, largest = 0.1, bound = 0.1, slow = 1 }
"""


def test_a_new_server_is_one_preset_and_one_exposition_and_no_code(tmp_path: Path) -> None:
    presets, data = tmp_path / "presets", tmp_path / "expositions"
    presets.mkdir()
    for name in ("generic", "mlserver"):
        shutil.copy(Path(__file__).parents[2] / "operator/serinus/signals/presets" / f"{name}.toml", presets)
        shutil.copytree(FOLDER / name, data / name)
    (presets / "oracle.toml").write_text(NEW_SERVER)
    (data / "oracle").mkdir()
    (data / "oracle" / "first.txt").write_text(NEW_EXPOSITION)
    (data / "oracle" / "first.toml").write_text(NEW_HEADER)

    known = read_folder(presets)
    assert known["oracle"].bound_to("a b").serving.readiness_path == "/models/a%20b/up"
    for each in expositions(data):
        asked_for = each.exported & frozenset(looked_for(known))
        assert detect(asked_for, "generic", known).server == each.preset
        assert counted(each.bind(known[each.preset]), each) == each.about["counts"]

    (presets / "oracle.toml").write_text(NEW_SERVER.replace("[absent]", "[missing]"))
    with pytest.raises(BrokenInvariant, match="oracle"):
        read_folder(presets)


def test_what_is_filled_in_is_taken_literally() -> None:
    selector = Selector(
        metric="m", matchers=(Matcher(label="service", operator=Operator.MATCHES, value="$namespace-$service-[0-9]+"),)
    )
    found = filled(selector, {"$namespace": "a.b", "$service": "iris$service"})
    assert found.matchers[0].value == r"a\.b-iris\$service-[0-9]+"
