"""The signature of the one request that is signed here, against the worked examples of its specification."""

from datetime import UTC, datetime

import pytest

from serinus.fetch.failures import FetchFailed
from serinus.fetch.s3_versions import sign

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
