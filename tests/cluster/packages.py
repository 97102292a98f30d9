"""System packages that the cluster needs, installed by apt where they are missing."""

import os
import shutil
from pathlib import Path

from cluster.commands import SYSTEM_PATH, run
from cluster.errors import HarnessError

# What must be there -> the Debian and Ubuntu package that brings it. Looked up by command and not by package,
# so that a machine with Docker's own containerd.io (which conflicts with Debian's) keeps it.
NEEDED = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "mmdebstrap": "mmdebstrap",
    "iptables": "iptables",
    "ip": "iproute2",
    "conntrack": "conntrack",
    "openssl": "openssl",
    "modprobe": "kmod",
    "umount": "mount",
    "/usr/bin/python3": "python3",
}


def missing() -> tuple[str, ...]:
    """Return the packages whose commands are not on this machine, sorted."""
    return tuple(sorted({package for what, package in NEEDED.items() if not _is_there(what)}))


def install(packages: tuple[str, ...]) -> None:
    """Install packages by apt. Raises `HarnessError` where there is no apt."""
    if shutil.which("apt-get") is None:
        raise HarnessError(
            f"This machine has no apt. Install these by hand (the names are Debian's): {', '.join(packages)}."
        )
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-q", environment=quiet, timeout_seconds=300)
    run("apt-get", "install", "-qy", "--no-install-recommends", *packages, environment=quiet, timeout_seconds=900)


def find(command: str) -> str:
    """Return the path of a system command. Raises `HarnessError` if it is not there."""
    found = shutil.which(command, path=f"{SYSTEM_PATH}:{os.environ.get('PATH', '')}")
    if found is None:
        raise HarnessError(
            f"`{command}` is not installed; `up` installs it (package {NEEDED.get(command, 'unknown')})."
        )
    return found


def _is_there(what: str) -> bool:
    if what.startswith("/"):
        return Path(what).exists()
    return shutil.which(what, path=f"{SYSTEM_PATH}:{os.environ.get('PATH', '')}") is not None
