"""Read and write the API server as an administrator who is independent of the operator's own client.

Knows plain JSON over ``kubectl proxy``, which understands every kind of login that a kubeconfig can hold.
Knows nothing about Serinus beyond the paths of its kinds.
"""

import json
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

Object = dict[str, Any]

PATHS = {
    "ConfigMap": ("api/v1", "configmaps"),
    "Event": ("api/v1", "events"),
    "Pod": ("api/v1", "pods"),
    "Service": ("api/v1", "services"),
    "EndpointSlice": ("apis/discovery.k8s.io/v1", "endpointslices"),
    "ControllerRevision": ("apis/apps/v1", "controllerrevisions"),
    "Deployment": ("apis/apps/v1", "deployments"),
    "ReplicaSet": ("apis/apps/v1", "replicasets"),
    "ModelDeployment": ("apis/serinus.dev/v1alpha1", "modeldeployments"),
    "RolloutReport": ("apis/serinus.dev/v1alpha1", "rolloutreports"),
}

USER = "e2e-user"
"""Field manager of everything that the tests write, as a person's ``kubectl apply --server-side`` would."""


class Kubectl:
    """The kubectl of the cluster, bound to a kubeconfig."""

    def __init__(self, program: str | Path, kubeconfig: Path) -> None:
        self.program = str(program)
        self.kubeconfig = kubeconfig

    def command(self, *arguments: str) -> list[str]:
        """Return the command line."""
        return [self.program, f"--kubeconfig={self.kubeconfig}", *arguments]

    def try_run(self, *arguments: str, stdin: str | None = None, within: float = 60) -> tuple[int, str]:
        """Run and return the exit status with standard output and error together."""
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=within,
            check=False,
        )
        return done.returncode, done.stdout

    def run(self, *arguments: str, stdin: str | None = None, within: float = 60) -> str:
        """Run, insist on success and return the output."""
        status, output = self.try_run(*arguments, stdin=stdin, within=within)
        assert status == 0, f"kubectl {' '.join(arguments)} ended with {status}: {output}"
        return output


class Recording:
    """Every version of some objects that the API server announced while the recording ran."""

    def __init__(self) -> None:
        self.events: list[tuple[float, str, Object]] = []
        """(monotonic seconds, ADDED | MODIFIED | DELETED, object)"""

    @property
    def objects(self) -> list[Object]:
        """Return the versions in the order in which they were written."""
        return [obj for _, kind, obj in self.events if kind != "DELETED"]


class ApiServer:
    """Plain reads and writes of objects as JSON."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session = requests.Session()

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    def _url(self, kind: str, namespace: str, name: str = "", subresource: str = "") -> str:
        group, plural = PATHS[kind]
        parts = [self._address, group, "namespaces", namespace, plural, name, subresource]
        return "/".join(part for part in parts if part)

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """Return an object, None if there is none."""
        answer = self._session.get(self._url(kind, namespace, name), timeout=10)
        if answer.status_code == requests.codes.not_found:
            return None
        answer.raise_for_status()
        found: Object = answer.json()
        return found

    def list(self, kind: str, namespace: str, labels: Mapping[str, str] | None = None) -> list[Object]:
        """Return the objects of a kind, each with its kind filled in."""
        selector = ",".join(f"{key}={value}" for key, value in (labels or {}).items())
        answer = self._session.get(self._url(kind, namespace), params={"labelSelector": selector}, timeout=10)
        answer.raise_for_status()
        return [{**item, "kind": kind} for item in answer.json()["items"]]

    def apply(self, obj: Object, *, subresource: str = "") -> Object:
        """Server-side apply as the test's user."""
        metadata = obj["metadata"]
        answer = self._session.patch(
            self._url(obj["kind"], metadata["namespace"], metadata["name"], subresource),
            params={"fieldManager": USER, "force": "true"},
            data=json.dumps(obj),
            headers={"Content-Type": "application/apply-patch+yaml"},
            timeout=10,
        )
        assert answer.ok, answer.text
        applied: Object = answer.json()
        return applied

    def patch(self, kind: str, namespace: str, name: str, change: Object, *, subresource: str = "") -> Object:
        """Merge patch as the test's user."""
        answer = self._session.patch(
            self._url(kind, namespace, name, subresource),
            params={"fieldManager": USER},
            data=json.dumps(change),
            headers={"Content-Type": "application/merge-patch+json"},
            timeout=10,
        )
        assert answer.ok, answer.text
        patched: Object = answer.json()
        return patched

    def delete(self, kind: str, namespace: str, name: str, *, propagation: str = "Background") -> None:
        """Delete an object; an absent one is fine."""
        answer = self._session.delete(
            self._url(kind, namespace, name), json={"propagationPolicy": propagation}, timeout=10
        )
        assert answer.ok or answer.status_code == requests.codes.not_found, answer.text

    def pod_log(self, namespace: str, name: str, lines: int) -> str:
        """Return the last lines of a pod's log."""
        answer = self._session.get(
            self._url("Pod", namespace, name, "log"), params={"tailLines": str(lines)}, timeout=10
        )
        return answer.text

    @contextmanager
    def recording(self, kind: str, namespace: str, *, name: str = "") -> Iterator[Recording]:
        """Record every write to the objects of a kind, or to one of them, from now on."""
        selector = f"metadata.name={name}" if name else ""
        listed = self._session.get(self._url(kind, namespace), params={"fieldSelector": selector}, timeout=10).json()
        version = listed["metadata"]["resourceVersion"]
        answer = requests.get(
            self._url(kind, namespace),
            params={"watch": "1", "fieldSelector": selector, "resourceVersion": version},
            stream=True,
            timeout=(3, None),
        )
        recording = Recording()
        reader = threading.Thread(target=_read_watch, args=(answer, recording), daemon=True)
        reader.start()
        try:
            yield recording
        finally:
            answer.raw.shutdown()  # wakes the reader out of its blocking read
            reader.join(timeout=5)
            answer.close()


def _read_watch(answer: requests.Response, recording: Recording) -> None:
    try:
        for line in answer.iter_lines():
            event = json.loads(line)
            recording.events.append((time.monotonic(), event["type"], event["object"]))
    except requests.RequestException:
        return  # the recording was ended from outside
