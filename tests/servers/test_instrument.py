"""serinus-instrument in real servers: its counts stand beside the server's own, without the requests of gates."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests

from serinus.prometheus.reader import Reader
from serinus.signals.counts import Rates
from serinus.signals.detection import detect
from serinus.signals.preset import Counters, Histogram
from serinus.signals.presets import preset
from serinus.signals.scope import alike
from servers.catalogue import SERVERS
from servers.mix import FAILING, GOOD
from servers.processes import wait_until
from servers.scraping import POD, SCOPE, Scraped, scraped
from servers.server import Command, Place, Server
from servers.starting import bentoml, kserve, mlserver, started, uvicorn

pytestmark = pytest.mark.servers

REVISION = SCOPE.canary.removeprefix("iris-")
IMPLAUSIBLE = 3.0
"""The models double it, and 5 is the most that they declare to be plausible."""
EDGES = (1.0, 3.0, 5.0)
PROFILE = {"schema": 1, "prediction": {"edges": EDGES, "counts": [9, 9, 9, 9]}, "features": {}}
GATE = "X-Serinus-Gate"
KNOWN = {"Authorization": "Bearer s3cret"}
SENT = ((GOOD, 3, True), (GOOD, 5, False), (IMPLAUSIBLE, 2, False), (IMPLAUSIBLE, 1, True), (FAILING, 1, False))
"""Value, how often, and whether a gate sends it."""
PREDICTIONS = (0, 5, 0, 2)
"""In the profile's buckets."""
OUTCOMES = [{"predicted": 1, "truth": truth, "revision": REVISION} for truth in (1, 1, 1, 0)]
PREDICTED, JUDGED, NOTHING = (5 + 2, 2), (4, 1), (0, 0)
LATE_SECONDS = 15
INSTRUMENT = preset("instrument").bound_to(SCOPE.model)


def instrumented_mlserver(at: Place) -> list[str | Path]:
    command = list(mlserver(at))
    settings = {"name": "iris", "implementation": "instrumented_doubling.Doubling"}
    (at.folder / "models" / "iris" / "model-settings.json").write_text(json.dumps(settings))
    return command


def instrumented(name: str, command: Command, *, path: str = "", outcomes: bool = True) -> object:
    (server,) = (each for each in SERVERS if each.name == name)
    variables = {
        **server.variables,
        "SERINUS_REVISION": REVISION,
        "SERINUS_MODEL": SCOPE.model,
        "SERINUS_PROFILE": "$HOME/profile.json",
        "SERINUS_OUTCOMES_TOKEN": "s3cret",
    }
    changed = replace(server, command=command, variables=variables, path=path or server.path)
    return pytest.param((changed, outcomes), id=name)


INSTRUMENTED = [
    instrumented("kserve-v1", kserve("instrumented_kserve")),
    instrumented("kserve-v2", kserve("instrumented_kserve")),
    instrumented("mlserver", instrumented_mlserver, outcomes=False),  # it lets nobody add a path
    instrumented("bentoml", bentoml("instrumented_bentoml")),
    instrumented("starlette-exporter", uvicorn("instrumented_fastapi"), path="/observed"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came out of one server."""

    server: Server
    takes_outcomes: bool
    reader: Reader
    exported: frozenset[str]
    revisions: set[str]
    """What the answers said."""


@pytest.fixture(scope="module", params=INSTRUMENTED)
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    server, takes_outcomes = request.param
    folder = tmp_path_factory.mktemp("server")
    (folder / "profile.json").write_text(json.dumps(PROFILE))
    with ExitStack() as stack:
        running = stack.enter_context(started(server, folder))
        place = tmp_path_factory.mktemp("prometheus")
        scrapes = stack.enter_context(scraped(running.metrics_target, server.metrics_path, place))
        start = scrapes.scrape_after(scrapes.begun)
        revisions = drive(server, running.url)
        if takes_outcomes:
            answer = requests.post(f"{running.url}/serinus/outcomes", json=OUTCOMES, headers=KNOWN, timeout=30)
            assert answer.status_code == 200, answer.text
        end = when_counted(scrapes, start, takes_outcomes)
        yield Seen(
            server=server,
            takes_outcomes=takes_outcomes,
            reader=reader(scrapes, start, end),
            exported=scrapes.exported(end),
            revisions=revisions,
        )


def drive(server: Server, url: str) -> set[str]:
    """Send what is to be counted and what is not; return the revisions that the answers name."""
    revisions = set()
    for value, times, gate in SENT:
        for _ in range(times):
            headers = {GATE: f"{REVISION}/1"} if gate else {}
            answer = requests.post(url + server.path, json=server.body(value), headers=headers, timeout=30)
            assert answer.status_code == (500 if value == FAILING else 200), answer.text
            if value != FAILING:
                revisions.add(answer.headers.get("X-Serinus-Revision", ""))
    return revisions


def reader(scrapes: Scraped, start: datetime, end: datetime) -> Reader:
    return Reader(scrapes.prometheus, SCOPE, start, end + timedelta(milliseconds=1))


def rates(reader: Reader, counters: Counters | None) -> tuple[int, int]:
    found = found_of(reader, counters)
    assert not found.left_out
    return found.by_pod.get(POD, (0, 0))


def found_of(reader: Reader, counters: Counters | None) -> Rates:
    assert counters is not None
    return reader.rates(alike(counters)).canary


def when_counted(scrapes: Scraped, start: datetime, takes_outcomes: bool) -> datetime:
    """Return the scrape after the one that shows everything, or after the last that was waited for."""
    wanted = (PREDICTED, JUDGED if takes_outcomes else NOTHING)
    newest = start

    def done() -> bool:
        nonlocal newest
        newest = scrapes.scrape_after(newest)
        late = (newest - start).total_seconds() > LATE_SECONDS
        # The newest scrape may still be on its way into Prometheus: what counts is read one scrape later.
        now = reader(scrapes, start, newest)
        found = [found_of(now, each).by_pod.get(POD) for each in (INSTRUMENT.implausible, INSTRUMENT.accuracy)]
        return late or tuple(each or NOTHING for each in found) == wanted

    wait_until(done, 3 * LATE_SECONDS, lambda: "no scrapes")
    return scrapes.scrape_after(newest)


def test_predictions_are_counted_and_those_of_gates_are_not(seen: Seen) -> None:
    assert rates(seen.reader, INSTRUMENT.implausible) == PREDICTED


def test_predictions_spread_over_the_buckets_of_the_profile(seen: Seen) -> None:
    buckets = INSTRUMENT.predictions[0].buckets
    assert buckets is not None
    tallies, shared = seen.reader.histogram(alike(Histogram(buckets=(buckets,), seconds_per_unit=1.0)))
    assert shared is not None
    assert (shared.edges, tallies.canary.by_pod[POD]) == (EDGES, PREDICTIONS)


def test_outcomes_are_counted_for_the_revision_that_predicted(seen: Seen) -> None:
    assert rates(seen.reader, INSTRUMENT.accuracy) == (JUDGED if seen.takes_outcomes else NOTHING)


def test_answers_name_the_revision(seen: Seen) -> None:
    assert seen.revisions == {REVISION}


def test_the_servers_own_metrics_stand_beside_them(seen: Seen) -> None:
    detected = detect(seen.exported, seen.server.preset)
    assert (detected.server, detected.data) == (seen.server.preset, "instrument")
    assert rates(seen.reader, preset(seen.server.preset).bound_to(SCOPE.model).errors) == (12, 1)
