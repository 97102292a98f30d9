"""Nobody takes the cluster away under somebody who uses it."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.errors import ClusterInUse
from cluster.lock import in_use, out_of_use
from cluster.paths import Layout
from cluster.progress import Reporter

TESTS = Path(__file__).parents[1]
USER = "from cluster import access\nwith access.in_use():\n    print('using', flush=True)\n    input()\n"
root_on_linux = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="`down` needs Linux and root")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(state=tmp_path / "state", cache=tmp_path / "cache")


@pytest.fixture
def environment(layout: Layout) -> dict[str, str]:
    """Return the variables of another program that means the same cluster."""
    own = {"PYTHONPATH": str(TESTS), "SERINUS_STATE": str(layout.state), "SERINUS_CACHE": str(layout.cache)}
    return {**os.environ, **own}


@pytest.fixture
def user(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a program that uses the cluster until its input ends."""
    command = [sys.executable, "-c", USER]
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "using\n"
        yield program
        program.kill()


def down(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cluster", "down", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def is_free(layout: Layout) -> bool:
    try:
        with out_of_use(layout):
            return True
    except ClusterInUse:
        return False


def test_many_may_use_it_and_it_is_free_when_the_last_has_gone(layout: Layout) -> None:
    reporter = Reporter(layout.cache)
    with in_use(layout, reporter):
        with in_use(layout, reporter):
            assert not is_free(layout)
        assert not is_free(layout)
    assert is_free(layout)


def test_a_user_who_dies_keeps_nothing(layout: Layout, user: subprocess.Popen[str]) -> None:
    assert not is_free(layout)
    user.kill()
    user.wait()
    assert is_free(layout)


def test_nobody_begins_while_it_goes(layout: Layout) -> None:
    with out_of_use(layout), layout.users.open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who holds a lock")
def test_who_uses_it_is_named(layout: Layout, user: subprocess.Popen[str], tmp_path: Path) -> None:
    with pytest.raises(ClusterInUse, match=f"process {user.pid} in {tmp_path}"), out_of_use(layout):
        pass


@root_on_linux
def test_down_leaves_a_cluster_that_is_in_use(
    environment: dict[str, str], user: subprocess.Popen[str], layout: Layout
) -> None:
    # The state is empty on purpose: what matters is whether `down` gets as far as looking at it.
    left = down(environment)
    assert (left.returncode, left.stderr.partition(":")[0]) == (3, "The cluster stays, because it is in use")
    assert down(environment, "--force").returncode == 0

    user.kill()
    user.wait()
    free = down(environment)
    assert free.returncode == 0
    assert "There is no cluster" in free.stderr
