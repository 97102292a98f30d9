"""Removes a cluster, whole or crashed, from the machine. Every step does nothing where there is nothing to do."""

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

from cluster import addresses, components, leftovers, process
from cluster.commands import run
from cluster.errors import HarnessError
from cluster.packages import find
from cluster.paths import Layout

# Kernel threads take the insides of namespaces and cgroups down a moment after the last process has gone.
PATIENCE_SECONDS = 15
# Whatever starts pods or rewrites the firewall goes first; the store goes last.
ORDER = tuple(
    sorted(components.NAMES, key=lambda name: (name in {"containerd", "kube-apiserver", "etcd"}, name == "etcd"))
)
SHIM_SOCKETS = Path("/run/containerd/s")
# Directories outside our state that components make; removed if nothing is in them, the inner before the outer.
MADE_ON_THE_WAY = (
    SHIM_SOCKETS,
    SHIM_SOCKETS.parent,
    leftovers.CNI_RESULTS,
    leftovers.CNI_RESULTS.parent,
    leftovers.KUBELET_SOCKET.parent,
    leftovers.KUBELET_SOCKET.parents[1],
)


def tear_down(layout: Layout) -> None:
    """Remove everything, then look. Raises `HarnessError` with a list if anything is left."""
    for name in ORDER:
        # Nothing of the data is kept, so only those that clean up after themselves get time for it.
        process.stop(name, layout, grace_seconds=0 if name in {"etcd", "prometheus"} else 5)
    _kill_processes(layout)
    _remove_shim_sockets(layout)
    _unmount(layout)
    _remove_network()
    _remove_firewall_rules()
    _remove_cgroups()
    _remove_files(layout)
    _check(layout)


def _kill_processes(layout: Layout) -> None:
    """Kill shims, containers and strays until none is left: a shim's death can uncover a process for a moment."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while pids := {*leftovers.shims(layout), *leftovers.contained(), *leftovers.daemons(layout)}:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            process.start_ticks(pid)  # reaps it if it is our own child
        if time.monotonic() > deadline:
            raise HarnessError(f"These processes do not end: {sorted(pids)}. Look at them with `ps -fp PID`.")
        time.sleep(0.05)


def _remove_shim_sockets(layout: Layout) -> None:
    for note in (layout.state / "run" / "containerd").glob("io.containerd.runtime.v2.task/*/*/address"):
        socket = Path(note.read_text().strip().removeprefix("unix://"))
        if socket.parent == SHIM_SOCKETS:
            socket.unlink(missing_ok=True)


def _unmount(layout: Layout) -> None:
    for point in leftovers.mounts(layout):
        run(find("umount"), "--lazy", point)


def _remove_network() -> None:
    ip = find("ip")
    for name in leftovers.network_namespaces():
        run(ip, "netns", "delete", name)
    for name in leftovers.interfaces():
        with contextlib.suppress(HarnessError):  # a cable goes by itself when its namespace goes
            run(ip, "link", "delete", name)
    # containerd never removes its notes on loopback. Only Kubernetes nodes make them, and there is no other here.
    for file in (*leftovers.cni_results(), *leftovers.CNI_RESULTS.glob("cni-loopback-*")):
        file.unlink(missing_ok=True)
    with contextlib.suppress(HarnessError):  # status 1 means that no connection was tracked
        run(find("conntrack"), "--delete", "--orig-src", addresses.POD_CIDR)


def _remove_firewall_rules() -> None:
    """Delete our rules and chains and nothing else, each table in one transaction."""
    for command in ("iptables", "ip6tables"):
        tables: dict[str, tuple[list[str], list[str]]] = {}
        for found in leftovers.firewall_rules():
            tool, table, line = found.split(" ", 2)
            if tool != command:
                continue
            rules, chains = tables.setdefault(table, ([], []))
            if line.startswith(":"):
                chains.append(line[1:].split()[0])
            else:
                rules.append(line.replace("-A", "-D", 1))
        for table, (rules, chains) in tables.items():
            script = [f"*{table}", *rules, *(f"-X {chain}" for chain in chains), "COMMIT", ""]
            run(find(f"{command}-restore"), "-w", "5", "--noflush", stdin="\n".join(script))


def _remove_cgroups() -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while groups := leftovers.cgroups():
        for group in groups:
            with contextlib.suppress(OSError):
                group.rmdir()
        if time.monotonic() > deadline:
            return  # the check that follows says which
        time.sleep(0.05)


def _remove_files(layout: Layout) -> None:
    if leftovers.our_container_logs(layout):
        shutil.rmtree(leftovers.CONTAINER_LOGS)
    leftovers.KUBELET_SOCKET.unlink(missing_ok=True)
    for directory in MADE_ON_THE_WAY:
        with contextlib.suppress(OSError):  # not there, or others use it
            directory.rmdir()
    if layout.state.exists():
        shutil.rmtree(layout.state)


def _check(layout: Layout) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while lines := leftovers.look(layout).lines():
        if time.monotonic() > deadline:
            raise HarnessError("The cluster is down, but this is left on the machine:\n  " + "\n  ".join(lines))
        time.sleep(0.1)
