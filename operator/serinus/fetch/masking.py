"""Takes secrets out of texts before anybody sees them: passwords in URLs, signatures in queries, values of Secrets.

Pure: the environment is handed in.
"""

import re
from collections.abc import Mapping

MASK = "***"
# Shorter values ("true", "admin") stand in too many innocent words, and protect nothing.
_SHORTEST = 6
_NAMES = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|SIGNATURE|AUTH|SAS|DOCKERCONFIG", re.IGNORECASE)
# Of those, the ones that say where something is and not what it is.
_INNOCENT = re.compile(r"(_FILE|_PATH|_URI|_URL|_ENDPOINT|_TYPE|_HOST|_PORT|_ADDR)$|_PORT_", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^/\s@\"']+@")
_QUERY = re.compile(
    r"(?i)([?&;](?:[\w.-]*(?:sig|signature|token|credential|password|secret|key|policy|expires|auth)[\w.-]*)=)[^&\s\"'<>#]+"
)
_HEADER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}")


def secrets_in(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of an environment that must not be shown, longest first."""
    values: set[str] = set()
    for name, value in environment.items():
        if _NAMES.search(name) and not _INNOCENT.search(name):
            # Clients print a value with several lines, such as a private key, in one line or another form.
            values.update(part for part in (value, *re.split(r"\n|\\n", value)) if len(part.strip()) >= _SHORTEST)
    return tuple(sorted(values, key=len, reverse=True))


def mask(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return a text without user names and passwords in URLs, signatures in queries, and the given values.

    Args:
        text: What is to be shown.
        secrets: Values that must not stand in it, as ``secrets_in`` returns them.
    """
    for secret in secrets:
        text = text.replace(secret, MASK)
    text = _USER_INFO.sub(f"{MASK}@", text)
    text = _QUERY.sub(rf"\1{MASK}", text)
    return _HEADER.sub(rf"\1 {MASK}", text)
