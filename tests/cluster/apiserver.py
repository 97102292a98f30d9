"""kube-apiserver, on the bridge address only, so that it is in nobody's way."""

from cluster import addresses
from cluster.errors import HarnessError
from cluster.kubectl import Kubectl
from cluster.paths import Layout
from cluster.process import Daemon


def daemon(layout: Layout) -> Daemon:
    """Describe the process."""
    pki = layout.certificates
    return Daemon(
        name="kube-apiserver",
        argv=(
            str(layout.binary("kube-apiserver")),
            f"--etcd-servers={addresses.ETCD_URL}",
            f"--bind-address={addresses.BRIDGE_ADDRESS}",
            f"--advertise-address={addresses.BRIDGE_ADDRESS}",
            "--secure-port=6443",
            f"--service-cluster-ip-range={addresses.SERVICE_CIDR}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--client-ca-file={pki}/ca.crt",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
            f"--kubelet-certificate-authority={pki}/ca.crt",
            "--kubelet-preferred-address-types=InternalIP",
            f"--requestheader-client-ca-file={pki}/ca.crt",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
            f"--proxy-client-key-file={pki}/front-proxy-client.key",
            f"--service-account-issuer=https://kubernetes.default.svc.{addresses.DNS_DOMAIN}",
            f"--service-account-key-file={pki}/sa.pub",
            f"--service-account-signing-key-file={pki}/sa.key",
        ),
    )


def is_ready(kubectl: Kubectl) -> bool:
    """Return whether the server answers that it is ready."""
    try:
        return kubectl.raw("/readyz") == "ok"
    except HarnessError:
        return False
