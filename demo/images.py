"""The images of the demo and of the end-to-end tests: what goes into each.

A tag is a hash of what went in, so that two checkouts share a cluster without overwriting each other's images, and a
changed source is a changed pod template; only the two images that ``examples/demo`` names have the tag ``demo``. Knows
files and the harness' image builder; no cluster.
"""

import json
import tarfile
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.commands import run
from cluster.images.base import HOST_PYTHON
from cluster.images.layers import content_key
from cluster.images.python import SITE_PACKAGES, image_reference, python_image
from cluster.paths import Layout
from cluster.progress import Reporter

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "demo"
CONSTRAINTS = ROOT / "constraints"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
MODELS = "/models"
REQUESTS = "requests.jsonl"
CHANGED_REQUESTS = "changed.jsonl"
PROFILE = "profile.json"
DIGITS_SOURCES = ("digits_metrics.py", "digits_runtime.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that was built."""

    reference: str
    """What a pod calls it, tag included."""
    layout: Path
    """Directory that holds it as an OCI image layout."""


def operator_image() -> Image:
    """Build the operator's image, which fetches models too: its dependencies and its source."""
    return build_image(
        "serinus",
        CONSTRAINTS / "fetch.txt",
        {f"{SITE_PACKAGES}/serinus": ROOT / "operator" / "serinus", **_metadata()},
        ("python3", "-m", "serinus", "run"),
        ONE_THREAD,
    )


def toy_server_image() -> Image:
    """Build the server that fails on request, for the end-to-end tests."""
    files = {"/app/toy_server.py": DEMO / "toy" / "toy_server.py"}
    return build_image("toy-server", CONSTRAINTS / "demo-toy.txt", files, ("python3", "/app/toy_server.py"))


def load_image() -> Image:
    """Build the load generator, with the held-out images of the demo's data set as bodies."""
    files = {f"/app/demo/{name}": DEMO / name for name in ("__init__.py", "connection.py", "counts.py", "load.py")}
    bodies = {f"/app/{REQUESTS}": trained_models() / REQUESTS}
    return build_image("load:demo", None, {**files, **bodies}, ("python3", "-m", "demo.load"), {"PYTHONPATH": "/app"})


def digits_image(name: str = "digits:demo") -> Image:
    """Build MLServer with the models that read handwritten digits; a name without a tag gets a hash for it."""
    return build_image(
        name,
        CONSTRAINTS / "demo-mlserver.txt",
        {MODELS: trained_models(), **{f"/app/{name}": DEMO / "model" / name for name in DIGITS_SOURCES}},
        ("python3", "-m", "mlserver.cli.main", "start"),
        {**ONE_THREAD, "PYTHONPATH": "/app"},
    )


def trained_models() -> Path:
    """Return the directory of the trained models, trained now unless the cache has them.

    The training runs under the image's Python with the packages of the image's own layer, so that what is stored is
    read by the very versions that wrote it.
    """
    layout = Layout.from_environment()
    requirements, program = CONSTRAINTS / "demo-mlserver.txt", DEMO / "model" / "train.py"
    key = content_key({"/requirements": requirements, "/train": program})
    trained = layout.cache / "models" / key
    if not trained.exists():
        bare = build_image("digits-packages", requirements, {}, ())
        with Reporter(layout.cache).step("models", "training on scikit-learn's digits", key="train models"):
            _train(bare.layout, program, trained)
    return trained


def fetch_accuracies() -> dict[str, float]:
    """Return the measured accuracy of each model, by the name of its folder."""
    accuracies: dict[str, float] = json.loads((trained_models() / "accuracies.json").read_text())
    return accuracies


def write_archive(image: Image, target: Path) -> None:
    """Write an image as one OCI archive, the form that kind, k3d and minikube import."""
    with tarfile.open(target, "w") as tar:
        for path in sorted(image.layout.rglob("*")):
            tar.add(path, arcname=str(path.relative_to(image.layout)), recursive=False)


def build_image(
    name: str,
    requirements: Path | None,
    files: Mapping[str, Path],
    entrypoint: Sequence[str],
    environment: Mapping[str, str] | None = None,
) -> Image:
    """Build an image; a name without a tag gets a hash of what went in for it.

    Args:
        name: of the image, with or without a tag.
        requirements: a file of hash-pinned packages; None for the standard library alone.
        files: absolute path in the image -> file or directory here.
        entrypoint: the command line.
        environment: variables of the image.
    """
    inputs = dict(files) if requirements is None else {**files, "/requirements": requirements}
    content = content_key(inputs, *entrypoint, repr(sorted((environment or {}).items())))
    tagged = name if ":" in name else f"{name}:{content}"
    layout = python_image(tagged, requirements, files, list(entrypoint), environment)
    return Image(reference=image_reference(tagged), layout=layout)


def _metadata() -> dict[str, Path]:
    """Return what tells the installed operator its own version."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    path = Layout.from_environment().cache / "metadata" / f"serinus-{version}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"Metadata-Version: 2.1\nName: serinus\nVersion: {version}\n")
    return {f"{SITE_PACKAGES}/serinus-{version}.dist-info/METADATA": path}


def _train(layout: Path, program: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as directory:
        root = Path(directory)
        with tarfile.open(_last_layer(layout)) as tar:
            tar.extractall(root, filter="data")
        environment = {**ONE_THREAD, "PYTHONPATH": str(root / SITE_PACKAGES.lstrip("/")), "PYTHONNOUSERSITE": "1"}
        run(HOST_PYTHON, program, root / "models", environment=environment)
        (root / "models").rename(target)


def _last_layer(layout: Path) -> Path:
    """Return the tar file of the topmost layer of an image layout."""

    def read(digest: str) -> dict[str, list[dict[str, str]]]:
        parsed: dict[str, list[dict[str, str]]] = json.loads(_blob(layout, digest).read_text())
        return parsed

    index = json.loads((layout / "index.json").read_text())
    return _blob(layout, read(index["manifests"][0]["digest"])["layers"][-1]["digest"])


def _blob(layout: Path, digest: str) -> Path:
    algorithm, _, digits = digest.partition(":")
    return layout / "blobs" / algorithm / digits
