"""The command ``kubectl serinus``: reads the cluster, draws, and writes one annotation at a person's word.

The shell of this folder: what is drawn and what is ordered is decided in the pure modules beside it.
"""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import TypeVar

import click
from rich.console import Console, RenderableType
from rich.live import Live

from serinus import contract
from serinus.cli.orders import NothingToOrder, make_order
from serinus.cli.tree import make_tree
from serinus.cli.why import make_story
from serinus.cluster.client import Cluster, connect
from serinus.cluster.context import current_namespace
from serinus.cluster.kinds import MODEL_DEPLOYMENT, POD, ROLLOUT_REPORT, Manifest
from serinus.cluster.protocol import ClusterApi
from serinus.errors import ClusterError, ClusterUnavailable

REFRESH_SECONDS = 1.0
T = TypeVar("T")

_namespace = click.option("-n", "--namespace", help="Namespace; default: that of the current kubeconfig context.")
_name = click.argument("name")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """See what a rollout does and why, and decide where a person has to."""


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(_version())


@main.command()
@_name
@_namespace
@click.option("-w", "--watch", is_flag=True, help="Redraw once a second until interrupted.")
def get(name: str, namespace: str | None, *, watch: bool) -> None:
    """Show a ModelDeployment as a tree: revisions, pods, weights, evidence, the reason in words."""
    cluster, namespace = _connect(namespace)
    console = Console(highlight=False)
    if watch:
        _watch(console, lambda: draw(cluster, namespace, name))
    else:
        console.print(_ask(lambda: draw(cluster, namespace, name)))


@main.command()
@_name
@_namespace
@click.option("--all", "show_all", is_flag=True, help="All attempts, not only the newest.")
def why(name: str, namespace: str | None, *, show_all: bool) -> None:
    """Tell what was decided about a rollout, when, and why."""
    cluster, namespace = _connect(namespace)
    found = _ask(lambda: fetch(cluster, namespace, name))
    reports = _ask(lambda: fetch_reports(cluster, namespace, found))
    status = found.get("status") or {}
    Console(highlight=False).print(make_story(reports, datetime.now(UTC), latest_only=not show_all, status=status))


def _add_order(verb: str, text: str) -> None:
    @main.command(name=verb, help=text)
    @_name
    @_namespace
    def order(name: str, namespace: str | None) -> None:
        cluster, namespace = _connect(namespace)
        click.echo(_ask(lambda: give_order(cluster, namespace, name, verb)))


_add_order("promote", "Promote the canary at once, without waiting for more evidence.")
_add_order("abort", "End the rollout and send its traffic back to stable.")
_add_order("retry", "Try a rejected revision once more, from the first step.")
_add_order("approve", "Approve the approval step that the rollout waits at.")
_add_order("pause", "Hold the rollout at its present step and weight.")
_add_order("resume", "Go on with a rollout that a person has paused.")


def fetch(cluster: ClusterApi, namespace: str, name: str) -> Manifest:
    """Return a ModelDeployment.

    Raises:
        click.ClickException: It does not exist.
    """
    found = cluster.get(MODEL_DEPLOYMENT, namespace, name)
    if found is None:
        raise click.ClickException(f"there is no ModelDeployment {name} in namespace {namespace}")
    return found


def fetch_reports(cluster: ClusterApi, namespace: str, model_deployment: Manifest) -> list[Manifest]:
    """Return the RolloutReports of a ModelDeployment, in no order."""
    labels = {contract.LABEL_MODEL_DEPLOYMENT: model_deployment["metadata"]["name"]}
    return list(cluster.list(ROLLOUT_REPORT, namespace, labels))


def draw(cluster: ClusterApi, namespace: str, name: str) -> RenderableType:
    """Fetch a ModelDeployment with its reports and pods, and draw it."""
    found = fetch(cluster, namespace, name)
    pods = cluster.list(POD, namespace, {contract.LABEL_MODEL_DEPLOYMENT: name})
    return make_tree(found, fetch_reports(cluster, namespace, found), pods, datetime.now(UTC))


def give_order(cluster: Cluster, namespace: str, name: str, verb: str) -> str:
    """Write the annotation for a verb and return what was done, in words."""
    found = fetch(cluster, namespace, name)
    order = make_order(verb, found, fetch_reports(cluster, namespace, found))
    cluster.patch(MODEL_DEPLOYMENT, namespace, name, {"metadata": {"annotations": {order.annotation: order.value}}})
    return f"{name}: {order.said}\n({order.annotation}={order.value})"


def _version() -> str:
    try:
        return installed_version("serinus")
    except PackageNotFoundError:  # run from a source tree that was not installed
        return "unknown"


def _connect(namespace: str | None) -> tuple[Cluster, str]:
    def open_cluster() -> tuple[Cluster, str]:
        client = connect(f"kubectl-serinus/{_version()}")
        cluster = Cluster(client, field_manager=contract.FIELD_MANAGER_CLI)
        return cluster, namespace or current_namespace()

    return _ask(open_cluster)


def _ask(question: Callable[[], T]) -> T:
    """Run a question to the cluster; say what went wrong in one sentence, without a traceback."""
    try:
        return question()
    except (ClusterError, NothingToOrder) as error:
        raise click.ClickException(str(error)) from error


def _watch(console: Console, question: Callable[[], RenderableType]) -> None:
    """Draw again and again; on a terminal in place, else one picture below the other."""

    def look() -> RenderableType:
        try:
            return question()
        except ClusterUnavailable as error:
            return f"waiting for the API server: {error.message}"

    picture = _ask(question)
    try:
        if not console.is_terminal:
            while True:
                console.print(picture)
                time.sleep(REFRESH_SECONDS)
                picture = _ask(look)
        with Live(picture, console=console, auto_refresh=False, screen=True) as live:
            while True:
                time.sleep(REFRESH_SECONDS)
                picture = _ask(look)
                live.update(picture, refresh=True)
    except KeyboardInterrupt:
        if console.is_terminal:
            console.print(picture)


if __name__ == "__main__":
    sys.exit(main())
