"""The note that a finished `up` leaves in the state directory: what runs and who started it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from cluster.paths import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What was started."""

    fingerprints: Mapping[str, str]
    started_at: str
    """RFC 3339, UTC."""
    checkout: str
    """The source directory that started it."""


def read(layout: Layout) -> Record | None:
    """Return the note, or None if no `up` has finished."""
    try:
        return Record(**json.loads(layout.record.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write(layout: Layout, record: Record) -> None:
    """Store the note."""
    layout.record.write_text(json.dumps(asdict(record), indent=2))


def differences(record: Record, fingerprints: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the components that are not the same, sorted."""
    names = {*record.fingerprints, *fingerprints}
    return tuple(sorted(name for name in names if record.fingerprints.get(name) != fingerprints.get(name)))
