"""The demo may only succeed if what was seen is what has to be seen."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from demo.counts import Counts, Failure, Mode, Tally
from demo.result import find_exposure, find_faults

GOOD, BAD = "goodgoodgo", "badbadbadb"
START = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def status(stable: str = GOOD, rejected: str = BAD, reason: str = "ErrorsWorse") -> dict[str, Any]:
    rejection = {"revision": rejected, "reason": reason, "at": "2026-11-22T12:00:20Z"}
    return {"stable": {"revision": stable}, "rejected": [rejection] if rejected else []}


def counts(last_seconds: float = 22, new: Tally | None = None, **revisions: Tally) -> Counts:
    bad = Tally(answers=Counter({200: 90}), first=START, last=START + timedelta(seconds=last_seconds))
    nameless = Tally(answers=Counter({500: 10}), first=START + timedelta(seconds=1), last=START + timedelta(seconds=5))
    return Counts(
        modes={Mode.NEW: new or Tally(sent=300, answers=Counter({200: 300})), Mode.KEPT: Tally(sent=9)},
        revisions=revisions or {BAD: bad, "unnamed": nameless},
        pods={},
        elapsed_seconds=60,
    )


def test_the_demo_as_it_has_to_be() -> None:
    assert find_faults(status(), GOOD, BAD, counts()) == []


@pytest.mark.parametrize(
    ("seen", "clients", "fault"),
    [
        pytest.param(status(stable=BAD), counts(), "revision 2", id="the bad one serves"),
        pytest.param(status(rejected=""), counts(), "has to be rejected", id="nothing rejected"),
        pytest.param(status(rejected=GOOD), counts(), "has to be rejected", id="another rejected"),
        pytest.param(status(reason="Aborted"), counts(), "the reason is Aborted", id="rejected for another reason"),
        pytest.param(
            status(),
            counts(new=Tally(sent=300, failures=Counter({Failure.RESET: 1}))),
            "1 of 300 requests on new connections failed in transport: 1 reset",
            id="one new connection failed",
        ),
        pytest.param(status(), counts(new=Tally(sent=300, skipped=2)), "2 due ones left out", id="load not steady"),
        pytest.param(status(), counts(new=Tally()), "0 requests sent", id="no load"),
        pytest.param(status(), counts(last_seconds=91), "90 s are allowed", id="exposed too long"),
        pytest.param(status(), counts(other=Tally()), "met none", id="the bad one met no traffic"),
    ],
)
def test_anything_else_is_a_fault(seen: dict[str, Any], clients: Counts, fault: str) -> None:
    faults = find_faults(seen, GOOD, BAD, clients)
    assert len(faults) == 1 if fault != "has to be rejected" else faults
    assert fault in faults[0]


def test_failures_on_kept_alive_connections_are_no_fault() -> None:
    clients = counts()
    clients.modes[Mode.KEPT].failures[Failure.EOF] = 4
    assert find_faults(status(), GOOD, BAD, clients) == []


def test_the_exposure_counts_the_answers_that_named_no_revision() -> None:
    exposure = find_exposure(status(), BAD, counts())
    assert exposure is not None
    assert (exposure.answers, exposure.failures) == (100, 10)
    assert (exposure.until_weight_zero_seconds, exposure.seconds) == (20, 22)
