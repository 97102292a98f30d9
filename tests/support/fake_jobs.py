"""Lookups of models for the fake cluster: what Job controller, kubelet and a store would do, one stage per settle."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from serinus.cluster.kinds import JOB, POD, Manifest
from serinus.rollout.fetching import CONTAINER
from serinus.rollout.lookup import LABEL_OF_PODS

if TYPE_CHECKING:
    from support.fake_cluster import FakeCluster


def digest_of(content: str) -> str:
    return "sha256:" + hashlib.sha256(content.encode()).hexdigest()


@dataclass
class FakeStore:
    """Let the Jobs of a fake cluster look into a store, each time ``settle`` is called."""

    cluster: "FakeCluster"
    content: dict[str, str] = field(default_factory=dict)
    """By URI; one that is not named has nothing behind it."""
    failures: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By URI, exit code and reason: every lookup fails so."""
    slow: set[str] = field(default_factory=set)
    """URIs whose lookups do not end."""
    secrets: set[str] = field(default_factory=set)
    """Secrets that exist: a pod that names another one does not start."""
    lookups: list[str] = field(default_factory=list)
    """URIs of the lookups that ended, in order."""

    def settle(self) -> None:
        """Bring every Job one stage further: a pod, then its end."""
        for job in self.cluster.list(JOB, ""):
            pods = self.cluster.list(POD, job["metadata"]["namespace"], {LABEL_OF_PODS: job["metadata"]["uid"]})
            if (job.get("status") or {}).get("conditions"):
                continue  # it has ended
            if not pods:
                self._make_pod(job)
            elif "terminated" not in pods[0]["status"]["containerStatuses"][0]["state"]:
                self._run(pods[0])

    def _make_pod(self, job: Manifest) -> None:
        metadata = job["metadata"]
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
        labels = {**job["spec"]["template"]["metadata"]["labels"], LABEL_OF_PODS: metadata["uid"]}
        self.cluster.put(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "namespace": metadata["namespace"],
                    "name": f"{metadata['name']}-{metadata['uid']}",
                    "labels": labels,
                    "ownerReferences": [{**owner, "controller": True}],
                },
                "spec": job["spec"]["template"]["spec"],
                "status": _status({"waiting": {"reason": "ContainerCreating"}}),
            }
        )

    def _run(self, pod: Manifest) -> None:
        container = pod["spec"]["containers"][0]
        uri = container["args"][container["args"].index("--uri") + 1]
        wanted = {each["secretRef"]["name"] for each in container.get("envFrom") or ()}
        if missing := wanted - self.secrets:
            waiting = {"reason": "CreateContainerConfigError", "message": f'secret "{missing.pop()}" not found'}
            self.cluster.put({**pod, "status": _status({"waiting": waiting})})
        elif uri not in self.slow:
            self.lookups.append(uri)
            code, message = self._answer(uri)
            finished = self.cluster.now().strftime("%Y-%m-%dT%H:%M:%SZ")
            ended = {"exitCode": code, "message": json.dumps({"schema": 1, **message}), "finishedAt": finished}
            self.cluster.put({**pod, "status": _status({"terminated": ended})})

    def _answer(self, uri: str) -> tuple[int, dict[str, Any]]:
        if uri in self.failures:
            code, reason = self.failures[uri]
            return code, {"reason": reason, "message": f"{uri} gave no answer"}
        if uri not in self.content:
            return 2, {"reason": "NotFound", "message": f"{uri} does not exist"}
        content = self.content[uri]
        return 0, {"digest": digest_of(content), "pin": f"pin of {content}", "files": 1, "bytes": 1, "source": uri}


def _status(state: dict[str, Any]) -> dict[str, Any]:
    return {"phase": "Pending", "containerStatuses": [{"name": CONTAINER, "restartCount": 0, "state": state}]}
