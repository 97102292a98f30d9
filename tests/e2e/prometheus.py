"""Ask the cluster's Prometheus as a person would, independently of the operator's own reader."""

from typing import Any

import requests

from e2e.place import Place


def ask(place: Place, query: str) -> list[tuple[dict[str, str], float]]:
    """Return the labels and value of each series of an instant query."""
    answer = requests.get(f"{place.prometheus_url}/api/v1/query", params={"query": query}, timeout=10)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()["data"]["result"]
    return [(each["metric"], float(each["value"][1])) for each in found]
