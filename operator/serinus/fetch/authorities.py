"""Whom clients trust: the usual authorities, also in a slim image that has none, and those of the user's Secret.

Knows where OpenSSL looks. Must not know any store.
"""

import os
import ssl
from functools import cache
from pathlib import Path

import certifi

VARIABLE = "SSL_CERT_FILE"


def has_authorities(paths: ssl.DefaultVerifyPaths) -> bool:
    """Tell whether anything lies where OpenSSL looks for authorities."""
    directory = Path(paths.capath) if paths.capath else None
    return bool(paths.cafile) or (directory is not None and any(directory.iterdir()))


def trust(certificates: str) -> str | None:
    """Let clients of this process trust authorities beside the usual ones; return the path of a file with all of them.

    Args:
        certificates: Their PEM; empty for none but the usual ones, and then there is no such file.
    """
    if not certificates:
        trust_the_usual_ones()
        return None
    os.environ[VARIABLE] = _file_of(certificates)
    return os.environ[VARIABLE]


def trust_the_usual_ones() -> None:
    """Let clients of this process trust Mozilla's authorities where the system names none and the user no file."""
    if VARIABLE not in os.environ and not has_authorities(ssl.get_default_verify_paths()):
        os.environ[VARIABLE] = certifi.where()


@cache
def _file_of(certificates: str) -> str:
    """Return the path of a file in memory, as the container's file system may be read-only; it ends with us."""
    descriptor = os.memfd_create("authorities")
    with os.fdopen(os.dup(descriptor), "wb") as out:
        out.write(Path(certifi.where()).read_bytes() + b"\n" + certificates.encode())
    return f"/proc/self/fd/{descriptor}"
