import base64
import secrets
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.pins import LONGEST_PIN_BYTES, fingerprint, format_pin, make_pin, parse_pin
from serinus.fetch.remote import Found, RemoteFile
from serinus.fetch.source import unchanged

AT = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
FILE = RemoteFile(path="m.bin", key="models/7/m.bin", size=5, etag='"abc"')

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
files = st.builds(
    RemoteFile,
    path=texts.filter(bool),
    key=texts.filter(bool),
    size=st.integers(-1, 2**50),
    etag=texts,
    version=texts,
    sha256=texts,
    git_blob=texts,
)
founds = st.builds(Found, files=st.lists(files, max_size=8).map(tuple), commit=texts, source=texts)


@given(founds)
def test_a_pin_remembers_what_was_found(found):
    text = format_pin(make_pin(found, AT))
    assert len(text) <= LONGEST_PIN_BYTES
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=")
    pin = parse_pin(text)
    assert pin.at == AT
    assert pin.fingerprint == fingerprint(found)
    if pin.found.files:
        # Beside a version its etag says nothing.
        assert pin.found.files == tuple(replace(f, etag="") if f.version else f for f in found.files)
    assert (pin.found.commit, pin.found.source) == (found.commit, found.source)


def test_thirty_versions_fit():
    found = Found(
        files=tuple(
            RemoteFile(path=f"model-{i:05}-of-00030.bin", key=f"llm/7/model-{i:05}-of-00030.bin", size=5, version=v)
            for i in range(30)
            for v in (secrets.token_urlsafe(24),)
        )
    )
    assert parse_pin(format_pin(make_pin(found, AT))).found == found


def test_too_many_files_leave_their_fingerprint():
    found = Found(files=tuple(replace(FILE, path=f"{i}", etag=f'"{i * 7919:032x}"') for i in range(10_000)))
    pin = parse_pin(format_pin(make_pin(found, AT)))
    assert (pin.found.files, pin.count, pin.size) == ((), 10_000, 50_000)
    assert unchanged(found, pin) is found


def test_files_of_a_commit_need_not_be_remembered():
    pin = parse_pin(format_pin(make_pin(Found(files=(FILE,), commit="c0ffee", sealed=True), AT)))
    assert (pin.found.files, pin.found.commit) == ((), "c0ffee")


@pytest.mark.parametrize(
    "changed",
    [
        replace(FILE, etag='"abd"'),
        replace(FILE, size=6),
        replace(FILE, path="n.bin"),
        replace(FILE, sha256="0" * 64),
    ],
)
def test_whatever_changes_changes_the_fingerprint(changed):
    other = replace(FILE, path="other")
    assert fingerprint(Found(files=(changed, other))) != fingerprint(Found(files=(FILE, other)))
    with pytest.raises(FetchFailed) as failed:
        unchanged(Found(files=(changed,)), make_pin(Found(files=(FILE,)), AT))
    assert failed.value.reason is Reason.REPLACED


def test_order_and_place_do_not_change_the_fingerprint():
    other = replace(FILE, path="other")
    moved = replace(FILE, key="elsewhere/m.bin")
    assert fingerprint(Found(files=(other, moved))) == fingerprint(Found(files=(FILE, other)))


def test_a_manifest_or_a_single_file_has_its_own_digest():
    sha = "0a" * 32
    assert fingerprint(Found(files=(FILE,), commit=f"sha256:{sha}")) == f"sha256:{sha}"
    assert fingerprint(Found(files=(replace(FILE, sha256=sha),))) == f"sha256:{sha}"


@pytest.mark.parametrize("text", ["x", "eJw=", "ü", "YWJj", "eNqrVgIAAHUANQ=="])
def test_what_is_no_pin_is_refused(text):
    with pytest.raises(FetchFailed, match="resolve the URI again"):
        parse_pin(text)


@given(st.binary())
def test_no_bytes_break_it(data):
    with pytest.raises(FetchFailed):
        parse_pin(base64.urlsafe_b64encode(data).decode())


def test_a_source_that_does_not_fit_is_refused():
    with pytest.raises(FetchFailed, match="shorten"):
        format_pin(make_pin(Found(files=(FILE,), source=secrets.token_urlsafe(4000)), AT))
