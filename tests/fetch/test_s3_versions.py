"""The one request that is signed here, against the worked examples of its specification; which moments are tried."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from fetch.web_server import Item
from serinus.fetch.failures import FetchFailed
from serinus.fetch.pins import format_pin, make_pin, parse_pin
from serinus.fetch.remote import Found, RemoteFile
from serinus.fetch.s3_versions import moments_around, recall_versions, sign
from serinus.fetch.web import Web

NOW = datetime(2013, 5, 24, tzinfo=UTC)
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_ENDPOINT_URL": "https://examplebucket.s3.amazonaws.com",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
}


@pytest.mark.parametrize(
    ("query", "signature"),
    [
        ({"lifecycle": ""}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ({"max-keys": "2", "prefix": "J"}, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
)
def test_the_examples_of_the_specification(query, signature):
    # "Examples: Signature Calculations in AWS Signature Version 4", S3's API reference.
    url, headers, authorization = sign(KEYS, "examplebucket", query, NOW)
    assert url.startswith("https://examplebucket.s3.amazonaws.com/?")
    assert headers["x-amz-date"] == "20130524T000000Z"
    assert authorization == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature={signature}"
    )


def test_where_it_goes():
    def url(**more):
        return sign({**KEYS, "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "", **more}, "b", {"prefix": "a b/ü"}, NOW)[0]

    assert url(AWS_ENDPOINT_URL="http://minio:9000/") == "http://minio:9000/b?prefix=a%20b%2F%C3%BC"
    assert url(AWS_ENDPOINT_URL="", AWS_REGION="eu-west-1").startswith("https://s3.eu-west-1.amazonaws.com/b?")
    assert url(AWS_ENDPOINT_URL_S3="https://s3.example").startswith("https://s3.example/b?")


def test_a_public_bucket_needs_no_signature():
    assert sign({"AWS_SKIP_SIGNATURE": "true"}, "b", {}, NOW)[1:] == ({}, "")


def test_without_keys_there_is_no_signature():
    with pytest.raises(FetchFailed, match="AWS_ACCESS_KEY_ID"):
        sign({}, "b", {}, NOW)


def etag(key, number):
    return f'"{hashlib.sha256(f"{key} {number}".encode()).hexdigest()[:32]}"'


def versions_page(moments_of_keys):
    """A listing of versions as S3 sends it, the newest of a key first."""
    entries = "".join(
        f"<Version><Key>m/{key}</Key><VersionId>{key}-{number}</VersionId><LastModified>{at:%Y-%m-%dT%H:%M:%SZ}"
        f"</LastModified><ETag>{etag(key, number)}</ETag><Size>5</Size></Version>"
        for key, moments in moments_of_keys.items()
        for number, at in sorted(enumerate(moments), reverse=True)
    )
    return f"<ListVersionsResult><IsTruncated>false</IsTruncated>{entries}</ListVersionsResult>".encode()


@pytest.mark.parametrize("gap", [timedelta(minutes=1), timedelta(hours=2), timedelta(seconds=-50)])
def test_a_model_of_many_objects_is_found_however_soon_it_was_overwritten(web, gap):
    # The last case: the store's clock is that far behind the one that made the pin.
    uploaded = [NOW - timedelta(hours=1, seconds=i) for i in range(100)]
    overwritten = [NOW + gap + timedelta(seconds=2 * i) for i in range(100)]
    page = versions_page({f"{i:03}": [uploaded[i], overwritten[i]] for i in range(100)})
    web.items["/b"] = Item(page)
    keys = [f"{i:03}" for i in range(100)]
    old = Found(files=tuple(RemoteFile(path=key, key=f"m/{key}", size=5, etag=etag(key, 0)) for key in keys))
    pin = parse_pin(format_pin(make_pin(old, NOW)))
    assert not pin.found.files
    environment = {"AWS_SKIP_SIGNATURE": "true", "AWS_ENDPOINT_URL": web.url()}
    found = recall_versions(Web(allow_http=True, hint=""), environment, "b", "m", pin)
    assert found is not None
    assert {file.version for file in found.files} == {f"{i:03}-0" for i in range(100)}


def test_moments_are_tried_by_turns_from_the_latest_that_is_not_after_the_pin():
    seconds = [-3, -1, 0, 2, 5, 6]
    tried = moments_around(NOW, [NOW + timedelta(seconds=each) for each in seconds])
    assert [int((each - NOW).total_seconds()) for each in tried] == [0, 2, -1, 5, -3, 6]
    many = [NOW + timedelta(seconds=each) for each in range(-99, 100)]
    assert len(moments_around(NOW, many)) == 60
