"""Only processes that we started are found and ended."""

import json
import os
import sys
from pathlib import Path

import pytest

from cluster import process
from cluster.errors import HarnessError
from cluster.paths import Layout
from cluster.process import Daemon
from cluster.waiting import wait_until

IGNORES_SIGTERM = (
    "import signal, pathlib, sys; signal.signal(15, signal.SIG_IGN); pathlib.Path(sys.argv[1]).touch(); signal.pause()"
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(state=tmp_path / "state", cache=tmp_path / "cache")


def sleeper(*, name: str = "sleeper", files: dict[Path, str] | None = None) -> Daemon:
    return Daemon(name=name, argv=("sleep", "600"), files=files or {})


def test_daemon_is_found_until_stopped(layout: Layout) -> None:
    process.start(sleeper(), layout)
    pid = process.find("sleeper", layout)

    assert pid is not None
    assert os.getsid(pid) == pid, "it must survive the terminal that started it"

    process.stop("sleeper", layout)
    assert process.find("sleeper", layout) is None
    assert process.start_ticks(pid) is None


def test_files_are_written_before_the_start(layout: Layout) -> None:
    config = layout.config("greeting")
    process.start(Daemon(name="reader", argv=("cat", str(config)), files={config: "read me"}), layout)

    wait_until("the output", lambda: process.log_tail("reader", layout) == "read me", layout, daemons=[])


@pytest.mark.parametrize("field", ["started", "boot"])
def test_reused_pid_is_neither_found_nor_ended(layout: Layout, field: str) -> None:
    process.start(sleeper(), layout)
    note = json.loads(layout.pid("sleeper").read_text())
    other = "another boot" if field == "boot" else note["started"] + 1
    layout.pid("sleeper").write_text(json.dumps({**note, field: other}))

    assert process.find("sleeper", layout) is None
    process.stop("sleeper", layout)
    assert process.start_ticks(note["pid"]) is not None
    process.end(note["pid"], grace_seconds=5)


def test_daemon_that_died_before_its_start_time_was_read_is_not_found(layout: Layout) -> None:
    process.start(Daemon(name="brief", argv=("true",)), layout)
    note = json.loads(layout.pid("brief").read_text())
    process.end(note["pid"], grace_seconds=5)
    layout.pid("brief").write_text(json.dumps({**note, "started": None}))

    assert process.find("brief", layout) is None


@pytest.mark.parametrize("note", ["", "{", "[1]"], ids=["empty", "cut off", "another shape"])
def test_damaged_pid_file_means_that_nothing_runs(layout: Layout, note: str) -> None:
    layout.pid("sleeper").parent.mkdir(parents=True)
    layout.pid("sleeper").write_text(note)

    assert process.find("sleeper", layout) is None


def test_process_that_ignores_the_polite_signal_is_killed(layout: Layout, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    process.start(Daemon(name="deaf", argv=(sys.executable, "-c", IGNORES_SIGTERM, str(ready))), layout)
    wait_until("the handler", ready.exists, layout, daemons=["deaf"])

    process.stop("deaf", layout, grace_seconds=0.1)

    assert process.find("deaf", layout) is None


def test_wait_ends_at_once_when_the_daemon_died_and_shows_its_last_words(layout: Layout) -> None:
    process.start(Daemon(name="brief", argv=("sh", "-c", "echo no such luck; exit 3")), layout)

    with pytest.raises(HarnessError, match=r"brief died while waiting for success(.|\n)*no such luck"):
        wait_until("success", lambda: False, layout, daemons=["brief"])


def test_wait_that_takes_too_long_names_the_logs(layout: Layout) -> None:
    with pytest.raises(HarnessError, match="Waited 0 s in vain for rain"):
        wait_until("rain", lambda: False, layout, daemons=[], timeout_seconds=0.01, poll_seconds=0.001)
