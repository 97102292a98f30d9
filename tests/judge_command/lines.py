"""Builders for the command's tests."""

import json
from typing import Any


def run(*signals: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"run": "r", "signals": list(signals) or [{"name": "errors", "kind": "Errors"}], **fields}


def tick(number: int, step: int = 0, errors: list[int] | None = None, **fields: Any) -> dict[str, Any]:
    counts = {"canary": {"c1": errors or [40, 0]}, "stable": {"s1": [380, 4], "s2": [391, 3]}}
    return {"tick": number, "step": step, **(fields or {"errors": counts})}


def jsonl(*lines: dict[str, Any]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)
