"""Kubeconfig files: one per client certificate. Certificates are embedded, so that the file can be copied elsewhere."""

import base64
from pathlib import Path

import yaml

from cluster import addresses
from cluster.certificates import CLIENTS
from cluster.paths import Layout

CONTEXT = "serinus"


def make_kubeconfig(directory: Path, name: str) -> str:
    """Return the kubeconfig of the client certificate `name` in `directory`."""

    def embedded(file: str) -> str:
        return base64.b64encode((directory / file).read_bytes()).decode()

    server = {"server": addresses.API_SERVER_URL, "certificate-authority-data": embedded("ca.crt")}
    user = {"client-certificate-data": embedded(f"{name}.crt"), "client-key-data": embedded(f"{name}.key")}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": CONTEXT, "cluster": server}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": name}}],
            "current-context": CONTEXT,
        },
        sort_keys=False,
    )


def path(layout: Layout, name: str) -> Path:
    """Return where the kubeconfig of a client is."""
    return layout.config(f"{name}.kubeconfig")


def write_all(layout: Layout) -> None:
    """Write the kubeconfig of every client, readable by root only."""
    layout.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    for leaf in CLIENTS:
        file = path(layout, leaf.name)
        file.touch(mode=0o600)
        file.write_text(make_kubeconfig(layout.certificates, leaf.name))
