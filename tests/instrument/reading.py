"""Read what a registry shows, as Prometheus would."""

from itertools import pairwise

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families


def shown(registry: CollectorRegistry) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return all samples by name and labels, by way of the text that is scraped."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


class Shown:
    """The samples of one model."""

    def __init__(self, registry: CollectorRegistry, model: str = "model") -> None:
        self._all = shown(registry)
        self._model = model

    def __call__(self, name: str, **labels: str) -> float | None:
        """Return one sample's value, None if there is no such series."""
        return self._all.get((name, frozenset({"model": self._model, **labels}.items())))

    def all(self, name: str, *by: str) -> dict[str, float]:
        """Return the values above zero of a metric by the values of some labels, joined by a slash."""
        return {
            "/".join(dict(labels)[each] for each in by): value
            for (found, labels), value in self._all.items()
            if found == name and value
        }

    def buckets(self, name: str, **labels: str) -> list[int]:
        """Return a histogram's counts, not cumulative."""
        return [int(after - before) for before, after in pairwise([0.0, *(n for _, n in self._cells(name, labels))])]

    def edges(self, name: str, **labels: str) -> list[float]:
        """Return a histogram's finite upper edges."""
        return [edge for edge, _ in self._cells(name, labels)[:-1]]

    def _cells(self, name: str, labels: dict[str, str]) -> list[tuple[float, float]]:
        wanted = {"model": self._model, **labels}.items()
        return sorted(
            (float(dict(given)["le"]), value)
            for (metric, given), value in self._all.items()
            if metric == f"{name}_bucket" and wanted <= dict(given).items()
        )
