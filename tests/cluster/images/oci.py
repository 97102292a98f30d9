"""OCI images without a builder or a registry: a directory in the standard image layout, whose blobs are hard links.

Layers are uncompressed tar files, so that a blob's digest is also the diff id. Nothing here depends on the time or
the user: the same input gives the same bytes.
"""

import hashlib
import io
import json
import os
import platform
import shutil
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
NAME_ANNOTATION = "io.containerd.image.name"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A tar file and what an image says about it."""

    path: Path
    digest: str
    """sha256 of the file, as sha256:<hex>."""
    size: int
    """In bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """What a container of the image does by default."""

    entrypoint: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: int = 65532
    directory: str = "/"


def make_layer(path: Path) -> Layer:
    """Read a tar file once and describe it as a layer."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Layer(path=path, digest=f"sha256:{digest}", size=path.stat().st_size)


def cached_layout(cache: Path, name: str, layers: Iterable[Layer], config: ImageConfig) -> Path:
    """Return the OCI image layout (a directory) of this content, written unless the cache has it.

    `name` is the whole reference, for example serinus.local/operator:dev.
    """
    ordered = tuple(layers)
    key = hashlib.sha256(repr((name, [layer.digest for layer in ordered], make_config(ordered, config))).encode())
    directory = cache / "images" / f"{name.rpartition('/')[2].replace(':', '-')}-{key.hexdigest()[:16]}"
    if not directory.exists():
        unfinished = directory.with_name(f"{directory.name}.{os.getpid()}.writing")
        shutil.rmtree(unfinished, ignore_errors=True)
        _write_layout(unfinished, name, ordered, config)
        try:
            unfinished.replace(directory)
        except OSError:  # another process was faster with the same content
            shutil.rmtree(unfinished)
    return directory


def _write_layout(directory: Path, name: str, ordered: tuple[Layer, ...], config: ImageConfig) -> None:
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for layer in ordered:
        _link(layer.path, blobs / layer.digest.removeprefix("sha256:"))
    config_blob = _write_blob(blobs, CONFIG_TYPE, make_config(ordered, config))
    described = [{"mediaType": LAYER_TYPE, "digest": layer.digest, "size": layer.size} for layer in ordered]
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config_blob, "layers": described}
    entry = {**_write_blob(blobs, MANIFEST_TYPE, manifest), "annotations": {NAME_ANNOTATION: name}}
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [entry]}
    (directory / "index.json").write_text(json.dumps(index))
    (directory / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))


def make_config(layers: tuple[Layer, ...], config: ImageConfig) -> dict[str, object]:
    """Return the image's configuration blob."""
    return {
        "architecture": architecture(),
        "os": "linux",
        "config": {
            "Entrypoint": list(config.entrypoint),
            "Env": [f"{name}={value}" for name, value in sorted(config.environment.items())],
            "User": f"{config.user}:{config.user}",
            "WorkingDir": config.directory,
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
    }


def architecture() -> str:
    """Return the machine's architecture in Go's words."""
    return MACHINES.get(platform.machine(), platform.machine())


def image_name(directory: Path) -> str:
    """Return the reference that an image layout carries."""
    index = json.loads((directory / "index.json").read_text())
    return str(index["manifests"][0]["annotations"][NAME_ANNOTATION])


def write_archive(directory: Path, archive: Path, *, without: frozenset[str] = frozenset()) -> Path:
    """Pack an image layout into one tar file, for `ctr images import` or `kind load image-archive`.

    `without` names digests to leave out because the receiver has them already: importing an image of 400 MB whose
    source changed by a line then reads kilobytes.
    """
    with tarfile.open(archive, "w") as tar:
        for path in sorted(path for path in directory.rglob("*") if path.is_file()):
            if f"sha256:{path.name}" in without:
                continue
            entry = tarfile.TarInfo(str(path.relative_to(directory)))
            entry.size = path.stat().st_size
            entry.mode = 0o644
            with path.open("rb") as file:
                tar.addfile(entry, file)
    return archive


def _write_blob(blobs: Path, media_type: str, content: object) -> dict[str, object]:
    data = io.BytesIO(json.dumps(content, sort_keys=True).encode())
    digest = hashlib.sha256(data.getvalue()).hexdigest()
    (blobs / digest).write_bytes(data.getvalue())
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data.getvalue())}


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        return  # two equal layers share one blob
    except OSError:
        shutil.copyfile(source, target)  # a file system without hard links
