"""Send a known mix straight to the pods of both sides, so that what was sent is known to the last request."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from demo.counts import Counts
from demo.load import Load

from e2e.api_server import Object
from e2e.counting import COUNTED_WITHIN, Totals, judged
from e2e.model import Model
from e2e.waiting import eventually

TICK_SECONDS = 5
SECONDS_TO_SEND = 2.0
"""A mix begun in the first second of a tick is answered and scraped before the tick ends, on a slow machine too."""


def held(*signals: dict[str, Any]) -> dict[str, Any]:
    """Return steps and analysis of a rollout that waits for a person; a few dozen requests decide nothing in it."""
    strict = {"interval": f"{TICK_SECONDS}s", "falseRollbackRate": 0.000001, "falsePromotionRate": 0.000001}
    return {"steps": [{"weight": 50}, {"approval": {}}], "analysis": {**strict, "signals": list(signals)}}


def errors(**more: Any) -> dict[str, Any]:
    """Return the signal of failed requests."""
    return {"name": "errors", "kind": "Errors", "margin": "2%", "unacceptable": "4%", **more}


def address(model: Model, revision: str, port: int) -> str:
    """Return host and port of a revision's only pod."""
    (pod,) = model.pods(revision)
    return f"{pod['status']['podIP']}:{port}"


def send_to_each(
    addresses: Mapping[str, str], path: str, bodies: Sequence[bytes], *, times: int = 1
) -> dict[str, Counts]:
    """Send each body so many times to each side's pod within one tick, and return what was answered by side.

    A tick in which only one side got requests compares nothing: its requests wait for the next one in which both did.

    Args:
        addresses: host and port by side.
        path: what is asked for.
        bodies: in turn; an empty one is a GET.
        times: how often each body is sent.
    """
    limit = times * len(bodies)
    loads = {
        side: Load(
            f"http://{where}{path}",
            new_per_second=limit / SECONDS_TO_SEND,
            kept_per_second=0,
            bodies=bodies,
            limit=limit,
        )
        for side, where in addresses.items()
    }
    eventually("a tick begins", lambda: time.time() % TICK_SECONDS < 1, within=TICK_SECONDS + 1, every=0.1)
    for load in loads.values():
        load.start()
    return {side: load.join() for side, load in loads.items()}


def wait_counted(model: Model, canary: str, sent: Mapping[str, Totals], signal: str = "errors") -> Object:
    """Wait until the judge counts what was sent to each side, and never more; return the evidence."""
    seen: dict[str, Totals] = {}

    def same() -> Object | None:
        evidence = model.evidence(canary, signal)
        seen.update({side: judged(evidence, side) for side in sent})
        too_many = [
            side for side, truth in sent.items() if seen[side].total > truth.total or seen[side].bad > truth.bad
        ]
        assert not too_many, f"counted more than was sent: {seen}, sent: {sent}"
        return evidence if seen == sent else None

    try:
        return eventually("the judge's counts are what was sent", same, within=COUNTED_WITHIN)
    except AssertionError as error:
        msg = f"counted {seen}, sent: {sent}"
        raise AssertionError(msg) from error
