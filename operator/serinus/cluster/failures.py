"""From an HTTP answer of the API server to our error tree. Pure: no client, no network."""

import json
from typing import Any

from serinus import errors

# A server-side apply of an object that can't be one is answered with 500, each stage of the way in its own words. The
# same stages for the live object ("failed to convert live object") are no fault of what we sent.
_IMPOSSIBLE = (
    "failed to create typed patch object",  # an unknown field, text for a number, the same key twice
    "failed to convert new object",  # fits the schema and is still no value: a quantity, a time, a number too large
    "failed to convert new typed object",
    "failed to convert to unversioned",
)


def make_error(status: int, body: bytes, *, verb: str, path: str) -> errors.ClusterError:
    """Return the error of our tree for an answer that is not a success.

    Args:
        status: HTTP status, 400 or more.
        body: the answer's body: a ``Status`` object as JSON, or whatever a proxy put there.
        verb: what we tried, such as ``apply``.
        path: on which path, for the message when the server gave no sentence.
    """
    reply = _parse_status(body)
    message = str(reply.get("message") or "").strip() or f"the API server answered {status} to {verb} {path}"
    return _class_of(status, str(reply.get("reason") or ""), message, verb)(message, status=status)


def _class_of(status: int, reason: str, message: str, verb: str) -> type[errors.ClusterError]:
    if status == 404:
        # Without a Status it is the path that is unknown: a CRD that is not there yet, or an API server that starts.
        return errors.NotFound if reason == "NotFound" else errors.ClusterUnavailable
    if status == 409:
        # Only a create is surprised by an existing object; to an apply that lost a race it is a conflict like others.
        return errors.AlreadyExists if verb == "create" and reason == "AlreadyExists" else errors.Conflict
    if status == 403:
        # 403 is also the answer of quota and of admission webhooks; only missing rights name a user.
        return errors.Forbidden if 'User "' in message or not reason else errors.Refused
    if status == 500 and message.startswith(_IMPOSSIBLE):
        return errors.Refused
    # A rotated token heals by itself, so 401 is for trying again.
    if status in {401, 408, 429} or status >= 500:
        return errors.ClusterUnavailable
    return errors.Refused


def _parse_status(body: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(body)
    except ValueError:
        return {}
    return reply if isinstance(reply, dict) and reply.get("kind") == "Status" else {}
