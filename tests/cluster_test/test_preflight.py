"""A machine that cannot run the cluster is told so before anything is changed."""

import socket
import subprocess
from pathlib import Path

import pytest

from cluster import addresses, leftovers, preflight, waiting
from cluster.errors import HarnessError
from cluster.paths import Layout


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_taken_port_is_named(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    with socket.socket() as taken:
        taken.bind((address, 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(addresses, "HOST_PORTS", (("127.0.0.1", port),))

        with pytest.raises(HarnessError, match=f"127.0.0.1:{port} is taken"):
            preflight.require_free_ports()
    preflight.require_free_ports()


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    """A program that is called like a node agent."""
    program = tmp_path / "kubelet"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    return program


def wait_for_its_start(program: subprocess.Popen[bytes]) -> None:
    """Return when the kernel shows the program's name and words: `Popen` may return a moment earlier."""
    layout = Layout(state=Path("/nonexistent"), cache=Path("/nonexistent"))
    words = Path(f"/proc/{program.pid}/cmdline")
    waiting.wait_until("the words", lambda: b"600" in words.read_bytes(), layout, daemons=(), poll_seconds=0.01)


def test_another_node_agent_of_this_host_is_in_the_way(agent: Path, tmp_path: Path) -> None:
    layout = Layout(state=tmp_path / "state", cache=tmp_path)
    with subprocess.Popen([agent, "600"]) as other:
        try:
            wait_for_its_start(other)
            assert (other.pid, "kubelet") in set(preflight.other_nodes(layout))
            with pytest.raises(HarnessError, match=r"kubelet.*CLUSTER=current"):
                preflight.require_no_other_node(layout)
        finally:
            other.kill()


def test_our_own_node_agent_is_not(agent: Path, tmp_path: Path) -> None:
    layout = Layout(state=tmp_path, cache=tmp_path)
    with subprocess.Popen([agent, "600"]) as ours:
        try:
            wait_for_its_start(ours)
            assert ours.pid not in {pid for pid, _ in preflight.other_nodes(layout)}
        finally:
            ours.kill()


def test_reader_of_a_log_is_not_taken_for_a_daemon(tmp_path: Path) -> None:
    layout = Layout(state=tmp_path, cache=tmp_path)
    layout.log("etcd").parent.mkdir(parents=True)
    layout.log("etcd").touch()
    with subprocess.Popen(["tail", "-f", layout.log("etcd")]) as reader:
        try:
            assert reader.pid not in set(leftovers.daemons(layout))
        finally:
            reader.kill()


def test_program_of_the_state_directory_is_a_daemon(agent: Path, tmp_path: Path) -> None:
    layout = Layout(state=tmp_path, cache=tmp_path)
    (tmp_path / "bin").mkdir()
    layout.binary("etcd").symlink_to(agent)
    with subprocess.Popen([layout.binary("etcd"), "600"]) as daemon:
        try:
            wait_for_its_start(daemon)
            assert daemon.pid in set(leftovers.daemons(layout))
        finally:
            daemon.kill()
