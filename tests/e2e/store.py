"""A store with the API of S3, in a pod beside the models: what is put there, and the Secrets to reach it."""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import requests

from e2e.api_server import ApiServer, Kubectl, Object
from e2e.serving import image_of, variable_of
from e2e.waiting import eventually

NAME = "store"
PORT = 8080
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret-key"}
SIGNED = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
"""moto lets nobody write over an object without a signature, and checks none."""
VERSIONED = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


def line(slope: float) -> bytes:
    """Return a model's artifact: what the scorer reads at its start."""
    return json.dumps({"slope": slope}).encode()


def digest_of(artifact: bytes) -> str:
    """Return the digest of a single file, as ``sha256sum`` tells it."""
    return f"sha256:{hashlib.sha256(artifact).hexdigest()}"


class Store:
    """One pod that serves buckets."""

    def __init__(self, api: ApiServer, kubectl: Kubectl, namespace: str) -> None:
        self._api, self._kubectl, self._namespace = api, kubectl, namespace

    def start(self) -> None:
        """Apply the pod and its Service, and wait until it answers."""
        container = {
            "name": NAME,
            "image": os.environ.get(variable_of(NAME)) or image_of(NAME).reference,
            "imagePullPolicy": "IfNotPresent",
            # Else the first part of the Service's name would be taken for a bucket.
            "env": [{"name": "S3_IGNORE_SUBDOMAIN_BUCKETNAME", "value": "true"}],
            "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        }
        self._apply("Pod", NAME, labels={"app": NAME}, spec={"containers": [container]})
        self._apply("Service", NAME, spec={"selector": {"app": NAME}, "ports": [{"port": 80, "targetPort": PORT}]})
        self._kubectl.run(
            "wait", "-n", self._namespace, f"pod/{NAME}", "--for=condition=Ready", "--timeout=90s", within=100
        )
        eventually("the store answers", self._answers, within=30)

    def make_secret(self, name: str, keys: Mapping[str, str]) -> None:
        """Write a Secret with the store's address and these keys."""
        reach = {"AWS_ENDPOINT_URL": f"http://{NAME}.{self._namespace}.svc", "AWS_REGION": "us-east-1"}
        self._apply("Secret", name, stringData={**reach, **keys})

    def make_bucket(self, bucket: str, *, versioned: bool = False) -> None:
        """Make a bucket."""
        self._put(bucket)
        if versioned:
            self._put(f"{bucket}?versioning", VERSIONED.encode())

    def put(self, path: str, content: bytes) -> str:
        """Put an object at ``bucket/key``, over what is there, and return its URI."""
        self._put(path, content)
        return f"s3://{path}"

    def delete(self) -> None:
        """Remove the pod and its Service."""
        for kind in ("Pod", "Service"):
            self._api.delete(kind, self._namespace, NAME)

    def _apply(self, kind: str, name: str, *, labels: Mapping[str, str] | None = None, **fields: Any) -> None:
        metadata: Object = {"namespace": self._namespace, "name": name, "labels": dict(labels or {})}
        text = json.dumps({"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields})
        self._kubectl.run("apply", "--server-side", "-f", "-", stdin=text)

    def _url(self) -> str:
        service = self._api.get("Service", self._namespace, NAME)
        assert service is not None
        return f"http://{service['spec']['clusterIP']}"

    def _answers(self) -> bool:
        try:
            return requests.get(self._url(), timeout=2).ok
        except requests.ConnectionError:
            return False

    def _put(self, path: str, content: bytes = b"") -> None:
        answer = requests.put(f"{self._url()}/{path}", data=content, headers={"Authorization": SIGNED}, timeout=10)
        assert answer.ok, answer.text
