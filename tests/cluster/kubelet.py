"""kubelet: the node. Works on cgroup v1 and v2, with and without systemd, because it manages cgroups itself."""

import yaml

from cluster import addresses, kubeconfigs
from cluster.kubectl import Kubectl
from cluster.paths import Layout
from cluster.process import Daemon


def daemon(layout: Layout) -> Daemon:
    """Describe the process with its configuration."""
    config = layout.config("kubelet.yaml")
    resolver = layout.config("resolv.conf")
    return Daemon(
        name="kubelet",
        argv=(
            str(layout.binary("kubelet")),
            f"--config={config}",
            f"--kubeconfig={kubeconfigs.path(layout, 'kubelet')}",
            f"--root-dir={layout.data('kubelet')}",
            f"--cert-dir={layout.data('kubelet-certificates')}",
            f"--hostname-override={addresses.NODE_NAME}",
            f"--node-ip={addresses.BRIDGE_ADDRESS}",
        ),
        files={
            config: yaml.safe_dump(make_configuration(layout), sort_keys=False),
            # Keeps the host's resolver and search list out of the pods.
            resolver: f"nameserver {addresses.DNS_ADDRESS}\n",
        },
    )


def make_configuration(layout: Layout) -> dict[str, object]:
    """Return the KubeletConfiguration."""
    pki = layout.certificates
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": addresses.BRIDGE_ADDRESS,
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/kubelet.crt",
        "tlsPrivateKeyFile": f"{pki}/kubelet.key",
        "clusterDNS": [addresses.DNS_ADDRESS],
        "clusterDomain": addresses.DNS_DOMAIN,
        "resolvConf": str(layout.config("resolv.conf")),
        "podLogsDir": str(layout.data("podlogs")),
        "volumePluginDir": str(layout.data("kubelet-plugins")),
        # Fewer chains to clean up; kube-proxy makes its own.
        "makeIPTablesUtilChains": False,
        "serializeImagePulls": False,
        # Images were imported and cannot be pulled again: never collect them.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {
            "memory.available": "200Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
    }


def is_ready(kubectl: Kubectl) -> bool:
    """Return whether the node says that it is Ready."""
    node = kubectl.fetch(f"/api/v1/nodes/{addresses.NODE_NAME}")
    conditions = node["status"].get("conditions", []) if node else []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
