"""The command line: `python -m cluster up|down|status|start|stop|load-image|kubeconfig`."""

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from cluster import leftovers, preflight, startup, status, teardown
from cluster.errors import ClusterInUse, HarnessError
from cluster.images import load as images
from cluster.lock import exclusive, out_of_use
from cluster.paths import Layout
from cluster.progress import Reporter

# Only Prometheus: its absence is something that tests need; without any other there is no cluster.
STOPPABLE = click.Choice(["prometheus"])


class Group(click.Group):
    """Shows a `HarnessError` as a sentence instead of a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except ClusterInUse as error:
            click.echo(str(error), err=True)
            sys.exit(ClusterInUse.STATUS)
        except HarnessError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(1)


@click.group(cls=Group, help="A real single-node Kubernetes for tests and the demo.")
@click.pass_context
def main(context: click.Context) -> None:
    layout = Layout.from_environment()
    context.obj = layout


def _exclusively(layout: Layout, action: Callable[[Reporter], None]) -> None:
    preflight.require_linux_and_root()
    reporter = Reporter(layout.cache)
    with exclusive(layout, reporter):
        action(reporter)


@main.command(help="Start the cluster, or find the one that runs; print the path of its kubeconfig.")
@click.pass_obj
def up(layout: Layout) -> None:
    _exclusively(layout, lambda reporter: startup.bring_up(layout, reporter))
    click.echo(layout.kubeconfig)


@main.command(help="Remove the cluster and everything that it left on this machine.")
@click.option(
    "--verify", is_flag=True, help="Only look: list what a cluster has on this machine, status 1 if anything."
)
@click.option("--force", is_flag=True, help="Also while somebody uses it.")
@click.pass_obj
def down(layout: Layout, verify: bool, force: bool) -> None:
    if verify:
        found = leftovers.look(layout).lines()
        click.echo("\n".join(found) if found else "Nothing of a cluster is on this machine.")
        sys.exit(1 if found else 0)
    preflight.require_linux_and_root()
    with nullcontext() if force else out_of_use(layout):
        _exclusively(layout, lambda reporter: _down(layout, reporter))


def _down(layout: Layout, reporter: Reporter) -> None:
    if not layout.state.exists():
        reporter.say(f"There is no cluster ({layout.state} is not there).")
        return
    preflight.require_no_other_node(layout)
    with reporter.step("cluster", "removing", key="down"):
        teardown.tear_down(layout)


@main.command("status", help="Show what runs; status 1 if the cluster is not up.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def show_status(layout: Layout, as_json: bool) -> None:
    observed = status.observe(layout)
    if as_json:
        click.echo(json.dumps(observed.as_json(), indent=2))
    else:
        Console(highlight=False).print(_table(observed))
        click.echo(
            f"kubeconfig {observed.kubeconfig}\nkubectl    {observed.kubectl}\nPrometheus {observed.prometheus_url}"
        )
    sys.exit(0 if observed.is_up else 1)


def _table(observed: status.Status) -> Table:
    title = f"up since {observed.started_at}" if observed.is_up else "not up"
    table = Table("component", "pid", "MB", "log", title=f"cluster: {title}")
    for component in observed.components:
        pid = str(component.pid) if component.pid else "does not run"
        table.add_row(component.name, pid, str(component.resident_megabytes), component.log)
    return table


@main.command(help="Start one component that was stopped.")
@click.argument("component", type=STOPPABLE)
@click.pass_obj
def start(layout: Layout, component: str) -> None:
    _require_up(layout)
    _exclusively(layout, lambda _: startup.start_prometheus(layout))


@main.command(help="Stop one component and keep its data.")
@click.argument("component", type=STOPPABLE)
@click.pass_obj
def stop(layout: Layout, component: str) -> None:
    _require_up(layout)
    _exclusively(layout, lambda _: startup.stop_prometheus(layout))


@main.command("load-image", help="Put images (OCI archives or OCI image layouts) into the cluster.")
@click.argument("files", type=click.Path(exists=True, path_type=Path), nargs=-1, required=True)
@click.pass_obj
def load_image(layout: Layout, files: tuple[Path, ...]) -> None:
    _require_up(layout)
    reporter = Reporter(layout.cache)
    for file in files:
        with reporter.step(file.name, "loading"):
            images.load(file, layout)


@main.command(help="Print the path of the kubeconfig.")
@click.pass_obj
def kubeconfig(layout: Layout) -> None:
    click.echo(layout.kubeconfig)


def _require_up(layout: Layout) -> None:
    if not status.observe(layout).is_up:
        raise HarnessError("The cluster is not up. Start it with `up`.")
