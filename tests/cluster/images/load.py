"""Puts images into the running cluster."""

import tempfile
from pathlib import Path

from cluster import containerd
from cluster.images import oci
from cluster.paths import Layout


def load(image: Path, layout: Layout) -> None:
    """Import an image layout (a directory) or an OCI archive (a tar file) into containerd.

    Of a layout only the blobs that containerd lacks are packed. A tag that exists is replaced; pods that run keep
    the old image until they are made anew.
    """
    if not image.is_dir():
        containerd.ctr(layout, "images", "import", str(image))
        return
    with tempfile.TemporaryDirectory(dir=layout.state, prefix="import-") as directory:
        archive = Path(directory) / "image.tar"
        oci.write_archive(image, archive, without=containerd.content_digests(layout))
        containerd.ctr(layout, "images", "import", str(archive))
