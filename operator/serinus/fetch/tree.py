"""The digest of a model: what ``spec.model.digest`` means, so that anybody can compute it with ``sha256sum``.

Pure: the digests of the single files are handed in.
"""

import hashlib
import re
from collections.abc import Mapping

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Tell whether a text is ``sha256:`` and 64 hexadecimal digits in lower case."""
    return _DIGEST.fullmatch(text) is not None


def digest_of_tree(files: Mapping[str, str]) -> str:
    """Return the digest of a model, as ``sha256:`` and 64 hexadecimal digits.

    Of a single file: SHA-256 of its bytes, whatever its name. Of several: SHA-256 of the lines
    ``<sha256>  <path>`` and a line feed, sorted by the bytes of the path, as ``sha256sum`` prints them.

    Args:
        files: Path relative to the model's directory -> SHA-256 of the file, 64 hexadecimal digits. At least one.

    Raises:
        ValueError: There is no file.
    """
    if not files:
        raise ValueError("a model without files has no digest")
    if len(files) == 1:
        return f"sha256:{next(iter(files.values()))}"
    total = hashlib.sha256()
    for path in sorted(files, key=str.encode):
        total.update(f"{files[path]}  {path}\n".encode())
    return f"sha256:{total.hexdigest()}"
