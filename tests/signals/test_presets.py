import re
from importlib.resources import files

import pytest

from serinus.errors import BrokenInvariant, InvalidSpec
from serinus.signals.presets import all_presets, parse_preset, preset


def written(runtime: str) -> str:
    return files("serinus.signals").joinpath("presets", f"{runtime}.toml").read_text(encoding="utf-8")


def test_all_presets_are_read() -> None:
    for runtime, found in all_presets().items():
        assert found.runtime == runtime
        assert found.tested.version
        assert found.source.startswith("https://")


def test_mlserver_is_what_was_measured() -> None:
    found = preset("mlserver").bound_to("fraud")
    assert (found.serving.port, found.serving.readiness_path, found.serving.protocol) == (
        8080,
        "/v2/models/fraud/ready",
        "v2",
    )
    assert (found.metrics.port, found.metrics.path) == (8082, "/metrics")
    assert list(map(str, found.errors.total)) == ['model_infer_request_duration_count{model="fraud"}']
    assert list(map(str, found.errors.bad)) == ['model_infer_request_failure_total{model="fraud"}']
    assert found.latency is not None
    assert list(map(str, found.latency.buckets)) == ['rest_server_request_duration_seconds_bucket{path=~".*/infer"}']
    assert found.latency.edges[-1] == 10


def test_generic_takes_any_usual_status_label_and_no_probes() -> None:
    found = preset("generic").bound_to("fraud")
    assert {each.metric for each in (*found.errors.total, *found.errors.bad)} == {"http_requests_total"}
    assert [each.matchers[0].label for each in found.errors.bad] == ["code", "status", "status_code"]
    for selector in (*found.errors.total, *found.errors.bad, *found.latency.buckets):
        assert [each.label for each in selector.matchers if each.operator == "!~"] == [
            "path",
            "handler",
            "endpoint",
            "route",
            "uri",
        ]


PATHS = {
    "/healthz": True,
    "/health/ready": True,
    "/v2/health/live": True,
    "/metrics": True,
    "/readyz/": True,
    "/predict": False,
    "/": False,
    "": False,
    "/healthcare/predict": False,
    "metrics": False,  # the name of a port in Prometheus operator's label `endpoint`
    "/v1/models/metrics-model": False,
}


@pytest.mark.parametrize(("path", "is_probe"), PATHS.items())
def test_probe_paths(path: str, is_probe: bool) -> None:
    pattern = preset("generic").probes.pattern
    assert bool(re.fullmatch(pattern, path)) is is_probe


def test_a_models_name_is_escaped() -> None:
    assert str(preset("mlserver").bound_to('a"} or up{b="').errors.bad[0]).endswith('{model="a\\"} or up{b=\\""}')


def test_an_unknown_runtime_names_the_known_ones() -> None:
    with pytest.raises(InvalidSpec, match=r"generic, .*mlserver"):
        preset("nosuch")


BROKEN = {
    "an unknown key": ('summary = "', 'colour = "red"\nsummary = "'),
    "an unknown key below": ("port = 8082", 'port = 8082\nscheme = "https"'),
    "another schema": ("schema = 2", "schema = 1"),
    "no schema": ("schema = 2", ""),
    "another runtime": ('runtime = "mlserver"', 'runtime = "other"'),
    "a text for a port": ("port = 8082", 'port = "8082"'),
    "an unknown placeholder": ('"$model"', '"$tenant"'),
    "bad and good": ("[[errors.bad]]", '[[errors.good]]\nmetric = "x"\n\n[[errors.bad]]'),
    "no errors, and no word why": ("[[errors.", "[[implausible."),
    "an unknown operator": ('operator = "="', 'operator = "=="'),
    "no metric's name": ('metric = "model_infer_request_failure_total"', 'metric = "rate(x)"'),
    "edges that fall": ("edges = [0.005, 0.01", "edges = [0.01, 0.005"),
    "no TOML": ("[serving]", "[serving"),
}


@pytest.mark.parametrize(("old", "new"), BROKEN.values(), ids=BROKEN)
def test_a_broken_preset_is_refused(old: str, new: str) -> None:
    text = written("mlserver")
    assert old in text
    with pytest.raises(BrokenInvariant, match="mlserver"):
        parse_preset("mlserver", text.replace(old, new))
