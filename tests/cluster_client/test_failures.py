import json

import pytest

from serinus import errors
from serinus.cluster.failures import make_error


def status(reason: str, message: str) -> bytes:
    return json.dumps({"kind": "Status", "status": "Failure", "reason": reason, "message": message}).encode()


RBAC = 'services "x" is forbidden: User "system:serviceaccount:s:s" cannot patch resource "services"'

OBJECT = "(n/d; apps/v1, Kind=Deployment)"
UNTYPED = f"failed to create typed patch object {OBJECT}: .spec.bogus: field not declared in schema"
NO_QUANTITY = f"failed to convert new object {OBJECT} to proper version: quantities must match the regular expression"
NO_OBJECT = f"failed to convert new typed object {OBJECT} to object: no"
NO_INNER = f"failed to convert to unversioned {OBJECT}: no"
LIVE = f"failed to convert live object {OBJECT} to proper version: no"
LIVE_UNTYPED = f"failed to create typed live object {OBJECT}: .spec.bogus: field not declared in schema"
EXISTING = f"failed to create manager for existing fields: failed to convert new object {OBJECT} to proper version: no"
WEBHOOK = 'failed calling webhook "x": failed to convert new object'


@pytest.mark.parametrize(
    ("code", "body", "verb", "expected"),
    [
        pytest.param(404, status("NotFound", "gone"), "get", errors.NotFound, id="absent"),
        pytest.param(404, b"404 page not found", "get", errors.ClusterUnavailable, id="the kind is not served"),
        pytest.param(409, status("Conflict", "modified"), "patch_status", errors.Conflict, id="stale version"),
        pytest.param(409, status("AlreadyExists", "x"), "create", errors.AlreadyExists, id="create finds one"),
        pytest.param(409, status("AlreadyExists", "x"), "apply", errors.Conflict, id="apply lost a race"),
        pytest.param(403, status("Forbidden", RBAC), "apply", errors.Forbidden, id="rights are missing"),
        pytest.param(403, status("Forbidden", "exceeded quota"), "create", errors.Refused, id="quota"),
        pytest.param(403, b"<html>no</html>", "get", errors.Forbidden, id="a proxy's 403"),
        pytest.param(401, status("Unauthorized", "Unauthorized"), "get", errors.ClusterUnavailable, id="old token"),
        pytest.param(400, status("BadRequest", "no"), "apply", errors.Refused, id="bad request"),
        pytest.param(413, b"", "apply", errors.Refused, id="too large"),
        pytest.param(422, status("Invalid", "spec.x: no"), "apply", errors.Refused, id="validation"),
        pytest.param(429, status("TooManyRequests", "later"), "get", errors.ClusterUnavailable, id="throttled"),
        pytest.param(500, status("InternalError", "etcd"), "get", errors.ClusterUnavailable, id="server failure"),
        pytest.param(500, status("", UNTYPED), "apply", errors.Refused, id="a field that the schema does not know"),
        pytest.param(500, status("", NO_QUANTITY), "apply", errors.Refused, id="a quantity that is none"),
        pytest.param(500, status("", NO_OBJECT), "apply", errors.Refused, id="no object comes out"),
        pytest.param(500, status("", NO_INNER), "apply", errors.Refused, id="no inner object comes out"),
        pytest.param(500, status("", LIVE), "apply", errors.ClusterUnavailable, id="what stands there is unreadable"),
        pytest.param(500, status("", LIVE_UNTYPED), "apply", errors.ClusterUnavailable, id="… by the schema"),
        pytest.param(500, status("", EXISTING), "apply", errors.ClusterUnavailable, id="… by the first apply"),
        pytest.param(500, status("InternalError", WEBHOOK), "apply", errors.ClusterUnavailable, id="webhook down"),
        pytest.param(503, status("", NO_QUANTITY), "apply", errors.ClusterUnavailable, id="503 is for trying again"),
        pytest.param(503, b"no backend", "get", errors.ClusterUnavailable, id="a proxy's 503"),
    ],
)
def test_each_answer_becomes_one_error(code: int, body: bytes, verb: str, expected: type[Exception]) -> None:
    error = make_error(code, body, verb=verb, path="/api/v1/x")
    assert type(error) is expected
    assert error.status == code


def test_the_servers_own_sentence_is_the_message() -> None:
    assert make_error(422, status("Invalid", "spec.x: no"), verb="apply", path="/x").message == "spec.x: no"
    assert make_error(503, b"[]", verb="get", path="/x").message == "the API server answered 503 to get /x"
