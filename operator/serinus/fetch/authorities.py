"""Whom a client trusts that looks for the system's authorities: a slim image has none, and then it cannot be made.

Knows where OpenSSL looks. Must not know any store.
"""

import os
import ssl
from pathlib import Path

import certifi

VARIABLE = "SSL_CERT_FILE"


def has_authorities(paths: ssl.DefaultVerifyPaths) -> bool:
    """Tell whether anything lies where OpenSSL looks for authorities."""
    directory = Path(paths.capath) if paths.capath else None
    return bool(paths.cafile) or (directory is not None and any(directory.iterdir()))


def trust_the_usual_ones() -> None:
    """Let clients of this process trust Mozilla's authorities where the system names none and the user no file."""
    if VARIABLE not in os.environ and not has_authorities(ssl.get_default_verify_paths()):
        os.environ[VARIABLE] = certifi.where()
