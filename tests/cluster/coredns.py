"""CoreDNS as a process on the bridge address, behind a kube-dns Service without selector."""

from cluster import addresses, kubeconfigs
from cluster.paths import Layout
from cluster.process import Daemon

# Two server blocks, because within one `template` runs before `kubernetes` and every name would be NXDOMAIN.
# The second makes external names fail at once instead of hanging: the test cluster has no way to the internet.
COREFILE = """\
{domain}:53 in-addr.arpa:53 {{
  bind {address}
  errors
  ready 127.0.0.1:18181
  kubernetes {domain} in-addr.arpa {{
    kubeconfig {kubeconfig} {context}
    ttl 5
  }}
}}
.:53 {{
  bind {address}
  template ANY ANY . {{
    rcode NXDOMAIN
  }}
}}
"""


def daemon(layout: Layout) -> Daemon:
    """Describe the process with its configuration."""
    config = layout.config("Corefile")
    content = COREFILE.format(
        domain=addresses.DNS_DOMAIN,
        address=addresses.BRIDGE_ADDRESS,
        kubeconfig=kubeconfigs.path(layout, "coredns"),
        context=kubeconfigs.CONTEXT,
    )
    return Daemon(
        name="coredns",
        argv=(str(layout.binary("coredns")), "-conf", str(config)),
        files={config: content},
    )
