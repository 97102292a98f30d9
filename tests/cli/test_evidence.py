"""Bars and words of the evidence."""

import pytest

from cli.worlds import report, signal
from serinus.cli.evidence import BAR_WIDTH, BEYOND, FULL, make_bar, make_evidence, say_counts


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
    ],
)
def test_counts_in_words(values: dict[str, object], sentence: str) -> None:
    assert say_counts(signal(**values), report()["spec"]) == sentence
