import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.api.model_uri import URI_RULES
from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.uri import HubUri, MlflowUri, ObjectUri, RegistryUri, WebUri, parse_uri

DIGEST = f"sha256:{'0a' * 32}"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("s3://models/fraud/7", ObjectUri(scheme="s3", bucket="models", key="fraud/7")),
        ("s3://models/fraud/7/", ObjectUri(scheme="s3", bucket="models", key="fraud/7")),
        ("s3://models", ObjectUri(scheme="s3", bucket="models", key="")),
        ("s3://models/a b/ü", ObjectUri(scheme="s3", bucket="models", key="a b/ü")),
        ("gs://m.example.com/x", ObjectUri(scheme="gs", bucket="m.example.com", key="x")),
        ("az://container/x", ObjectUri(scheme="az", bucket="container", key="x")),
        ("az://container@account/x", ObjectUri(scheme="az", bucket="container", key="x", account="account")),
        (
            "az://c1@account.blob.core.windows.net/x",
            ObjectUri(scheme="az", bucket="c1", key="x", account="account"),
        ),
        ("https://h/a/b%20c.bin?s=1#x", WebUri(url="https://h/a/b%20c.bin?s=1", filename="b c.bin")),
        ("http://h:8080/m", WebUri(url="http://h:8080/m", filename="m")),
        ("hf://o/n", HubUri(repository="o/n", revision="main", path="")),
        ("hf://o/n@v1.0", HubUri(repository="o/n", revision="v1.0", path="")),
        ("hf://o/n@refs%2Fpr%2F1/sub/m.bin", HubUri(repository="o/n", revision="refs/pr/1", path="sub/m.bin")),
        ("oci://r:5000/a/b", RegistryUri(host="r:5000", repository="a/b", reference="latest")),
        ("oci://r/a:v1", RegistryUri(host="r", repository="a", reference="v1")),
        (f"oci://r/a@{DIGEST}", RegistryUri(host="r", repository="a", reference=DIGEST)),
        (f"oci://r/a:v1@{DIGEST}", None),
        ("models:/fraud/7", MlflowUri(name="fraud", version="7")),
        ("models:/fraud@champion", MlflowUri(name="fraud", alias="champion")),
        ("models:/the fraud/7", MlflowUri(name="the fraud", version="7")),
    ],
)
def test_what_a_uri_means(text, meant):
    if meant is None:
        with pytest.raises(FetchFailed):
            parse_uri(text)
    else:
        assert parse_uri(text) == meant
        # The API may refuse nothing that can be fetched; plain HTTP is for stores of one's own, by hand.
        assert text.startswith("http://") or all(rule.holds(text) for rule in URI_RULES)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("fraud", "no scheme"),
        ("ftp://h/x", "ftp: is not known"),
        ("pvc://claim/x", "mounted, not fetched"),
        ("s3:/models/x", "write s3://"),
        ("s3://models/x?versionId=1", "without ?"),
        ("s3:///x", "bucket"),
        ("https://u:hunter2@h/x", "HTTPS_PASSWORD"),
        ("https://h/", "name a file"),
        ("https://h/a b", "%20"),
        ("https://h/%2e%2e", "cannot be a file"),
        ("hf://n", "hf://owner/name"),
        ("hf://o/n:v1", "after an @"),
        ("hf://o/n/../x", "cannot be a file"),
        ("oci://r/UPPER", "oci://registry"),
        ("oci://u:hunter2@r/a", "oci://registry"),
        ("models:/fraud/Production", "alias"),
        ("models:/fraud/latest", "alias"),
        ("models:/fraud/٣", "alias"),
        ("models:/fraud", "alias"),
        ("s3://models/a\nb", "control"),
    ],
)
def test_what_is_refused_says_what_to_write(text, hint):
    with pytest.raises(FetchFailed) as failed:
        parse_uri(text)
    assert failed.value.reason is Reason.UNSUPPORTED
    assert hint in failed.value.message
    assert "hunter2" not in failed.value.message


@given(st.sampled_from(["", "s3://", "https://", "hf://", "oci://", "models:/", "az://"]), st.text())
def test_any_text_is_understood_or_refused(scheme, rest):
    with contextlib.suppress(FetchFailed):
        assert parse_uri(scheme + rest) is not None
