"""What a model's artifact is: where it lies, what was found behind its URI, and why it could not be had.

Knows the answers of the program `serinus fetch`. Must not know Jobs, containers or stores.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MOUNT_PATH = "/mnt/models"
MOST_PIN_BYTES = 2500
NEEDS_A_PERSON = 2
"""Exit code of a fetch that will not succeed when it is asked again; any other (a signal, too) may have been chance."""
_PVC = "pvc://"
_LONGEST = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Where a model lies and how its pods get it, as a spec asks for it."""

    uri: str
    digest: str | None = None
    """``sha256:…`` that the content must have; None: whatever stands there when it is looked up."""
    track: bool = False
    """True: other content behind the same URI is another revision."""
    mount_path: str = MOUNT_PATH
    """Where the server finds the files."""
    secret: str | None = None
    """Secret of the same namespace whose keys become the fetch container's environment."""

    @property
    def claim(self) -> tuple[str, str] | None:
        """Return the claim and the path in it of a URI ``pvc://claim/path``; None for what is fetched."""
        if not self.uri.startswith(_PVC):
            return None
        claim, _, path = self.uri.removeprefix(_PVC).partition("/")
        return claim, path.strip("/")

    @property
    def shown(self) -> str:
        """Return the URI for people: without what follows a question mark, where signatures stand."""
        place, mark, _ = self.uri.partition("?")
        return f"{place}?…" if mark else place

    @property
    def is_looked_up(self) -> bool:
        """Tell whether what stands behind the URI has to be found out before a revision is rendered."""
        return self.claim is None and self.digest is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What stood behind a URI when it was looked up."""

    digest: str
    """``sha256:…``"""
    pin: str
    """Opaque: a fetch with it gets exactly this content, or fails."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The artifact of a revision, as status and reports tell it."""

    uri: str
    digest: str | None
    """None: nothing is known about the content, as with ``pvc://``."""
    at: datetime | None = None
    """When it was looked up; None if nobody had to."""

    def to_wire(self) -> dict[str, str]:
        """Return it as status and stored revisions keep it."""
        written = {"uri": self.uri}
        if self.digest is not None:
            written["digest"] = self.digest
        if self.at is not None:
            written["resolvedAt"] = self.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return written

    @classmethod
    def from_wire(cls, model: Mapping[str, Any]) -> "Known | None":
        """Return what ``to_wire`` wrote; None if it cannot be read: then the artifact is looked up again."""
        uri, digest, at = model.get("uri"), model.get("digest"), model.get("resolvedAt")
        if not isinstance(uri, str):
            return None
        try:
            moment = datetime.fromisoformat(str(at)) if at is not None else None
        except ValueError:
            return None
        return cls(uri=uri, digest=str(digest) if digest is not None else None, at=moment)


def read_resolved(message: str, at: datetime) -> Resolved | None:
    """Return what a lookup's last words say, None if they are no answer."""
    answer = _parse(message)
    digest, pin = answer.get("digest"), answer.get("pin")
    if not isinstance(digest, str) or not isinstance(pin, str) or not digest.startswith("sha256:"):
        return None
    return Resolved(digest=digest, pin=pin, at=at) if len(pin.encode()) <= MOST_PIN_BYTES else None


def why_failed(message: str | None, exit_code: int | None) -> str:
    """Return in a sentence why a fetch or lookup failed, from its last words; one that left none is told so."""
    answer = _parse(message or "")
    reason, said = answer.get("reason"), answer.get("message")
    if isinstance(reason, str) and isinstance(said, str):
        return f"{reason}: {_shorten(said)}"
    lines = [line.strip() for line in (message or "").splitlines() if line.strip()]
    last = _shorten(lines[-1]) if lines else "it left no message"
    return f"exit code {'unknown' if exit_code is None else exit_code}: {last}"


def _parse(message: str) -> Mapping[str, Any]:
    try:
        answer = json.loads(message)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
