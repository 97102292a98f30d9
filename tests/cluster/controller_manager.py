"""kube-controller-manager."""

from cluster import kubeconfigs
from cluster.paths import Layout
from cluster.process import Daemon


def daemon(layout: Layout) -> Daemon:
    """Describe the process."""
    pki = layout.certificates
    login = kubeconfigs.path(layout, "controller-manager")
    return Daemon(
        name="kube-controller-manager",
        argv=(
            str(layout.binary("kube-controller-manager")),
            f"--kubeconfig={login}",
            f"--authentication-kubeconfig={login}",
            f"--authorization-kubeconfig={login}",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--root-ca-file={pki}/ca.crt",
            f"--service-account-private-key-file={pki}/sa.key",
            f"--cluster-signing-cert-file={pki}/ca.crt",
            f"--cluster-signing-key-file={pki}/ca.key",
            # One token per controller at the default 20 per second would delay the default service account by 5 s.
            "--kube-api-qps=300",
            "--kube-api-burst=500",
            f"--cert-dir={layout.data('controller-manager')}",
            # Else it creates one below /usr/libexec.
            f"--flex-volume-plugin-dir={layout.data('kubelet-plugins')}",
        ),
    )
