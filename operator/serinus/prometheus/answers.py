"""Read the JSON of Prometheus' query API into typed values.

Knows the API's wire format. Must not know HTTP, or what a query is about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from serinus.errors import BadQuery, MetricsUnavailable
from serinus.signals.samples import Sample, Track

# Prometheus marks remarks about the query so; every other warning means that a part of the data is missing.
_REMARKS = ("PromQL info:", "PromQL warning:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """The answer to an instant query."""

    samples: tuple[Sample, ...]
    warnings: tuple[str, ...] = ()
    """Remarks about the query; the data are complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The answer to a range selector."""

    tracks: tuple[Track, ...]
    warnings: tuple[str, ...] = ()


def parse_vector(answer: object) -> Vector:
    """Parse the answer to an instant query: a vector, or a scalar as a sample without labels.

    Raises:
        BadQuery: the query gives another type, or native histograms.
        MetricsUnavailable: the answer is no answer of Prometheus, or a part of the data is missing.
    """
    kind, result, warnings = _parse(answer)
    if kind == "scalar":
        return Vector(samples=(Sample(labels={}, value=_point(result)[1]),), warnings=warnings)
    if kind != "vector":
        raise BadQuery(f"the query gives a {kind}, not numbers at one instant: aggregate over the range, or drop it")
    return Vector(samples=tuple(_sample(each) for each in _list(result)), warnings=warnings)


def parse_matrix(answer: object) -> Matrix:
    """Parse the answer to a range selector.

    Raises:
        BadQuery: the query gives another type, or native histograms.
        MetricsUnavailable: the answer is no answer of Prometheus, or a part of the data is missing.
    """
    kind, result, warnings = _parse(answer)
    if kind != "matrix":
        raise BadQuery(f"the query gives a {kind}, not samples over a range")
    return Matrix(tracks=tuple(_track(each) for each in _list(result)), warnings=warnings)


def parse_failure(answer: object) -> tuple[str, str] | None:
    """Return type and sentence of an error that Prometheus itself reports, None if it is no such answer."""
    if isinstance(answer, dict) and answer.get("status") == "error":
        return str(answer.get("errorType", "")), str(answer.get("error", ""))
    return None


def _parse(answer: object) -> tuple[str, object, tuple[str, ...]]:
    if not isinstance(answer, dict) or answer.get("status") != "success" or not isinstance(answer.get("data"), dict):
        raise MetricsUnavailable("the answer is JSON, but not that of a Prometheus: check the address")
    notes = tuple(str(each) for field in ("warnings", "infos") for each in answer.get(field) or ())
    missing = [each for each in notes if not each.startswith(_REMARKS)]
    if missing:
        raise MetricsUnavailable(f"Prometheus answered with a part of the data only: {missing[0]}")
    return str(answer["data"].get("resultType")), answer["data"].get("result"), notes


def _list(result: object) -> Sequence[Any]:
    if not isinstance(result, list):
        raise MetricsUnavailable("the answer of Prometheus has no list of results: check the address")
    return result


def _labels(entry: object) -> Mapping[str, str]:
    labels = entry.get("metric") if isinstance(entry, dict) else None
    if not isinstance(labels, dict):
        raise MetricsUnavailable("the answer of Prometheus has a series without labels: check the address")
    return {str(name): str(value) for name, value in labels.items()}


def _sample(entry: Any) -> Sample:
    labels = _labels(entry)
    if "value" not in entry:
        raise BadQuery(f"{labels.get('__name__', 'the query')} is a native histogram: use a classic one")
    return Sample(labels=labels, value=_point(entry["value"])[1])


def _track(entry: Any) -> Track:
    labels = _labels(entry)
    if "values" not in entry:
        raise BadQuery(f"{labels.get('__name__', 'the query')} is a native histogram: use a classic one")
    return Track(labels=labels, points=tuple(_point(each) for each in _list(entry["values"])))


def _point(pair: Any) -> tuple[datetime, float]:
    try:
        at, value = pair
        return datetime.fromtimestamp(round(float(at), 3), UTC), float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise MetricsUnavailable("the answer of Prometheus has a value that is no number: check the address") from error
