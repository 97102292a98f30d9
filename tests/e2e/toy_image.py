"""Build the image of the toy server."""

from pathlib import Path


def toy_image() -> Path:
    """Return the image as an archive, built if it is not in the cache."""
    from demo.images import toy_server_image  # noqa: PLC0415  needs the tools of the test cluster

    return toy_server_image()
