"""Say which artifact a status or a report speaks of. A pure function of wire objects and the time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from serinus.cli.words import say_age

SHORT_DIGEST = len("sha256:") + 12


def say_model(model: Mapping[str, Any], now: datetime, *, whole: bool = False) -> str:
    """Return where an artifact lies, its digest (``whole`` or as much as tells it apart) and when it was looked up.

    Empty if image and template bring the model.
    """
    if not model.get("uri"):
        return ""
    digest = str(model.get("digest") or "")
    parts = [f"model {model['uri']}", digest if whole else digest[:SHORT_DIGEST]]
    if model.get("resolvedAt"):
        parts.append(f"looked up {say_age(model['resolvedAt'], now)} ago")
    return "  ".join(part for part in parts if part)
