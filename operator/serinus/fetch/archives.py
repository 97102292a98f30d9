"""Puts files where they belong, out of archives too, and never anywhere else.

Links and devices in an archive are refused: a model needs none, and a link is how an archive writes outside. Knows no
store.
"""

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.partial import writing
from serinus.fetch.paths import safe_path
from serinus.fetch.source import BLOCK_BYTES

# How a layer of an image says that a file of an earlier layer is gone, by the OCI image specification.
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


def place(directory: Path, path: str, put: Callable[[Path], object]) -> None:
    """Have a file put to its place below a directory, after making sure that the way there has no link.

    Args:
        directory: Where the model goes.
        path: The file's place in it.
        put: Puts it at the path that it is given.

    Raises:
        FetchFailed: There is a link on the way, or the volume is full.
    """
    target = directory / safe_path(path)
    with writing(target):
        for parent in reversed(target.relative_to(directory).parents[:-1]):
            if (directory / parent).is_symlink():
                raise FetchFailed(
                    Reason.UNSUPPORTED,
                    f"{directory / parent} is a link, and a model is written below its own directory only.",
                )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        put(target)


def unpack(archive: Path, directory: Path, below: str) -> tuple[str, ...]:
    """Unpack the files of a tar archive, and return their paths below the directory.

    Args:
        archive: The file, plain or gzipped.
        directory: Where the model goes.
        below: Only files below this directory of the archive, whose name is left out; empty for all.

    Raises:
        FetchFailed: It is no such archive, or holds what no model needs.
    """
    paths: list[str] = []
    try:
        if below:
            # What a layer of an image takes away is what came before it, wherever in the layer it says so.
            for _, _, path in _members(archive, below):
                _take_back(path, directory)
        for tar, member, path in _members(archive, below):
            if not (below and _name(path).startswith(_WHITEOUT)):
                _take(tar, member, path, directory)
                paths.append(path)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FetchFailed(
            Reason.UNSUPPORTED,
            f"A layer cannot be unpacked: {error}. Use plain or gzipped tar (zstd is not supported).",
        ) from error
    return tuple(paths)


def _members(archive: Path, below: str) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo, str]]:
    with tarfile.open(archive, "r:*") as tar:
        for member in tar:
            # Otherwise the list of members grows with the archive.
            tar.members = []  # type: ignore[attr-defined]
            path = _inside(member.name, below)
            if path and not member.isdir():
                yield tar, member, path


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _inside(name: str, below: str) -> str:
    """Return a member's path below a directory of the archive, empty if it is elsewhere."""
    path = name.removeprefix("./").rstrip("/")
    if not below:
        return "" if path == "." else path
    return path.removeprefix(f"{below}/") if path.startswith(f"{below}/") else ""


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str, directory: Path) -> None:
    data = tar.extractfile(member) if member.isreg() else None
    if data is None:
        raise FetchFailed(
            Reason.UNSUPPORTED,
            f"The archive holds a link or device at {path!r}. Pack the files themselves (tar --dereference).",
        )
    place(directory, path, lambda target: _copy(data, target))


def _copy(data: IO[bytes], target: Path) -> None:
    with target.open("xb") as out:
        while block := data.read(BLOCK_BYTES):
            out.write(block)


def _take_back(path: str, directory: Path) -> None:
    """Remove what an earlier layer of the same image brought, if a layer's file says so."""
    parent, _, name = path.rpartition("/")
    if not name.startswith(_WHITEOUT):
        return
    if name != _OPAQUE:
        gone = safe_path(f"{parent}/{name.removeprefix(_WHITEOUT)}".lstrip("/"))
    elif parent:
        gone = safe_path(parent)
    else:
        raise FetchFailed(
            Reason.UNSUPPORTED, "A layer of the image replaces its whole model directory. Build it in one layer."
        )
    target = directory / gone
    for file in [target] if target.is_file() else sorted(target.rglob("*")):
        if file.is_file():
            file.unlink()
