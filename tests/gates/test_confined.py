"""Users' JSONPaths and schemas run in a process of their own, and cannot hold up the operator."""

from dataclasses import asdict

import pytest

from serinus.errors import BrokenInvariant
from serinus.gates import confined
from serinus.gates.checks import NOT_JSON
from serinus.gates.distance import Distance
from serinus.rollout.smoke import Expect, JsonCheck


def test_checks_and_distances_come_back_from_the_process() -> None:
    good = Expect(json_path=(JsonCheck(path="$.x", equals="1"),), json_schema='{"type": "object"}')
    assert confined.check_json([('{"x": 1}', good), ('{"x": 2}', good)]) == (1, "$.x is 2, expected 1")
    assert confined.check_json([('{"x": 1}', good)] * 2) is None
    assert [each.largest for each in confined.measure([("[1]", "[2]"), ("[NaN]", "[1]")], ())] == [1.0, float("inf")]
    assert confined.measure([('{"p": 1}', '{"p": 4}')], ("$.p",)) == (Distance(largest=3.0, total=3.0, numbers=1),)


def test_what_cannot_be_checked_is_wrong() -> None:
    outside = Expect(json_schema='{"$ref": "http://127.0.0.1:9/schema.json"}')
    found = confined.check_json([("{}", outside)])
    assert found is not None
    assert "cannot be checked" in found[1]


def test_a_pattern_that_takes_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "CPU_SECONDS", 1)
    endless = Expect(json_schema='{"pattern": "^(a+)+$"}')
    answers = ['"aa"', '"a"', f'"{"a" * 60}!"', '"a"']
    assert confined.check_json([(each, endless) for each in answers]) == (2, confined.TOO_COSTLY)


def test_a_comparison_that_takes_for_ever_is_ended_at_its_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "CPU_SECONDS", 1)
    deep = "[" * 80 + "1" + "]" * 80
    pairs = [("[[1]]", "[[2]]"), (deep, deep), ("[1]", "[1]")]
    first, second = confined.measure(pairs, ("$[0][0]", "$..*..*..*..*..*..*"))
    assert first == Distance(largest=1.0, total=1.0, numbers=1)
    assert confined.TOO_COSTLY in second.shapes


def test_the_process_knows_none_of_the_operators_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERINUS_PROMETHEUS_URL", "http://user:secret@prometheus")
    seen = {}
    run = confined.subprocess.run

    def spy(*args: object, **options: object) -> object:
        seen.update(options)
        return run(*args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(confined.subprocess, "run", spy)
    confined.check_json([("{}", Expect(json_schema="{}"))])
    assert "SERINUS_PROMETHEUS_URL" not in seen["env"]  # type: ignore[operator]


def test_too_much_memory_is_told_and_a_bug_of_ours_is_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Expect(json_path=(JsonCheck(path="$[*]"),))
    monkeypatch.setattr(confined, "MEMORY_BYTES", 80 * 1024 * 1024)
    assert confined.check_json([("[" + "1," * 400_000 + "1]", looks)]) == (0, confined.TOO_COSTLY)
    monkeypatch.undo()
    with pytest.raises(BrokenInvariant, match="KeyError"):
        confined._run({"nothing": "that is known"})


@pytest.mark.parametrize("depth", [900, 970, 985, 100_000])
def test_nesting_breaks_nothing(depth: int) -> None:
    deep = "[" * depth + "1" + "]" * depth
    task = {"distance": [[deep, deep]], "outputs": []}
    assert [each["largest"] for each in confined._answers(task)] == [0.0]
    check = {"check": [[deep, {**asdict(Expect()), "json_schema": "{}"}]]}
    assert list(confined._answers(check)) in ([""], [NOT_JSON])
