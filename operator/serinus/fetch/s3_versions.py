"""What a versioned S3 bucket held at an earlier time: for models of so many objects that no pin holds their versions.

obstore cannot ask for a listing of versions, so this signs that one request itself (AWS Signature Version 4,
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). It knows keys from the environment only.
"""

import hashlib
import hmac
import xml.etree.ElementTree as ET
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from urllib.parse import quote, unquote, urlsplit

from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.pins import Pin, fingerprint
from serinus.fetch.remote import Found, RemoteFile
from serinus.fetch.web import Web

_EMPTY = hashlib.sha256(b"").hexdigest()
_MOST_PAGES = 1000
# Moments on each side of the pin's time that are tried: clocks differ, and the fingerprint decides.
_MOST_MOMENTS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of an object, or the mark that it was deleted."""

    key: str
    at: datetime
    number: str
    etag: str
    size: int
    deleted: bool


def recall_versions(web: Web, environment: Mapping[str, str], bucket: str, prefix: str, pin: Pin) -> Found | None:
    """Return the versions that a pin's fingerprint was made from; None if the bucket keeps them no more.

    Args:
        web: Reaches the store.
        environment: Says where it is, with keys.
        bucket: Whose.
        prefix: Below which the model is, without a slash at its end; empty for the whole bucket.
        pin: With the fingerprint, and about when it was made.

    Raises:
        FetchFailed: The store refuses the listing.
        Passing: The store failed.
    """
    start = f"{prefix}/" if prefix else ""
    # Times have whole seconds; within one, a listing has the newest version of a key first.
    listed = [*_listed(web, environment, bucket, start)][::-1]
    versions = sorted(listed, key=lambda version: version.at)
    for moment in moments_around(pin.at, {version.at for version in versions}):
        found = _at(versions, moment, len(start))
        if len(found.files) == pin.count and fingerprint(found) == pin.fingerprint:
            return found
    return None


def moments_around(at: datetime, moments: Iterable[datetime]) -> tuple[datetime, ...]:
    """Return at most 30 moments on either side of a time, from the latest that is not after it outwards, by turns.

    Not the nearest ones: a model of many objects that is overwritten at once has all its new moments on one side.
    """
    ordered = sorted(set(moments))
    border = bisect_right(ordered, at)
    before, after = ordered[:border][::-1][:_MOST_MOMENTS], ordered[border:][:_MOST_MOMENTS]
    return tuple(moment for pair in zip_longest(before, after) for moment in pair if moment is not None)


def _at(versions: list[Version], moment: datetime, start: int) -> Found:
    """Return what the bucket held at a moment; versions are in the order of their time."""
    latest = {version.key: version for version in versions if version.at <= moment}
    files = tuple(
        RemoteFile(path=key[start:], key=key, size=version.size, etag=version.etag, version=version.number)
        for key, version in sorted(latest.items(), key=lambda item: item[0].encode())
        if not version.deleted and not (version.size == 0 and key.endswith("/"))
    )
    return Found(files=files)


def _listed(web: Web, environment: Mapping[str, str], bucket: str, prefix: str) -> Iterator[Version]:
    markers: dict[str, str] = {}
    for _ in range(_MOST_PAGES):
        query = {"encoding-type": "url", "prefix": prefix, "versions": "", **markers}
        url, headers, authorization = sign(environment, bucket, query, datetime.now(UTC))
        body, _ = web.text(url, headers, authorization)
        page = _parsed(body)
        for element in page:
            if element.tag in {"Version", "DeleteMarker"}:
                yield _version(element)
        markers = {
            name: unquote(page.findtext(tag) or "")
            for name, tag in (("key-marker", "NextKeyMarker"), ("version-id-marker", "NextVersionIdMarker"))
        }
        if page.findtext("IsTruncated") != "true":
            return
    raise FetchFailed(Reason.UNSUPPORTED, f"s3://{bucket}/{prefix} has too many versions to look for older ones.")


def _parsed(body: bytes) -> ET.Element:
    try:
        # The store is the one that the model itself comes from; expat bounds the expansion of entities.
        page = ET.fromstring(body)  # noqa: S314
    except ET.ParseError:
        raise FetchFailed(Reason.UNSUPPORTED, "The store does not answer a listing of versions like S3.") from None
    for element in page.iter():
        element.tag = element.tag.rpartition("}")[2]
    return page


def _version(element: ET.Element) -> Version:
    return Version(
        key=unquote(element.findtext("Key") or ""),
        at=datetime.fromisoformat(element.findtext("LastModified") or "1970-01-01T00:00:00Z"),
        number=element.findtext("VersionId") or "",
        etag=element.findtext("ETag") or "",
        size=int(element.findtext("Size") or 0),
        deleted=element.tag == "DeleteMarker",
    )


def sign(
    environment: Mapping[str, str], bucket: str, query: Mapping[str, str], now: datetime
) -> tuple[str, dict[str, str], str]:
    """Return URL, headers and value of the header Authorization of a GET on a bucket.

    Args:
        environment: With the variables that the AWS clients know.
        bucket: Addressed by path, unless the environment asks for its own host name.
        query: Not yet quoted.
        now: Aware.

    Raises:
        FetchFailed: There are no keys in the environment.
    """
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    url = _url(environment, region, bucket, query)
    if environment.get("AWS_SKIP_SIGNATURE", "").lower() == "true":
        return url, {}, ""
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        raise FetchFailed(
            Reason.REPLACED,
            f"s3://{bucket} holds something newer than what was resolved. To look for the older versions of so many "
            "objects, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are needed in the Secret, with the right to list "
            "versions.",
        )
    return url, *_signed(environment, f"AWS4{secret}", key, url, region, f"{now:%Y%m%dT%H%M%SZ}")


def _signed(
    environment: Mapping[str, str], secret: str, key: str, url: str, region: str, stamp: str
) -> tuple[dict[str, str], str]:
    headers = {"host": urlsplit(url).netloc, "x-amz-content-sha256": _EMPTY, "x-amz-date": stamp}
    if token := environment.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    path, text = urlsplit(url).path, urlsplit(url).query
    request = f"GET\n{quote(path)}\n{text}\n{lines}\n{names}\n{_EMPTY}"
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signing = secret.encode()
    for part in (stamp[:8], region, "s3", "aws4_request"):
        signing = hmac.digest(signing, part.encode(), "sha256")
    signature = hmac.digest(signing, to_sign.encode(), "sha256").hex()
    authorization = f"AWS4-HMAC-SHA256 Credential={key}/{scope},SignedHeaders={names},Signature={signature}"
    return {name: value for name, value in headers.items() if name != "host"}, authorization


def _url(environment: Mapping[str, str], region: str, bucket: str, query: Mapping[str, str]) -> str:
    endpoint = _endpoint(environment, region)
    by_host = environment.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "").lower() == "true"
    path = f"{urlsplit(endpoint).path.rstrip('/')}{'' if by_host else f'/{bucket}'}" or "/"
    text = "&".join(f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in sorted(query))
    return f"{endpoint.removesuffix(urlsplit(endpoint).path)}{path}?{text}"


def _endpoint(environment: Mapping[str, str], region: str) -> str:
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    told = next((environment[name] for name in names if environment.get(name)), "")
    return told.rstrip("/") or f"https://s3.{region}.amazonaws.com"
