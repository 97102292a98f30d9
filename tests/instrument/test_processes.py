"""Several processes of one server: their counts are added, none is lost, none counts twice."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from instrument.reading import Shown

SOURCE = Path(__file__).parents[2] / "instrument"
PROGRAM = """
import os, signal, sys
from prometheus_client import REGISTRY, generate_latest
from serinus_instrument import flush, instrument, recorder_behind

profile = {"schema": 1, "features": {"x": {"edges": [-1.0, 1.0], "counts": [1, 1, 1]}}}
model = instrument(lambda rows: ["cat"] * len(rows), profile=profile, plausible=["cat"])
model([[0.5]])
if sys.argv[1] == "again":
    for classes in (["cat"], ["cat", "dog"]):  # the second declares it anew, so that it begins again
        model = instrument(lambda rows: ["cat"] * len(rows), profile=profile, plausible=classes)
        model([[0.5]])
        flush()
if sys.argv[1] == "newer":
    flush()
    newer = {"schema": 1, "features": {"x": {"edges": [-1.0, 1.0], "counts": [0, 1, 0]}}}
    model = instrument(lambda rows: ["cat"] * len(rows), profile=newer, plausible=["cat"])
    flush()
if sys.argv[1] == "locked":
    with recorder_behind(model)._lock:  # as if another thread counted just now
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            model([[5.0]])
            flush()
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
if sys.argv[1] == "fork":
    flush()
    child = os.fork()
    for _ in range(3 if child == 0 else 1):
        model([[5.0]])
    if child == 0:
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
if sys.argv[1] == "thread":
    sys.stdin.read()  # the parent looks into the files meanwhile
    os._exit(0)  # what is not written by now is lost
assert b"serinus" not in generate_latest(REGISTRY)
"""


def process(folder: Path, how: str) -> "subprocess.Popen[str]":
    environment = {"PYTHONPATH": str(SOURCE), "PROMETHEUS_MULTIPROC_DIR": str(folder), "SERINUS_MODEL": "m"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how], env=environment, text=True, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )


def collected(folder: Path) -> Shown:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))
    return Shown(registry, "m")


def test_processes_are_added(tmp_path):
    for each in [process(tmp_path, "alone") for _ in range(2)]:
        _, told = each.communicate(timeout=60)
        assert each.returncode == 0, told
    shown = collected(tmp_path)
    assert shown("serinus_predictions_total") == 2
    assert shown.buckets("serinus_feature", feature="x") == [0, 2, 0]
    assert shown("serinus_feature_count", feature="x") == 2
    assert shown("serinus_feature_sum", feature="x") == 1.0
    assert shown.all("serinus_predicted_class_total", "class") == {"cat": 2}
    assert shown("serinus_implausible_predictions_total", reason="out_of_range") == 0


def test_what_begins_again_goes_on_in_the_files(tmp_path):
    begun = process(tmp_path, "again")
    _, told = begun.communicate(timeout=60)
    assert begun.returncode == 0, told
    shown = collected(tmp_path)
    assert shown("serinus_predictions_total") == 2 + 1
    assert shown.buckets("serinus_feature", feature="x") == [0, 3, 0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_counts_only_its_own(tmp_path):
    parent = process(tmp_path, "fork")
    _, told = parent.communicate(timeout=60)
    assert parent.returncode == 0, told
    shown = collected(tmp_path)
    assert shown("serinus_predictions_total") == 1 + 1 + 3
    assert shown.buckets("serinus_feature", feature="x") == [0, 1, 4]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_does_not_wait_for_a_thread_that_it_does_not_have(tmp_path):
    parent = process(tmp_path, "locked")
    _, told = parent.communicate(timeout=60)
    assert parent.returncode == 0, told
    assert collected(tmp_path)("serinus_predictions_total") == 1 + 1


def test_counts_are_written_while_the_process_lives(tmp_path):
    living = process(tmp_path, "thread")
    try:
        while not list(tmp_path.glob("*.db")) or collected(tmp_path)("serinus_predictions_total") != 1:
            with suppress(subprocess.TimeoutExpired):
                living.wait(0.05)
            assert living.poll() is None, living.communicate()[1]
    finally:
        living.communicate("", timeout=60)


def test_what_the_training_data_had_is_no_count_of_a_process(tmp_path):
    for each in [process(tmp_path, "alone") for _ in range(2)]:
        _, told = each.communicate(timeout=60)
        assert each.returncode == 0, told
    shown = collected(tmp_path)
    assert shown.all("serinus_training_feature_bucket", "feature", "le") == {"x/-1.0": 1, "x/1.0": 2, "x/+Inf": 3}


def test_a_newer_profile_takes_the_place_of_the_older_one(tmp_path):
    one = process(tmp_path, "newer")
    _, told = one.communicate(timeout=60)
    assert one.returncode == 0, told
    assert collected(tmp_path).all("serinus_training_feature_bucket", "le") == {"1.0": 1, "+Inf": 1}
