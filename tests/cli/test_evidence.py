"""Bars and words of the evidence."""

import pytest

from cli.worlds import report, signal
from serinus.cli.evidence import BAR_WIDTH, BEYOND, FULL, make_bar, make_evidence, say_counts, say_more


@pytest.mark.parametrize(
    ("value", "bound", "filled", "is_beyond"),
    [
        pytest.param(0.0, 20, 0, False, id="nothing known"),
        pytest.param(1.0, 20, 0, False, id="no evidence"),
        pytest.param(20**0.5, 20, BAR_WIDTH // 2, False, id="half way on the logarithmic scale"),
        pytest.param(19.99, 20, BAR_WIDTH - 1, False, id="just below the bound is not full"),
        pytest.param(20.0, 20, BAR_WIDTH - 1, True, id="at the bound"),
        pytest.param(1e300, 20, BAR_WIDTH - 1, True, id="far beyond"),
        pytest.param(float("inf"), 20, BAR_WIDTH - 1, True, id="infinite"),
        pytest.param(0.5, 1.0, 0, False, id="a bound of one"),
    ],
)
def test_bars(value: float, bound: float, filled: int, is_beyond: bool) -> None:
    bar = make_bar(value, bound, "red").plain
    assert (bar.count(FULL), BEYOND in bar, len(bar)) == (filled, is_beyond, BAR_WIDTH)


def test_weights_share_the_bound_and_an_observer_has_it_alone() -> None:
    signals = [signal(name="errors"), signal(name="slow"), signal(name="age", action="Observe")]
    plan = {"signals": [{"name": "errors", "weight": 3}, {"name": "slow"}]}
    first, second, last = make_evidence(report(*signals)["status"]["assessment"], plan)
    assert "0.6 of 27" in first.plain
    assert "0.6 of 80" in second.plain
    assert "0.6 of 20" in last.plain


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, []),
        ({"dispersion": 1.0, "moreRequests": 0.0}, []),
        ({"dispersion": 2.31}, ["stable scatters 2.31 times as much as chance: evidence counts less"]),
        ({"moreRequests": 12345.6}, ["the proof needs about 12,346 more canary requests, if it is no worse"]),
        (
            {"canaryFromReference": 0.31, "stableFromReference": -0.002},
            ["from the training reference (PSI): canary 0.31, stable 0"],
        ),
    ],
)
def test_what_else_is_known(values: dict[str, object], told: list[str]) -> None:
    assert say_more(signal(**values)) == told


def test_a_share_of_traffic_that_is_off_is_said() -> None:
    assessment = report(signal())["status"]["assessment"]
    traffic = {"expected": 0.25, "observed": 0.051, "evidence": 30.0, "off": True}
    *_, last = make_evidence(assessment | {"traffic": traffic}, {})
    assert last.plain.startswith("traffic: the canary got 5.1 % of this step's requests, its pods should give 25.0")
    assert len(make_evidence(assessment | {"traffic": traffic | {"off": False}}, {})) == 1


def test_the_bound_of_harm_is_shared_by_the_signals_of_one_action() -> None:
    signals = [signal(name="errors"), signal(name="slow"), signal(name="age", action="Hold")]
    first, _, last = make_evidence(report(*signals)["status"]["assessment"], {})
    assert "0.6 of 40" in first.plain
    assert "0.6 of 20" in last.plain


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "failed: canary 1 of 402 (0.2 %), stable 3 of 1,204 (0.2 %)"),
        ({"kind": "Latency"}, "slow: canary 1 of 402 (0.2 %), stable 3 of 1,204 (0.2 %)"),
        ({"canaryTotal": 0, "canaryBad": 0}, "failed: canary 0 of 0, stable 3 of 1,204 (0.2 %)"),
        ({"name": "gpu", "kind": "Query", "value": 71.23}, "value 71 (max 85)"),
        ({"name": "gpu", "kind": "Query", "value": None}, "value unknown (max 85)"),
        ({"kind": "Accuracy"}, "wrong: canary 1 of 402 (0.2 %), stable 3 of 1,204 (0.2 %)"),
        ({"kind": "PredictionDrift"}, "PSI of canary and stable unknown"),
        (
            {"kind": "PredictionDrift", "effect": -0.012, "effectStandardError": 0.02},
            "PSI of canary and stable -0.01 ± 0.02",
        ),
        (
            {"name": "size", "kind": "Comparison", "effect": 0.25},
            "canary against stable 25 % (margin 10 %)",
        ),
    ],
)
def test_counts_in_words(values: dict[str, object], sentence: str) -> None:
    assert say_counts(signal(**values), report()["spec"]) == sentence
