"""Put a running server under the known mix, let a real Prometheus scrape it, and say what its preset counted."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import requests

from serinus.signals.presets import Preset, preset
from servers.mix import MIX, Counts, Sort, expected
from servers.processes import wait_until
from servers.scraping import SCOPE, Scraped, scraped
from servers.sending import send
from servers.server import Server
from servers.starting import Running

EARLIER: Mapping[Sort, int] = {Sort.GOOD: 2, Sort.PROBE: 2}
"""Sent before the block that is counted: its counters do not begin at zero. No errors, whose series are born in it."""
LATER: Mapping[Sort, int] = {Sort.PROBE: 3}
LATE_SECONDS = 20
"""Ray exports what it counted seconds later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came out."""

    sent: Mapping[Sort, int]
    """In the block."""
    sent_ever: Mapping[Sort, int]
    counted: Counts
    """In the block, by the preset."""
    exported: frozenset[str]
    """Names of metrics."""
    exported_idle: frozenset[str]
    """Those of them that were there before the first request, probes aside."""
    edges: tuple[float, ...]
    """Finite edges of the histogram that the preset reads, in its unit, ascending."""
    exposition: str


def run(server: Server, running: Running, folder: Path) -> Told:
    """Send a server that has just started the mix, and count.

    Args:
        server: which one.
        running: it.
        folder: an empty one, for Prometheus.

    Raises:
        AssertionError: it answers otherwise than the catalogue says.
    """
    sent = {each: MIX[each] for each in MIX if each in server.answers}
    bound = preset(server.preset).bound_to(SCOPE.model)
    with scraped(running.metrics_target, server.metrics_path, folder) as scrapes:
        first = scrapes.scrape_after(scrapes.begun)
        exported_idle = scrapes.exported(first)
        send(server, running, EARLIER)
        start = _counted(scrapes, bound, expected(server.answers, EARLIER), first)
        send(server, running, sent)
        send(server, running, LATER)
        end = _counted(scrapes, bound, expected(server.answers, sent), start)
        return Told(
            sent=sent,
            sent_ever=Counter(EARLIER) + Counter(sent) + Counter(LATER),
            counted=scrapes.counts(bound, start, end),
            exported=scrapes.exported(end),
            exported_idle=exported_idle,
            edges=scrapes.edges(bound, end),
            exposition=requests.get(f"http://{running.metrics_target}{server.metrics_path}", timeout=10).text,
        )


def _counted(scrapes: Scraped, bound: Preset, wanted: Counts, start: datetime) -> datetime:
    """Return the scrape after the first one with which all is counted; if that never happens, after the last."""
    newest = start

    def done() -> bool:
        nonlocal newest
        newest = scrapes.scrape_after(newest)
        late = (newest - start).total_seconds() > LATE_SECONDS
        return late or scrapes.counts(bound, start, newest, settled=False) == wanted

    wait_until(done, 3 * LATE_SECONDS, lambda: "no scrapes")
    return scrapes.scrape_after(newest)
