"""Read the presets: the files of a folder, one per server and range of versions.

A new server is a new file and no code. Must not know pods or Prometheus.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from pydantic import TypeAdapter, ValidationError

from serinus.errors import BrokenInvariant, InvalidSpec
from serinus.signals import placeholders
from serinus.signals.placeholders import placeholders_of
from serinus.signals.preset import Counters, Distribution, Histogram, Preset, Probes, Serving
from serinus.signals.selectors import Selector

__all__ = [
    "Counters",
    "Distribution",
    "Histogram",
    "Preset",
    "Probes",
    "Serving",
    "all_presets",
    "family",
    "parse_preset",
    "preset",
    "read_folder",
    "runtimes",
    "sources",
]

_SUFFIX = ".toml"
_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def runtimes() -> tuple[str, ...]:
    """Return the names that ``spec.runtime`` may have, sorted: families, and the members of those that have several."""
    return _names(each for each in all_presets().values() if each.kind == "server")


def sources() -> tuple[str, ...]:
    """Return the names that a signal's ``source`` may have, sorted: views on traffic from outside the server."""
    return _names(each for each in all_presets().values() if each.kind == "outside")


def preset(name: str) -> Preset:
    """Return a preset by its own name or its family's; of a family, the newest member.

    Raises:
        InvalidSpec: no such preset; the message names the known runtimes.
    """
    members = family(name)
    if not members:
        known = ", ".join(runtimes())
        raise InvalidSpec(f"runtime {name!r} is not known: use one of {known} (generic fits any HTTP server)")
    return members[0]


def family(name: str, known: Mapping[str, Preset] | None = None) -> tuple[Preset, ...]:
    """Return the preset of a name, or the members of the family of that name, the newest first; empty if unknown."""
    presets = all_presets() if known is None else known
    if name in presets:
        return (presets[name],)
    members = [each for each in presets.values() if each.family == name]
    return tuple(sorted(members, key=lambda each: -each.newer))


@cache
def all_presets() -> Mapping[str, Preset]:
    """Return all presets that come with the operator, by their own name."""
    return read_folder(files("serinus.signals").joinpath("presets"))


def read_folder(folder: Traversable) -> Mapping[str, Preset]:
    """Read the presets of a folder, by their own name, sorted.

    Raises:
        BrokenInvariant: a file is wrong, or a name means both a preset and a family.
    """
    texts = {
        each.name.removesuffix(_SUFFIX): each.read_text(encoding="utf-8")
        for each in folder.iterdir()
        if each.name.endswith(_SUFFIX)
    }
    found = {name: parse_preset(name, texts[name]) for name in sorted(texts)}
    ages: set[tuple[str, int]] = set()
    for name, each in found.items():
        if each.family in found:
            raise BrokenInvariant(f"preset {name}: its family {each.family} is the name of a preset")
        if each.family and (each.family, each.newer) in ages:
            raise BrokenInvariant(f"preset {name}: another member of its family has the same newer")
        ages.add((each.family, each.newer))
    return found


def parse_preset(name: str, text: str) -> Preset:
    """Parse a preset's TOML strictly: an unknown key, schema, placeholder or a wrong type is refused.

    Raises:
        BrokenInvariant: the file is wrong; presets are our own data.
    """
    try:
        # Through JSON, because only there a strict check takes an array for a tuple and a text for an enum.
        parsed = TypeAdapter(Preset).validate_json(json.dumps(tomllib.loads(text)))
    except (tomllib.TOMLDecodeError, ValidationError, InvalidSpec, TypeError) as error:
        raise BrokenInvariant(f"preset {name}: {error}") from error
    if parsed.runtime != name:
        raise BrokenInvariant(f"preset {name}: calls itself {parsed.runtime}")
    for fault in (*_faults(parsed), *(fault for each in parsed.selectors() for fault in _faults_of(each))):
        raise BrokenInvariant(f"preset {name}: {fault}")
    return parsed


def _names(presets: Iterable[Preset]) -> tuple[str, ...]:
    return tuple(sorted({name for each in presets for name in (each.runtime, each.family_name)}))


def _faults(parsed: Preset) -> Iterable[str]:
    """Yield what is wrong with a preset as a whole."""
    for kind in ("errors", "client_errors", "latency"):
        given, why_not = getattr(parsed, kind) is not None, bool(getattr(parsed.absent, kind))
        if given and why_not:
            yield f"{kind} is given and said to be absent"
        if not given and not why_not and parsed.kind != "data":
            yield f"{kind} is neither given nor is absent.{kind} said why"
    for pair in (parsed.errors, parsed.client_errors, parsed.implausible, parsed.accuracy):
        yield from _faults_of_counters(pair) if pair else ()
    for each in (*parsed.predictions, *parsed.features):
        if (each.buckets is None) == (each.categories is None) or (each.categories is None) != (each.label is None):
            yield "a distribution has either buckets, or categories and a label"
    if parsed.latency and list(parsed.latency.edges) != sorted(set(parsed.latency.edges)):
        yield "latency.edges do not ascend"
    if not parsed.recognised.metrics or not all(map(_METRIC_NAME.fullmatch, parsed.recognised.metrics)):
        yield "recognised.metrics has to name metrics"
    if (parsed.kind == "server") != (parsed.serving is not None):
        yield "a server says where it serves, and nothing else does"
    if (parsed.kind == "outside") != (parsed.separates is not None):
        yield "a view from outside says by what it separates two sides, and nothing else does"


def _faults_of_counters(counters: Counters) -> Iterable[str]:
    """Yield what is wrong with counters."""
    if bool(counters.bad) == bool(counters.good):
        yield "of bad and good, exactly one has to be given"
    if counters.begun and not counters.good:
        yield "begun belongs to good"
    if counters.bad_counts_more and not {each.metric for each in counters.bad}.isdisjoint(
        each.metric for each in counters.total
    ):
        yield "bad_counts_more is for bad ones of another metric than total"
    if not counters.total:
        yield "total is empty"
    if not {each.metric for each in counters.legible} <= {each.metric for each in counters.total}:
        yield "legible has another metric than total"


def _faults_of(selector: Selector) -> Iterable[str]:
    """Yield what is wrong with a selector."""
    names_fit = _METRIC_NAME.fullmatch(selector.metric) and all(
        _LABEL_NAME.fullmatch(each.label) for each in selector.matchers
    )
    if not names_fit:
        yield f"{selector} has a name that PromQL does not know"
    if unknown := placeholders_of(selector) - placeholders.ALL:
        yield f"{selector} has the unknown placeholder {min(unknown)}: known are {', '.join(sorted(placeholders.ALL))}"
