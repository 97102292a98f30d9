"""Calls our kubectl with our kubeconfig, never the user's."""

import json
from dataclasses import dataclass
from typing import Any

from cluster.commands import run
from cluster.errors import CommandFailed
from cluster.paths import Layout


@dataclass(frozen=True, slots=True)
class Kubectl:
    """The cluster's own kubectl as the administrator."""

    layout: Layout

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return what it printed. Raises `CommandFailed` with its own words."""
        return run(
            self.layout.binary("kubectl"), f"--kubeconfig={self.layout.kubeconfig}", *arguments,
            stdin=stdin, environment={"KUBECONFIG": "", "KUBERC": "off"},
        )  # fmt: skip

    def raw(self, path: str) -> str:
        """Return the body of a GET."""
        return self("get", "--raw", path, "--request-timeout=5s")

    def fetch(self, path: str) -> dict[str, Any] | None:
        """Return an object by its API path, or None if it is not there."""
        try:
            parsed: dict[str, Any] = json.loads(self.raw(path))
        except CommandFailed as error:
            if "NotFound" in error.output:
                return None
            raise
        return parsed

    def apply(self, manifest: str) -> None:
        """Apply manifests server-side."""
        self(
            "apply", "--server-side", "--force-conflicts", "--field-manager=serinus-cluster", "-f", "-", stdin=manifest
        )
