import re
from importlib.resources import files
from pathlib import Path

import pytest

from serinus.errors import BrokenInvariant, InvalidSpec
from serinus.signals.placeholders import filled, placeholders_of, tells_sides_apart
from serinus.signals.preset import Preset
from serinus.signals.presets import all_presets, family, parse_preset, preset, read_folder, runtimes, sources


def written(runtime: str) -> str:
    return files("serinus.signals").joinpath("presets", f"{runtime}.toml").read_text(encoding="utf-8")


def test_all_presets_are_read() -> None:
    for runtime, found in all_presets().items():
        assert found.runtime == runtime
        assert found.tested.version
        assert found.source.startswith(("https://", "docs/"))


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
    "/serinus/outcomes": True,
    "/outcomes": False,
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
    "bad and good": ("[client_errors]", "good = ['x']\n\n[client_errors]"),
    "neither bad nor good": ("bad = ['model_infer_request_failure_total{model=\"$model\"}']", ""),
    "no errors, and no word why": ("[errors]", "[implausible]"),
    "errors, and a word why not": ("[errors]", "[absent]\nerrors = 'none'\n\n[errors]"),
    "an unknown operator": ('{model="$model"}', '{model=="$model"}'),
    "no metric's name": ("model_infer_request_failure_total", "rate(x)"),
    "a label that Serinus adds": ('{model="$model"}', '{pod="$model"}'),
    "an unknown kind": ('kind = "server"', 'kind = "sidecar"'),
    "a server without a port": ("[serving]", "[serving2]"),
    "a view from outside that serves": ('kind = "server"', 'kind = "outside"'),
    "by what a server separates": ('kind = "server"', 'kind = "server"\nseparates = "pods"'),
    "nothing to recognise it by": (
        'metrics = ["model_infer_request_duration_count", "rest_server_requests_total"]',
        "metrics = []",
    ),
    "tested how": ('how = "', 'how = "well '),
    "a distribution without a label": ("[latency]", "[[predictions]]\ncategories = 'x'\n\n[latency]"),
    "a distribution of two kinds": (
        "[latency]",
        "[[predictions]]\ncategories = 'x'\nbuckets = 'y'\nlabel = 'z'\n\n[latency]",
    ),
    "edges that fall": ("edges = [0.005, 0.01", "edges = [0.01, 0.005"),
    "no TOML": ("[serving]", "[serving"),
}


@pytest.mark.parametrize(("old", "new"), BROKEN.values(), ids=BROKEN)
def test_a_broken_preset_is_refused(old: str, new: str) -> None:
    text = written("mlserver")
    assert old in text
    parse_preset("mlserver", text)
    with pytest.raises(BrokenInvariant, match="mlserver"):
        parse_preset("mlserver", text.replace(old, new))


def test_a_family_is_its_newest_member_and_its_members_are_runtimes_too() -> None:
    assert [each.runtime for each in family("knative")] == ["knative-1.21", "knative-1.19", "knative-1.0"]
    assert preset("knative").runtime == "knative-1.21"
    assert preset("knative-1.0").runtime == "knative-1.0"
    assert {"knative", "knative-1.0", "vllm", "fastapi", "opentelemetry", "generic"} <= set(runtimes())
    assert "istio" not in runtimes()
    assert sources() == ("envoy-gateway", "ingress-nginx", "istio", "linkerd", "traefik")


def test_two_files_cannot_claim_one_name(tmp_path: Path) -> None:
    text = written("mlserver")
    (tmp_path / "mlserver.toml").write_text(text)
    other = text.replace('runtime = "mlserver"', 'runtime = "other"\nfamily = "mlserver"')
    (tmp_path / "other.toml").write_text(other)
    with pytest.raises(BrokenInvariant, match="name of a preset"):
        read_folder(tmp_path)
    (tmp_path / "mlserver.toml").write_text(text.replace('runtime = "mlserver"', 'runtime = "mlserver"\nfamily = "f"'))
    (tmp_path / "other.toml").write_text(other.replace('family = "mlserver"', 'family = "f"'))
    with pytest.raises(BrokenInvariant, match="same newer"):
        read_folder(tmp_path)


def test_the_models_name_stands_in_the_probe_percent_encoded() -> None:
    serving = preset("mlserver").bound_to("models/é").serving
    assert serving is not None
    assert serving.readiness_path == "/v2/models/models%2F%C3%A9/ready"


def test_a_models_name_is_never_taken_for_a_placeholder() -> None:
    bound = preset("instrument").bound_to("$revision")
    assert bound.accuracy is not None
    assert str(bound.accuracy.total[0]).startswith('serinus_outcomes_total{model=~"\\\\$revision",')
    assert placeholders_of(bound.accuracy.total[0]) == {"$revision"}
    assert tells_sides_apart(bound.accuracy.total[0])
    assert bound.implausible is not None
    assert not tells_sides_apart(bound.implausible.total[0])
    by_side = filled(bound.accuracy.total[0], {"$revision": "bcdfghjklm"})
    assert 'revision="bcdfghjklm"' in str(by_side)


def test_everything_has_a_source_and_says_what_it_cannot_give() -> None:
    for each in all_presets().values():
        assert each.cannot, each.runtime
        assert all(sentence.endswith(".") for sentence in each.cannot), each.runtime
        for clause in (each.absent.errors, each.absent.client_errors, each.absent.latency):
            assert not clause.endswith("."), "it is put into a sentence"


STATUSES = {"5": range(500, 600), "4": range(400, 500)}
STATUS_LABELS = re.compile(r".*(code|status|class).*")


@pytest.mark.parametrize("found", [pytest.param(each, id=each.runtime) for each in all_presets().values()])
def test_a_pattern_of_statuses_takes_all_of_its_hundred_and_no_other(found: Preset) -> None:
    pairs = {"5": found.errors, "4": found.client_errors}
    for digit, pair in pairs.items():
        patterns = [
            each.value
            for selector in (pair.bad if pair else ())
            for each in selector.matchers
            if STATUS_LABELS.fullmatch(each.label) and each.operator in ("=~", "=") and digit in each.value
        ]
        for pattern in patterns:
            whole = all(re.fullmatch(pattern, str(status)) for status in STATUSES[digit])
            assert whole or pattern in (f"{digit}xx", digit), pattern
            others = [*range(100, 400), *STATUSES["4" if digit == "5" else "5"]]
            assert not any(re.fullmatch(pattern, str(status)) for status in others), pattern
            grouped = any(re.fullmatch(pattern, f"{other}xx") for other in "1234" if other != digit)
            assert not grouped, pattern
