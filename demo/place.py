"""The cluster that the demo runs on: the repository's own, or with ``CLUSTER=current`` the one of the kubeconfig.

Knows how to reach it and how images get into it; nothing of Serinus.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import click
import yaml

from cluster import access
from cluster.commands import run
from cluster.errors import CommandFailed
from demo.images import Image, write_archive


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A cluster."""

    kubectl_path: Path
    kubeconfig: Path
    prometheus_url: str
    """As the operator's pod reaches it."""
    load_images: Callable[[Sequence[Image]], None]
    is_ours: bool
    """The repository's own cluster, which ``demo down`` stops."""

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout_seconds: float = 120) -> str:
        """Run kubectl and return what it printed.

        Raises:
            CommandFailed: It refused; the message is its own.
        """
        return run(
            self.kubectl_path, "--kubeconfig", self.kubeconfig, *arguments,
            stdin=stdin, timeout_seconds=timeout_seconds,
        )  # fmt: skip


def claim_place() -> AbstractContextManager[None]:
    """Keep the repository's own cluster from being taken down meanwhile; a kubeconfig's is not ours to keep."""
    return nullcontext() if os.environ.get("CLUSTER") == "current" else access.in_use()


def find_place(*, start: bool) -> Place | None:
    """Return the cluster to use, started if asked; None if the repository's own one does not run and is not to start.

    Raises:
        click.ClickException: There is none, and the message says what to do.
    """
    if os.environ.get("CLUSTER") == "current":
        return _current("Install the demo into" if start else "Remove the demo from")
    if start:
        access.bring_up()
    elif not access.is_up():
        return None
    return Place(
        kubectl_path=access.kubectl(),
        kubeconfig=access.kubeconfig_path(),
        prometheus_url=access.prometheus_url(),
        load_images=lambda images: access.load_images([each.layout for each in images]),
        is_ours=True,
    )


def _current(what: str) -> Place:
    program = shutil.which("kubectl")
    if program is None:
        raise click.ClickException("CLUSTER=current needs kubectl on the PATH")
    kubeconfig = only_kubeconfig(os.environ.get("KUBECONFIG", ""))
    context, server = _current_context(kubeconfig)
    url = os.environ.get("SERINUS_PROMETHEUS_URL", "")
    if not url:
        raise click.ClickException(
            "CLUSTER=current needs SERINUS_PROMETHEUS_URL: the address at which a pod of that cluster reaches a "
            "Prometheus that scrapes pods by their prometheus.io annotations and gives series the labels "
            "namespace and pod"
        )
    question = f"{what} the cluster of context {context!r} ({server})?"
    if os.environ.get("YES") != "1" and not click.confirm(question):
        raise click.ClickException("nothing was changed; YES=1 answers the question beforehand")
    return Place(
        kubectl_path=Path(program),
        kubeconfig=kubeconfig,
        prometheus_url=url,
        load_images=lambda images: _import_images(context, images),
        is_ours=False,
    )


def only_kubeconfig(variable: str) -> Path:
    """Return the one file that KUBECONFIG names, or where it lies without.

    Raises:
        click.ClickException: It names several, which kubectl would merge; helm and the command lines that the demo
            prints are given one.
    """
    files = [each for each in variable.split(os.pathsep) if each]
    if len(files) > 1:
        raise click.ClickException(
            f"KUBECONFIG names {len(files)} files, and the demo needs one: write what you use now into one with "
            "`kubectl config view --minify --flatten > FILE` and set KUBECONFIG to that file"
        )
    return Path(files[0]) if files else Path.home() / ".kube" / "config"


def _current_context(kubeconfig: Path) -> tuple[str, str]:
    try:
        config = yaml.safe_load(kubeconfig.read_text())
        name = config["current-context"]
        context = next(each["context"] for each in config["contexts"] if each["name"] == name)
        cluster = next(each["cluster"] for each in config["clusters"] if each["name"] == context["cluster"])
    except (OSError, KeyError, TypeError, StopIteration, yaml.YAMLError) as error:
        raise click.ClickException(f"{kubeconfig} names no current cluster: {error}") from error
    return str(name), str(cluster["server"])


def importer(context: str, archive: str) -> list[str] | None:
    """Return the command that imports an archive into the cluster of a context, None for an unknown kind."""
    if context.startswith("kind-"):
        return ["kind", "load", "image-archive", archive, "--name", context.removeprefix("kind-")]
    if context.startswith("k3d-"):
        return ["k3d", "image", "import", archive, "--cluster", context.removeprefix("k3d-")]
    if context == "minikube":
        return ["minikube", "image", "load", archive]
    return None


def _import_images(context: str, images: Sequence[Image]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        for image in images:
            archive = Path(directory) / "image.tar"
            command = importer(context, str(archive))
            if command is None:
                names = json.dumps({each.reference: str(each.layout) for each in images}, indent=2)
                if os.environ.get("SERINUS_IMAGES_LOADED") == "1":
                    return
                raise click.ClickException(
                    f"context {context!r} is no kind, k3d or minikube: bring these images (OCI layouts) to its nodes "
                    f"under these names, then run again with SERINUS_IMAGES_LOADED=1\n{names}"
                )
            write_archive(image, archive)
            run(*command, timeout_seconds=600)


def is_found(place: Place, *query: str) -> bool:
    """Tell whether ``kubectl get`` finds what is asked for.

    Raises:
        CommandFailed: The cluster could not be asked.
    """
    try:
        return bool(place.kubectl("get", *query, "--ignore-not-found", "--output=name").strip())
    except CommandFailed as error:
        if "the server doesn't have a resource type" in error.output:
            return False
        raise
