"""The format, line by line: what is read, what is written, what is refused."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from judge_command.lines import jsonl, run, tick
from serinus.judge_command.stream import BadLine, answers

HISTOGRAM = {"edges": [0.1, 0.5], "canary": {"c": [5, 3, 1]}, "stable": {"s": [50, 30, 10]}}
CATEGORIES = {"categories": ["cat", "dog"], "canary": {"c": [5, 3]}, "stable": {"s": [50, 30]}}
LATENCY = {"name": "slow", "kind": "Latency"}
DRIFT = {"name": "score", "kind": "PredictionDrift"}
QUERY = {"name": "gpu", "kind": "Query", "max": 90}
COMPARISON = {"name": "cost", "kind": "Comparison"}
FIELDS = ["run", "tick", "verdict", "evidence", "threshold", "rollback", "promote", "signals"]
SIGNAL_FIELDS = ["verdict", "evidence", "safety", "effect", "effectStandardError", "dispersion", "because"]


def judged(*lines: dict[str, Any] | str) -> list[dict[str, Any]]:
    text = "".join(line + "\n" if isinstance(line, str) else jsonl(line) for line in lines)
    return [json.loads(answer) for answer in answers(text.encode().splitlines(keepends=True))]


def refusal(*lines: dict[str, Any] | str) -> str:
    with pytest.raises(BadLine) as bad:
        judged(*lines)
    return str(bad.value)


def test_every_answer_has_the_same_fields_in_the_same_order() -> None:
    (said,) = judged(run(LATENCY, DRIFT, QUERY, COMPARISON), {"tick": 1, "step": 0})
    assert list(said) == FIELDS
    assert list(said["signals"]) == ["slow", "score", "gpu", "cost"]
    assert all(list(each) == SIGNAL_FIELDS for each in said["signals"].values())
    assert (said["verdict"], said["threshold"], said["rollback"], said["promote"]) == ("NO_DATA", 20.0, False, False)
    assert {each["verdict"] for each in said["signals"].values()} == {"NO_DATA"}


def test_one_answer_is_written_before_the_next_line_is_read() -> None:
    read = []

    def lines() -> Iterator[bytes]:
        for number, line in enumerate((run(), tick(1), tick(2)), 1):
            read.append(number)
            yield jsonl(line).encode()

    answering = answers(lines())
    assert json.loads(next(answering))["tick"] == 1
    assert read == [1, 2]


def test_runs_do_not_know_each_other() -> None:
    bad = [tick(number, errors=[40, 12]) for number in (1, 2, 3)]
    out = judged(run(), *bad, run(run="other"), *bad, run(run=7), tick(1))
    assert [each["run"] for each in out] == ["r"] * 3 + ["other"] * 3 + [7]
    assert [each["rollback"] for each in out] == [False, True, True] * 2 + [False]
    assert [dict(each, run="") for each in out[:3]] == [dict(each, run="") for each in out[3:6]]


def test_a_run_without_a_name_is_called_by_its_number() -> None:
    nameless = run()
    del nameless["run"]
    assert [each["run"] for each in judged(nameless, tick(1), nameless, tick(1))] == ["1", "2"]


def test_a_rollback_stays_and_nothing_is_promoted_after_it() -> None:
    out = judged(run(), *(tick(n, errors=[40, 12]) for n in (1, 2)), *(tick(n, errors=[4000, 0]) for n in range(3, 20)))
    assert all(each["rollback"] and not each["promote"] and each["verdict"] == "FAIL" for each in out[1:])


def test_a_proof_promotes_and_the_next_step_needs_its_own() -> None:
    out = judged(run(steps=[5, 50]), *(tick(n, errors=[60, 0]) for n in range(1, 8)), tick(8, 1, errors=[60, 0]))
    assert [each["promote"] for each in out][-3:] == [True, True, False]
    assert [each["verdict"] for each in out][-3:] == ["PASS", "PASS", "INCONCLUSIVE"]


@pytest.mark.parametrize(
    "silent",
    [
        {"tick": 3, "step": 0},
        {"tick": 3, "step": 0, "errors": None},
        {"tick": 3, "step": 0, "errors": {"canary": {}, "stable": {"s1": [5, 0]}}},
        {"tick": 3, "step": 0, "errors": {"canary": {"c1": [5, 0]}, "stable": {}}},
        {"tick": 3, "step": 0, "errors": {"canary": {"c1": [0, 0]}, "stable": {"s1": [5, 0]}}},
    ],
)
def test_a_tick_without_a_comparison_repeats_the_numbers(silent: dict[str, Any]) -> None:
    two, three = judged(run(), tick(1), tick(2, errors=[40, 3]), silent)[1:]
    numbers = ("evidence", "safety", "effect", "effectStandardError", "dispersion")
    assert three["evidence"] == two["evidence"]
    assert [three["signals"]["errors"][name] for name in numbers] == [
        two["signals"]["errors"][name] for name in numbers
    ]
    assert three["promote"] is False
    verdict = "INCONCLUSIVE" if silent.get("errors") else "NO_DATA"
    assert (three["verdict"], three["signals"]["errors"]["verdict"]) == (verdict, verdict)


def test_the_weight_after_the_last_step_is_all() -> None:
    first = []
    for steps, step in (([50, 60], 0), ([50], 0), ([5, 50], 1), ([50, 100], 0)):
        out = judged(run(steps=steps), *(tick(number, step, errors=[60, 0]) for number in range(1, 30)))
        first.append(next(each["tick"] for each in out if each["promote"]))
    assert first[0] < first[1]
    assert len(set(first[1:])) == 1


def test_history_is_learnt_from_and_its_canary_is_not_looked_at() -> None:
    past = {"errors": {"stable": {"s1": [4000, 40]}}}
    with_canary = {"tick": "x", "step": -1, "errors": {"canary": "ignored", "stable": {"s1": [4000, 40]}}}
    (bare,), (known,), (also,) = (
        judged(run(**fields), tick(1)) for fields in ({}, {"before": [past]}, {"before": [with_canary]})
    )
    assert known == also
    # Without a past the first tick bets nothing.
    assert (bare["signals"]["errors"]["safety"], known["signals"]["errors"]["safety"] != 1.0) == (1.0, True)


def test_settings_reach_the_judge() -> None:
    bad = [tick(number, errors=[40, 12]) for number in (1, 2, 3)]
    first = {
        name: next((each["tick"] for each in judged(run(**fields), *bad) if each["rollback"]), None)
        for name, fields in {
            "default": {},
            "one tick": {"confirmTicks": 1},
            "three": {"confirmTicks": 3},
            "observe": {"signals": [{"name": "errors", "kind": "Errors", "action": "Observe"}]},
            "margin": {"signals": [{"name": "errors", "kind": "Errors", "margin": 0.5}]},
        }.items()
    }
    assert first == {"default": 2, "one tick": 1, "three": 3, "observe": None, "margin": None}
    assert judged(run(falseRollbackRate=0.01), tick(1))[0]["threshold"] == 100.0


def test_a_gap_is_longer_time_at_the_same_count() -> None:
    near, far = (judged(run(), tick(1), tick(number))[-1] for number in (2, 50))
    assert dict(near, tick=0) == dict(far, tick=0)


MANY = {"tick": 2, "step": 0, "errors": {"canary": {}, "stable": {"a": [10**12, 0], "b": [1, 0]}}}


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("[1]", ""),
        ("{", ""),
        ("nonsense", ""),
        ('{"tick": NaN}', ""),
        ('{"tick": 2, "tick": 3}', "tick"),
        ("[" * 100_000, ""),
        ('{"tick": 2, "step": 0, "errors": {"canary": {"\\ud800": [1, 0]}, "stable": {}}}', ""),
        ({"step": 0}, "tick"),
        ({"tick": 2}, "step"),
        ({"tick": 1, "step": 0}, "tick"),
        ({"tick": 0, "step": 0}, "tick"),
        ({"tick": -1, "step": 0}, "tick"),
        ({"tick": 2.0, "step": 0}, "tick"),
        ({"tick": True, "step": 0}, "tick"),
        ({"tick": 10**12, "step": 0}, "tick"),
        ({"tick": 2, "step": 4}, "step"),
        ({"tick": 2, "step": -1}, "step"),
        (tick(2, latency={}), "latency"),
        (tick(2, errors=[40]), "errors.canary.c1"),
        (tick(2, errors=[40, 1, 1]), "errors.canary.c1"),
        (tick(2, errors=[40, -1]), "errors.canary.c1[1]"),
        (tick(2, errors=[40, 1.0]), "errors.canary.c1[1]"),
        (tick(2, errors=[40, True]), "errors.canary.c1[1]"),
        (tick(2, errors=[10**30, 1]), "errors.canary.c1[0]"),
        (tick(2, errors=[10**12 + 1, 1]), "errors.canary.c1[0]"),
        (MANY, "errors.stable"),
        ({"tick": 2, "step": 0, "errors": {"canary": {}}}, "errors.stable"),
        ({"tick": 2, "step": 0, "errors": {"canary": {}, "stable": {"s": None}}}, "errors.stable.s"),
        ({"tick": 2, "step": 0, "errors": {"canary": [], "stable": {}}}, "errors.canary"),
        ({"tick": 2, "step": 0, "errors": 7}, "errors"),
        ({"tick": 2, "step": 0, "errors": {"canary": {}, "stable": {}, "edges": [1]}}, "errors.edges"),
        ({"tick": 2, "step": 0, "slow": HISTOGRAM | {"edges": [0.1]}}, "slow.canary.c"),
        ({"tick": 2, "step": 0, "slow": HISTOGRAM | {"edges": [0.5, 0.1]}}, "slow.edges[1]"),
        ({"tick": 2, "step": 0, "slow": HISTOGRAM | {"edges": []}}, "slow.edges"),
        ({"tick": 2, "step": 0, "slow": HISTOGRAM | {"reference": [1, 2, 3]}}, "slow.reference"),
        ({"tick": 2, "step": 0, "slow": CATEGORIES}, "slow.categories"),
        ({"tick": 2, "step": 0, "score": HISTOGRAM | {"reference": [1, 2]}}, "score.reference"),
        ({"tick": 2, "step": 0, "score": HISTOGRAM | CATEGORIES}, "score.categories"),
        ({"tick": 2, "step": 0, "score": CATEGORIES | {"categories": ["a", "a"]}}, "score.categories"),
        ({"tick": 2, "step": 0, "score": CATEGORIES | {"categories": ["a", 1]}}, "score.categories[1]"),
        ({"tick": 2, "step": 0, "score": {"canary": {}, "stable": {}}}, "score.edges"),
        ({"tick": 2, "step": 0, "gpu": {"value": "83"}}, "gpu.value"),
        ({"tick": 2, "step": 0, "gpu": {}}, "gpu.value"),
        ({"tick": 2, "step": 0, "cost": {"canary": 1.0}}, "cost.stable"),
    ],
)
def test_a_malformed_tick_is_refused_by_line_and_field(line: dict[str, Any] | str, field: str) -> None:
    kinds = ({"name": "errors", "kind": "Errors"}, LATENCY, DRIFT, QUERY, COMPARISON)
    said = refusal(run(*kinds), "", {"tick": 1, "step": 0}, line)
    assert said.startswith(f"line 4: {field}: " if field else "line 4: this is no JSON object") or (
        not field and said.startswith("line 4: has to be a JSON object")
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"alpha": 0.05}, "alpha"),
        ({"signals": []}, "signals"),
        ({"signals": None}, "signals"),
        ({"signals": [{"name": "errors"}]}, "signals[0].kind"),
        ({"signals": [{"kind": "Errors"}]}, "signals[0].name"),
        ({"signals": [{"name": "tick", "kind": "Errors"}]}, "signals[0].name"),
        ({"signals": [{"name": "a", "kind": "Errors"}] * 2}, "signals[1].name"),
        ({"signals": [{"name": "a", "kind": "Mistakes"}]}, "signals[0].kind"),
        ({"signals": [{"name": "a", "kind": "Errors", "action": "Panic"}]}, "signals[0].action"),
        ({"signals": [{"name": "a", "kind": "Errors", "colour": 1}]}, "signals[0].colour"),
        ({"signals": [{"name": "a", "kind": "Errors", "bound": 1}]}, "signals[0].bound"),
        ({"signals": [{"name": "a", "kind": "Errors", "margin": 0.02, "unacceptable": 0.01}]}, "signals[0].margin"),
        ({"signals": [{"name": "a", "kind": "Errors", "margin": -0.1}]}, "signals[0].margin"),
        ({"signals": [{"name": "a", "kind": "Errors", "margin": 0}]}, "signals[0].unacceptable"),
        ({"signals": [{"name": "a", "kind": "Errors", "slo": 1}]}, "signals[0].slo"),
        ({"signals": [{"name": "a", "kind": "Errors", "weight": 0}]}, "signals[0].weight"),
        ({"signals": [{"name": "a", "kind": "Latency", "slo": 0.1}]}, "signals[0].slo"),
        ({"signals": [{"name": "a", "kind": "Latency", "bound": 0}]}, "signals[0].bound"),
        ({"signals": [{"name": "a", "kind": "PredictionDrift", "unacceptable": 0.2}]}, "signals[0].unacceptable"),
        ({"signals": [{"name": "a", "kind": "Query"}]}, "signals[0].min"),
        ({"signals": [{"name": "a", "kind": "Query", "min": 2, "max": 1}]}, "signals[0].min"),
        ({"signals": [{"name": "a", "kind": "Query", "max": 1, "margin": 0.1}]}, "signals[0].margin"),
        ({"signals": [{"name": "a", "kind": "Comparison", "worse": "Sideways"}]}, "signals[0].worse"),
        ({"run": True}, "run"),
        ({"interval": 0}, "interval"),
        ({"interval": "30s"}, "interval"),
        ({"maxTicks": 0}, "maxTicks"),
        ({"confirmTicks": 0}, "confirmTicks"),
        ({"falseRollbackRate": 0}, "falseRollbackRate"),
        ({"falseRollbackRate": 5e-324}, "falseRollbackRate"),
        ({"falseRollbackRate": 9e-10}, "falseRollbackRate"),
        ({"falsePromotionRate": 1e-12}, "falsePromotionRate"),
        ({"falsePromotionRate": 1}, "falsePromotionRate"),
        ({"steps": []}, "steps"),
        ({"steps": [0]}, "steps[0]"),
        ({"steps": [50, 101]}, "steps[1]"),
        ({"strict": 1}, "strict"),
        ({"before": {}}, "before"),
        ({"before": [{"errors": {"stable": {"s": [1, 2]}}}]}, "before[0].errors.stable.s"),
        ({"before": [{"slow": {}}]}, "before[0].slow"),
    ],
)
def test_a_malformed_run_is_refused_by_field(fields: dict[str, Any], field: str) -> None:
    assert refusal(run(), tick(1), run(**fields)).startswith(f"line 3: {field}: ")


def test_a_tick_before_any_run_is_refused() -> None:
    assert refusal(tick(1)).startswith("line 1: signals: is missing: a run begins")


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(BadLine, match="line 1: this is no JSON object"):
        list(answers([b'{"run": "\xff"}']))


def test_a_bound_that_is_no_edge_cannot_be_judged() -> None:
    said = judged(run(LATENCY | {"bound": 0.3}), {"tick": 1, "step": 0, "slow": HISTOGRAM})[0]["signals"]["slow"]
    assert said["verdict"] == "INCONCLUSIVE"
    assert said["because"] == "slow: the bound 300 ms is no edge of the histogram; take one of 100 ms, 500 ms"
