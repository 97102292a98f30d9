"""containerd with runc and the CNI bridge, apart from any other containerd of the machine (own socket, own state)."""

import json
from collections.abc import Iterable

from cluster import addresses
from cluster.commands import run
from cluster.errors import HarnessError
from cluster.packages import find
from cluster.paths import Layout
from cluster.process import Daemon

PAUSE_IMAGE = "serinus.local/pause:1"
CNI_NAME = "serinus"
# restrict_oom_score_adj: without CAP_SYS_RESOURCE no sandbox could start. SystemdCgroup: must match the kubelet.
CONFIG = """\
version = 2
root = "{root}"
state = "{state}"
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt",
]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = "{runc}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
"""


def daemon(layout: Layout) -> Daemon:
    """Describe the process with its configuration and the network's."""
    config = layout.config("containerd.toml")
    network = layout.data("cni") / "10-serinus.conflist"
    content = CONFIG.format(
        root=layout.data("containerd"),
        state=layout.state / "run" / "containerd",
        runc=layout.state / "run" / "runc",
        socket=layout.containerd_socket,
        pause=PAUSE_IMAGE,
        cni=network.parent,
    )
    return Daemon(
        name="containerd",
        argv=("containerd", "--config", str(config)),
        files={config: content, network: json.dumps(make_network(layout), indent=2)},
    )


def make_network(layout: Layout) -> dict[str, object]:
    """Return the CNI configuration list."""
    ranges = [[{"subnet": addresses.POD_CIDR, "rangeStart": addresses.POD_RANGE_START}]]
    bridge = {
        "type": "bridge",
        "bridge": addresses.BRIDGE,
        "isGateway": True,
        "ipMasq": False,
        # Lets a pod reach itself through its Service.
        "hairpinMode": True,
        "mtu": 1400,
        "ipam": {
            "type": "host-local",
            "dataDir": str(layout.data("cni-ipam")),
            "ranges": ranges,
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": CNI_NAME, "plugins": [bridge, portmap]}


def ctr(layout: Layout, *arguments: str, timeout_seconds: float = 300) -> str:
    """Run containerd's own client in the namespace of Kubernetes."""
    return run(
        find("ctr"), "-a", str(layout.containerd_socket), "-n", "k8s.io", *arguments, timeout_seconds=timeout_seconds
    )


def is_ready(layout: Layout) -> bool:
    """Return whether containerd answers. Asks only once the socket is there: ctr waits 10 s for it."""
    if not layout.containerd_socket.exists():
        return False
    try:
        ctr(layout, "version")
    except HarnessError:
        return False
    return True


def content_digests(layout: Layout) -> frozenset[str]:
    """Return the digests (sha256:…) that the content store holds."""
    return frozenset(ctr(layout, "content", "list", "--quiet").split())


def image_names(layout: Layout) -> Iterable[str]:
    """Return the names of the images that pods can use, sorted."""
    listed = ctr(layout, "images", "list", "--quiet").split()
    return sorted(name for name in listed if not name.startswith("sha256:"))
