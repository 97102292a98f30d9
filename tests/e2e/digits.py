"""The demo's model of handwritten digits in a real MLServer: its image, ModelDeployments, requests and profile.

The image is built here, or with ``CLUSTER=current`` one that the cluster can pull.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from e2e.manifests import weights

PATH = "/v2/models/digits/infer"
PREDICTIONS = {"categories": "digits_predictions_total", "label": "digit"}
INK = {"buckets": "digits_ink_bucket"}


@cache
def digits_reference() -> str:
    """Return what pods call the image."""
    return os.environ.get("SERINUS_DIGITS_IMAGE") or _built()[0]


def digits_layout() -> Path:
    """Return the built image as the cluster's import takes it."""
    return _built()[1]


def digits_spec(
    folder: str, signals: list[dict[str, Any]], *, steps: list[dict[str, Any]] | None = None, version: str = "1"
) -> dict[str, Any]:
    """Return a ModelDeployment's spec with one pod that serves one of the image's models.

    Args:
        folder: of the model inside the image: first, second or skewed.
        signals: what is judged.
        steps: one weight of 50 if absent.
        version: of the release; another one is another revision, with the same model.
    """
    downward = {"POD_NAME": "metadata.name", "REVISION": "metadata.labels['serinus.dev/revision']"}
    container = {
        "name": "mlserver",
        "image": digits_reference(),
        "imagePullPolicy": "IfNotPresent",
        "args": [f"/models/{folder}"],
        "env": [
            {"name": "VERSION", "value": version},
            *({"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}} for key, path in downward.items()),
        ],
        "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}},
    }
    return {
        "replicas": 1,
        "runtime": "mlserver",
        "template": {"spec": {"containers": [container]}},
        "model": {"name": "digits"},
        "rollout": {"steps": steps or weights(50), "progressDeadline": "3m", "maxWait": "10m", "keepOld": "1s"},
        "analysis": {"interval": "5s", "signals": signals},
    }


@cache
def todays_requests() -> tuple[bytes, ...]:
    """Return held-out images as inference requests: the world that the models were trained for."""
    return _lines("REQUESTS")


@cache
def changed_requests() -> tuple[bytes, ...]:
    """Return requests of a changed world: low digits only, written with a darker pen."""
    return _lines("CHANGED_REQUESTS")


def profile() -> dict[str, Any]:
    """Return the profile of the training data, as the training wrote it."""
    from demo import images  # noqa: PLC0415  needs the tools of the test cluster

    read: dict[str, Any] = json.loads((images.trained_models() / images.PROFILE).read_text())
    return read


def _lines(name: str) -> tuple[bytes, ...]:
    from demo import images  # noqa: PLC0415  needs the tools of the test cluster

    return tuple((images.trained_models() / getattr(images, name)).read_bytes().splitlines())


@cache
def _built() -> tuple[str, Path]:
    from demo import images  # noqa: PLC0415  needs the tools of the test cluster

    image = images.digits_image("digits")
    return image.reference, image.layout
