"""Which names a store may give its files: only such as stay inside the directory that they are fetched into.

Pure: knows no file system.
"""

from collections.abc import Iterable

from serinus.fetch.failures import FetchFailed, Reason

PARTIAL = ".serinus-partial"
MARKER = ".serinus-complete"
_LONGEST_SEGMENT_BYTES = 255
_LONGEST_PATH_BYTES = 1024


def safe_path(path: str) -> str:
    """Return a relative path as it is, if it names a file inside the directory.

    Raises:
        FetchFailed: It is empty, absolute, leads out, is too long, or holds characters that a line of ``sha256sum``
            cannot hold.
    """
    segments = path.split("/")
    if (
        any(segment in {"", ".", ".."} for segment in segments)
        or "\\" in path
        or any(ord(character) < 0x20 or ord(character) == 0x7F for character in path)
        or segments[0].startswith((PARTIAL, MARKER))
        or _too_long(path, segments)
    ):
        raise FetchFailed(
            Reason.UNSUPPORTED,
            f"The store lists a file named {path[:200]!r}, which cannot be a file below the model's directory. "
            "Rename it in the store.",
        )
    return path


def _too_long(path: str, segments: list[str]) -> bool:
    try:
        return len(path.encode()) > _LONGEST_PATH_BYTES or any(
            len(segment.encode()) > _LONGEST_SEGMENT_BYTES for segment in segments
        )
    except UnicodeEncodeError:
        return True


def refuse_collisions(paths: Iterable[str]) -> None:
    """Refuse a set of files in which one would have to be a directory of another, or stands twice.

    Raises:
        FetchFailed: There is such a file.
    """
    seen: set[str] = set()
    for path in paths:
        if path in seen:
            raise FetchFailed(Reason.UNSUPPORTED, f"The artifact holds two files named {path!r}. Rename one of them.")
        seen.add(path)
    for path in seen:
        for index, character in enumerate(path):
            if character == "/" and path[:index] in seen:
                raise FetchFailed(
                    Reason.UNSUPPORTED,
                    f"The artifact holds a file {path[:index]!r} and a file {path!r}, which no directory can. "
                    "Rename one of them.",
                )
