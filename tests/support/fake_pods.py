"""Pods for the fake cluster: what Deployment controller, scheduler and kubelet would do, in one call."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from serinus import contract
from serinus.cluster.kinds import DEPLOYMENT, POD, Manifest

if TYPE_CHECKING:
    from support.fake_cluster import FakeCluster


class Fault(StrEnum):
    """How the pods of a revision turn out."""

    READY = "Ready"
    NOT_READY = "NotReady"
    """Running, the readiness probe fails."""
    CRASH_LOOP = "CrashLoop"
    IMAGE_PULL = "ImagePull"
    OOM_KILLED = "OOMKilled"
    UNSCHEDULABLE = "Unschedulable"
    FETCH_FAILED = "FetchFailed"
    """The model's digest is not the one asked for."""
    STORE_DOWN = "StoreDown"
    """The model's store did not answer; the fetch is tried again."""
    REFUSED = "Refused"
    """Quota refuses the pods: none is made, the Deployment says why."""


@dataclass
class FakePods:
    """Make the pods of a fake cluster follow its Deployments, each time ``settle`` is called."""

    cluster: "FakeCluster"
    faults: dict[str, Fault] = field(default_factory=dict)
    """Per revision; those not named become ready."""
    _born: int = 0

    def settle(self) -> None:
        """Bring every Deployment's pods and status to where real controllers would bring them."""
        for deployment in self.cluster.list(DEPLOYMENT, ""):
            self._settle_one(deployment)

    def _settle_one(self, deployment: Manifest) -> None:
        metadata, spec = deployment["metadata"], deployment["spec"]
        namespace, template = metadata["namespace"], spec["template"]
        labels = template.get("metadata", {}).get("labels") or {}
        revision = labels.get(contract.LABEL_REVISION, metadata["name"])
        fault = self.faults.get(revision, Fault.READY)
        wanted = spec.get("replicas", 1)
        own = [p for p in self.cluster.list(POD, namespace) if _owner_uid(p) == metadata["uid"]]
        if fault is Fault.REFUSED:
            wanted = min(wanted, len(own))
        for surplus in own[wanted:]:
            self.cluster.remove(POD, namespace, surplus["metadata"]["name"])
        own = own[:wanted]
        while len(own) < wanted:
            own.append(self._make_pod(deployment))
        for pod in own:
            status = _pod_status(fault, pod, self.cluster.now().strftime("%Y-%m-%dT%H:%M:%SZ"))
            if pod.get("status") != status:
                self.cluster.put({**pod, "status": status})
        ready = len(own) if fault is Fault.READY else 0
        self._report(deployment, len(own), ready, refused=fault is Fault.REFUSED and len(own) < spec.get("replicas", 1))

    def _make_pod(self, deployment: Manifest) -> Manifest:
        self._born += 1
        metadata, template = deployment["metadata"], deployment["spec"]["template"]
        return self.cluster.put(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "namespace": metadata["namespace"],
                    "name": f"{metadata['name']}-6d5f8c7b9-{self._born:05d}",
                    "labels": dict(template.get("metadata", {}).get("labels") or {}),
                    "annotations": dict(template.get("metadata", {}).get("annotations") or {}),
                    "ownerReferences": [
                        {
                            "apiVersion": "apps/v1",
                            "kind": "Deployment",
                            "name": metadata["name"],
                            "uid": metadata["uid"],
                            "controller": True,
                        }
                    ],
                },
                "spec": template["spec"],
            }
        )

    def _report(self, deployment: Manifest, pods: int, ready: int, *, refused: bool) -> None:
        conditions = [{"type": "Available", "status": "True" if ready else "False"}]
        if refused:
            conditions.append(
                {
                    "type": "ReplicaFailure",
                    "status": "True",
                    "reason": "FailedCreate",
                    "message": "pods is forbidden: exceeded quota: tight, requested: pods=1, used: pods=4, limited: 4",
                }
            )
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": pods,
            "updatedReplicas": pods,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "conditions": conditions,
        }
        if deployment.get("status") != status:
            metadata = deployment["metadata"]
            self.cluster.edit(DEPLOYMENT, metadata["namespace"], metadata["name"], {"status": status})


def _owner_uid(pod: Manifest) -> str | None:
    owners = pod["metadata"].get("ownerReferences") or [{}]
    uid: str | None = owners[0].get("uid")
    return uid


def _pod_status(fault: Fault, pod: Manifest, now: str) -> dict[str, Any]:
    names = [container["name"] for container in pod["spec"]["containers"]]
    if fault is Fault.UNSCHEDULABLE:
        message = "0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate"
        scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        return {"phase": "Pending", "conditions": [scheduled]}
    started = (pod.get("status") or {}).get("startTime", now)
    ready = fault is Fault.READY
    return {
        "phase": "Pending" if fault is Fault.IMAGE_PULL else "Running",
        "startTime": started,
        "podIP": f"10.0.0.{int(pod['metadata']['name'].rpartition('-')[2]) % 250 + 1}",
        "conditions": [
            {"type": "PodScheduled", "status": "True"},
            {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": started},
        ],
        **({"initContainerStatuses": [_FETCHES[fault]]} if fault in _FETCHES else {}),
        "containerStatuses": [_container_status(fault, name, started) for name in names],
    }


_MISMATCH = {
    "name": "serinus-fetch",
    "restartCount": 0,
    "image": "serinus:1",
    "state": {
        "terminated": {
            "exitCode": 2,
            "reason": "Error",
            "message": '{"schema":1,"reason":"DigestMismatch","message":"found sha256:bb, asked for sha256:aa"}',
        }
    },
}

_NO_ANSWER = {
    "name": "serinus-fetch",
    "restartCount": 1,
    "image": "serinus:1",
    "state": {"running": {}},
    "lastState": {
        "terminated": {
            "exitCode": 1,
            "reason": "Error",
            "message": '{"schema":1,"reason":"Unreachable","message":"no answer from store:9000"}',
        }
    },
}
_FETCHES = {Fault.FETCH_FAILED: _MISMATCH, Fault.STORE_DOWN: _NO_ANSWER}


def _container_status(fault: Fault, name: str, started: str) -> dict[str, Any]:
    status: dict[str, Any] = {"name": name, "ready": fault is Fault.READY, "restartCount": 0, "image": "registry/x:1"}
    running = {"running": {"startedAt": started}}
    if fault is Fault.IMAGE_PULL:
        message = 'Back-off pulling image "registry/x:1": not found: manifest unknown'
        return {**status, "state": {"waiting": {"reason": "ImagePullBackOff", "message": message}}}
    if fault is Fault.CRASH_LOOP:
        ended = {"exitCode": 3, "reason": "Error", "message": "ValueError: the model file is no model\n"}
        return {
            **status,
            "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed container"}},
            "lastState": {"terminated": ended},
        }
    if fault is Fault.OOM_KILLED:
        ended = {"exitCode": 137, "reason": "OOMKilled"}
        return {**status, "restartCount": 1, "state": running, "lastState": {"terminated": ended}}
    return {**status, "started": True, "state": running}
