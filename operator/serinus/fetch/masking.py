"""Takes secrets out of texts before anybody sees them: passwords in URLs, signatures in queries, values of Secrets.

Pure: the environment is handed in.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping

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
            values.update(
                part
                for told in (value, *_inside(value))
                for part in (told, *re.split(r"\n|\\n", told))
                if len(part.strip()) >= _SHORTEST
            )
    return tuple(sorted(values, key=len, reverse=True))


def _inside(value: str) -> Iterator[str]:
    """Yield the secrets in a value that is JSON, such as a login of a registry or a key of a service account."""
    try:
        waiting: list[object] = [json.loads(value)]
    except (ValueError, RecursionError):
        return
    while waiting:
        data = waiting.pop()
        if isinstance(data, list):
            waiting += data
        if not isinstance(data, dict):
            continue
        waiting += data.values()
        for name, told in data.items():
            if isinstance(told, str) and _NAMES.search(name) and not _INNOCENT.search(name):
                yield told
                yield from _password_of(told)


def _password_of(auth: str) -> Iterator[str]:
    """Yield the password of a login that is written as base64 of ``user:password``."""
    try:
        _, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except ValueError:
        return
    if colon:
        yield password


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
