"""A cluster leaves nothing behind, and `up` works after everything that can happen to one.

These tests take the machine's cluster down, so they run only when asked for, SERINUS_TEST_TEARDOWN=1, as `make test`
does at the end of a run that brought the cluster up. Who uses the cluster is left in peace, and who comes later waits.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import components, leftovers, process
from cluster.commands import run
from cluster.errors import ClusterInUse
from cluster.kubectl import Kubectl
from cluster.lock import out_of_use
from cluster.paths import Layout

TESTS = Path(__file__).parents[1]
PODS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: leftovers, namespace: default}
spec:
  replicas: 5
  selector: {matchLabels: {app: leftovers}}
  template:
    metadata: {labels: {app: leftovers}}
    spec: {containers: [{name: pause, image: serinus.local/pause:1}]}
---
apiVersion: v1
kind: Service
metadata: {name: leftovers, namespace: default}
spec: {type: NodePort, selector: {app: leftovers}, ports: [{port: 80}]}
"""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        os.environ.get("SERINUS_TEST_TEARDOWN") != "1",
        reason="only with SERINUS_TEST_TEARDOWN=1: takes the cluster down",
    ),
]


def command(*arguments: str) -> str:
    """Run the harness as a user does."""
    return run(sys.executable, "-m", "cluster", *arguments, environment={"PYTHONPATH": str(TESTS)}, timeout_seconds=300)


def down() -> None:
    """Take it down in spite of its user, for that is this module."""
    command("down", "--force")


@pytest.fixture(autouse=True, scope="module")
def _alone() -> Iterator[None]:
    try:
        with out_of_use(Layout.from_environment()):
            yield
    except ClusterInUse as in_use:
        pytest.skip(str(in_use))


@pytest.fixture(autouse=True)
def _fresh(layout: Layout) -> Iterator[None]:
    down()
    yield
    down()
    assert leftovers.look(layout).lines() == ()


@pytest.fixture
def pods(layout: Layout) -> Kubectl:
    """Start the cluster with pods that run and a Service that has rules."""
    command("up")
    kubectl = Kubectl(layout)
    kubectl.apply(PODS)
    kubectl("rollout", "status", "deployment/leftovers", "--timeout=60s")
    return kubectl


def pid_of(name: str, layout: Layout) -> int:
    pid = process.find(name, layout)
    assert pid is not None
    return pid


def test_running_pods_are_seen_by_every_kind_of_look(layout: Layout, pods: Kubectl) -> None:
    found = leftovers.look(layout)

    assert {kind for kind in found.__slots__ if not getattr(found, kind)} == set()
    assert len(found.network_namespaces) == 5
    # nine daemons, and for each pod a shim, a sandbox and a container
    assert len(found.processes) == len(components.NAMES) + 3 * 5


def test_down_leaves_nothing_while_pods_run(layout: Layout, pods: Kubectl) -> None:
    before = set(leftovers.look(layout).processes)

    down()

    assert leftovers.look(layout).lines() == ()
    assert [pid for pid in before if process.start_ticks(pid) is not None] == []
    assert not layout.state.exists()


def test_foreign_firewall_rules_survive(layout: Layout, pods: Kubectl) -> None:
    run("iptables", "-N", "OTHERS")
    run("iptables", "-A", "OTHERS", "-s", "192.0.2.77", "-j", "ACCEPT")
    try:
        down()
        assert "-A OTHERS -s 192.0.2.77/32 -j ACCEPT" in leftovers.firewall_dump("iptables")
    finally:
        run("iptables", "-F", "OTHERS")
        run("iptables", "-X", "OTHERS")


@pytest.mark.parametrize(
    "killed",
    [("containerd",), ("kubelet",), ("etcd", "kube-apiserver"), components.NAMES],
    ids=["containerd", "kubelet", "the store", "all daemons"],
)
def test_up_works_after_daemons_were_killed(layout: Layout, pods: Kubectl, killed: tuple[str, ...]) -> None:
    for name in killed:
        os.kill(pid_of(name, layout), signal.SIGKILL)

    command("up")

    pods.apply(PODS)
    pods("rollout", "status", "deployment/leftovers", "--timeout=60s")


def test_up_works_after_everything_was_killed_and_shims_too(layout: Layout, pods: Kubectl) -> None:
    for pid in (*leftovers.shims(layout), *leftovers.daemons(layout)):
        os.kill(pid, signal.SIGKILL)

    command("up")

    pods.apply(PODS)
    pods("rollout", "status", "deployment/leftovers", "--timeout=60s")


def test_up_works_after_up_was_killed_in_the_middle(layout: Layout) -> None:
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(
        [sys.executable, "-m", "cluster", "up"], env=environment, stderr=subprocess.DEVNULL
    ) as starting:
        deadline = time.monotonic() + 60
        while process.find("kubelet", layout) is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        starting.kill()

    command("up")

    assert json.loads(command("status", "--json"))["is_up"]


def test_pids_of_an_earlier_boot_are_not_killed(layout: Layout, pods: Kubectl) -> None:
    """After a reboot the numbers of the pid files belong to others."""
    for name in components.NAMES:
        os.kill(pid_of(name, layout), signal.SIGKILL)
    with subprocess.Popen(["sleep", "600"]) as innocent:
        try:
            for name in components.NAMES:
                started = process.start_ticks(innocent.pid)
                note = {"pid": innocent.pid, "started": started, "boot": "another"}
                layout.pid(name).write_text(json.dumps(note))
            command("up")
            assert innocent.poll() is None
        finally:
            innocent.kill()


def test_two_ups_at_once_make_one_cluster(layout: Layout) -> None:
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    both = [subprocess.Popen([sys.executable, "-m", "cluster", "up"], env=environment) for _ in range(2)]

    assert [one.wait(timeout=120) for one in both] == [0, 0]
    assert len(set(leftovers.daemons(layout))) == len(components.NAMES)
