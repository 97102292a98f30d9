"""Send a known mix straight to the pod of one side, so that what was sent is known to the last request."""

from collections.abc import Sequence
from typing import Any

from demo.counts import Counts
from demo.load import Load

from e2e.model import Model

STRICT: dict[str, Any] = {"interval": "2s", "falseRollbackRate": 0.000001, "falsePromotionRate": 0.000001}
"""So strict that nothing is decided by a few dozen requests: for tests that look at counts."""


def held(*signals: dict[str, Any]) -> dict[str, Any]:
    """Return steps and analysis of a rollout that waits for a person, with its counts in sight."""
    return {"steps": [{"weight": 50}, {"approval": {}}], "analysis": {**STRICT, "signals": list(signals)}}


def errors(margin: str = "2%", unacceptable: str = "4%", **more: Any) -> dict[str, Any]:
    """Return the signal of failed requests."""
    return {"name": "errors", "kind": "Errors", "margin": margin, "unacceptable": unacceptable, **more}


def address(model: Model, revision: str, port: int) -> str:
    """Return host and port of a revision's only pod."""
    (pod,) = model.pods(revision)
    return f"{pod['status']['podIP']}:{port}"


def send(where: str, path: str, bodies: Sequence[bytes], *, times: int = 1, per_second: float = 25.0) -> Counts:
    """Send each body so many times to one pod, and return what was answered.

    Args:
        where: host and port.
        path: what is asked for.
        bodies: in turn; an empty one is a GET.
        times: how often each body is sent.
        per_second: rate, in requests per second.
    """
    limit = times * len(bodies)
    load = Load(f"http://{where}{path}", new_per_second=per_second, kept_per_second=0, bodies=bodies, limit=limit)
    with load:
        return load.join()
