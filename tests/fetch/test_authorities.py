"""A client of stores can be made where the image has no authorities at all."""

import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from serinus.fetch.authorities import has_authorities


def paths(cafile: Path | None, capath: Path | None) -> ssl.DefaultVerifyPaths:
    return ssl.DefaultVerifyPaths(
        str(cafile) if cafile else None, str(capath) if capath else None, "SSL_CERT_FILE", "", "SSL_CERT_DIR", ""
    )


@pytest.mark.parametrize(("file", "entries", "found"), [(True, None, True), (False, ["a.0"], True), (False, [], False)])
def test_what_counts_as_authorities(tmp_path: Path, file: bool, entries: list[str] | None, found: bool) -> None:
    for name in entries or ():
        (tmp_path / name).touch()
    assert has_authorities(paths(tmp_path / "bundle.pem" if file else None, tmp_path)) is found


def test_no_place_at_all_has_none() -> None:
    assert not has_authorities(paths(None, None))


PROGRAM = """
import ssl
from serinus.fetch import authorities
authorities.ssl.get_default_verify_paths = lambda: ssl.DefaultVerifyPaths(None, None, "", "", "", "")
import os
os.environ["SSL_CERT_DIR"] = "/nonexistent"
authorities.trust_the_usual_ones()
from obstore.store import S3Store
S3Store("models", access_key_id="a", secret_access_key="b")
"""


def test_the_client_of_object_stores_needs_them_and_gets_them() -> None:
    def run(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PYTHONPATH": str(Path(__file__).parents[2] / "operator"), **variables}
        return subprocess.run(
            [sys.executable, "-c", program], check=False, env=environment, capture_output=True, text=True
        )

    without = run(PROGRAM, SSL_CERT_FILE="/nonexistent")
    assert "No CA certificates" in without.stderr
    assert run(PROGRAM).returncode == 0
