"""Deleting a ModelDeployment removes what belongs to it, with or without an operator; orphans are adopted again."""

from e2e.manifests import model_spec, pod_template
from e2e.model import OWNED_KINDS, Model, Models
from e2e.operator_process import OperatorProcess
from e2e.place import Place
from e2e.waiting import eventually


def test_deletion_removes_everything_without_an_operator(
    models: Models, operator: OperatorProcess, place: Place, namespace: str
) -> None:
    model = models("deleted")
    model.apply(model_spec(replicas=1))
    first = model.wait_ready()
    model.apply(model_spec(replicas=1, template=pod_template(env={"VERSION": "2"})))
    model.wait_canary(after=first)
    assert len(model.owned("RolloutReport")) == 1
    operator.kill()
    place.kubectl.run("delete", "-n", namespace, f"md/{model.name}", "--wait", "--timeout=20s")
    eventually("nothing of it is left", lambda: not what_is_left(model), within=60)


def test_orphans_serve_on_and_are_adopted(models: Models, place: Place, namespace: str) -> None:
    model = models("orphaned")
    model.apply(model_spec(replicas=1))
    revision = model.wait_ready()
    uids = model.pod_uids(revision)
    place.kubectl.run("delete", "-n", namespace, f"md/{model.name}", "--cascade=orphan", "--wait", "--timeout=20s")
    assert model.pod_uids(revision) == uids
    assert model.served_revision() == revision
    uid = model.apply(model_spec(replicas=1))["metadata"]["uid"]
    assert model.wait_ready() == revision
    assert model.pod_uids(revision) == uids, "adoption replaced pods"
    assert [owner["uid"] for owner in model.deployment(revision)["metadata"]["ownerReferences"]] == [uid]


def what_is_left(model: Model) -> list[str]:
    """Name the objects that still carry the ModelDeployment's label."""
    return [f"{kind} {obj['metadata']['name']}" for kind in (*OWNED_KINDS, "Pod") for obj in model.owned(kind)]
