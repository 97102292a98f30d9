"""kube-proxy in iptables mode (works on the nft flavour too)."""

import yaml

from cluster import addresses, kubeconfigs
from cluster.paths import Layout
from cluster.process import Daemon


def daemon(layout: Layout) -> Daemon:
    """Describe the process with its configuration."""
    config = layout.config("kube-proxy.yaml")
    content = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfigs.path(layout, "kube-proxy"))},
        "mode": "iptables",
        "clusterCIDR": addresses.POD_CIDR,
        "hostnameOverride": addresses.NODE_NAME,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        # Leave the host's nf_conntrack_max alone.
        "conntrack": {"maxPerCore": 0, "min": 0},
        # localhostNodePorts would switch route_localnet on for the whole host.
        "iptables": {"minSyncPeriod": "100ms", "syncPeriod": "30s", "localhostNodePorts": False},
    }
    return Daemon(
        name="kube-proxy",
        argv=(str(layout.binary("kube-proxy")), f"--config={config}"),
        files={config: yaml.safe_dump(content, sort_keys=False)},
    )
