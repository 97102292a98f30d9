"""The program as a whole: what it prints, what it leaves, and how it ends."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from fetch.web_server import Item
from serinus.__main__ import main
from serinus.fetch import partial, run
from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.patience import Patience
from serinus.fetch.pins import parse_pin
from serinus.fetch.run import describe_failure, fetch, resolve

CONTENT = bytes(os.urandom(5000))
SHA = hashlib.sha256(CONTENT).hexdigest()
PLAIN = {"SERINUS_FETCH_ALLOW_HTTP": "true"}
IMPATIENT = Patience(attempts=2, first_wait_seconds=0.001)


@pytest.fixture
def log(tmp_path, monkeypatch):
    """A termination log as a kubelet makes it."""
    path = tmp_path / "termination-log"
    path.touch()
    monkeypatch.setattr(run, "TERMINATION_LOG", path)
    monkeypatch.setattr(run.leave_word, "__defaults__", (path,))
    return path


def command(*arguments, environment=PLAIN):
    return CliRunner(env={**environment}).invoke(main, ["fetch", *arguments])


def test_what_was_resolved_is_fetched_and_stays(web, tmp_path, log):
    web.items["/m.bin"] = Item(CONTENT)
    told = json.loads(command("--uri", web.url("/m.bin"), "--resolve").stdout)
    assert (told["schema"], told["files"], told["bytes"], told["source"]) == (1, 1, 5000, web.url("/m.bin"))
    assert json.loads(log.read_text()) == told
    arguments = ("--uri", web.url("/m.bin"), "--to", str(tmp_path / "m"), "--pin", told["pin"])
    first = command(*arguments)
    assert (first.exit_code, json.loads(first.stdout)["files"]) == (0, 1)
    assert (tmp_path / "m" / "m.bin").read_bytes() == CONTENT
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == [".serinus-complete", "m.bin"]
    asked = len(web.asked)
    # A pod that starts again asks nobody, even if the store is gone or has something newer.
    web.items.clear()
    again = command(*arguments)
    assert (again.exit_code, again.stdout, len(web.asked)) == (0, first.stdout, asked)


def test_what_was_fetched_before_the_machine_started_again_is_fetched_anew(web, tmp_path, monkeypatch):
    web.items["/m.bin"] = Item(CONTENT)
    fetch(web.url("/m.bin"), tmp_path / "m", PLAIN)
    (tmp_path / "m" / "m.bin").write_bytes(bytes(5000))
    fetch(web.url("/m.bin"), tmp_path / "m", PLAIN)
    assert (tmp_path / "m" / "m.bin").read_bytes() == bytes(5000)
    for module in (run, partial):
        monkeypatch.setattr(module, "boot", lambda: "another")
    fetch(web.url("/m.bin"), tmp_path / "m", PLAIN)
    assert (tmp_path / "m" / "m.bin").read_bytes() == CONTENT


def test_a_replaced_file_is_refused(web, tmp_path, log):
    web.items["/m.bin"] = Item(CONTENT)
    told = json.loads(command("--uri", web.url("/m.bin"), "--resolve").stdout)
    web.items["/m.bin"] = Item(CONTENT[::-1], etag='"two"')
    assert json.loads(command("--uri", web.url("/m.bin"), "--resolve").stdout)["digest"] != told["digest"]
    ended = command("--uri", web.url("/m.bin"), "--to", str(tmp_path / "m"), "--pin", told["pin"])
    assert ended.exit_code == 2
    assert json.loads(log.read_text())["reason"] == "Replaced"
    assert not list((tmp_path / "m").glob("m.bin"))


def test_without_any_tag_the_content_is_pinned(web, tmp_path, log):
    web.items["/m.bin"] = Item(CONTENT, etag="")
    told = resolve(web.url("/m.bin"), PLAIN, IMPATIENT)
    assert told["digest"] == f"sha256:{SHA}"
    fetch(web.url("/m.bin"), tmp_path / "m", PLAIN, pin_text=str(told["pin"]))
    web.items["/m.bin"].content = CONTENT[::-1]
    with pytest.raises(FetchFailed) as failed:
        fetch(web.url("/m.bin"), tmp_path / "n", PLAIN, pin_text=str(told["pin"]))
    assert failed.value.reason is Reason.REPLACED


def test_a_date_pins_as_well(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT, etag="", modified="Sun, 22 Nov 2026 13:00:00 GMT")
    told = resolve(web.url("/m.bin"), PLAIN, IMPATIENT)
    web.items["/m.bin"].modified = "Sun, 22 Nov 2026 14:00:00 GMT"
    with pytest.raises(FetchFailed) as failed:
        fetch(web.url("/m.bin"), tmp_path / "m", PLAIN, pin_text=str(told["pin"]))
    assert failed.value.reason is Reason.REPLACED


DATE = "Sun, 22 Nov 2026 13:00:00 GMT"


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ({"etag": '"one"'}, {"etag": ""}),
        ({"etag": '"one"'}, {"etag": "", "modified": DATE}),
        ({"etag": "", "modified": DATE}, {"etag": ""}),
        ({"etag": "", "modified": DATE}, {"etag": '"one"'}),
    ],
)
def test_an_answer_that_does_not_prove_to_be_the_same_is_refused(web, tmp_path, then, now):
    web.items["/m.bin"] = Item(CONTENT, conditions=False, **then)
    told = resolve(web.url("/m.bin"), PLAIN, IMPATIENT)
    web.items["/m.bin"] = Item(CONTENT[::-1], conditions=False, **now)
    with pytest.raises(FetchFailed, match="nothing shows that it is the same") as failed:
        fetch(web.url("/m.bin"), tmp_path / "m", PLAIN, pin_text=str(told["pin"]))
    assert failed.value.reason is Reason.REPLACED


def test_a_server_that_gives_etags_by_now_still_has_the_file_of_its_date(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT, etag="", modified=DATE)
    told = resolve(web.url("/m.bin"), PLAIN, IMPATIENT)
    web.items["/m.bin"].etag = '"one"'
    fetch(web.url("/m.bin"), tmp_path / "m", PLAIN, pin_text=str(told["pin"]))
    assert (tmp_path / "m" / "m.bin").read_bytes() == CONTENT


def test_no_pin_holds_a_signature_and_a_renewed_one_is_as_good(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT)
    told = resolve(web.url("/m.bin?X-Amz-Signature=SECRET0123"), PLAIN, IMPATIENT)
    held = parse_pin(str(told["pin"]))
    assert held.found.files
    assert "SECRET0123" not in repr(held)
    assert "SECRET0123" not in json.dumps(told)
    fetch(web.url("/m.bin?X-Amz-Signature=renewed"), tmp_path / "m", PLAIN, pin_text=str(told["pin"]))
    assert web.asked[-1].path == "/m.bin?X-Amz-Signature=renewed"


def test_a_name_too_long_for_a_pin_is_pinned_by_its_fingerprint(web, tmp_path):
    path = f"/{'/'.join(os.urandom(100).hex() for _ in range(24))}/m.bin"
    web.items[path] = Item(CONTENT)
    told = str(resolve(web.url(path), PLAIN, IMPATIENT)["pin"])
    assert not parse_pin(told).found.files
    fetch(web.url(path), tmp_path / "m", PLAIN, pin_text=told)
    web.items[path].etag = '"two"'
    with pytest.raises(FetchFailed) as failed:
        fetch(web.url(path), tmp_path / "n", PLAIN, pin_text=told)
    assert failed.value.reason is Reason.REPLACED


def test_the_digest_is_compared(web, tmp_path, log):
    web.items["/m.bin"] = Item(CONTENT)
    told = fetch(web.url("/m.bin"), tmp_path / "m", PLAIN, digest=f"sha256:{SHA}")
    assert told["digest"] == f"sha256:{SHA}"
    ended = command("--uri", web.url("/m.bin"), "--to", str(tmp_path / "n"), "--digest", f"sha256:{'0' * 64}")
    word = json.loads(log.read_text())
    assert (ended.exit_code, word["reason"]) == (2, "DigestMismatch")
    assert SHA in word["message"]
    assert not list((tmp_path / "n").glob("m.bin"))


@pytest.mark.parametrize("digest", ["sha256:abc", "md5:abc", "0a" * 32])
def test_a_digest_that_is_none_is_refused(tmp_path, digest):
    with pytest.raises(FetchFailed, match="64 hexadecimal"):
        fetch("https://h/x", tmp_path, {}, digest=digest)


def test_a_directory_with_another_artifact_is_left_alone(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT)
    fetch(web.url("/m.bin"), tmp_path / "m", PLAIN)
    web.items["/n.bin"] = Item(CONTENT)
    for marker in (None, "rubbish"):
        if marker:
            (tmp_path / "m" / ".serinus-complete").write_text(marker)
        with pytest.raises(FetchFailed, match="another artifact") as failed:
            fetch(web.url("/n.bin"), tmp_path / "m", PLAIN)
        assert failed.value.reason is Reason.UNSUPPORTED
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == [".serinus-complete", "m.bin"]


@pytest.mark.parametrize(
    ("item", "reason", "code"),
    [
        (None, "NotFound", 2),
        (Item(CONTENT, authorization="Bearer right"), "CredentialsMissing", 2),
        (Item(CONTENT, statuses=[500] * 50), "Unreachable", 1),
        (Item(CONTENT, breaks=[0] * 50), "Interrupted", 1),
    ],
)
def test_failures_leave_word(web, tmp_path, log, monkeypatch, item, reason, code):
    monkeypatch.setattr(run, "Patience", lambda: IMPATIENT)
    if item:
        web.items["/m.bin"] = item
    ended = command("--uri", f"{web.url('/m.bin')}?sig=topsecret", "--to", str(tmp_path / "m"))
    assert (ended.exit_code, json.loads(log.read_text())["reason"]) == (code, reason)
    assert "topsecret" not in log.read_text() + ended.output


def test_wrong_credentials_are_refused_and_not_told(web, tmp_path, log):
    web.items["/m.bin"] = Item(CONTENT, authorization="Bearer right")
    environment = PLAIN | {"HTTPS_TOKEN": "wrong-and-secret"}
    ended = command("--uri", web.url("/m.bin"), "--to", str(tmp_path / "m"), environment=environment)
    assert json.loads(log.read_text())["reason"] == "Forbidden"
    assert "HTTPS_TOKEN" in log.read_text()
    assert "wrong-and-secret" not in log.read_text() + ended.output
    web.items["/m.bin"].authorization = "Basic dTpwYXNzd29yZA=="
    environment = PLAIN | {"HTTPS_USERNAME": "u", "HTTPS_PASSWORD": "password"}
    assert command("--uri", web.url("/m.bin"), "--resolve", environment=environment).exit_code == 0


def test_an_answer_fits_into_a_termination_message(web, log):
    name = "ü" * 100
    web.items[f"/{name}/{name}"] = Item(CONTENT)
    ended = command("--uri", web.url(f"/{'%C3%BC' * 100}/{'%C3%BC' * 100}"), "--resolve")
    assert ended.exit_code == 0
    assert len(log.read_bytes()) <= 4096


def test_a_signature_may_be_renewed(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT)
    told = resolve(web.url("/m.bin?sig=old"), PLAIN, IMPATIENT)
    assert "old" not in str(told["source"])
    fetch(web.url("/m.bin?sig=new"), tmp_path / "m", PLAIN, pin_text=str(told["pin"]))
    assert web.asked[-1].path.endswith("sig=new")


def test_a_bug_of_ours_leaves_word_too(tmp_path, log, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("with hunter22")

    monkeypatch.setattr(run, "open_source", broken)
    ended = command("--uri", "https://h/x", "--resolve", environment={"A_PASSWORD": "hunter22"})
    assert (ended.exit_code, json.loads(log.read_text())["reason"]) == (1, "Interrupted")
    assert "hunter22" not in log.read_text() + ended.output


def test_a_directory_that_cannot_be_made_is_told(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT)
    (tmp_path / "m").write_text("a file")
    with pytest.raises(FetchFailed, match="Which volume"):
        fetch(web.url("/m.bin"), tmp_path / "m", PLAIN)


@pytest.mark.parametrize("message", ["x" * 10_000, "ü" * 10_000, "\0" * 10_000, '"' * 10_000])
def test_a_termination_message_fits(message):
    text = describe_failure(FetchFailed(Reason.NOT_FOUND, message), ())
    assert len(text.encode()) <= 3000
    assert json.loads(text)["reason"] == "NotFound"


@pytest.mark.parametrize("arguments", [[], ["--resolve", "--to", "x"]])
def test_either_a_directory_or_resolve(arguments):
    assert "either" in command("--uri", "https://h/x", *arguments).output


def test_the_rest_of_the_program_needs_no_store_libraries():
    code = "import sys, serinus.__main__, serinus.fetch.run; print({'obstore', 'huggingface_hub'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "set()"


def test_a_terminated_container_ends_at_once_and_goes_on_later(web, tmp_path):
    # Three parts of 16 MiB, of which the first comes and the second stops in its middle.
    size = 3 * 16 * 1024 * 1024
    web.items["/m.bin"] = Item(bytes(size), statuses=[])
    web.items["/m.bin"].breaks = [1, 16 * 1024 * 1024 + 1, 0, 0, 0, 0, 0, 0]
    arguments = [sys.executable, "-m", "serinus", "fetch", "--uri", web.url("/m.bin"), "--to", str(tmp_path / "m")]
    environment = {**os.environ, **PLAIN, "PYTHONPATH": str(Path(run.__file__).parents[2])}
    with subprocess.Popen(
        [*arguments, "--parallel", "1"], env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "going on at byte" in line:
                process.terminate()
                break
        assert process.wait(20) == 1
    web.items["/m.bin"].breaks = []
    before = len(web.asked)
    assert subprocess.run(arguments, env=environment, capture_output=True, check=False).returncode == 0
    assert (tmp_path / "m" / "m.bin").stat().st_size == size
    assert "bytes=0-16777215" not in [asked.headers["Range"] for asked in web.asked[before:]]
