"""Count outcomes that arrive as JSON: what was predicted, what was true, and who predicted.

Labels come late and at any pod, so each outcome names its revision. Knows the JSON; must not know the server.
"""

import json
from collections.abc import Mapping
from typing import Any

from serinus_instrument.judging import Unjudged, is_right
from serinus_instrument.recorder import Recorder

MOST_OUTCOMES = 10_000
LARGEST_BYTES = 4 * 1024 * 1024
_SHAPE = 'send a list such as [{"revision": "…", "predicted": 1, "truth": 0}]'


class BadOutcomes(ValueError):
    """A body that holds no outcomes; the message says what to send."""


def count_outcomes(recorder: Recorder, body: bytes) -> int:
    """Count the outcomes in a body; return how many there were. Either all are counted or none.

    Raises:
        BadOutcomes: it cannot be read.
    """
    try:
        given = json.loads(body)
    except ValueError as error:
        raise BadOutcomes(f"the body is no JSON: {_SHAPE}") from error
    outcomes = given if isinstance(given, list) else [given]
    if len(outcomes) > MOST_OUTCOMES:
        raise BadOutcomes(f"these are {len(outcomes)} outcomes; send at most {MOST_OUTCOMES} at once")
    for each in outcomes:
        _check(each)
        try:
            is_right(each["predicted"], each["truth"], recorder.settings)
        except Unjudged as error:
            raise BadOutcomes(str(error)) from error
    for each in outcomes:
        recorder.outcome(each["predicted"], each["truth"], each.get("revision"))
    return len(outcomes)


def _check(outcome: Any) -> None:
    if not isinstance(outcome, Mapping) or not {"predicted", "truth"} <= set(outcome):
        raise BadOutcomes(f"an outcome has predicted and truth: {_SHAPE}")
    if not isinstance(outcome.get("revision"), str | None):
        raise BadOutcomes(f"revision is the text of the answer's header X-Serinus-Revision: {_SHAPE}")
    for name in ("predicted", "truth"):
        if isinstance(outcome[name], list | dict):
            raise BadOutcomes(f"{name} is one value: {_SHAPE}")
