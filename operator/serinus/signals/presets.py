"""Read what is known about a model server: ports, probes, and the counters it exports.

A preset is a TOML file in ``presets/``; a new server is a new file and no code. Must not know pods or Prometheus.
"""

import json
import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from serinus.errors import BrokenInvariant, InvalidSpec
from serinus.signals.selectors import Matcher, Operator, Selector

_MODEL = "$model"
_STRICT = ConfigDict(extra="forbid", strict=True)
_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """How a server of this kind is recognised."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    metric: str
    """A metric that only this kind exports."""
    images: tuple[str, ...] = ()
    """Repositories of well-known images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Where requests go."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    protocol: Literal["http", "v2"]
    port: int
    readiness_path: str | None = None
    """HTTP path of the readiness probe; None: the user's template has to bring its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Where Prometheus scrapes."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    port: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """Requests that are no user's and are left out of every counter."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    labels: tuple[str, ...]
    """Labels under which servers name the path."""
    pattern: str
    """RE2 pattern for a whole path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Two counters; each is the union of alternatives, of which a series meets at most one."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    total: tuple[Selector, ...]
    bad: tuple[Selector, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """A classic histogram of durations."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    buckets: tuple[Selector, ...]
    seconds_per_unit: float
    edges: tuple[float, ...] = ()
    """Finite upper bounds of the buckets, in the metric's unit, ascending; empty when they depend on the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """All that is known about one kind of model server."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    schema: Literal[1]
    runtime: str
    summary: str
    tested: str
    """Versions that the metric names were seen with."""
    source: str
    """Where the names come from."""
    recognised: Recognised
    serving: Serving
    metrics: Metrics
    errors: Counters
    client_errors: Counters | None = None
    latency: Histogram | None = None
    probes: Probes | None = None
    cannot: tuple[str, ...] = ()
    """What these metrics do not show, a sentence each."""

    def bound_to(self, model: str) -> "Preset":
        """Return the preset for one model: ``$model`` filled in, probes left out."""

        def bind(selectors: tuple[Selector, ...]) -> tuple[Selector, ...]:
            return tuple(self._bind(selector, model) for selector in selectors)

        def bind_counters(counters: Counters) -> Counters:
            return Counters(total=bind(counters.total), bad=bind(counters.bad))

        return replace(
            self,
            errors=bind_counters(self.errors),
            client_errors=self.client_errors and bind_counters(self.client_errors),
            latency=self.latency and replace(self.latency, buckets=bind(self.latency.buckets)),
        )

    def _bind(self, selector: Selector, model: str) -> Selector:
        filled = tuple(replace(each, value=model) if each.value == _MODEL else each for each in selector.matchers)
        probes = self.probes or Probes(labels=(), pattern="")
        no_probes = (
            Matcher(label=label, operator=Operator.MATCHES_NOT, value=probes.pattern) for label in probes.labels
        )
        return Selector(metric=selector.metric, matchers=(*filled, *no_probes))


def runtimes() -> tuple[str, ...]:
    """Return the names of all presets, sorted."""
    return tuple(sorted(each.name.removesuffix(".toml") for each in _folder().iterdir() if each.name.endswith(".toml")))


@cache
def preset(runtime: str) -> Preset:
    """Return the preset of a runtime.

    Raises:
        InvalidSpec: no such runtime; the message names the known ones.
    """
    if runtime not in runtimes():
        known = ", ".join(runtimes())
        raise InvalidSpec(f"runtime {runtime!r} is not known: use one of {known} (generic fits any HTTP server)")
    return parse_preset(runtime, _folder().joinpath(f"{runtime}.toml").read_text(encoding="utf-8"))


def parse_preset(runtime: str, text: str) -> Preset:
    """Parse a preset's TOML strictly: an unknown key, schema, placeholder or a wrong type is refused.

    Raises:
        BrokenInvariant: the file is wrong; presets are our own data.
    """
    try:
        # Through JSON, because only there a strict check takes an array for a tuple and a text for an enum.
        parsed = TypeAdapter(Preset).validate_json(json.dumps(tomllib.loads(text)))
    except (tomllib.TOMLDecodeError, ValidationError, TypeError) as error:
        raise BrokenInvariant(f"preset {runtime}: {error}") from error
    if parsed.runtime != runtime:
        raise BrokenInvariant(f"preset {runtime}: calls itself {parsed.runtime}")
    for selector in _all_selectors(parsed):
        _check(runtime, selector)
    if parsed.latency and list(parsed.latency.edges) != sorted(set(parsed.latency.edges)):
        raise BrokenInvariant(f"preset {runtime}: latency.edges do not ascend")
    return parsed


def _all_selectors(parsed: Preset) -> tuple[Selector, ...]:
    pairs = [each for each in (parsed.errors, parsed.client_errors) if each]
    buckets = parsed.latency.buckets if parsed.latency else ()
    return (*(selector for pair in pairs for selector in (*pair.total, *pair.bad)), *buckets)


def _check(runtime: str, selector: Selector) -> None:
    names_fit = _METRIC_NAME.fullmatch(selector.metric) and all(
        _LABEL_NAME.fullmatch(each.label) for each in selector.matchers
    )
    if not names_fit:
        raise BrokenInvariant(f"preset {runtime}: {selector} has a name that PromQL does not know")
    for each in selector.matchers:
        if "$" in each.value and (each.value != _MODEL or each.operator is not Operator.EQUAL):
            raise BrokenInvariant(f"preset {runtime}: {each}: the only placeholder is {_MODEL}, compared with =")


def _folder() -> Traversable:
    return files("serinus.signals").joinpath("presets")
