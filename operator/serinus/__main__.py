"""The command ``serinus``: builds the settings and runs the operator."""

import asyncio
import logging
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import BinaryIO

import click

from serinus.errors import SerinusError
from serinus.settings import InvalidSettings, Settings

logger = logging.getLogger("serinus")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Roll out models on Kubernetes: canaries judged by evidence, promoted or rolled back by themselves."""


@main.command()
def run() -> None:
    """Run the operator with the settings of its environment, variables named SERINUS_…, until SIGTERM."""
    try:
        settings = Settings.from_environment(os.environ)
    except InvalidSettings as invalid:
        raise click.ClickException(str(invalid)) from invalid
    # Only the operator itself pays for kopf and the mathematics; `serinus version` answers at once.
    from serinus.controller.logs import set_up_logging  # noqa: PLC0415
    from serinus.controller.loop import run as run_loop  # noqa: PLC0415
    from serinus.controller.wiring import make_parts  # noqa: PLC0415

    set_up_logging(settings)
    logger.info("serinus %s starts", _version())
    if not settings.prometheus_url:
        logger.warning("SERINUS_PROMETHEUS_URL is not set: nothing can be measured, so no canary will be promoted")
    try:
        asyncio.run(run_loop(make_parts(settings, _version())))
    except SerinusError as failure:
        logger.error("%s", failure, exc_info=logger.isEnabledFor(logging.DEBUG))
        raise SystemExit(1) from failure


@main.command("judge")
@click.argument("file", type=click.File("rb"), default="-")
def judge_file(file: BinaryIO) -> None:
    """Judge measurements in FILE (or standard input), JSON Lines, as the operator would: one line out per tick.

    docs/judge.md has the format. A malformed line ends it with status 2; what came before it has been judged.
    """
    from serinus.judge_command.stream import BadLine, answers  # noqa: PLC0415

    out = sys.stdout.buffer
    try:
        for answer in answers(file):
            out.write(answer.encode() + b"\n")
            out.flush()
    except BadLine as bad:
        click.echo(f"{file.name}: {bad}", err=True)
        raise SystemExit(2) from bad


@main.command("fetch")
@click.option("--uri", required=True, help="Where the model is: s3, gs, az, https, hf, oci or models:/.")
@click.option("--to", "directory", type=click.Path(path_type=Path), help="The directory that it goes into.")
@click.option("--resolve", is_flag=True, help="Only say what stands there now, as one line of JSON.")
@click.option("--pin", default="", help="Fetch exactly what --resolve said, or nothing.")
@click.option(
    "--digest", default="", help="Fetch nothing but this content: sha256:… of a file or of sha256sum's lines."
)
@click.option("--parallel", type=click.IntRange(1, 64), default=8, show_default=True, help="Requests at the same time.")
def fetch_model(uri: str, directory: Path | None, resolve: bool, pin: str, digest: str, parallel: int) -> None:
    """Fetch a model's files, whole or not at all; credentials come from the environment.

    docs/artifacts.md says what every store needs. Ends with status 1 if asking again may help, and 2 if it will not.
    """
    if resolve == (directory is not None):
        raise click.UsageError("give either --to or --resolve")
    from serinus.fetch.run import main as run_fetch  # noqa: PLC0415

    raise SystemExit(run_fetch(uri, directory, os.environ, pin=pin, digest=digest, parallel=parallel))


@main.command("version")
def show_version() -> None:
    """Print the version."""
    click.echo(_version())


def _version() -> str:
    try:
        return version("serinus")
    except PackageNotFoundError:
        # In an image the package may lie beside its dependencies without having been installed.
        return "unknown"


if __name__ == "__main__":
    main()
