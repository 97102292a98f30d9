"""The pause image: one static program that holds a pod's namespaces. Must be there before the first pod."""

from pathlib import Path

from cluster.images.layers import cached_layer, content_key, write_tar
from cluster.images.oci import ImageConfig, cached_layout

NAME = "serinus.local/pause:1"


def build(program: Path, cache: Path) -> Path:
    """Return the image layout that holds the pause program."""
    sources = {"/pause": program}
    layer = cached_layer(cache, "pause", content_key(sources), lambda target: write_tar(target, sources))
    return cached_layout(cache, NAME, [layer], ImageConfig(entrypoint=("/pause",)))
