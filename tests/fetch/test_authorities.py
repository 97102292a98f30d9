"""A client of stores can be made where the image has no authorities at all."""

import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from fetch.web_server import Item, serving
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


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority of the tests, and a server's certificate by it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl")
    folder = tmp_path_factory.mktemp("tls")

    def make(name: str, *more: str) -> None:
        files = ["-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}"]
        made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        subprocess.run([openssl, *made, *files, *more], cwd=folder, check=True, capture_output=True)

    make("authority")
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    make("server", "-CA", "authority.pem", "-CAkey", "authority.key", *names)
    return folder


LISTING = b"""<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>m.bin</Key><Size>5</Size>
<LastModified>2026-11-22T13:00:00.000Z</LastModified><ETag>"one"</ETag></Contents></ListBucketResult>"""


@pytest.mark.parametrize("uri", ["https://127.0.0.1:{}/m.bin", "s3://models", "hf://o/n"])
def test_authorities_of_the_secret_are_trusted_by_every_client(tls: Path, uri: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / "server.pem", tls / "server.key")
    with serving(context) as web:
        url = f"https://127.0.0.1:{web.port}"
        web.items["/m.bin"] = Item(b"hello")
        web.items["/models/m.bin"] = Item(b"hello", modified="Sun, 22 Nov 2026 13:00:00 GMT")
        web.items["/models"] = Item(LISTING, headers={"Content-Type": "application/xml"})
        siblings = b'[{"rfilename": "m.bin", "size": 5, "blobId": "0"}]'
        web.items["/api/models/o/n/revision/main"] = Item(b'{"id": "o/n", "sha": "c", "siblings": %b}' % siblings)
        stores = {"AWS_ENDPOINT_URL": url, "AWS_SKIP_SIGNATURE": "true", "HF_ENDPOINT": url}
        environment = {"PYTHONPATH": str(Path(__file__).parents[2] / "operator"), **stores}
        program = "import sys; from serinus.__main__ import main; main(sys.argv[1:])"
        arguments = [sys.executable, "-c", program, "fetch", "--uri", uri.format(web.port), "--resolve"]

        def run(**more: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                arguments, check=False, env={**environment, **more}, capture_output=True, text=True, timeout=60
            )

        trusted = run(SERINUS_FETCH_CA=(tls / "authority.pem").read_text())
        assert trusted.returncode == 0, trusted.stderr
        if not uri.startswith("hf"):
            # huggingface_hub's client does not tell why it could not connect, and is asked again.
            refused = run()
            assert "SERINUS_FETCH_CA" in refused.stderr
            assert refused.returncode == 1
