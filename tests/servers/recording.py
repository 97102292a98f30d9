"""Keep what a real server exports, with what was sent to it, for the tests that start no server."""

import re
from collections.abc import Mapping

from serinus.signals.presets import all_presets, preset
from servers.environments import ROOT
from servers.mix import BOUND_SECONDS, LOST, Sort, expected
from servers.proof import Told
from servers.server import Server

_FAMILY = re.compile(r"^(?=# HELP )", re.MULTILINE)
_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)", re.MULTILINE)
_SCOPE = re.compile(r'otel_scope_[a-z_]+="[^"]*",')
"""On every series of OpenTelemetry, and nobody's question."""

EXPOSITIONS = ROOT / "tests" / "data" / "expositions"


def record(server: Server, told: Told) -> None:
    """Write the exposition and the counts that are known by what was sent."""
    folder = EXPOSITIONS / server.preset
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{server.name}-{server.version}.txt").write_text(reduced(told.exposition))
    (folder / f"{server.name}-{server.version}.toml").write_text(description(server, told))


def reduced(exposition: str) -> str:
    """Return the families that any preset looks at: what a server says of its process and its queues is a lot."""
    looked_at = {name for each in all_presets().values() for name in each.recognised.metrics}
    looked_at |= {each.metric for known in all_presets().values() for each in known.selectors()}
    kept: list[str] = []
    for family in _FAMILY.split(exposition):
        if looked_at.intersection(_SAMPLE.findall(family)):
            kept += [line for line in family.splitlines() if not line.startswith("#")]
    return _SCOPE.sub("", "\n".join(kept)) + "\n"


def _with_lost(server: Server, told: Told, errors: tuple[int, int]) -> list[int]:
    """Return total and bad with what a minute later is told as lost, and how much that is."""
    counters = preset(server.preset).errors
    if counters is None or not counters.begun:
        return list(errors)
    lost = sum(
        n for sort, n in told.sent_ever.items() if sort in server.answers and server.answers[sort].errors == LOST
    )
    return [*(each + lost for each in errors), lost]


def description(server: Server, told: Told) -> str:
    """Return the file beside an exposition: its mix, and what the preset has to count."""
    counts, latency = expected(server.answers, told.sent_ever), preset(server.preset).latency
    lines = [
        f'server = "{server.title}"',
        'how = "recorded"',
        f'mix = "{_sentence(server, told.sent_ever)}"',
        'source = "tests/servers/test_counts.py"',
        "",
        "[counts]",
    ]
    if counts.errors:
        lines.append(f"errors = {_with_lost(server, told, counts.errors)}")
    if counts.client_errors:
        lines.append(f"client_errors = {list(counts.client_errors)}")
    if counts.latency and latency:
        total, slow = counts.latency
        largest = told.edges[-1] * latency.seconds_per_unit
        lines.append(f"latency = {{ total = {total}, largest = {largest}, bound = {BOUND_SECONDS}, slow = {slow} }}")
    return "\n".join(lines) + "\n"


def _sentence(server: Server, sent: Mapping[Sort, int]) -> str:
    return ", ".join(f"{times} {sort} ({server.answers[sort].status})" for sort, times in sent.items())
