"""Recognise what pods export by the names of their metrics, and say why.

Knows presets and metric names. Must not know pods, sides, or how the names were asked for. A name that is missing
proves nothing: most servers export a counter only after its first request.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from serinus.signals.preset import Preset
from serinus.signals.presets import all_presets, family

ANY_SERVER = 0
PROXY = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """What the metrics of some pods look like."""

    server: str | None
    """Own name of the server's preset; None: nothing recognisable was seen yet."""
    data: str | None
    """Own name of the preset of instrumentation beside the server, None without."""
    because: str
    """A sentence for people."""
    contradicts: bool = False
    """The declared runtime's metrics are absent while those of another server are there: not what was declared runs."""
    others: tuple[str, ...] = ()
    """Further servers whose metrics are there and were not chosen."""


def looked_for(presets: Mapping[str, Preset] | None = None) -> tuple[str, ...]:
    """Return the metric names to ask for, sorted."""
    known = all_presets() if presets is None else presets
    return tuple(
        sorted({name for each in known.values() if each.kind != "outside" for name in each.recognised.metrics})
    )


def detect(exported: frozenset[str], declared: str, presets: Mapping[str, Preset] | None = None) -> Detected:
    """Say which server pods run.

    The declared runtime wins if its metrics are seen, of a family the newest member that is. Else another generation
    of its family, else the preset of the highest rank that is seen. ``generic`` says nothing about the server, so there
    the highest rank wins at once.

    Where nothing is seen but the usual names, and the declared runtime counts by these, nothing says that it reads
    their labels rightly: ``generic`` knows them under any name.

    Args:
        exported: names of metrics that the pods export, of those in ``looked_for``.
        declared: ``spec.runtime``: a preset or a family.
        presets: all that are known; those of the operator if None.
    """
    known = all_presets() if presets is None else presets
    seen = [each for each in known.values() if exported.intersection(each.recognised.metrics)]
    servers = sorted((each for each in seen if each.kind == "server"), key=lambda each: (-each.rank, -each.newer))
    data = next((each.runtime for each in seen if each.kind == "data"), None)
    members = family(declared, known)
    wanted, related = {each.runtime for each in members}, {each.family_name for each in members}
    fits_any = all(each.rank == ANY_SERVER for each in members)
    chosen = [each for each in servers if each.runtime in wanted]
    if chosen and not fits_any:
        return _found(chosen[0], servers, data, exported, f"runtime {declared} is declared, and its")
    telling = [each for each in servers if fits_any or each.rank > PROXY or each.family_name in related]
    if not telling:
        if (plain := _plain(members, servers)) is None:
            return Detected(server=None, data=data, because=_nothing(declared, servers))
        because = f"{_evidence(plain, exported)} is exported, and none of the metrics that tell {declared} from others"
        return Detected(server=plain.runtime, data=data, because=because)
    if fits_any:
        return _found(telling[0], servers, data, exported, "its")
    best = next((each for each in telling if each.family_name in related), telling[0])
    because = (
        f"runtime {declared} is declared, but none of its metrics is exported, while {_evidence(best, exported)} of "
        f"{best.runtime} is: set spec.runtime to {best.family_name}"
    )
    return Detected(server=best.runtime, data=data, because=because, contradicts=True, others=_others(best, telling))


def _plain(members: tuple[Preset, ...], servers: list[Preset]) -> Preset | None:
    """Return the preset of the usual names if these alone are seen, and the declared runtime would count by them."""
    counted = {each.metric for member in members if member.errors for each in member.errors.total}
    if not servers or any(each.rank > ANY_SERVER for each in servers):
        return None
    return next((each for each in servers if counted.intersection(each.recognised.metrics)), None)


def _found(chosen: Preset, servers: list[Preset], data: str | None, exported: frozenset[str], whose: str) -> Detected:
    others = _others(chosen, servers)
    besides = f"; metrics of {', '.join(others)} are there too" if others else ""
    because = f"{whose} metric {_evidence(chosen, exported)} is exported{besides}"
    return Detected(server=chosen.runtime, data=data, because=because, others=others)


def _others(chosen: Preset, servers: list[Preset]) -> tuple[str, ...]:
    """Return the servers that are seen besides; generic names and older generations come with many and tell nothing."""
    return tuple(each.runtime for each in servers if each.rank > ANY_SERVER and each.family_name != chosen.family_name)


def _evidence(preset: Preset, exported: frozenset[str]) -> str:
    return next(each for each in preset.recognised.metrics if each in exported)


def _nothing(declared: str, servers: list[Preset]) -> str:
    if servers:
        names = ", ".join(each.runtime for each in servers)
        return f"only metrics of {names} are exported, none of {declared} yet: most come with the first request"
    return f"no metric of a known server is exported yet, so the counters are read as those of {declared}"
