"""The training profile: made from files, read by the operator and by the server in the same edges."""

import json
import math
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from instrument.reading import Shown
from serinus.api.profile import read_reference
from serinus.judge.buckets import overflow
from serinus.judge.measurements import HistogramMeasurement
from serinus_instrument import instrument
from serinus_instrument.command import main
from serinus_instrument.profile import BadProfile, find_profile, read_profile
from serinus_instrument.training import edges_of

ROWS = 4000
RANDOM = np.random.default_rng(3)
TRAINING = pd.DataFrame(
    {
        "age": RANDOM.gamma(4, 10, ROWS).round(1),
        "visits": RANDOM.poisson(2, ROWS),
        "amount": np.where(RANDOM.random(ROWS) < 0.1, np.nan, RANDOM.lognormal(3, 1, ROWS)),
        "member": RANDOM.random(ROWS) < 0.3,
        "country": RANDOM.choice(["de", "fr", "it", None], ROWS, p=[0.5, 0.3, 0.1, 0.1]),
        "score": RANDOM.beta(2, 5, ROWS),
        "empty": [None] * ROWS,
        "when": pd.Timestamp("2026-01-01"),
    }
)
FEATURES = ["age", "visits", "amount", "member", "country"]


@pytest.fixture(params=[".parquet", ".csv"])
def training(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"train{request.param}"
    if request.param == ".csv":
        TRAINING.drop(columns="when").to_csv(path, index=False)
    else:
        TRAINING.to_parquet(path)
    return path


def profiled(training: Path, *options: str) -> str:
    target = training.parent / "profile.json"
    assert main(["profile", str(training), "-o", str(target), "--prediction", "score", *options]) == 0
    return target.read_text()


class TestMaking:
    def test_the_operator_reads_it(self, training):
        text = profiled(training)
        assert sum(read_reference(text, None).counts) == ROWS
        for name in FEATURES:
            assert sum(read_reference(text, name).counts) == TRAINING[name].notna().sum()
        assert read_reference(text, "country").categories == ("de", "fr", "it")
        assert read_reference(text, "member").categories == ("false", "true")

    def test_what_cannot_be_counted_is_left_out_and_told(self, training, capsys):
        features = json.loads(profiled(training))["features"]
        assert sorted(features) == sorted(FEATURES)
        told = capsys.readouterr().err
        assert "left out empty: it has no value" in told
        assert training.suffix == ".csv" or "left out when: values of type timestamp" in told

    def test_buckets_hold_about_the_same_and_none_is_above_the_maximum(self, training):
        for name in ("age", "amount"):
            counts = read_reference(profiled(training), name).counts
            assert len(counts) == 11
            assert counts[-1] == 0
            assert min(counts[:-1]) > 0.7 * max(counts)

    def test_no_reference_lies_in_the_highest_bucket(self, training):
        text = profiled(training)
        for name in (None, "age", "visits", "amount"):
            found = read_reference(text, name)
            measured = HistogramMeasurement(
                canary={"a": found.counts}, stable={"b": found.counts}, edges=found.edges, reference=found.counts
            )
            assert overflow(measured, ()) == ""

    def test_the_bins_and_categories_that_are_asked_for(self, training):
        features = json.loads(profiled(training, "--bins", "5", "--categories", "2", "--categorical", "visits"))[
            "features"
        ]
        assert len(features["age"]["edges"]) == 5
        assert sorted(features["country"]["categories"]) == ["__other__", "de", "fr"]
        assert len(features["visits"]["categories"]) == 3

    def test_a_model_that_is_trained_again_is_counted_in_the_older_edges(self, training):
        older = json.loads(profiled(training, "--categories", "2"))
        (training.parent / "older.json").write_text(json.dumps(older))
        later = TRAINING.assign(age=TRAINING["age"] + 5, score=TRAINING["score"] / 2, country="pl", fresh=1.5)
        later.drop(columns="when").to_csv(training.parent / "later.csv", index=False)
        target = training.parent / "newer.json"
        options = ["--like", str(training.parent / "older.json"), "--prediction", "score", "-o", str(target)]
        assert main(["profile", str(training.parent / "later.csv"), *options]) == 0
        newer = json.loads(target.read_text())
        assert newer["prediction"]["edges"] == older["prediction"]["edges"]
        assert newer["prediction"]["counts"] != older["prediction"]["counts"]
        assert newer["features"]["age"]["edges"] == older["features"]["age"]["edges"]
        assert sum(newer["features"]["age"]["counts"]) == ROWS
        assert newer["features"]["country"]["categories"] == {"__other__": ROWS}
        assert newer["features"]["fresh"]["edges"] == [1.5]
        (training.parent / "older.json").write_text("{}")
        assert main(["profile", str(training.parent / "later.csv"), *options]) == 1

    def test_a_config_map(self, training):
        body = yaml.safe_load(profiled(training, "--config-map", "training-profile"))
        assert (body["kind"], body["metadata"]["name"]) == ("ConfigMap", "training-profile")
        assert read_reference(body["data"]["profile.json"], "age").edges

    @pytest.mark.parametrize(
        ("column", "shape"),
        [("member", "categories"), ("visits", "categories"), ("country", "categories"), ("age", "edges")],
    )
    def test_a_prediction_is_a_class_or_a_number(self, training, column, shape):
        target = training.parent / "p.json"
        assert main(["profile", str(training), "-o", str(target), "--prediction", column]) == 0
        assert next(iter(json.loads(target.read_text())["prediction"])) == shape
        if column == "visits":
            assert main(["profile", str(training), "-o", str(target), "--prediction", column, "--numeric", column]) == 0
            assert "edges" in json.loads(target.read_text())["prediction"]

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["--prediction", "scores"], "has no column 'scores'; it has age, visits"),
            (["--config-map", "No Name"], "is no name of a ConfigMap"),
            ([f"--exclude={name}" for name in TRAINING.columns if name != "when"], "could be counted|has no column"),
        ],
    )
    def test_what_is_wrong_is_told(self, training, capsys, options, words):
        assert main(["profile", str(training), "-o", str(training.parent / "x"), *options]) == 1
        assert re.search(words, capsys.readouterr().err)
        assert not (training.parent / "x").exists()

    @pytest.mark.parametrize(
        ("name", "content", "words"),
        [
            ("no.parquet", None, "there is no file"),
            ("x.json", "{}", "neither .parquet nor .csv"),
            ("x.parquet", "no parquet", "cannot be read as Parquet"),
            ("x.csv", "a,b\n", "has no rows"),
            ("x.csv", "a,b\n1\n", "row 1 of"),
        ],
    )
    def test_files_that_are_none(self, tmp_path, capsys, name, content, words):
        if content is not None:
            (tmp_path / name).write_text(content)
        assert main(["profile", str(tmp_path / name), "-o", str(tmp_path / "x.out")]) == 1
        assert words in capsys.readouterr().err

    def test_without_pyarrow_it_says_what_to_install(self, tmp_path):
        (tmp_path / "x.parquet").write_text("x")
        program = (
            "import sys; sys.modules['pyarrow'] = None\n"
            "from serinus_instrument.command import main; sys.exit(main(['profile', 'x.parquet']))"
        )
        instrument_folder = Path(__file__).parents[2] / "instrument"
        run = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={"PYTHONPATH": str(instrument_folder)},
        )  # fmt: skip
        assert run.returncode == 1
        assert "pip install 'serinus-instrument[profile]'" in run.stderr


class TestEdges:
    @given(
        st.lists(st.floats(-1e12, 1e12) | st.integers(-3, 3).map(float), min_size=1, max_size=60),
        st.integers(2, 19),
    )
    def test_properties(self, values, bins):
        edges = edges_of(np.array(values), bins)
        assert 1 <= len(edges) <= bins
        assert all(lower < upper for lower, upper in pairwise(edges))
        assert edges[-1] >= max(values)
        distinct = sorted(set(values))
        if len(distinct) <= bins:
            assert len(edges) == len(distinct)

    @pytest.mark.parametrize("largest", [0.1, 0.3, 1.1, 123456.7, 16777217.0, 1e-3, -0.7, 1.4e9])
    def test_the_maximum_stays_below_the_last_edge_in_single_precision(self, largest):
        assert edges_of(np.array([largest - 5.0, largest]), 10)[-1] >= max(largest, float(np.float32(largest)))

    @given(st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=1, max_size=60), st.integers(2, 19))
    def test_single_precision_moves_no_value_over_an_edge(self, values, bins):
        doubles = np.array(values)
        edges = edges_of(doubles, bins)
        apart = np.diff(np.unique(doubles))
        if len(apart) and apart.min() < 0.2:
            return  # closer than single precision tells apart at a million
        singles = doubles.astype(np.float32).astype(np.float64)
        assert np.searchsorted(edges, doubles).tolist() == np.searchsorted(edges, singles).tolist()

    def test_edges_are_short(self):
        assert edges_of(np.array([0.0, 1.0, 1.0, 7.0]), 10) == [0.5, 4.0, 7.0]


class TestBesideTheServer:
    def test_the_training_data_come_back_as_the_reference(self, training):
        """What the server counts of the training data is what the judge compares with, edge by edge."""
        text = profiled(training)
        registry = CollectorRegistry()
        scores = TRAINING["score"].to_numpy()
        model = instrument(lambda rows: scores, profile=json.loads(text), registry=registry)
        model(TRAINING[FEATURES])
        shown = Shown(registry)
        for name in (None, "age", "visits", "amount"):
            reference = read_reference(text, name)
            labels = {"output": "prediction"} if name is None else {"feature": name}
            metric = "serinus_prediction" if name is None else "serinus_feature"
            assert shown.buckets(metric, **labels) == list(reference.counts)
            assert shown.edges(metric, **labels) == list(reference.edges)
        for name in ("country", "member"):
            reference = read_reference(text, name)
            found = shown.all("serinus_feature_category_total", "feature", "category")
            told = dict(zip(reference.categories, reference.counts, strict=True))
            assert {f"{name}/{each}": n for each, n in told.items()}.items() <= found.items()

    def test_categories_that_the_profile_left_out_count_as_there(self):
        registry = CollectorRegistry()
        profile = {"schema": 1, "features": {"country": {"categories": {"de": 9, "__other__": 3}}}}
        model = instrument(lambda rows: [0.5] * 3, profile=profile, registry=registry)
        model([["de"], ["fr"], ["it"]])
        assert Shown(registry).all("serinus_feature_category_total", "category") == {"de": 1, "__other__": 2}

    @pytest.mark.parametrize(
        "text",
        [
            "no", "[]", '{"schema": 2}', '{"schema": 1, "features": []}', '{"schema": 1, "prediction": 3}',
            '{"schema": 1, "prediction": {}}', '{"schema": 1, "prediction": {"edges": [2, 1]}}',
            '{"schema": 1, "prediction": {"edges": []}}', '{"schema": 1, "prediction": {"edges": ["x"]}}',
            '{"schema": 1, "prediction": {"edges": [1], "categories": {"a": 1}}}',
            '{"schema": 1, "features": {"a": {"categories": {}}}}', '{"schema": 1, "prediction": {"edges": [NaN]}}',
        ],
    )  # fmt: skip
    def test_what_is_no_profile_is_refused(self, text):
        with pytest.raises(BadProfile):
            read_profile(text)

    def test_one_that_lies_beside_the_model_is_found(self, tmp_path, monkeypatch, training):
        text = profiled(training)
        assert find_profile({"SERINUS_MODEL_DIR": str(tmp_path)}) is None
        (tmp_path / "serinus-profile.json").write_text(text)
        assert find_profile({"SERINUS_MODEL_DIR": str(tmp_path)}) == tmp_path / "serinus-profile.json"
        assert find_profile({"SERINUS_PROFILE": "/elsewhere.json", "SERINUS_MODEL_DIR": str(tmp_path)}) == Path(
            "/elsewhere.json"
        )
        monkeypatch.setenv("SERINUS_MODEL_DIR", str(tmp_path))
        registry = CollectorRegistry()
        instrument(lambda rows: [0.5], registry=registry)([[1.0] * 5])
        assert sorted(Shown(registry).all("serinus_feature_count", "feature")) == ["age", "amount", "visits"]

    def test_one_that_is_found_and_broken_is_told_and_the_server_serves(self, tmp_path, monkeypatch):
        (tmp_path / "serinus-profile.json").write_text("{}")
        monkeypatch.setenv("SERINUS_MODEL_DIR", str(tmp_path))
        registry = CollectorRegistry()
        assert instrument(lambda rows: [0.5], registry=registry)([[1.0]]) == [0.5]
        assert Shown(registry)("serinus_instrument_errors_total", reason="profile") == 1

    def test_one_that_is_given_and_broken_is_refused(self, tmp_path):
        (tmp_path / "p.json").write_text("{}")
        with pytest.raises(BadProfile, match="schema"):
            instrument(math.sqrt, profile=tmp_path / "p.json", registry=CollectorRegistry())


LEARNT = {
    "schema": 1,
    "prediction": {"categories": {"cat": 7, "dog": 2, "__other__": 1}},
    "features": {
        "age": {"edges": [20, 1e6], "counts": [3, 6, 1]},
        "city": {"categories": {"x" * 128 + "a": 4, "x" * 128 + "b": 5}},
        "left": {"edges": [1.0], "counts": [9, 9]},
        "bare": {"edges": [1.0]},
        "names": {"categories": {f"n{i}": 1 for i in range(200)}},
    },
}


def test_the_servers_export_what_the_profile_counted_of_all_that_they_count_in_its_bins():
    registry = CollectorRegistry()
    instrument(lambda rows: rows, profile=LEARNT, exclude=["left"], registry=registry)
    shown = Shown(registry)
    by_class = shown.all("serinus_training_predicted_class", "output", "class")
    assert by_class == {"prediction/cat": 7, "prediction/dog": 2, "prediction/__other__": 1}
    assert shown.all("serinus_training_feature_bucket", "feature", "le") == {
        "age/20.0": 3,
        "age/1e+06": 9,
        "age/+Inf": 10,
    }
    # What is cut to one label is one category, and what counts in groups has no names.
    assert shown.all("serinus_training_feature_category", "feature", "category") == {"city/" + "x" * 128: 9}
    assert shown.all("serinus_training_prediction_bucket", "le") == {}


@pytest.mark.parametrize(
    "counts", [[1], [1, 2, 3], [1, -1], [1, 0.5], [1, True], [1, math.inf], [1, math.nan], {"a": 1}]
)
def test_counts_that_do_not_fit_their_edges_are_no_profile(counts):
    with pytest.raises(BadProfile, match=r"features\.age"):
        read_profile(json.dumps({"schema": 1, "features": {"age": {"edges": [1.0], "counts": counts}}}))


def test_whole_counts_may_be_written_as_any_program_writes_them():
    read = read_profile('{"schema": 1, "prediction": {"edges": [1], "counts": [2.0, 1e3]}}')
    assert read.prediction is not None
    assert read.prediction.counts == (2, 1000)


def test_what_is_exported_is_what_a_config_map_would_give():
    registry = CollectorRegistry()
    instrument(lambda rows: rows, profile=LEARNT, registry=registry)
    whole = {name: each for name, each in LEARNT["features"].items() if name != "bare"}
    given = read_reference(json.dumps({**LEARNT, "features": whole}), "age")
    exported = Shown(registry).buckets("serinus_training_feature", feature="age")
    assert tuple(exported) == given.counts
