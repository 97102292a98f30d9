"""Remembers what stood behind a URI in at most 2500 bytes, so that a later fetch gets exactly that or nothing.

A pin holds the files with their versions or etags where they fit, else the fingerprint of their listing and its time.
It has letters, digits, ``-``, ``_`` and ``=`` only, so that it survives any quoting. Pure: the time is handed in.
"""

import base64
import binascii
import hashlib
import json
import zlib
from dataclasses import dataclass
from datetime import datetime

from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.remote import Found, RemoteFile

LONGEST_PIN_BYTES = 2500
_SCHEMA = 1
# A pin of 2500 bytes cannot become more than this; whoever hands us more is up to something.
_LONGEST_TEXT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What stood behind a URI, and when."""

    found: Found
    """Without files if they were too many; then the fingerprint says which they were."""
    at: datetime
    fingerprint: str
    count: int
    size: int
    """In bytes."""


def fingerprint(found: Found) -> str:
    """Return one digest over all that is there; it changes when, and as far as the store tells only when, a file does.

    The manifest's digest where a registry gives one; the file's SHA-256 where a single file has one; else SHA-256 over
    a line per file, sorted by path: path, size and, of SHA-256, Git's name, etag and version, the first that is known.
    """
    if found.commit.startswith("sha256:"):
        return found.commit
    if len(found.files) == 1 and found.files[0].sha256:
        return f"sha256:{found.files[0].sha256}"
    total = hashlib.sha256()
    for file in sorted(found.files, key=lambda file: file.path.encode()):
        known = file.sha256 or file.git_blob or file.etag or file.version
        total.update(json.dumps([file.path, file.size, known]).encode() + b"\n")
    return f"sha256:{total.hexdigest()}"


def make_pin(found: Found, at: datetime) -> Pin:
    """Return the pin of what was found at a time."""
    size = sum(max(0, file.size) for file in found.files)
    return Pin(found=found, at=at, fingerprint=fingerprint(found), count=len(found.files), size=size)


def format_pin(pin: Pin) -> str:
    """Return a pin as text of at most 2500 bytes; files are left out if they do not fit.

    Raises:
        FetchFailed: Even without them it is too long.
    """
    head = {
        "v": _SCHEMA,
        "at": pin.at.isoformat(),
        "fp": pin.fingerprint,
        "n": pin.count,
        "b": pin.size,
        "c": pin.found.commit,
        "s": pin.found.source,
    }
    rows = [] if pin.found.sealed else [_to_row(file) for file in pin.found.files]
    whole = _pack(head | {"f": rows})
    text = whole if len(whole) <= LONGEST_PIN_BYTES else _pack(head)
    if len(text) > LONGEST_PIN_BYTES:
        raise FetchFailed(
            Reason.UNSUPPORTED, "What the URI stands for has too long a name to be remembered; shorten it."
        )
    return text


def parse_pin(text: str) -> Pin:
    """Return the pin that a text holds.

    Raises:
        FetchFailed: It is no pin of this version.
    """
    try:
        unpacker = zlib.decompressobj()
        packed = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        raw = unpacker.decompress(packed, _LONGEST_TEXT_BYTES)
        data = json.loads(raw)
        if data["v"] != _SCHEMA:
            raise ValueError(data["v"])
        files = tuple(_from_row(row) for row in data.get("f", ()))
        found = Found(files=files, commit=data["c"], source=data["s"])
        at = datetime.fromisoformat(data["at"])
        return Pin(found=found, at=at, fingerprint=data["fp"], count=int(data["n"]), size=int(data["b"]))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, zlib.error, binascii.Error):
        raise FetchFailed(
            Reason.UNSUPPORTED,
            "--pin is not what `serinus fetch --resolve` of this version prints: resolve the URI again.",
        ) from None


def _to_row(file: RemoteFile) -> list[object]:
    # A version already names exactly these bytes; its etag would only take up room.
    etag = "" if file.version else file.etag
    key = "" if file.key == file.path else file.key
    row = [file.path, file.size, etag, file.version, file.sha256, file.git_blob, key]
    while row and not row[-1]:
        row.pop()
    return row


def _from_row(row: list[object]) -> RemoteFile:
    values = [*row, *([""] * (7 - len(row)))]
    path, size, etag, version, sha256, git_blob, key = values
    return RemoteFile(
        path=str(path),
        size=int(str(size or 0)),
        etag=str(etag),
        version=str(version),
        sha256=str(sha256),
        git_blob=str(git_blob),
        key=str(key or path),
    )


def _pack(data: dict[str, object]) -> str:
    raw = json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(zlib.compress(raw, 9)).decode()
