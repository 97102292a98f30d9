"""Remembers how long things took on this machine, so that a wait can be announced."""

import json
from pathlib import Path


def last_seconds(cache: Path, name: str) -> float | None:
    """Return how long `name` took the last time, or None."""
    value = _load(cache).get(name)
    return float(value) if isinstance(value, int | float) else None


def remember(cache: Path, name: str, seconds: float) -> None:
    """Store how long `name` took now."""
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / "durations.json"
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({**_load(cache), name: round(seconds, 1)}, indent=2, sort_keys=True))
    temporary.replace(path)


def _load(cache: Path) -> dict[str, object]:
    try:
        loaded = json.loads((cache / "durations.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}
