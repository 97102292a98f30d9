"""Our client, recorder of Events and Lease against a real API server: where a fake could only repeat our beliefs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes.client import Configuration

from apiserver.conftest import TOKEN, ApiServer
from rollout.worlds import make_desired
from serinus import contract
from serinus.cluster.client import Cluster, connect
from serinus.cluster.kinds import CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT, EVENT, MODEL_DEPLOYMENT, ROLLOUT_REPORT
from serinus.controller.apply import says
from serinus.controller.events import EventRecorder
from serinus.controller.lease import LEASE_SECONDS, LeaseElector
from serinus.errors import AlreadyExists, ClusterUnavailable, Conflict, Forbidden, NotFound, Refused
from serinus.rollout.decide import Note
from serinus.rollout.plan import ServiceRole
from serinus.rollout.resources import make_service
from serinus.rollout.types import ServicePlan

pytestmark = pytest.mark.api


def make_cluster(server: ApiServer, token: str = TOKEN) -> Cluster:
    configuration = Configuration()
    configuration.host = server.url
    configuration.proxy = None
    configuration.ssl_ca_cert = str(server.session.verify)
    configuration.api_key["BearerToken"] = f"Bearer {token}"
    return Cluster(connect("serinus/test", configuration))


@pytest.fixture
def cluster(server: ApiServer) -> Iterator[Cluster]:
    cluster = make_cluster(server)
    yield cluster
    cluster._client.close()


def config_map(namespace: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace, "name": "c"}, "data": data}


def deployment(namespace: str, **container: Any) -> dict[str, Any]:
    labels = {"app": "x"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": namespace, "name": "d"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "m", **container}]}},
        },
    }


def test_an_apply_creates_and_repeats_without_a_change_and_drops_what_is_left_out(
    cluster: Cluster, namespace: str
) -> None:
    assert cluster.apply(config_map(namespace, a="1"), dry_run=True)["data"] == {"a": "1"}
    assert cluster.get(CONFIG_MAP, namespace, "c") is None
    made = cluster.apply(config_map(namespace, a="1", b="2"))
    again = cluster.apply(config_map(namespace, a="1", b="2"))
    assert made["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]
    cluster.patch(CONFIG_MAP, namespace, "c", {"data": {"theirs": "x"}})
    assert cluster.apply(config_map(namespace, b="3"))["data"] == {"b": "3", "theirs": "x"}


def test_what_collides_is_told_apart(cluster: Cluster, namespace: str) -> None:
    made = cluster.create(config_map(namespace))
    with pytest.raises(AlreadyExists):
        cluster.create(config_map(namespace))
    with pytest.raises(Conflict):
        cluster.delete(CONFIG_MAP, namespace, "c", uid="another")
    cluster.patch(CONFIG_MAP, namespace, "c", {"data": {"a": "1"}})
    with pytest.raises(Conflict):
        cluster.replace(made)
    with pytest.raises(NotFound):
        cluster.apply(config_map("no-such-namespace"))
    cluster.delete(CONFIG_MAP, namespace, "c", uid=made["metadata"]["uid"])
    cluster.delete(CONFIG_MAP, namespace, "c")
    assert cluster.get(CONFIG_MAP, namespace, "c") is None


def test_a_stored_revision_can_still_be_patched_whatever_its_template_holds(cluster: Cluster, namespace: str) -> None:
    """The garbage collector has to take our ownerReference off it, or an orphaning delete hangs for ever."""
    stored = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": "fraud-x", "namespace": namespace},
        "revision": 1,
        "data": {"z": "<&>\u2028 ü", "a": {"y": 1.5, "b": [1, {"q": None, "c": True}]}},
    }
    cluster.create(stored)
    patched = cluster.patch(CONTROLLER_REVISION, namespace, "fraud-x", {"metadata": {"labels": {"seen": "yes"}}})
    assert patched["metadata"]["labels"] == {"seen": "yes"}
    assert patched["data"] == stored["data"]


@pytest.mark.parametrize(
    ("container", "sentence"),
    [
        pytest.param({"image": "x", "imagePullPolicies": "Always"}, "field not declared in schema", id="unknown field"),
        pytest.param({"image": "x", "ports": [{"containerPort": 0}]}, "containerPort", id="out of range"),
        pytest.param({}, "image: Required value", id="missing"),
        pytest.param(
            {"image": "x", "resources": {"requests": {"cpu": "lots"}}}, "quantities must match", id="no quantity"
        ),
        pytest.param({"image": "x", "command": "sh"}, "expected list", id="text for a list"),
        pytest.param({"image": "x", "env": [{"name": "A"}] * 2}, "duplicate entries", id="the same key twice"),
        pytest.param(
            {"image": "x", "livenessProbe": {"httpGet": {"port": 80.5}}}, "cannot unmarshal number", id="no port"
        ),
    ],
)
def test_a_template_is_refused_in_the_servers_own_words(
    cluster: Cluster, namespace: str, container: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        cluster.apply(deployment(namespace, **container), dry_run=True)
    assert cluster.list(DEPLOYMENT, namespace) == []


def test_a_service_settles_and_shows_that_it_says_more_than_is_intended(cluster: Cluster, namespace: str) -> None:
    plan = ServicePlan(name="fraud", port=80, app_protocol="kubernetes.io/h2c", annotations={"a.example/b": "c"})
    desired = make_desired(namespace=namespace, service=plan)
    full = make_service(desired, ServiceRole.MAIN, "bbbb", "http")
    poor = make_service(replace(desired, service=ServicePlan(name="fraud", port=80)), ServiceRole.MAIN, "bbbb", "http")
    made = cluster.apply(full)
    assert says(made, full)
    assert not says(made, poor)
    left = cluster.apply(poor)
    assert says(left, poor)
    assert left["metadata"]["annotations"].keys() == {contract.ANNOTATION_APPLIED}
    assert "appProtocol" not in left["spec"]["ports"][0]


def test_a_status_is_written_at_its_version_only(cluster: Cluster, namespace: str) -> None:
    made = cluster.apply(deployment(namespace, image="x"))
    version = made["metadata"]["resourceVersion"]
    written = cluster.patch_status(DEPLOYMENT, namespace, "d", {"observedGeneration": 1}, version)
    assert written["metadata"]["generation"] == made["metadata"]["generation"]
    with pytest.raises(Conflict):
        cluster.patch_status(DEPLOYMENT, namespace, "d", {"observedGeneration": 2}, version)


def test_rights_that_are_missing_are_no_refusal_of_the_object(server: ApiServer, cluster: Cluster) -> None:
    stranger = make_cluster(server, token="wrong")
    with pytest.raises(ClusterUnavailable):
        stranger.list(CONFIG_MAP, "default")
    stranger._client.close()
    cluster._client.set_default_header("Impersonate-User", "nobody")
    with pytest.raises(Forbidden, match="cannot create resource"):
        cluster.create(config_map("default"))


def test_our_kinds_are_served_and_listed_over_all_namespaces(cluster: Cluster, namespace: str) -> None:
    assert cluster.is_served(MODEL_DEPLOYMENT)
    assert cluster.is_served(ROLLOUT_REPORT)
    cluster.create(config_map(namespace))
    assert [each["metadata"]["namespace"] for each in cluster.list(CONFIG_MAP, "") if each["metadata"]["name"] == "c"]


def test_an_event_is_accepted_and_counted(cluster: Cluster, namespace: str) -> None:
    body = cluster.create(config_map(namespace))
    recorder = EventRecorder(cluster=cluster, clock=lambda: datetime.now(UTC), instance="serinus-0")
    note = Note(warning=True, reason="ErrorsWorse", message="12 of 100 requests failed")
    for _ in range(3):
        recorder.record(body, [note])
    [event] = cluster.list(EVENT, namespace)
    assert (event["reason"], event["count"], event["type"]) == ("ErrorsWorse", 3, "Warning")
    assert event["involvedObject"]["uid"] == body["metadata"]["uid"]


@dataclass
class Clock:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_the_lease_changes_hands_by_release_and_by_expiry(cluster: Cluster, namespace: str) -> None:
    clock = Clock()

    def elector(identity: str) -> LeaseElector:
        return LeaseElector(
            cluster=cluster,
            namespace=namespace,
            identity=identity,
            monotonic=clock,
            now=lambda: datetime.now(UTC),
        )

    one, two = elector("one"), elector("two")
    assert [one.attempt(), two.attempt(), one.attempt()] == [True, False, True]
    one.release()
    assert [two.attempt(), one.attempt()] == [True, False]
    clock.seconds += LEASE_SECONDS + 1
    assert [one.attempt(), two.attempt()] == [True, False]
