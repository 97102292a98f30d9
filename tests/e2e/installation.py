"""Install what the operator needs in a cluster: the CRDs, and an account with the chart's rights."""

import json
from pathlib import Path
from typing import Any

import yaml
from demo.chart import render_chart

from e2e.api_server import Kubectl

ROOT = Path(__file__).parents[2]
SERVICE_ACCOUNT = "serinus"
ACCOUNT_KINDS = {"ServiceAccount", "Role", "RoleBinding"}


def install_crds(kubectl: Kubectl) -> None:
    """Apply the CRDs of this checkout and wait until they are served."""
    crds = str(ROOT / "crds")
    kubectl.run("apply", "--server-side", "--force-conflicts", "-f", crds)
    kubectl.run("wait", "--for=condition=Established", "-f", crds, "--timeout=30s")


def install_operator_account(kubectl: Kubectl, namespace: str) -> None:
    """Create the chart's ServiceAccount and rights, for one watched namespace that is the operator's own too."""
    objects = render_chart(namespace=namespace, values={"watchNamespaces": [namespace]})
    account = [each for each in objects if each["kind"] in ACCOUNT_KINDS]
    assert {each["kind"] for each in account} == ACCOUNT_KINDS, "the chart grants nothing"
    kubectl.run("apply", "--server-side", "-n", namespace, "-f", "-", stdin=yaml.safe_dump_all(account))


def operator_kubeconfig(kubectl: Kubectl, namespace: str, folder: Path) -> Path:
    """Write a kubeconfig that logs in as the operator's ServiceAccount, and return its path."""
    token = kubectl.run("create", "token", SERVICE_ACCOUNT, "-n", namespace, "--duration=12h").strip()
    config: dict[str, Any] = json.loads(kubectl.run("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    config["users"] = [{"name": "operator", "user": {"token": token}}]
    config["contexts"][0]["context"]["user"] = "operator"
    path = folder / "kubeconfig.json"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    return path
