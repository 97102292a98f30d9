"""The client against a scripted server on loopback: what goes over the wire, and what comes of the answers."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from kubernetes.client import Configuration

from serinus.cluster import client as client_module
from serinus.cluster.client import Cluster, connect
from serinus.cluster.kinds import CONFIG_MAP, DEPLOYMENT, LEASE, MODEL_DEPLOYMENT, POD, Kind
from serinus.cluster.protocol import ClusterApi
from serinus.errors import ClusterUnavailable, Conflict, NotFound


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Script:
    """Answers in order; the last one again and again."""

    answers: list[tuple[int, bytes]] = field(default_factory=lambda: [(200, b"{}")])
    requests: list[Request] = field(default_factory=list)
    port: int = 0

    def answer(self, *answers: tuple[int, Any]) -> None:
        self.answers = [
            (code, body if isinstance(body, bytes) else json.dumps(body).encode()) for code, body in answers
        ]

    @property
    def last(self) -> Request:
        return self.requests[-1]


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            script.requests.append(
                Request(
                    method=self.command,
                    path=parts.path,
                    query=dict(parse_qsl(parts.query)),
                    headers={key.lower(): value for key, value in self.headers.items()},
                    body=json.loads(body) if body else None,
                )
            )
            code, answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
            self.send_response(code)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *_: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    script.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield script
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def configuration(script: Script) -> Configuration:
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{script.port}"
    configuration.proxy = None
    configuration.api_key["BearerToken"] = "bearer secret"
    return configuration


@pytest.fixture
def cluster(configuration: Configuration) -> Iterator[Cluster]:
    client = connect("serinus/9", configuration)
    yield Cluster(client)
    client.close()


def config_map() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "n", "name": "c"}, "data": {"a": "1"}}


def test_it_fits_the_protocol(cluster: Cluster) -> None:
    fits: ClusterApi = cluster
    assert fits is cluster


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "subresource", "path"),
    [
        (POD, "n", "p", "", "/api/v1/namespaces/n/pods/p"),
        (POD, "", "", "", "/api/v1/pods"),
        (DEPLOYMENT, "n", "", "", "/apis/apps/v1/namespaces/n/deployments"),
        (MODEL_DEPLOYMENT, "n", "m", "status", "/apis/serinus.dev/v1alpha1/namespaces/n/modeldeployments/m/status"),
        (LEASE, "n", "l", "", "/apis/coordination.k8s.io/v1/namespaces/n/leases/l"),
    ],
)
def test_paths(kind: Kind, namespace: str, name: str, subresource: str, path: str) -> None:
    assert kind.path(namespace, name, subresource) == path


def test_every_request_says_who_we_are(cluster: Cluster, script: Script) -> None:
    cluster.get(POD, "n", "p")
    assert script.last.headers["authorization"] == "bearer secret"
    assert script.last.headers["user-agent"] == "serinus/9"


def test_an_apply_is_a_forced_server_side_apply_in_our_name(cluster: Cluster, script: Script) -> None:
    script.answer((201, {"metadata": {"uid": "u"}}))
    assert cluster.apply(config_map()) == {"metadata": {"uid": "u"}}, "the answer to a creation is returned, too"
    assert (script.last.method, script.last.path) == ("PATCH", "/api/v1/namespaces/n/configmaps/c")
    assert script.last.headers["content-type"] == "application/apply-patch+yaml"
    assert script.last.query == {"fieldManager": "serinus", "force": "true", "fieldValidation": "Strict"}
    assert script.last.body == config_map()


def test_a_dry_run_says_so(cluster: Cluster, script: Script) -> None:
    cluster.apply(config_map(), dry_run=True)
    assert script.last.query["dryRun"] == "All"


def test_a_status_is_merged_at_the_version_it_was_decided_on(cluster: Cluster, script: Script) -> None:
    cluster.patch_status(MODEL_DEPLOYMENT, "n", "m", {"phase": "Stable", "canary": None}, "17")
    assert script.last.path.endswith("/modeldeployments/m/status")
    assert script.last.headers["content-type"] == "application/merge-patch+json"
    assert script.last.body == {"metadata": {"resourceVersion": "17"}, "status": {"phase": "Stable", "canary": None}}


def test_a_deletion_goes_to_the_background_and_can_insist_on_a_uid(cluster: Cluster, script: Script) -> None:
    script.answer((404, {"kind": "Status", "reason": "NotFound", "message": "gone"}))
    cluster.delete(DEPLOYMENT, "n", "d", uid="u")
    assert script.last.method == "DELETE"
    assert script.last.body["propagationPolicy"] == "Background"
    assert script.last.body["preconditions"] == {"uid": "u"}
    cluster.delete(DEPLOYMENT, "n", "d")
    assert "preconditions" not in script.last.body


@pytest.mark.parametrize(("verb", "method"), [("create", "POST"), ("replace", "PUT")])
def test_whole_objects_are_sent_strictly(cluster: Cluster, script: Script, verb: str, method: str) -> None:
    getattr(cluster, verb)(config_map())
    assert script.last.method == method
    assert script.last.query == {"fieldManager": "serinus", "fieldValidation": "Strict"}


def test_a_long_list_is_read_page_by_page_and_its_items_get_their_type(cluster: Cluster, script: Script) -> None:
    script.answer(
        (200, {"metadata": {"continue": "more"}, "items": [{"metadata": {"name": "a"}}]}),
        (200, {"metadata": {}, "items": [{"metadata": {"name": "b"}}]}),
    )
    found = cluster.list(POD, "n", {"b": "2", "a": "1"})
    assert [(each["kind"], each["metadata"]["name"]) for each in found] == [("Pod", "a"), ("Pod", "b")]
    assert script.requests[0].query == {"limit": "500", "labelSelector": "a=1,b=2"}
    assert script.requests[1].query["continue"] == "more"


def test_an_empty_list_may_hold_null(cluster: Cluster, script: Script) -> None:
    script.answer((200, {"metadata": {}, "items": None}))
    assert cluster.list(POD, "") == []


def test_absent_is_none_and_a_missing_crd_is_not_served(cluster: Cluster, script: Script) -> None:
    script.answer((404, {"kind": "Status", "reason": "NotFound", "message": "not found"}))
    assert cluster.get(POD, "n", "p") is None
    with pytest.raises(NotFound, match="not found"):
        cluster.patch(POD, "n", "p", {})
    script.answer((404, b"404 page not found"))
    assert cluster.is_served(MODEL_DEPLOYMENT) is False
    with pytest.raises(ClusterUnavailable):
        cluster.get(MODEL_DEPLOYMENT, "n", "m")
    script.answer((503, b""))
    with pytest.raises(ClusterUnavailable):
        cluster.is_served(MODEL_DEPLOYMENT)
    script.answer((200, {"resources": [{"name": "modeldeployments"}]}))
    assert cluster.is_served(MODEL_DEPLOYMENT) is True


def test_a_stale_version_is_a_conflict_and_is_not_sent_twice(cluster: Cluster, script: Script) -> None:
    script.answer((409, {"kind": "Status", "reason": "Conflict", "message": "the object has been modified"}))
    with pytest.raises(Conflict, match="modified"):
        cluster.patch_status(MODEL_DEPLOYMENT, "n", "m", {}, "1")
    assert len(script.requests) == 1


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_failing_server_is_for_the_queue_to_retry(cluster: Cluster, script: Script, code: int) -> None:
    script.answer((code, b"try later"))
    with pytest.raises(ClusterUnavailable) as raised:
        cluster.get(POD, "n", "p")
    assert raised.value.status == code
    assert len(script.requests) == 1


def test_an_answer_that_is_no_json_is_no_answer(cluster: Cluster, script: Script) -> None:
    script.answer((200, b"<html>login</html>"))
    with pytest.raises(ClusterUnavailable, match="no JSON"):
        cluster.get(POD, "n", "p")


def test_nobody_listening_is_unavailable(configuration: Configuration) -> None:
    configuration.host = "http://127.0.0.1:1"
    client = connect("serinus/9", configuration)
    with pytest.raises(ClusterUnavailable, match="no answer"):
        Cluster(client).get(POD, "n", "p")
    client.close()


def test_a_server_that_never_answers_is_given_up(
    configuration: Configuration, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # listens, and nobody accepts
    configuration.host = f"http://127.0.0.1:{silent.server_address[1]}"
    monkeypatch.setattr(client_module, "READ_SECONDS", 0.05)
    client = connect("serinus/9", configuration)
    with pytest.raises(ClusterUnavailable, match="timed out"):
        Cluster(client).get(POD, "n", "p")
    client.close()
    silent.server_close()


def test_without_the_lease_nothing_is_written_and_everything_can_be_read(
    configuration: Configuration, script: Script
) -> None:
    client = connect("serinus/9", configuration)
    fenced = Cluster(client, may_write=lambda: False)
    for write in (
        lambda: fenced.apply(config_map()),
        lambda: fenced.create(config_map()),
        lambda: fenced.replace(config_map()),
        lambda: fenced.patch(POD, "n", "p", {}),
        lambda: fenced.patch_status(POD, "n", "p", {}, "1"),
        lambda: fenced.delete(POD, "n", "p"),
    ):
        with pytest.raises(ClusterUnavailable, match="lease is no longer ours"):
            write()
    assert script.requests == []
    assert fenced.get(POD, "n", "p") == {}
    client.close()


def test_each_call_is_told_with_its_outcome(configuration: Configuration, script: Script) -> None:
    told: list[tuple[str, str, int]] = []
    client = connect("serinus/9", configuration)
    watched = Cluster(client, observe=lambda verb, kind, status, seconds: told.append((verb, kind.kind, status)))
    watched.get(POD, "n", "p")
    script.answer((404, {"kind": "Status", "reason": "NotFound"}))
    watched.get(CONFIG_MAP, "n", "c")
    assert told == [("get", "Pod", 200), ("get", "ConfigMap", 404)]
    client.close()
