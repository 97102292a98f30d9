"""kube-scheduler."""

from cluster import kubeconfigs
from cluster.paths import Layout
from cluster.process import Daemon


def daemon(layout: Layout) -> Daemon:
    """Describe the process."""
    login = kubeconfigs.path(layout, "scheduler")
    return Daemon(
        name="kube-scheduler",
        argv=(
            str(layout.binary("kube-scheduler")),
            f"--kubeconfig={login}",
            f"--authentication-kubeconfig={login}",
            f"--authorization-kubeconfig={login}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--cert-dir={layout.data('scheduler')}",
        ),
    )
