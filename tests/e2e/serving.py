"""Real model servers for the end-to-end tests: their images, and pods that run them.

The images are built here from ``constraints/`` and ``tests/e2e/servers/``; with ``CLUSTER=current`` they are ones
that the cluster can pull. Knows files, the harness' image builder and pod templates; no cluster.
"""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from e2e.manifests import model_spec

if TYPE_CHECKING:
    from demo.images import Image

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SOURCES = HERE / "servers"
CONSTRAINTS = ROOT / "constraints"
EXAMPLE = ROOT / "examples" / "instrument"
OPERATOR = "operator"
DOWNWARD = {"POD_NAME": "metadata.name", "REVISION": "metadata.labels['serinus.dev/revision']"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A model server that tests roll out."""

    name: str
    runtime: str
    """The preset that a user would name."""
    path: str
    """Where predictions are asked for."""
    model: str = "line"
    """Name that the server knows its model by."""
    port: int = 8080
    cpu: str = "20m"

    def container(self, env: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """Return the container of a pod; ``env`` switches its faults on."""
        return {
            "name": "server",
            "image": os.environ.get(variable_of(self.name)) or image_of(self.name).reference,
            "imagePullPolicy": "IfNotPresent",
            "env": [{"name": key, "value": value} for key, value in (env or {}).items()]
            + [{"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}} for key, path in DOWNWARD.items()],
            "resources": {"requests": {"cpu": self.cpu, "memory": "64Mi"}},
            **more,
        }

    def spec(self, env: dict[str, str] | None = None, *, container: dict[str, Any] | None = None, **more: Any) -> Any:
        """Return a ModelDeployment's spec with one such pod.

        Args:
            env: the server's faults.
            container: more fields of the container.
            more: more fields of the spec, as ``model_spec`` takes them.
        """
        template = {"spec": {"containers": [self.container(env, **(container or {}))]}}
        wanted: dict[str, Any] = {
            "replicas": 1,
            "runtime": self.runtime,
            "model": {"name": self.model},
            **more,
            "template": template,
        }
        return {**model_spec(**wanted), "service": {"port": 80, "targetPort": self.port}}


START_SECONDS = 120
"""Until a pod of a real server is ready, on a slow machine."""
SCORER = Server(name="scorer", runtime="fastapi", path="/predict")
KSERVE = Server(name="forgetful", runtime="kserve", path="/v1/models/digits:predict", model="digits", cpu="50m")
MLSERVER = Server(name="neighbours", runtime="mlserver", path="/v2/models/house/infer", model="house", cpu="50m")


def variable_of(name: str) -> str:
    """Return the environment variable that names a server's image for ``CLUSTER=current``."""
    return f"SERINUS_{name.upper()}_IMAGE"


@cache
def image_of(name: str) -> "Image":
    """Build the image of a server, of the store or of the operator, or find it in the cache."""
    from demo.images import (  # noqa: PLC0415  needs the cluster's tools
        MODELS,
        ONE_THREAD,
        SITE_PACKAGES,
        build_image,
        operator_image,
    )

    source = {f"/app/{name}.py": SOURCES / f"{name}.py"}
    path = {"PYTHONPATH": "/app", **ONE_THREAD}
    match name:
        case "scorer":
            source |= {f"{SITE_PACKAGES}/serinus_instrument": ROOT / "instrument" / "serinus_instrument"}
            return build_image(name, CONSTRAINTS / "server-fastapi.txt", source, ("python3", f"/app/{name}.py"), path)
        case "forgetful":
            return build_image(name, CONSTRAINTS / "server-kserve.txt", source, ("python3", f"/app/{name}.py"), path)
        case "neighbours":
            files = {**source, MODELS: SOURCES / "models"}
            start = ("python3", "-m", "mlserver.cli.main", "start", MODELS)
            return build_image(name, CONSTRAINTS / "demo-mlserver.txt", files, start, path)
        case "example":
            files = {
                "/app": EXAMPLE,
                f"{SITE_PACKAGES}/serinus_instrument": ROOT / "instrument" / "serinus_instrument",
            }
            return build_image(name, CONSTRAINTS / "server-fastapi.txt", files, ("python3",), path)
        case "operator":
            return operator_image()
        case "store":
            return build_image(name, CONSTRAINTS / "test-s3.txt", source, ("python3", f"/app/{name}.py"), path)
        case other:
            raise ValueError(other)
