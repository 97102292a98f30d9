"""Python images: base, packages and source as separate layers, each made again only when its own input changes."""

import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.commands import run
from cluster.images import base
from cluster.images.layers import cached_layer, content_key, walk, write_tar
from cluster.images.oci import ImageConfig, Layer, cached_layout
from cluster.paths import Layout
from cluster.progress import Reporter

SITE_PACKAGES = "/usr/lib/python3/dist-packages"  # on the distribution's own sys.path
REGISTRY = "serinus.local"  # a name that nobody can pull from, so a missing image fails at once
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
# Files in layers are dated 0, so bytecode that compares dates would be stale, and the pod compile everything anew.
COMPILE = ("-m", "compileall", "-q", "-j", "2", "--invalidation-mode", "unchecked-hash")


def python_image(
    name: str,
    requirements: Path | None,
    files: Mapping[str, Path],
    entrypoint: Sequence[str],
    env: Mapping[str, str] | None = None,
    user: int = 65532,
) -> Path:
    """Build an image, or find it in the cache, and return its OCI image layout (a directory).

    Args:
        name: `operator` or `operator:1`; becomes serinus.local/operator:dev or :1.
        requirements: a file of hash-pinned packages, dependencies included; None for the standard library alone.
        files: absolute path in the image -> file or directory here. Python files get bytecode.
        entrypoint: the command line; `python3` is the image's interpreter.
        env: added to a default environment.
        user: numeric user and group.

    Raises:
        HarnessError: if packages cannot be fetched or the base cannot be built.
        FileNotFoundError: for a file that is not there.
    """
    cache = Layout.from_environment().cache
    reporter = Reporter(cache)
    foundation = base.build(cache, reporter)
    layers = list(foundation.layers)
    if requirements is not None:
        layers.append(_site_layer(requirements, foundation.key, cache, reporter))
    if files:
        layers.append(_source_layer(files, foundation.key, cache))
    config = ImageConfig(entrypoint=tuple(entrypoint), environment={**ENVIRONMENT, **(env or {})}, user=user)
    return cached_layout(cache, image_reference(name), layers, config)


def image_reference(name: str) -> str:
    """Return what a pod calls the image: `operator` -> serinus.local/operator:dev."""
    return f"{REGISTRY}/{name if ':' in name else f'{name}:dev'}"


def _site_layer(requirements: Path, base_key: str, cache: Path, reporter: Reporter) -> Layer:
    key = content_key({"/requirements": requirements}, base_key)

    def write(target: Path) -> None:
        with (
            reporter.step(
                "packages", f"installing {requirements.name} for an image", key=f"packages {requirements.name}"
            ),
            tempfile.TemporaryDirectory() as directory,
        ):
            # --python runs our pip under the distribution's interpreter, so that wheels and markers fit the image.
            run(
                sys.executable, "-m", "pip", "--python", base.HOST_PYTHON, "install", "--quiet", "--target", directory,
                "--no-compile", "--no-deps", "--only-binary=:all:", "--require-hashes", "-r", requirements,
                timeout_seconds=1800,
            )  # fmt: skip
            # The packages' own tests are never imported by a server.
            run(
                base.HOST_PYTHON,
                *COMPILE,
                "-x",
                "/tests/",
                "-s",
                directory,
                "-p",
                SITE_PACKAGES,
                directory,
                timeout_seconds=600,
            )
            write_tar(target, {SITE_PACKAGES: Path(directory)}, left_out=frozenset())

    return cached_layer(cache, "site", key, write)


def _source_layer(files: Mapping[str, Path], base_key: str, cache: Path) -> Layer:
    key = content_key(files, base_key)

    def write(target: Path) -> None:
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            for name, path in walk(files):
                copy = root / name.lstrip("/")
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, copy, follow_symlinks=False)
            run(base.HOST_PYTHON, *COMPILE, "-s", directory, "-p", "/", directory)
            write_tar(target, {"/": root}, left_out=frozenset())

    return cached_layer(cache, "source", key, write)
