"""What a model's URI may look like, as far as a pattern can tell. Asks no store and knows nothing of fetching.

The program `serinus fetch` looks closer; what is refused here would only fail later, in a Job or in a pod.
"""

import re

from serinus.api.wire import Rule

_SCHEMES = "^((s3|gs|az|https|hf|oci|pvc)://|models:/).+"
_LOGIN = "^(s3|gs|https|oci)://[^/]*@"
_QUERY = "^(s3|gs|az|oci)://.*[?#]"
_HUB_NAME = "[A-Za-z0-9_][A-Za-z0-9._-]{0,95}"
_SHAPES = (
    ("(s3|gs)://", "[A-Za-z0-9][A-Za-z0-9._-]{0,221}(/.*)?", "write s3://bucket/path or gs://bucket/path"),
    (
        "az://",
        "[A-Za-z0-9][A-Za-z0-9._-]{0,221}(@[A-Za-z0-9.-]+)?(/.*)?",
        "write az://container/path or az://container@account/path",
    ),
    ("https://", "[^/?#]+/+[^/?#].*", "write https://host/path/file: HTTP cannot list a directory, so name a file"),
    (
        "hf://",
        f"{_HUB_NAME}/{_HUB_NAME}(@[^/]+)?(/.*)?",
        "write hf://owner/name, hf://owner/name@revision or hf://owner/name@revision/path; a slash within a revision is"
        " %2F",
    ),
    (
        "oci://",
        "[^/@]+/[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|@sha256:[0-9a-f]{64})?",
        "write oci://registry/repository:tag or oci://registry/repository@sha256:…",
    ),
    (
        "models:/",
        "/*([^/@]+/[0-9]+|[^/]+@[^/@]+)",
        "write models:/name/version with a number, or models:/name@alias; stages and latest have no fixed meaning",
    ),
    ("pvc://", "[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(/.*)?", "write pvc://claim or pvc://claim/path"),
)


def _matches(pattern: str, message: str) -> Rule:
    return Rule(cel=f"self.matches('{pattern}')", message=message, holds=lambda uri: re.match(pattern, uri) is not None)


def _never(pattern: str, message: str) -> Rule:
    return Rule(cel=f"!self.matches('{pattern}')", message=message, holds=lambda uri: re.match(pattern, uri) is None)


def _shaped(scheme: str, rest: str, message: str) -> Rule:
    of_scheme, whole = f"^{scheme}", f"^{scheme}{rest}$"
    return Rule(
        cel=f"!self.matches('{of_scheme}') || self.matches('{whole}')",
        message=message,
        holds=lambda uri: re.match(of_scheme, uri) is None or re.match(whole, uri) is not None,
    )


URI_RULES = (
    _matches(
        _SCHEMES,
        "write where the model is, beginning with one of s3:// gs:// az:// https:// hf:// oci:// pvc:// models:/",
    ),
    _never(
        _LOGIN,
        "everybody who may read this object would read the password: take it out, and put "
        "HTTPS_USERNAME and HTTPS_PASSWORD, or what docs/artifacts.md names, into secretRef",
    ),
    _never(_QUERY, "take out what follows the ? or #: credentials belong into secretRef"),
    *(_shaped(*shape) for shape in _SHAPES),
)
