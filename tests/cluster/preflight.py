"""Refuses early, with a sentence, where a cluster cannot run or would fight with another."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from cluster import addresses
from cluster.errors import HarnessError
from cluster.paths import Layout

IP_FREEBIND = 15  # from linux/in.h: lets us try the bridge's address before the bridge exists
NODE_AGENTS = frozenset({"kubelet", "k3s", "k3s-server", "k3s-agent", "rke2", "k0s"})


def require_linux_and_root() -> None:
    """Raise `HarnessError` unless we are root on Linux."""
    if sys.platform != "linux":
        raise HarnessError("The test cluster needs Linux. Use a cluster of your own instead: CLUSTER=current.")
    if os.geteuid() != 0:
        raise HarnessError("The test cluster needs root (mounts, network, cgroups). Use sudo, or CLUSTER=current.")


def require_no_other_node(layout: Layout) -> None:
    """Raise `HarnessError` if another Kubernetes node shares this host's cgroups and firewall chains."""
    for pid, name in other_nodes(layout):
        raise HarnessError(
            f"Another Kubernetes node agent runs here (`{name}`, pid {pid}). "
            "Stop it, or use that cluster: CLUSTER=current."
        )


def other_nodes(layout: Layout) -> Iterator[tuple[int, str]]:
    """Yield pid and name of node agents that are not ours.

    A node inside a container (kind, k3d) has a network of its own and is not in the way.
    """
    our_network = os.readlink("/proc/self/ns/net")
    for entry in Path("/proc").iterdir():
        try:
            name = (entry / "comm").read_text().strip()
            if name not in NODE_AGENTS or os.readlink(entry / "ns" / "net") != our_network:
                continue
            if f"{layout.state}/" not in (entry / "cmdline").read_text():
                yield int(entry.name), name
        except OSError:  # it has ended meanwhile, or is a file of /proc that is no process
            continue


def require_free_ports() -> None:
    """Raise `HarnessError` if a port of ours is taken by somebody else."""
    for host, port in addresses.HOST_PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise HarnessError(
                    f"{host}:{port} is taken. `ss -ltnp 'sport = :{port}'` says by whom; stop it."
                ) from error
