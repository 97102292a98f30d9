"""etcd: the API server's store. Data is thrown away with the cluster, so it need not survive a power cut."""

from cluster import addresses
from cluster.paths import Layout
from cluster.process import Daemon


def daemon(layout: Layout) -> Daemon:
    """Describe the process."""
    return Daemon(
        name="etcd",
        argv=(
            str(layout.binary("etcd")),
            f"--data-dir={layout.data('etcd')}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={addresses.ETCD_URL}",
            f"--advertise-client-urls={addresses.ETCD_URL}",
            f"--listen-peer-urls={addresses.ETCD_PEER_URL}",
            f"--initial-advertise-peer-urls={addresses.ETCD_PEER_URL}",
            f"--initial-cluster=default={addresses.ETCD_PEER_URL}",
            "--log-level=warn",
        ),
    )
