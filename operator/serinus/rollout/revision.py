"""Name a revision by what the user wrote that would change the serving pods.

Needs no network and reads no Secret. Steps, signals and weights are not part of it: editing them restarts nothing.
"""

import hashlib
import json
from collections.abc import Mapping

from serinus.contract import HASH_VERSION, REVISION_ALPHABET, REVISION_LENGTH


def revision_hash(source: Mapping[str, object], config_maps: Mapping[str, Mapping[str, object]]) -> str:
    """Return the SHA-256 (64 hex digits) of the canonical JSON of a revision's source.

    Args:
        source: Template, runtime, model and service ports as written.
        config_maps: ``data`` and ``binaryData`` of each tracked ConfigMap, by name.
    """
    content = {
        "version": HASH_VERSION,
        "source": source,
        "configMaps": {
            name: {"data": each.get("data") or {}, "binaryData": each.get("binaryData") or {}}
            for name, each in config_maps.items()
        },
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def revision_name(full_hash: str, length: int = REVISION_LENGTH) -> str:
    """Return the short name of a revision: ``length`` letters of its hash in base 27, most significant last.

    A longer name begins with the shorter one, so a collision is cured by one letter more.
    """
    number = int(full_hash, 16)
    letters = []
    for _ in range(length):
        number, digit = divmod(number, len(REVISION_ALPHABET))
        letters.append(REVISION_ALPHABET[digit])
    return "".join(letters)
