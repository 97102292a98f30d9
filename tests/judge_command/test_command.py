"""The command as people run it: files, standard input, exit status, and the example in the documentation."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from judge_command.lines import jsonl, run, tick
from serinus.__main__ import main

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "judge" / "three-rollouts.jsonl"
RUNNER = CliRunner()


def test_a_file_and_standard_input_give_the_same_bytes_every_time() -> None:
    text = EXAMPLE.read_bytes()
    answers = [
        RUNNER.invoke(main, ["judge", str(EXAMPLE)]),
        RUNNER.invoke(main, ["judge"], input=text),
        RUNNER.invoke(main, ["judge", "-"], input=text),
    ]
    assert [each.exit_code for each in answers] == [0, 0, 0]
    assert len({each.stdout_bytes for each in answers}) == 1


def test_the_example_tells_a_good_a_failing_and_a_slow_canary_apart() -> None:
    out = [json.loads(line) for line in RUNNER.invoke(main, ["judge", str(EXAMPLE)]).stdout.splitlines()]
    last = {each["run"]: each for each in out}
    failing = {name: [s for s, of in each["signals"].items() if of["verdict"] == "FAIL"] for name, each in last.items()}
    assert failing == {"good": [], "bad": ["errors"], "slow": ["slow"]}
    assert [each["rollback"] for each in last.values()] == [False, True, True]
    assert {each["run"] for each in out if each["promote"]} == {"good"}
    assert "took longer than" in last["slow"]["signals"]["slow"]["because"]


def test_a_malformed_line_ends_it_after_everything_before_was_written(tmp_path: Path) -> None:
    file = tmp_path / "recorded.jsonl"
    file.write_text(jsonl(run(), tick(1)) + "\n" + jsonl(tick(2, errors=[40, 41]), tick(3)))
    answer = RUNNER.invoke(main, ["judge", str(file)])
    assert answer.exit_code == 2
    assert answer.stderr == (f"{file}: line 4: errors.canary.c1: has more bad requests than requests: 41 of 40\n")
    assert [json.loads(line)["tick"] for line in answer.stdout.splitlines()] == [1]


def test_a_file_that_is_not_there_is_status_2(tmp_path: Path) -> None:
    assert RUNNER.invoke(main, ["judge", str(tmp_path / "nothing")]).exit_code == 2


def test_nothing_in_is_nothing_out() -> None:
    answer = RUNNER.invoke(main, ["judge"], input=b"\n \n")
    assert (answer.exit_code, answer.stdout) == (0, "")


@pytest.mark.parametrize("word", ["maxTicks", "before", "worse", "slo", "reference", "categories"])
def test_the_page_tells_of_each_field(word: str) -> None:
    assert f"`{word}`" in (ROOT / "docs" / "judge.md").read_text()
