"""A cluster that runs is used when it is the same, named when it is not, and cleared when it is broken."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from cluster import components, process, record, startup
from cluster.errors import HarnessError
from cluster.paths import Layout
from cluster.process import Daemon
from cluster.progress import Reporter
from cluster.record import Record

FINGERPRINTS = {"etcd": "1", "kubelet": "2"}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Layout]:
    """Return the layout of a finished start, with a process in the place of each daemon."""
    layout = Layout(state=tmp_path / "state", cache=tmp_path / "cache")
    for name in components.NAMES:
        process.start(Daemon(name=name, argv=("sleep", "600")), layout)
    record.write(
        layout, Record(fingerprints=FINGERPRINTS, started_at="2026-01-02T03:04:05+00:00", checkout="/elsewhere")
    )
    yield layout
    for name in components.NAMES:
        process.stop(name, layout)


@pytest.fixture
def reporter(tmp_path: Path) -> Reporter:
    return Reporter(tmp_path, Console(file=StringIO(), width=200))


def test_same_cluster_is_used(running: Layout, reporter: Reporter) -> None:
    with reporter.console.capture() as said:
        assert startup.reuse(running, FINGERPRINTS, reporter)
    assert "started from /elsewhere" in said.get()


def test_cluster_of_other_components_is_refused_with_what_to_do(running: Layout, reporter: Reporter) -> None:
    wanted = {"etcd": "1", "kubelet": "3", "coredns": "4"}

    with pytest.raises(HarnessError, match=r"/elsewhere at 2026-01-02.*different: coredns, kubelet\).*`down`"):
        startup.reuse(running, wanted, reporter)


@pytest.mark.parametrize("name", sorted(set(components.NAMES) - {"prometheus"}))
def test_cluster_with_a_dead_daemon_is_not_used(running: Layout, reporter: Reporter, name: str) -> None:
    process.stop(name, running)

    assert not startup.reuse(running, {"etcd": "other"}, reporter)


@pytest.mark.parametrize("content", [None, "", "{}", '{"fingerprints": {}}'])
def test_start_that_did_not_finish_is_not_used(running: Layout, reporter: Reporter, content: str | None) -> None:
    running.record.unlink()
    if content is not None:
        running.record.write_text(content)

    assert not startup.reuse(running, FINGERPRINTS, reporter)
