"""Paths, digests, parts and masks: what the fetch computes without asking anybody."""

import base64
import hashlib
import json
import shutil
import subprocess
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.fetch.failures import FetchFailed
from serinus.fetch.masking import mask, secrets_in
from serinus.fetch.paths import refuse_collisions, safe_path
from serinus.fetch.ranges import missing, parts_of
from serinus.fetch.tree import digest_of_tree, is_digest


@pytest.mark.parametrize(
    "path",
    [
        *["", "/etc/passwd", "..", "../x", "a/../x", "a//b", "a/", "./a", "a\\b", "a\nb", "a\0b", "\x7f", "\ud800"],
        *["x" * 256, "ü" * 128, "a/" * 600 + "b", ".serinus-partial/x", ".serinus-complete", ".serinus-complete.new"],
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path):
    with pytest.raises(FetchFailed, match="Rename it"):
        safe_path(path)


@pytest.mark.parametrize("path", ["a", "a/b", "…/…", "a b/ünï+%20.txt", "..a/b..", ".hidden", "x" * 255])
def test_other_paths_are_kept(path):
    assert safe_path(path) == path


def test_what_stands_inside_a_login_is_not_shown_either():
    config = {"auths": {"r.io": {"username": "somebody", "password": "hunter2hunter2", "identitytoken": "idididid"}}}
    config["auths"]["q.io"] = {"auth": base64.b64encode(b"somebody:swordfish").decode()}
    secrets = secrets_in({".dockerconfigjson": json.dumps(config)})
    for secret in ("hunter2hunter2", "idididid", "swordfish", config["auths"]["q.io"]["auth"]):
        assert mask(f"r.io refuses {secret} of somebody", secrets) == "r.io refuses *** of somebody"
    key = {"type": "service_account", "private_key": "-----BEGIN\nAbCdEfGh\n-----END", "token_uri": "https://h/token"}
    secrets = secrets_in({"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(key)})
    assert mask("AbCdEfGh from https://h/token", secrets) == "*** from https://h/token"


@pytest.mark.parametrize("value", ["[" * 100_000, '{"auth": 1}', '{"auth": "ü"}', '{"auth": "YWJj"}'])
def test_values_that_are_no_login_are_secrets_as_they_are(value):
    assert value in secrets_in({"A_SECRET": value})


@given(st.text(alphabet="ab./\\\0\n"))
def test_no_path_leads_out(path):
    try:
        kept = PurePosixPath("/models") / safe_path(path)
    except FetchFailed:
        return
    assert kept.is_relative_to("/models")
    assert ".." not in kept.parts
    assert kept != PurePosixPath("/models")


@pytest.mark.parametrize("paths", [["a", "a"], ["a", "a/b"], ["x/y/z", "x/y"]])
def test_files_that_no_directory_can_hold_together_are_refused(paths):
    with pytest.raises(FetchFailed, match="Rename one"):
        refuse_collisions(paths)


def test_files_with_a_common_beginning_are_no_collision():
    refuse_collisions(["a", "ab", "a.b", "c/a", "c/ab"])


def test_the_digest_of_one_file_is_that_of_its_bytes():
    sha = hashlib.sha256(b"model").hexdigest()
    assert digest_of_tree({"any/name": sha}) == f"sha256:{sha}"


def test_the_digest_of_several_is_what_sha256sum_gives(tmp_path):
    sums = shutil.which("sha256sum")
    if sums is None:
        pytest.skip("there is no sha256sum")
    files = {"b": b"2", "a/c": b"1", "a b": b"", "Z": b"3", "ü": b"4"}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    # The very line of docs/artifacts.md.
    line = "find . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
    told = subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    ours = digest_of_tree({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})
    assert ours == f"sha256:{told.split()[0]}"


def test_a_model_without_files_has_no_digest():
    with pytest.raises(ValueError, match="without files"):
        digest_of_tree({})


@pytest.mark.parametrize(
    ("text", "good"), [(f"sha256:{'a' * 64}", True), (f"sha256:{'A' * 64}", False), ("a" * 64, False), ("", False)]
)
def test_what_is_a_digest(text, good):
    assert is_digest(text) is good


@given(st.integers(0, 10_000), st.integers(1, 1000), st.sets(st.integers(0, 50)))
def test_parts_are_the_whole_once_and_in_order(size, part_bytes, done):
    parts = parts_of(size, part_bytes)
    assert [byte for part in parts for byte in range(part.start, part.end)] == list(range(size))
    assert all(0 < part.end - part.start <= part_bytes for part in parts)
    left = missing(size, done, part_bytes)
    assert {part.index for part in left} == {part.index for part in parts} - done


ENVIRONMENT = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG",
    "AWS_ENDPOINT_URL": "https://minio.example.com",
    "HTTPS_PASSWORD": "open sesame",
    "GOOGLE_SERVICE_ACCOUNT_KEY": '{"private_key": "-----BEGIN\nMIIEvQIBADAN\n"}',
    "AWS_SHARED_CREDENTIALS_FILE": "/var/run/credentials",
    "SHORT_KEY": "true",
    "HOME": "/tmp",
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key wJalrXUtnFEMI/K7MDENG!", "key ***!"),
        ("at https://minio.example.com and /var/run/credentials", None),
        ("password open sesame", "password ***"),
        ("line MIIEvQIBADAN of it", "line *** of it"),
        ("it is true", None),
        ("GET https://u:p@h/x failed", "GET https://***@h/x failed"),
        ("https://h/x?X-Amz-Signature=abc&part=1", "https://h/x?X-Amz-Signature=***&part=1"),
        ("https://a.blob/x?sv=2&sig=a%2Bb&se=3", "https://a.blob/x?sv=2&sig=***&se=3"),
        ("https://h/x?token=abc", "https://h/x?token=***"),
        ("Authorization: Bearer eyJhbGciOi.abc-_", "Authorization: Bearer ***"),
        ("s3://models/a@b", None),
    ],
)
def test_secrets_are_not_shown(text, shown):
    assert mask(text, secrets_in(ENVIRONMENT)) == (text if shown is None else shown)


@given(st.text(min_size=6), st.text(), st.text())
def test_a_secret_never_stands_in_a_masked_text(secret, before, after):
    if secret.strip() and len(secret.strip()) >= 6 and secret not in "***":
        assert secret not in mask(f"{before} {secret} {after}", secrets_in({"A_TOKEN": secret})).replace("***", "\0")
