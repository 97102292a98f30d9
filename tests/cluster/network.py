"""The bridge that pods and node share, and the host's settings that packets between them need."""

from pathlib import Path

from cluster import addresses
from cluster.commands import run
from cluster.errors import CommandFailed
from cluster.packages import find

COMMENT = "serinus-cluster"
SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    # Pod -> Service -> pod on one bridge must pass through iptables, or the answer is not translated back.
    "net/bridge/bridge-nf-call-iptables": "1",
}
# A host with ufw or Docker drops what it does not know; these let the bridge's traffic through.
ACCEPTED = (("INPUT", "-i"), ("FORWARD", "-i"), ("FORWARD", "-o"))


def set_up() -> None:
    """Make the bridge with its address, load what the kernel needs, and accept the bridge's traffic."""
    for module in ("br_netfilter", "overlay"):
        _load(module)
    for name, value in SYSCTLS.items():
        Path("/proc/sys", name).write_text(value)
    ip = find("ip")
    run(ip, "link", "add", addresses.BRIDGE, "type", "bridge")
    run(ip, "address", "add", f"{addresses.BRIDGE_ADDRESS}/24", "dev", addresses.BRIDGE)
    run(ip, "link", "set", addresses.BRIDGE, "mtu", "1400", "up")
    for chain, direction in ACCEPTED:
        run(
            find("iptables"), "-w", "5", "-I", chain, direction, addresses.BRIDGE,
            "-m", "comment", "--comment", COMMENT, "-j", "ACCEPT",
        )  # fmt: skip


def _load(module: str) -> None:
    try:
        run(find("modprobe"), module)
    except CommandFailed:
        # Built into the kernel, as here; what is really missing shows in the settings that are written next.
        return
