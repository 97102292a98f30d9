"""``python -m demo``: play the demo and leave it running; ``python -m demo down``: remove it all."""

import sys
from pathlib import Path
from time import monotonic

import click
from rich.console import Console

from cluster.errors import HarnessError
from demo import images, installation
from demo.acts import Course, DemoFailed, play
from demo.installation import NAME, NAMESPACE, OPERATOR_NAMESPACE
from demo.place import Place, claim_place, find_place
from demo.recording import write_recording
from demo.result import find_exposure, find_faults
from demo.stage import Stage, say_load

TITLE = f"kubectl serinus get {NAME} -n {NAMESPACE} --watch"
LOG_LINES = 40


@click.group(invoke_without_command=True)
@click.option("--record", type=click.Path(dir_okay=False, path_type=Path), help="Write the live tree as SVG here.")
@click.pass_context
def main(context: click.Context, record: Path | None) -> None:
    """Roll out three revisions of a model on a real cluster: the second is promoted, the third rolled back."""
    if context.invoked_subcommand is None:
        with claim_place():
            status = _run(record)
        sys.exit(status)


@main.command()
def down() -> None:
    """Remove the demo, the operator and, unless CLUSTER=current, the cluster."""
    place = find_place(start=False)
    if place is None:
        click.echo("The demo's cluster does not run; nothing is left to remove.")
        return
    if place.is_ours and installation.stop_cluster():
        click.echo("The cluster is gone, and the demo with it.")
    else:
        installation.remove(place)
        why = ", for somebody else uses it" if place.is_ours else ""
        click.echo(f"The demo and its operator are gone; the cluster stays{why}.")


def _run(record: Path | None) -> int:
    console, started = Console(highlight=False), monotonic()
    try:
        place = _set_up(console)
    except HarnessError as error:
        raise click.ClickException(str(error)) from error
    console.print(f"everything is in place after {monotonic() - started:.0f} s")
    stage = Stage(place, console)
    try:
        with stage:
            course = play(place, stage, images.fetch_accuracies())
    except (DemoFailed, TimeoutError, HarnessError) as error:
        console.print(f"\nThe demo failed: {error}\n", style="bold red", markup=False)
        _tell_all(place, console)
        return 1
    if record:
        write_recording(stage.frames, TITLE, record)
    return _conclude(place, stage, course, console, monotonic() - started)


def _set_up(console: Console) -> Place:
    place = find_place(start=True)
    if place is None:
        raise HarnessError("there is no cluster")
    console.print("images: the operator, MLServer with three models of handwritten digits, the load generator")
    operator = images.operator_image()
    place.load_images([operator, images.digits_image(), images.load_image()])
    console.print("operator: its CRDs, its ServiceAccount with rights in one namespace, its Deployment")
    installation.install(place, operator)
    installation.clear(place)
    return place


def _conclude(place: Place, stage: Stage, course: Course, console: Console, seconds: float) -> int:
    counts = course.end.counts
    if counts is None:
        console.print("The load generator gave no report.", style="bold red")
        return 1
    if not console.is_terminal:  # a terminal has the picture already
        console.print(stage.picture(course.end), soft_wrap=True)
    console.print()
    exposure = find_exposure(course.end.status, course.bad, counts)
    if exposure:
        console.print(
            f"revision 3: {exposure.answers:,} answers, {exposure.failures:,} of them 500; from its first answer "
            f"{exposure.until_weight_zero_seconds:.0f} s to weight 0, and {exposure.seconds:.0f} s to its last answer",
            soft_wrap=True,
        )
    console.print(say_load(counts), soft_wrap=True)
    faults = find_faults(course.end.status, course.good, course.bad, counts)
    for fault in faults:
        console.print(f"✖ {fault}", style="bold red", markup=False)
    if not faults:
        console.print(
            "✔ revision 2 serves, revision 3 was rejected for its errors, no new connection failed",
            style="bold green",
            soft_wrap=True,
        )
    console.print(f"the demo took {seconds:.0f} s; it is still running. Play on:")
    for command in _commands(place):
        console.print(f"  {command}", markup=False, soft_wrap=True)
    console.print("and remove everything with  make demo-down")
    return 1 if faults else 0


def _commands(place: Place) -> list[str]:
    program = Path(sys.executable).with_name("kubectl-serinus")
    serinus = f"KUBECONFIG={place.kubeconfig} {program}"
    target = f"{NAME} -n {NAMESPACE}"
    return [f"{serinus} get {target} --watch", f"{serinus} why {target} --all", f"{serinus} retry {target}"]


def _tell_all(place: Place, console: Console) -> None:
    """Print what somebody needs who has to find out why."""
    questions = (
        ("get", "modeldeployments,rolloutreports", "-n", NAMESPACE, "-o", "yaml", "--show-managed-fields=false"),
        ("get", "pods,services,deployments", "-n", NAMESPACE, "-o", "wide"),
        ("get", "events", "-n", NAMESPACE, "--sort-by=.lastTimestamp"),
        ("get", "pods", "-n", OPERATOR_NAMESPACE, "-o", "wide"),
        ("logs", "deployment/serinus", "-n", OPERATOR_NAMESPACE, f"--tail={LOG_LINES}"),
    )
    for question in questions:
        console.print(f"--- kubectl {' '.join(question)}", style="bold", markup=False)
        try:
            console.print(place.kubectl(*question), markup=False, soft_wrap=True)
        except HarnessError as error:
            console.print(str(error), markup=False)


if __name__ == "__main__":
    main()
