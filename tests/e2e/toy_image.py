"""The image of the toy server: built here, or with ``CLUSTER=current`` one that the cluster can pull."""

import os
from functools import cache
from pathlib import Path


@cache
def toy_reference() -> str:
    """Return what pods call the image."""
    return os.environ.get("SERINUS_TOY_IMAGE") or _built()[0]


def toy_layout() -> Path:
    """Return the built image as the cluster's import takes it."""
    return _built()[1]


@cache
def _built() -> tuple[str, Path]:
    from demo.images import toy_server_image  # noqa: PLC0415  needs the tools of the test cluster

    image = toy_server_image()
    return image.reference, image.layout
