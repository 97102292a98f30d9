"""Layers from files and directories, kept in the cache by the content that they were made from."""

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cluster.images.oci import Layer, make_layer

# Left by editors and interpreters; must neither change a layer nor get into it.
LEFT_OUT = frozenset({"__pycache__", ".DS_Store", ".mypy_cache", ".pytest_cache", ".ruff_cache"})


def cached_layer(cache: Path, kind: str, key: str, write: Callable[[Path], None]) -> Layer:
    """Return the layer of this key, made by `write(tar file)` unless the cache has it.

    `kind` is only there for people who look into the cache.
    """
    path = cache / "layers" / f"{kind}-{key}.tar"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.writing")
        try:
            write(unfinished)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    digest = path.with_suffix(".digest")
    if not digest.exists():
        digest.write_text(make_layer(path).digest)
    return Layer(path=path, digest=digest.read_text(), size=path.stat().st_size)


def walk(sources: Mapping[str, Path], left_out: frozenset[str] = LEFT_OUT) -> Iterable[tuple[str, Path]]:
    """Return (absolute path in the image, file here) for files and the files of directories, sorted.

    Raises `FileNotFoundError` for a source that is not there.
    """
    found: dict[str, Path] = {}
    for destination, source in sources.items():
        if source.is_dir():
            for path in source.rglob("*"):
                relative = path.relative_to(source)
                if (path.is_file() or path.is_symlink()) and not left_out.intersection(relative.parts):
                    found[f"{destination.rstrip('/')}/{relative}"] = path
        elif source.exists():
            found[destination] = source
        else:
            raise FileNotFoundError(source)
    return sorted(found.items())


def content_key(sources: Mapping[str, Path], *also: str) -> str:
    """Return 16 hex digits over names, modes and contents, and over the strings in `also`."""
    digest = hashlib.sha256()
    for text in also:
        digest.update(text.encode() + b"\0")
    for name, path in walk(sources):
        digest.update(f"{name}\0{_mode(path):o}\0".encode())
        content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


def write_tar(target: Path, sources: Mapping[str, Path], left_out: frozenset[str] = LEFT_OUT) -> None:
    """Write files as a layer: owned by root, dated 0, in the order of their names, with their directories."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        made: set[str] = set()
        for name, path in walk(sources, left_out):
            for parent in reversed(Path(name.lstrip("/")).parents):
                if str(parent) not in made | {"."}:
                    made.add(str(parent))
                    entry = tarfile.TarInfo(str(parent))
                    entry.type = tarfile.DIRTYPE
                    entry.mode = 0o755
                    tar.addfile(entry)
            _add(tar, name.lstrip("/"), path)


def _add(tar: tarfile.TarFile, name: str, path: Path) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = _mode(path)
    if path.is_symlink():
        entry.type = tarfile.SYMTYPE
        entry.linkname = os.readlink(path)
        tar.addfile(entry)
        return
    entry.size = path.stat().st_size
    with path.open("rb") as file:
        tar.addfile(entry, file)


def _mode(path: Path) -> int:
    """Only whether it can be executed matters; the umask of the person who cloned must not."""
    return 0o755 if not path.is_symlink() and path.stat().st_mode & 0o100 else 0o644
