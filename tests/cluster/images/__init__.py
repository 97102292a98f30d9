"""Container images, built without a builder and put into the cluster without a registry."""

from cluster.images.oci import image_name, write_archive
from cluster.images.python import image_reference, python_image

__all__ = ["image_name", "image_reference", "python_image", "write_archive"]
