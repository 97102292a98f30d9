"""Recorded and documented expositions of servers, with the mix of requests behind them, and what a preset counts there.

An exposition is two files, ``tests/data/expositions/<preset>/<name>.txt`` and ``….toml``; CONTRIBUTING.md has the form.
"""

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from serinus.signals.legibility import is_legible, ways_to_tell
from serinus.signals.placeholders import filled
from serinus.signals.preset import Counters, Distribution, Histogram, Preset
from serinus.signals.selectors import Operator, Selector

FOLDER = Path(__file__).parents[1] / "data" / "expositions"

Series = tuple[str, Mapping[str, str], float]


@dataclass(frozen=True)
class Exposition:
    """What a server exported after a known mix of requests."""

    preset: str
    """Own name of the preset that it belongs to."""
    name: str
    about: Mapping[str, Any]
    """The header: server, how, mix, model, other, counts, detected."""
    series: tuple[Series, ...]

    @property
    def exported(self) -> frozenset[str]:
        return frozenset(name for name, _, _ in self.series)

    def bind(self, preset: Preset) -> Preset:
        """Return a preset with every placeholder filled in as the header says."""
        other = self.about.get("other", {})
        return preset.bound_to(self.about.get("model", "iris")).mapped(lambda each: filled(each, other))


def expositions(folder: Path = FOLDER) -> tuple[Exposition, ...]:
    """Return all expositions of a folder."""
    return tuple(_read(path) for path in sorted(folder.glob("*/*.txt")))


def counted(preset: Preset, exposition: Exposition) -> dict[str, Any]:
    """Return what a preset counts in an exposition, in the form of the header's ``counts``.

    Args:
        preset: bound by ``Exposition.bind``.
        exposition: of a server of its kind.
    """
    series = exposition.series
    found: dict[str, Any] = {}
    for kind in ("errors", "client_errors", "implausible", "accuracy"):
        if (counters := getattr(preset, kind)) is not None:
            found[kind] = _pair(counters, series)
            ways = ways_to_tell(counters)
            total = [each for picked in chosen(counters.total, series) for each in picked if each[0] in ways]
            if untold := round(sum(value for name, labels, value in total if not is_legible(labels, ways[name]))):
                found[f"{kind}_illegible"] = untold
    if preset.latency is not None:
        bound = exposition.about.get("counts", {}).get("latency", {}).get("bound", math.inf)
        found["latency"] = _latency(preset.latency, series, bound)
    for kind in ("predictions", "features"):
        if distributions := getattr(preset, kind):
            found[kind] = [_spread(each, series) for each in distributions]
            if trained := [each for each in distributions if each.training]:
                found[f"training_{kind}"] = [_spread(_of_training(each), series) for each in trained]
    return found


def chosen(selectors: Iterable[Selector], series: Iterable[Series]) -> list[list[Series]]:
    """Return the series that each selector picks."""
    known = tuple(series)
    return [[each for each in known if _meets(selector, each)] for selector in selectors]


def read_text(preset: str, name: str, text: str, about: Mapping[str, Any]) -> Exposition:
    """Return the exposition of a text that was scraped."""
    series = tuple(
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    )
    return Exposition(preset=preset, name=name, about=about, series=series)


def _read(path: Path) -> Exposition:
    about = tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8"))
    return read_text(path.parent.name, path.stem, path.read_text(encoding="utf-8"), about)


def _meets(selector: Selector, series: Series) -> bool:
    name, labels, _ = series
    if name != selector.metric:
        return False
    for each in selector.matchers:
        value = labels.get(each.label, "")
        same = value == each.value
        if each.operator in (Operator.MATCHES, Operator.MATCHES_NOT):
            same = re.fullmatch(each.value, value) is not None
        if same is not (each.operator in (Operator.EQUAL, Operator.MATCHES)):
            return False
    return True


def _sum(selectors: Iterable[Selector], series: Iterable[Series]) -> int:
    return round(sum(value for picked in chosen(selectors, series) for _, _, value in picked))


def _pair(counters: Counters, series: tuple[Series, ...]) -> list[int]:
    """Return total and bad, and those of both that were lost, as they are once nothing is under way any more."""
    total = _sum(counters.total, series)
    if not counters.good:
        return [total, _sum(counters.bad, series)]
    bad = total - _sum(counters.good, series)
    if not counters.begun:
        return [total, bad]
    lost = _sum(counters.begun, series) - total
    return [total + lost, bad + lost, lost]


def _buckets(selectors: Iterable[Selector], series: tuple[Series, ...]) -> dict[float, int]:
    cumulative: dict[float, float] = {}
    for picked in chosen(selectors, series):
        for _, labels, value in picked:
            edge = float(labels["le"])
            cumulative[edge] = cumulative.get(edge, 0.0) + value
    return {edge: round(cumulative[edge]) for edge in sorted(cumulative)}


def _latency(histogram: Histogram, series: tuple[Series, ...], bound: float) -> dict[str, float]:
    buckets = _buckets(histogram.buckets, series)
    total = buckets.get(math.inf, 0)
    finite = [edge for edge in buckets if math.isfinite(edge)]
    seconds = {edge: edge * histogram.seconds_per_unit for edge in finite}
    at_bound = [buckets[edge] for edge in finite if math.isclose(seconds[edge], bound)]
    found: dict[str, float] = {"total": total, "bound": bound, "slow": total - sum(at_bound)}
    return found | ({"largest": float(f"{seconds[finite[-1]]:.9g}")} if finite else {})


def _of_training(distribution: Distribution) -> Distribution:
    if distribution.buckets is not None:
        return replace(distribution, buckets=distribution.training)
    return replace(distribution, categories=distribution.training)


def _spread(distribution: Distribution, series: tuple[Series, ...]) -> list[int] | dict[str, int]:
    if distribution.buckets is not None:
        cumulative = list(_buckets([distribution.buckets], series).values())
        return [upper - lower for lower, upper in zip([0, *cumulative], cumulative, strict=False)]
    assert distribution.categories is not None
    assert distribution.label is not None
    found: dict[str, int] = {}
    for _, labels, value in chosen([distribution.categories], series)[0]:
        found[labels[distribution.label]] = found.get(labels[distribution.label], 0) + round(value)
    return found
