"""An operator with nothing to do writes nothing and costs little."""

import time
from contextlib import ExitStack

from e2e.manifests import model_spec, pod_template
from e2e.model import OWNED_KINDS, Beacon, Model, Models
from e2e.operator_process import OperatorProcess, ProcessorUse
from e2e.waiting import eventually

WATCHED_SECONDS = 20
MEMORY_BYTES = 150 * 1024 * 1024
PROCESSOR_SHARE = 0.02


def test_idle_operator_writes_nothing_and_costs_little(
    models: Models, operator: OperatorProcess, beacon: Beacon, namespace: str
) -> None:
    stable, rejected = models("idle-stable"), models("idle-rejected")
    for model in (stable, rejected):
        model.apply(model_spec())
    stable.wait_ready()
    rejected.wait_ready()
    rejected.apply(model_spec(template=pod_template(env={"CRASH_AFTER": "0"})))
    rejected.wait_gone(rejected.wait_rejected(within=90)["revision"])
    # Pods of earlier tests end: their Deployments' last events are work, and not ours to measure.
    names = {stable.name, rejected.name}
    eventually("only our pods are left", lambda: owners_of_pods(stable, namespace) <= names, within=90)
    beacon.settle()

    with ExitStack() as stack:
        kinds = ("ModelDeployment", *OWNED_KINDS, "Event")
        recordings = [stack.enter_context(stable.api.recording(kind, namespace)) for kind in kinds]
        use, begun = ProcessorUse(operator), time.monotonic()
        eventually("the watched time is over", lambda: time.monotonic() > begun + WATCHED_SECONDS, within=60, every=1)
        share, memory = use.share(), operator.resident_bytes()
        writes = [(kind, event) for kind, each in zip(kinds, recordings, strict=True) for event in each.events]
    assert not writes, f"wrote while idle: {writes}"
    print(f"idle: {share:.2%} of a core, {memory / 2**20:.0f} MiB")
    assert share < PROCESSOR_SHARE
    assert memory < MEMORY_BYTES


def owners_of_pods(model: Model, namespace: str) -> set[str]:
    """Return the ModelDeployments that have pods."""
    pods = model.api.list("Pod", namespace)
    return {pod["metadata"].get("labels", {}).get("serinus.dev/model-deployment", "") for pod in pods}
