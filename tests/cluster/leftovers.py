"""Looks for what a cluster leaves on a machine. Teardown removes what this finds, and is checked by it."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster import addresses
from cluster.commands import run
from cluster.containerd import CNI_NAME
from cluster.errors import HarnessError
from cluster.network import COMMENT
from cluster.packages import find
from cluster.paths import Layout

CGROUPS = Path("/sys/fs/cgroup")
NETWORK_NAMESPACES = Path("/run/netns")
CNI_RESULTS = Path("/var/lib/cni/results")
CONTAINER_LOGS = Path("/var/log/containers")
# No setting of the kubelet moves this one.
KUBELET_SOCKET = Path("/var/lib/kubelet/device-plugins/kubelet.sock")
FIREWALL_MARKS = ("KUBE-", "CNI-", COMMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What is on the machine because of a cluster; empty everywhere when there is none."""

    processes: tuple[int, ...]
    mounts: tuple[str, ...]
    network_namespaces: tuple[str, ...]
    interfaces: tuple[str, ...]
    cgroups: tuple[str, ...]
    firewall_rules: tuple[str, ...]
    files: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """Say each thing that was found, in a line."""
        return tuple(f"{kind.replace('_', ' ')}: {what}" for kind in self.__slots__ for what in getattr(self, kind))


def look(layout: Layout) -> Leftovers:
    """Look at the whole machine."""
    files = [layout.state, KUBELET_SOCKET, *cni_results(), *([CONTAINER_LOGS] if our_container_logs(layout) else [])]
    return Leftovers(
        processes=tuple(sorted({*daemons(layout), *shims(layout), *contained()})),
        mounts=mounts(layout),
        network_namespaces=network_namespaces(),
        interfaces=interfaces(),
        cgroups=tuple(str(path) for path in cgroups()),
        firewall_rules=firewall_rules(),
        files=tuple(str(path) for path in files if path.exists()),
    )


def daemons(layout: Layout) -> Iterator[int]:
    """Yield processes whose program is in the state directory, and our containerd.

    Not everything that names the directory: somebody may be reading a log.
    """
    for pid, argv in _command_lines():
        ours = any(word.startswith(f"{layout.state}/") for word in argv)
        if argv[0].startswith(f"{layout.state}/bin/") or (Path(argv[0]).name == "containerd" and ours):
            yield pid


def shims(layout: Layout) -> Iterator[int]:
    """Yield containerd's shims, which know our socket by name."""
    for pid, argv in _command_lines():
        if "containerd-shim" in argv[0] and str(layout.containerd_socket) in argv:
            yield pid


def contained() -> Iterator[int]:
    """Yield the processes inside pods, by their cgroups: this finds them also when their shim has died."""
    for group in cgroups():
        try:
            pids = (group / "cgroup.procs").read_text().split()
        except OSError:
            continue
        yield from (int(pid) for pid in pids)


def cgroups() -> tuple[Path, ...]:
    """Return the cgroups of pods in every hierarchy, deepest first."""
    roots = [CGROUPS / "kubepods", *CGROUPS.glob("*/kubepods")]
    found = [Path(path) for root in dict.fromkeys(root.resolve() for root in roots) for path, _, _ in os.walk(root)]
    return tuple(sorted(found, key=lambda path: len(path.parts), reverse=True))


def mounts(layout: Layout) -> tuple[str, ...]:
    """Return mount points below the state directory, deepest first."""
    points = [
        line.split()[1].encode().decode("unicode_escape") for line in Path("/proc/mounts").read_text().splitlines()
    ]
    inside = {point for point in points if point.startswith(f"{layout.state}/")}
    return tuple(sorted(inside, key=len, reverse=True))


def network_namespaces() -> tuple[str, ...]:
    """Return the network namespaces of our pods: those with an address of our range or without any interface."""
    if not NETWORK_NAMESPACES.is_dir():
        return ()
    names = sorted(path.name for path in NETWORK_NAMESPACES.iterdir() if path.name.startswith("cni-"))
    return tuple(name for name in names if _is_ours(name))


def interfaces() -> tuple[str, ...]:
    """Return the bridge and the ends of pods' cables that hang on it."""
    links = json.loads(run(find("ip"), "-json", "link", "show"))
    return tuple(
        link["ifname"] for link in links if link["ifname"] == addresses.BRIDGE or link.get("master") == addresses.BRIDGE
    )


def firewall_rules() -> tuple[str, ...]:
    """Return rules and chains that kube-proxy, CNI plugins or we made, as `<command> <table> <line>`."""
    found = []
    for command in ("iptables", "ip6tables"):
        table = ""
        for line in firewall_dump(command).splitlines():
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith((":", "-A")) and any(mark in line for mark in FIREWALL_MARKS):
                found.append(f"{command} {table} {line}")
    return tuple(found)


def firewall_dump(command: str) -> str:
    """Return what iptables-save or ip6tables-save says; nothing where the kernel has no such tables."""
    try:
        return run(find(f"{command}-save"))
    except HarnessError:
        return ""


def cni_results() -> tuple[Path, ...]:
    """Return CNI's notes about our network, which it keeps outside our state."""
    return tuple(sorted(CNI_RESULTS.glob(f"{CNI_NAME}-*")))


def our_container_logs(layout: Layout) -> bool:
    """Return whether the kubelet's directory of links is ours: it holds links into our state and nothing else."""
    if not CONTAINER_LOGS.is_dir():
        return False
    links = list(CONTAINER_LOGS.iterdir())
    if not links:
        return layout.state.exists()
    return all(path.is_symlink() and os.readlink(path).startswith(f"{layout.state}/") for path in links)


def _is_ours(namespace: str) -> bool:
    try:
        links = json.loads(run(find("ip"), "-json", "-n", namespace, "address", "show"))
    except HarnessError:
        return True  # a file whose mount has gone, for example after a reboot
    others = [link for link in links if link.get("ifname") != "lo"]
    return not others or any(
        info.get("local", "").startswith(addresses.POD_ADDRESS_PREFIX) for link in others for info in link["addr_info"]
    )


def _command_lines() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            argv = (entry / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
        except OSError:
            continue
        if argv[0]:
            yield int(entry.name), argv
