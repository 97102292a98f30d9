"""Say by what presets a ModelDeployment's metrics are read. A pure function of wire objects."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

Wire = Mapping[str, Any]


def say_metrics(status: Wire) -> Iterator[Text]:
    """Say for stable and canary which server's metrics are read, whether they were seen, and why."""
    for role in ("stable", "canary"):
        found = (status.get("metrics") or {}).get(role)
        if not found:
            continue
        data = f", data as {found['data']}" if found.get("data") else ""
        style = "yellow" if found.get("contradicts") or not found.get("recognised") else "bright_black"
        because = f": {found['because']}" if found.get("because") else ""
        yield Text(f"{role} {found['revision']} is read as {found['runtime']}{data}{because}", style=style)
