"""The preset of serinus-instrument counts what the real package exports."""

import math
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from serinus.signals.presets import preset
from serinus_instrument import instrument, recorder_behind
from support.expositions import counted, read_text

RECORDED = Path(__file__).parents[1] / "data" / "expositions" / "instrument" / "0.1.0.txt"
STABLE, CANARY = "zzxxwwvvtt", "bcdfghjklm"
PROFILE = {
    "schema": 1,
    "prediction": {"edges": [0.25, 0.5, 0.75], "counts": [1, 1, 1, 1]},
    "features": {"age": {"edges": [20.0, 40.0], "counts": [1, 1, 1]}, "country": {"categories": {"de": 5, "fr": 1}}},
}
CLASSES = {"schema": 1, "prediction": {"categories": {"cat": 1, "dog": 1}}, "features": PROFILE["features"]}
ROWS = [{"age": 18.0, "country": "de"}, {"age": 30.0, "country": "fr"}, {"age": 70.0, "country": "de"}]


def exported(answers: list[float] | list[str], profile: dict, plausible: object) -> str:
    """Let two models predict in one process, and labels arrive for predictions of two revisions."""
    registry = CollectorRegistry()
    for name, times in (("iris", 1), ("other", 2)):
        model = instrument(lambda rows: answers, name=name, profile=profile, plausible=plausible, registry=registry)
        for _ in range(times):
            model(ROWS)
        for revision, truths in ((CANARY, (1, 1, 0)), (STABLE, (1, 0, 0, 0))):
            for truth in truths:
                recorder_behind(model).outcome(1, truth, revision)
    return generate_latest(registry).decode()


CASES = {
    "numbers": (
        [0.1, 0.6, math.nan],
        PROFILE,
        (0.0, 0.5),
        {
            "implausible": [3, 2],
            "accuracy": [3, 1],
            "predictions": [[1, 0, 1, 0], {}],
            "features": [[1, 1, 1], {}],
            "training_predictions": [[1, 1, 1, 1], {}],
            "training_features": [[1, 1, 1], {}],
        },
    ),
    "classes": (
        ["cat", "cat", "cow"],
        CLASSES,
        ["cat", "dog"],
        {
            "implausible": [3, 1],
            "accuracy": [3, 1],
            "predictions": [[], {"cat": 2, "dog": 0, "__other__": 1}],
            "features": [[1, 1, 1], {}],
            "training_predictions": [[], {"cat": 1, "dog": 1, "__other__": 0}],
            "training_features": [[1, 1, 1], {}],
        },
    ),
}


def test_the_recorded_exposition_is_what_the_package_exports() -> None:
    answers, profile, plausible, _ = CASES["numbers"]
    held = RECORDED.read_text()
    shown = exported(answers, profile, plausible)
    assert held == "".join(line for line in shown.splitlines(True) if not line.startswith("#"))


@pytest.mark.parametrize("case", CASES)
def test_the_preset_counts_what_was_predicted(case: str) -> None:
    answers, profile, plausible, expected = CASES[case]
    about = {"other": {"$revision": CANARY, "$feature": "age"}}
    shown = read_text("instrument", case, exported(answers, profile, plausible), about)
    assert counted(shown.bind(preset("instrument")), shown) == expected
    about = {"other": {"$revision": STABLE, "$feature": "country"}}
    shown = read_text("instrument", case, exported(answers, profile, plausible), about)
    found = counted(shown.bind(preset("instrument")), shown)
    assert found["accuracy"] == [4, 3]
    assert found["features"] == [[], {"de": 2, "fr": 1, "__other__": 0}]
    assert found["training_features"] == [[], {"de": 5, "fr": 1, "__other__": 0}]
