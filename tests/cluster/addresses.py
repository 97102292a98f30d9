"""Every address and port of the cluster. One bridge of our own, so nothing depends on the host's interfaces."""

NODE_NAME = "serinus"
BRIDGE = "srn0"
BRIDGE_ADDRESS = "10.244.0.1"
POD_CIDR = "10.244.0.0/24"
POD_ADDRESS_PREFIX = "10.244.0."
POD_RANGE_START = "10.244.0.10"
SERVICE_CIDR = "10.96.0.0/16"
KUBERNETES_ADDRESS = "10.96.0.1"
DNS_ADDRESS = "10.96.0.10"
DNS_DOMAIN = "cluster.local"

API_SERVER_URL = f"https://{BRIDGE_ADDRESS}:6443"
ETCD_URL = "http://127.0.0.1:12379"
ETCD_PEER_URL = "http://127.0.0.1:12380"
PROMETHEUS_URL = f"http://{BRIDGE_ADDRESS}:9090"

# (address, port) that must be free before the start. Somebody who listens on all addresses takes the bridge's too.
HOST_PORTS = (
    ("127.0.0.1", 12379),
    ("127.0.0.1", 12380),
    ("127.0.0.1", 10248),
    ("127.0.0.1", 10249),
    ("127.0.0.1", 10256),
    ("127.0.0.1", 10257),
    ("127.0.0.1", 10259),
    ("127.0.0.1", 18181),
    (BRIDGE_ADDRESS, 53),
    (BRIDGE_ADDRESS, 6443),
    (BRIDGE_ADDRESS, 9090),
    (BRIDGE_ADDRESS, 10250),
)
