"""What is counted of inputs and outputs, whatever their shape; the same in all shapes."""

import math
from collections.abc import Callable
from typing import Any, ClassVar
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from instrument.reading import Shown, shown
from serinus_instrument import Limits, instrument

EDGES = [0.0, 1.0, 2.0]
PROFILE = {
    "schema": 1,
    "prediction": {"edges": [0.25, 0.5, 0.75], "counts": [1, 1, 1, 1]},
    "features": {
        "age": {"edges": EDGES, "counts": [1, 1, 1, 1]},
        "country": {"categories": {"de": 5, "fr": 1}},
    },
}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def counted(registry: CollectorRegistry, answer: Any, *given: Any, **declared: Any) -> Shown:
    """Call an instrumented function that answers always the same, and return what is shown."""
    model = instrument(lambda rows: answer, registry=registry, **declared)
    for each in given:
        assert model(each) is answer
    return Shown(registry)


VALUES = st.floats(-9, 9) | st.integers(-9, 9) | st.sampled_from([math.nan, math.inf, -math.inf, None, "2.5", "n/a"])
ROWS = [[1.0, "de"], [2.5, "fr"], [None, "it"]]
NAMES = ["age", "country"]
SHAPES: dict[str, Any] = {
    "rows": ROWS,
    "tuples": tuple(map(tuple, ROWS)),
    "records": [dict(zip(NAMES, row, strict=True)) for row in ROWS],
    "columns": {"age": [1.0, 2.5, None], "country": ["de", "fr", "it"]},
    "arrays": {"age": np.array([1.0, 2.5, math.nan]), "country": np.array(["de", "fr", "it"])},
    "objects": np.array(ROWS, dtype=object),
    "frame": pd.DataFrame(ROWS, columns=NAMES),
    "another order": pd.DataFrame(ROWS, columns=NAMES)[["country", "age"]],
}


def group(text: str) -> str:
    """Return the group that counts a text of which nothing was declared."""
    return f"#{crc32(text.encode()) % Limits().groups:02d}"


class TestInputs:
    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("times", [1, 20])
    def test_all_shapes_count_the_same(self, registry, shape, times):
        given = SHAPES[shape]
        if times > 1 and isinstance(given, list | tuple):  # many rows go another way than few
            given = given * times
        elif times > 1 and isinstance(given, dict):
            given = {name: np.tile(np.asarray(column, dtype=object), times) for name, column in given.items()}
        elif isinstance(given, pd.DataFrame):
            given = pd.concat([given] * times)
        elif times > 1:
            given = np.tile(given, (times, 1))
        shown = counted(registry, [0.1] * 3 * times, given, profile=PROFILE)
        assert shown.buckets("serinus_feature", feature="age") == [0, times, 0, times]
        assert shown("serinus_feature_sum", feature="age") == 3.5 * times
        assert shown.all("serinus_feature_category_total", "category") == {
            "de": times, "fr": times, "__other__": times}  # fmt: skip
        assert shown.all("serinus_feature_missing_total", "feature") == {"age": times}
        assert shown("serinus_predictions_total") == 3 * times

    @pytest.mark.parametrize("row", [{"age": 1.0, "country": "de"}, [[1.0, "de"]], [1.0, "de"], (1.0, "de")])
    def test_a_single_row(self, registry, row):
        shown = counted(registry, 0.3, row, profile=PROFILE)
        assert shown.buckets("serinus_feature", feature="age") == [0, 1, 0, 0]
        assert shown("serinus_feature_category_total", feature="country", category="de") == 1

    def test_one_dimension_is_a_row_of_numbers_or_a_column_of_them_by_the_answers(self, registry):
        counted(registry, [0.1, 0.2, 0.3], np.array([1.0, 2.0, 3.0]), name="column")
        counted(registry, 0.3, np.array([1.0, 2.0, 3.0]), name="row")
        assert Shown(registry, "column").all("serinus_feature_count", "model", "feature") == {
            "column/f0": 3, "row/f0": 1, "row/f1": 1, "row/f2": 1,
        }  # fmt: skip

    def test_names_come_from_the_model_that_knows_them(self, registry):
        class Fitted:
            feature_names_in_ = np.array(["height", "weight"])

            def predict(self, rows):
                return np.zeros(len(rows))

        instrument(Fitted(), registry=registry).predict(np.ones((2, 2)))
        assert Shown(registry).all("serinus_feature_count", "feature") == {"height": 2, "weight": 2}

    def test_an_input_is_a_number_or_a_category_as_its_first_value_that_is_there(self, registry):
        rows = [[None, None], [1.0, "x"], [2.0, "y"]]
        shown = counted(registry, [0.1] * 3, rows, rows)
        assert shown.all("serinus_feature_count", "feature") == {"f0": 4}
        assert shown.all("serinus_feature_category_total", "category") == {group("x"): 2, group("y"): 2}
        assert shown.all("serinus_feature_missing_total", "feature") == {"f0": 2, "f1": 2}

    @pytest.mark.parametrize("many", [False, True])
    def test_infinity_counts_and_is_not_summed(self, registry, many):
        column = [math.inf, -math.inf, 1.0] + [math.nan] * (20 if many else 1)
        shown = counted(registry, [0.1] * len(column), [[each] for each in column], features=["f0"])
        assert shown("serinus_feature_sum", feature="f0") == 1.0
        assert shown("serinus_feature_count", feature="f0") == 3
        assert shown("serinus_feature_missing_total", feature="f0") == len(column) - 3

    @pytest.mark.parametrize("many", [1, 20])
    def test_what_is_no_number_is_missing(self, registry, many):
        rows = [["12"], ["n/a"], [[1]]] * many
        shown = counted(registry, [0.1] * len(rows), rows, profile={
            "schema": 1, "features": {"age": {"edges": EDGES, "counts": [1, 1, 1, 1]}}})  # fmt: skip
        assert shown("serinus_feature_count", feature="age") == many
        assert shown("serinus_feature_missing_total", feature="age") == 2 * many

    @given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=40))
    def test_few_and_many_rows_count_the_same(self, values):
        registry = CollectorRegistry()
        profile = {"schema": 1, "features": {"x": {"edges": [-1.0, 0.0, 3.5], "counts": [1, 1, 1, 1]}}}
        one = instrument(lambda rows: [0.5] * len(rows), name="one", profile=profile, registry=registry)
        all_ = instrument(lambda rows: [0.5] * len(rows), name="all", profile=profile, registry=registry)
        for each in values:
            one(np.array([[each]]))
        all_(np.array([[each] for each in values] * 1 + [[math.nan]] * 9))
        first, second = Shown(registry, "one"), Shown(registry, "all")
        assert first.buckets("serinus_feature", feature="x") == second.buckets("serinus_feature", feature="x")
        told = [s("serinus_feature_sum", feature="x") for s in (first, second)]
        assert told[0] == pytest.approx(told[1], rel=1e-6, abs=1e30)

    @given(st.lists(st.tuples(VALUES, VALUES, st.sampled_from(["de", "fr", None]), VALUES), min_size=9, max_size=30))
    def test_rows_one_by_one_and_all_at_once_count_the_same(self, rows):
        registry = CollectorRegistry()
        features = {name: {"edges": [-1.0, 0.0, 3.5], "counts": [1] * 4} for name in ("a", "b", "d")}
        profile = {"schema": 1, "features": {**features, "c": {"categories": {"de": 1}}}}
        names = ["a", "b", "c", "d"]
        one, all_ = (
            instrument(lambda given: [0.5] * len(given), name=name, features=names, profile=profile, registry=registry)
            for name in ("one", "all")
        )
        for row in rows:
            one([row])
        all_(rows)
        first, second = Shown(registry, "one"), Shown(registry, "all")
        for name in ("a", "b", "d"):
            whole = [row[names.index(name)] for row in rows]
            there = sum(1 for value in whole if value not in (None, "n/a") and not math.isnan(float(value)))
            for seen in (first, second):
                assert seen("serinus_feature_count", feature=name) == there
                assert seen("serinus_feature_missing_total", feature=name) == len(rows) - there
            assert first.buckets("serinus_feature", feature=name) == second.buckets("serinus_feature", feature=name)
            sums = [seen("serinus_feature_sum", feature=name) for seen in (first, second)]
            assert sums[0] == pytest.approx(sums[1])
        for category, value in (("de", "de"), ("__other__", "fr")):
            told = [s("serinus_feature_category_total", feature="c", category=category) or 0 for s in (first, second)]
            assert told == [sum(1 for row in rows if row[2] == value)] * 2

    def test_an_edge_belongs_to_the_bucket_below_it(self, registry):
        shown = counted(registry, [0.1] * 20, [[2.0, "de"]] * 20, profile=PROFILE)
        assert shown.buckets("serinus_feature", feature="age") == [0, 0, 20, 0]


class TestOutputs:
    @pytest.mark.parametrize(
        "answer",
        [
            [0.1, 0.5, 0.9],
            (0.1, 0.5, 0.9),
            np.array([0.1, 0.5, 0.9]),
            np.array([[0.1], [0.5], [0.9]]),
            [[0.1], [0.5], [0.9]],
            {"prediction": [0.1, 0.5, 0.9]},
            {"score": np.array([0.1, 0.5, 0.9]), "why": "because"},
            [{"score": 0.1, "why": "x"}, {"score": 0.5, "why": "y"}, {"score": 0.9, "why": "z"}],
            pd.Series([0.1, 0.5, 0.9]),
            pd.DataFrame({"score": [0.1, 0.5, 0.9]}),
        ],
        ids=lambda answer: type(answer).__name__,
    )
    def test_all_shapes_count_the_same(self, registry, answer):
        shown = counted(registry, answer, [[1.0, "de"]] * 3, profile=PROFILE)
        assert shown.buckets("serinus_prediction", output="prediction") == [1, 1, 0, 1]
        assert shown("serinus_predictions_total") == 3
        assert shown.all("serinus_instrument_errors_total", "reason") == {}

    @pytest.mark.parametrize("answer", [["cat", "dog"], np.array(["cat", "dog"]), [{"label": "cat"}, {"label": "dog"}]])
    def test_classes(self, registry, answer):
        shown = counted(registry, answer, [[1.0]] * 2, plausible=["cat", "dog", "cow"])
        assert shown.all("serinus_predicted_class_total", "output", "class") == {
            "prediction/cat": 1,
            "prediction/dog": 1,
        }

    @pytest.mark.parametrize("answers", [(0, 0.3), (0.3, 0), (np.int64(0), 0.3)])
    def test_whole_numbers_are_numbers_whatever_came_first(self, registry, answers):
        model = instrument(lambda rows: rows[0], registry=registry)
        for answer in answers:
            model([answer])
        shown = Shown(registry)
        assert shown.all("serinus_prediction_count", "output") == {"prediction": 2}
        assert shown.all("serinus_predicted_class_total", "class") == {}

    def test_classes_that_the_model_knows_are_classes(self, registry):
        class Fitted:
            classes_ = np.array([0, 1, 2])

            def predict(self, rows):
                return np.array([0, 2, 2])

        instrument(Fitted(), registry=registry).predict([[1.0]] * 3)
        assert Shown(registry).all("serinus_predicted_class_total", "class") == {"0": 1, "2": 2}

    def test_scores_of_a_model_with_two_classes_are_numbers(self, registry):
        class Fitted:
            classes_ = np.array([0, 1])

            def predict_proba(self, rows):
                return np.array([[0.0, 1.0], [0.3, 0.7]])

        instrument(Fitted(), registry=registry).predict_proba([[1.0]] * 2)
        assert Shown(registry).all("serinus_prediction_count", "output") == {"prediction": 2}

    def test_several_outputs(self, registry):
        answer = {"amount": [1.5, 2.5], "currency": ["EUR", "USD"], "explanation": np.ones((2, 7))}
        shown = counted(registry, answer, [[1.0]] * 2, output="currency")
        assert shown.all("serinus_predicted_class_total", "output", "class") == {
            f"prediction/{group('EUR')}": 1, f"prediction/{group('USD')}": 1}  # fmt: skip
        assert shown.all("serinus_prediction_count", "output") == {"amount": 2}

    def test_probabilities_are_the_score_of_two_classes_or_the_likeliest_of_many(self, registry):
        class Two:
            def predict_proba(self, rows):
                return np.array([[0.9, 0.1], [0.3, 0.7]])

        class Three:
            classes_ = np.array(["cat", "dog", "cow"])

            def predict_proba(self, rows):
                return np.array([[0.1, 0.2, 0.7], [math.nan, 0.2, 0.1]])

        instrument(Two(), name="two", registry=registry).predict_proba([[1.0]] * 2)
        instrument(Three(), name="three", registry=registry).predict_proba([[1.0]] * 2)
        assert Shown(registry, "two")("serinus_prediction_sum", output="prediction") == pytest.approx(0.8)
        three = Shown(registry, "three")
        assert three.all("serinus_predicted_class_total", "class") == {"cow": 1}
        assert three("serinus_implausible_predictions_total", reason="not_a_number") == 1

    @pytest.mark.parametrize(
        "answer", [object(), [object()], b"\x00" * 9, {}, [], None, [[1], [2, 3]], np.ones((2, 2, 2))]
    )
    def test_what_cannot_be_read_is_no_fault(self, registry, answer):
        counted(registry, answer, [[1.0]], object(), None, "text", [], {}, np.array([]), np.ones((1, 2, 3)))


class TestImplausible:
    @pytest.mark.parametrize(
        ("plausible", "answer", "reasons"),
        [
            ((0, 1), [0.0, 1.0, 1.1, -0.1], {"out_of_range": 2}),
            ((0, None), [1e9, -1.0], {"out_of_range": 1}),
            ((0, 1), [math.nan, math.inf, None, "many", 0.5], {"not_a_number": 4}),
            (None, [math.nan, 1e300], {"not_a_number": 1}),
            (["cat", "dog"], ["cat", "cow", None], {"unknown_class": 1, "not_a_number": 1}),
            ({0, 1}, [0, 1, 1.0, 2], {"unknown_class": 1}),
            ((0, 1), [(0.5, 7.0), (2.0, math.nan)], {"out_of_range": 1}),
        ],
    )
    def test_table(self, registry, plausible, answer, reasons):
        shown = counted(registry, answer, [[1.0]] * len(answer), plausible=plausible)
        assert shown.all("serinus_implausible_predictions_total", "reason") == reasons
        assert shown("serinus_predictions_total") == len(answer)

    @pytest.mark.parametrize(
        "answer",
        [
            {"prediction": 0.3, "message": None},
            {"prediction": [0.3], "score": [math.nan]},
            {"message": None, "prediction": 0.3},
            [{"prediction": 0.3}, {"prediction": 0.4, "note": "x"}],
            [[0.3, None], [0.4, 7.0]],
            np.array([[0.3, math.nan], [0.4, math.inf]]),
            [np.array([0.3, math.nan]), np.array([0.4, 1.0])],
            pd.DataFrame({"score": [0.3, 0.4], "reserve": [math.nan, 1e9]}),
        ],
        ids=range(8),
    )
    @pytest.mark.parametrize("plausible", [None, (0, 1)])
    def test_what_stands_beside_the_prediction_may_be_absent(self, registry, answer, plausible):
        shown = counted(registry, answer, [[1.0]], plausible=plausible)
        assert shown.all("serinus_implausible_predictions_total", "reason") == {}
        assert shown("serinus_predictions_total") >= 1

    @pytest.mark.parametrize("answer", [{"prediction": None, "message": "x"}, [{"note": "x", "prediction": math.nan}]])
    def test_the_prediction_itself_may_not(self, registry, answer):
        shown = counted(registry, answer, [[1.0]])
        assert shown.all("serinus_implausible_predictions_total", "reason") == {"not_a_number": 1}

    def test_a_class_that_training_did_not_have_is_one_that_cannot_be(self, registry):
        profile = {"schema": 1, "prediction": {"categories": {"cat": 3, "dog": 4}}}
        shown = counted(registry, ["cat", "cow"], [[1.0]] * 2, profile=profile)
        assert shown.all("serinus_implausible_predictions_total", "reason") == {"unknown_class": 1}

    def test_unless_the_profile_left_some_out(self, registry):
        profile = {"schema": 1, "prediction": {"categories": {"cat": 3, "__other__": 4}}}
        shown = counted(registry, ["cat", "cow"], [[1.0]] * 2, profile=profile)
        assert shown.all("serinus_implausible_predictions_total", "reason") == {}

    def test_series_are_there_before_the_first_one(self, registry):
        shown = counted(registry, [0.5], plausible=(0, 1))
        assert shown("serinus_implausible_predictions_total", reason="out_of_range") == 0
        assert shown("serinus_predictions_total") == 0

    @pytest.mark.parametrize("plausible", [(1, 0), (0, 1, 2), ("a", "b"), "cat", [], (0, "x")])
    def test_what_makes_no_sense_is_refused_at_once(self, registry, plausible):
        with pytest.raises(ValueError, match="plausible"):
            counted(registry, [0.5], plausible=plausible)


class TestBounds:
    def bounded(self, registry: CollectorRegistry, make: Callable[[int], Any], answer: Any, **limits: int) -> Shown:
        model = instrument(lambda rows: answer, registry=registry, limits=Limits(**limits))
        for i in range(40):
            model(make(i))
        return Shown(registry)

    def test_declared_categories_have_names_and_all_others_one_together(self, registry):
        model = instrument(lambda rows: rows[0], registry=registry, plausible=["k0", "k1"])
        for i in range(10):
            model([f"k{i}"])
        assert Shown(registry).all("serinus_predicted_class_total", "class") == {"k0": 1, "k1": 1, "__other__": 8}

    def test_too_many_declared_classes_count_in_groups(self, registry):
        model = instrument(lambda rows: rows[0], registry=registry, plausible=[f"k{i}" for i in range(1000)])
        for i in range(1000):
            model([f"k{i}"])
        found = Shown(registry).all("serinus_predicted_class_total", "class")
        assert (len(found), sum(found.values())) == (Limits().groups, 1000)

    @pytest.mark.parametrize("groups", [0, 101])
    def test_bounds_that_make_no_sense_are_refused(self, groups):
        with pytest.raises(ValueError, match="groups"):
            Limits(groups=groups)

    def test_features_by_name(self, registry, caplog):
        shown = self.bounded(registry, lambda i: {f"n{i}": 1.0}, [0.5], features=10)
        assert len(shown.all("serinus_feature_count", "feature")) == 10
        assert shown("serinus_instrument_errors_total", reason="bound") == 30
        assert len(caplog.records) == 1

    def test_features_by_position(self, registry):
        shown = self.bounded(registry, lambda i: np.ones((1, 500 + i)), [0.5], features=10)
        assert sorted(shown.all("serinus_feature_count", "feature")) == sorted(f"f{i}" for i in range(10))

    def test_outputs(self, registry):
        shown = self.bounded(registry, lambda i: [[1.0]], {f"o{i}": [0.5] for i in range(30)}, outputs=4)
        assert len(shown.all("serinus_prediction_count", "output")) == 4

    def test_names_that_no_exposition_could_hold(self, registry):
        shown = self.bounded(registry, lambda i: {f"a\ud800{'b' * 1000}": f"x\udfff{'y' * 1000}"}, [0.5])
        assert shown.all("serinus_feature_category_total", "feature", "category") == {
            f"a?{'b' * 251}/{group('x?' + 'y' * 126)}": 40
        }


class TestAlike:
    """Two pods that saw the same values show the same, in whatever order they came."""

    CITIES = tuple(f"city{i}" for i in range(300))
    DECLARED: ClassVar[tuple[dict[str, Any], ...]] = (
        {},
        {"profile": {"schema": 1, "prediction": {"categories": {"city1": 1}},
                     "features": {"city": {"categories": {"city7": 2, "city8": 3}}}}},
        {"plausible": ["city5", "city6"]},
    )  # fmt: skip

    @given(st.lists(st.sampled_from(CITIES), min_size=2, max_size=150), st.randoms(), st.sampled_from(DECLARED))
    @settings(max_examples=30, deadline=None)
    def test_the_order_of_values_is_no_matter(self, cities, random, declared):
        other = list(cities)
        random.shuffle(other)
        found = []
        for each in (cities, other):
            registry = CollectorRegistry()
            model = instrument(lambda rows: rows["city"], registry=registry, **declared)
            for city in each:
                model({"city": city})
            found.append(shown(registry))
        assert found[0] == found[1]


class TestWhatLeavesTheServer:
    SECRET = tuple(f"user{i}@bank.example" for i in range(100))

    @pytest.mark.parametrize(
        "declared",
        [
            {},
            {"profile": PROFILE},
            {"profile": {"schema": 1, "features": {"email": {"categories": {"x": 1}}}}},
            {"exclude": ["email"]},
        ],
        ids=range(4),
    )
    def test_no_value_of_a_request_or_an_answer_becomes_a_label(self, registry, declared):
        model = instrument(lambda rows: rows["email"], registry=registry, **declared)
        for each in self.SECRET:
            model({"age": 1.0, "email": each})
        text = generate_latest(registry).decode()
        assert "bank.example" not in text
        assert "serinus_feature_bucket" in text or declared.get("profile")

    def test_what_is_not_in_the_profile_is_not_counted(self, registry):
        shown = counted(
            registry, [0.5], {"age": 1.0, "country": "de", "email": "a@b.example", "night": True}, profile=PROFILE
        )
        assert shown.all("serinus_feature_count", "feature") == {"age": 1}
        assert shown.all("serinus_feature_category_total", "feature") == {"country": 1}

    @pytest.mark.parametrize("profile", [None, PROFILE])
    def test_what_is_left_out_is_not_counted(self, registry, profile):
        shown = counted(registry, [0.5], {"age": 1.0, "country": "de"}, profile=profile, exclude=["country"])
        assert "country" not in set(shown.all("serinus_feature_category_total", "feature"))
        assert shown("serinus_feature_missing_total", feature="country") is None
        assert shown("serinus_feature_count", feature="age") == 1

    def test_a_profile_of_other_features_is_told(self, registry, caplog):
        shown = counted(registry, [0.5], {"height": 1.0}, profile=PROFILE)
        assert shown("serinus_instrument_errors_total", reason="input") == 1
        assert "none of the features height is in the training profile" in caplog.text

    def test_a_single_name_is_no_list(self, registry):
        with pytest.raises(ValueError, match="give a list"):
            counted(registry, [0.5], exclude="email")
