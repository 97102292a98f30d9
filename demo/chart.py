"""The chart through helm itself: rendered for tests, installed for the demo.

Helm is built from its Go module with the harness' cache of binaries, so nothing has to be installed on the machine.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cluster import access
from cluster.binaries import Tool
from cluster.commands import run
from cluster.errors import CommandFailed

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts" / "serinus"
RELEASE = "serinus"
HELM = Tool(name="helm", module="helm", package="helm.sh/helm/v4/cmd/helm", directory=ROOT / "demo" / "go")
INSTALL_TIMEOUT_SECONDS = 120


def helm() -> Path:
    """Return the helm binary, built now (about two minutes) unless the cache has it."""
    return access.build_binary(HELM)


def render_chart(*, namespace: str, values: Mapping[str, Any], release: str = RELEASE) -> list[dict[str, Any]]:
    """Return the chart's objects for a namespace and values, in helm's order.

    Raises:
        CommandFailed: The values are refused; the message is helm's.
    """
    text = run(
        helm(), "template", release, CHART, "--namespace", namespace, "--values", "-",
        stdin=json.dumps(dict(values)),
    )  # fmt: skip
    return [each for each in yaml.safe_load_all(text) if each]


def install_chart(kubeconfig: Path, *, namespace: str, values: Mapping[str, Any]) -> None:
    """Install or upgrade the release and wait until its pods are ready; replace one that was interrupted.

    Raises:
        CommandFailed: It could not be installed, or is not ready in time; the message is helm's.
    """
    try:
        _upgrade(kubeconfig, namespace, values)
    except CommandFailed as error:
        # Left by a run that was interrupted between helm's two writes; helm itself never goes on from there.
        if "another operation" not in error.output:
            raise
        uninstall_chart(kubeconfig, namespace=namespace)
        _upgrade(kubeconfig, namespace, values)


def _upgrade(kubeconfig: Path, namespace: str, values: Mapping[str, Any]) -> None:
    run(
        helm(), "upgrade", "--install", RELEASE, CHART, "--namespace", namespace, "--create-namespace",
        "--kubeconfig", kubeconfig, "--wait", "--timeout", f"{INSTALL_TIMEOUT_SECONDS}s", "--values", "-",
        stdin=json.dumps(dict(values)), timeout_seconds=INSTALL_TIMEOUT_SECONDS + 30,
    )  # fmt: skip


def uninstall_chart(kubeconfig: Path, *, namespace: str) -> None:
    """Uninstall the release; an absent one is fine."""
    run(
        helm(), "uninstall", RELEASE, "--namespace", namespace, "--kubeconfig", kubeconfig, "--ignore-not-found",
        "--wait", "--timeout", f"{INSTALL_TIMEOUT_SECONDS}s", timeout_seconds=INSTALL_TIMEOUT_SECONDS + 30,
    )  # fmt: skip
