"""Files over a web server that breaks off, fails, ignores ranges and changes what it has."""

import errno
import hashlib
import logging
import os
import threading
from contextlib import contextmanager

import pytest

from fetch.web_server import Item, WebServer, serving
from serinus.fetch import partial
from serinus.fetch.failures import FetchFailed, Passing, Reason
from serinus.fetch.patience import Patience
from serinus.fetch.progress import Progress
from serinus.fetch.remote import Found, RemoteFile
from serinus.fetch.transfer import Transfer
from serinus.fetch.web import Web

PART = 1000
CONTENT = bytes(os.urandom(10 * PART + 1))
IMPATIENT = Patience(attempts=3, first_wait_seconds=0.001, longest_wait_seconds=0.002)


class Several:
    """All files of a web server as one source, each read as https reads its one."""

    def __init__(self, web: WebServer) -> None:
        self.web, self.client = web, Web(allow_http=True, hint="The Secret needs …")

    def read(self, file, start, end):
        return self.client.part(self.web.url(f"/{file.key}"), start, end, expected=file.etag, size=file.size)


def found_on(web: WebServer, **more: str) -> Found:
    return Found(
        files=tuple(
            RemoteFile(path=path[1:], key=path[1:], size=len(item.content), etag=item.etag, **more)
            for path, item in web.items.items()
        )
    )


def run(web: WebServer, directory, found: Found | None = None, parallel: int = 4) -> Progress:
    found = found or found_on(web)
    progress = Progress(files=len(found.files), size=1)
    (directory / ".serinus-partial").mkdir(exist_ok=True)
    transfer = Transfer(
        Several(web), directory, parallel=parallel, patience=IMPATIENT, progress=progress, part_bytes=PART
    )
    assert transfer.run(found) == tuple(sorted((f.path for f in found.files), key=str.encode))
    for path, item in web.items.items():
        assert (directory / path[1:]).read_bytes() == item.content
    return progress


def test_a_large_file_comes_in_parts_and_nothing_comes_twice(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT)
    assert run(web, tmp_path).read == len(CONTENT)
    assert sorted(web.ranges()) == sorted(
        f"bytes={i * PART}-{min((i + 1) * PART, len(CONTENT)) - 1}" for i in range(11)
    )


def test_small_files_come_whole_and_empty_ones_without_a_question(web, tmp_path):
    for name, content in {"/a b/ü.txt": b"x", "/c": b"y" * PART, "/empty": b"", "/deep/er/empty": b""}.items():
        web.items[name] = Item(content)
    run(web, tmp_path)
    assert web.ranges() == [None, None]


def test_a_broken_connection_is_gone_on_with_where_it_broke(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT, breaks=[300, 200])
    assert run(web, tmp_path, parallel=1).read == len(CONTENT)
    assert web.ranges()[:3] == ["bytes=0-999", "bytes=300-999", "bytes=500-999"]
    assert {asked.headers["If-Match"] for asked in web.asked} == {'"one"'}


def test_as_long_as_something_comes_it_goes_on(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT[:PART], breaks=[10] * 20)
    assert run(web, tmp_path).read == PART
    assert len(web.asked) == 21


def test_a_server_that_gives_no_byte_more_is_given_up_and_what_came_is_kept(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT, breaks=[PART + 1, PART + 1, 100, 0, 0])
    with pytest.raises(FetchFailed, match="3 attempts in a row") as failed:
        run(web, tmp_path, parallel=1)
    assert (failed.value.reason, failed.value.exit_code) == (Reason.INTERRUPTED, 1)
    assert not (tmp_path / "m.bin").exists()
    del web.asked[:]
    # The container starts again: two parts are there.
    assert run(web, tmp_path).read == len(CONTENT) - 2 * PART
    assert "bytes=0-999" not in web.ranges()


def test_errors_of_the_server_pass(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT, statuses=[500, 503])
    run(web, tmp_path, parallel=1)


def test_a_server_without_ranges_sends_the_whole(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT, ranges=False)
    run(web, tmp_path)
    # It is asked for a part once, and then for the file.
    assert web.ranges() == ["bytes=0-999", None]


def test_a_server_without_ranges_that_breaks_off_begins_anew(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT, ranges=False, breaks=[PART + 5, PART + 5])
    run(web, tmp_path)
    web.items["/small"] = Item(b"x" * 50, ranges=False, breaks=[5])
    run(web, tmp_path)


def test_a_small_file_that_always_breaks_at_the_same_byte_is_given_up(web, tmp_path):
    web.items["/small"] = Item(b"x" * 50, ranges=False, breaks=[5] * 100)
    with pytest.raises(FetchFailed) as failed:
        run(web, tmp_path)
    assert failed.value.reason is Reason.INTERRUPTED


@pytest.mark.parametrize("conditions", [True, False], ids=["412", "another etag"])
def test_a_file_that_is_replaced_meanwhile_is_refused(web, tmp_path, conditions):
    web.items["/m.bin"] = Item(CONTENT, conditions=conditions)
    found = found_on(web)
    web.items["/m.bin"].etag = '"two"'
    with pytest.raises(FetchFailed) as failed:
        run(web, tmp_path, found)
    assert (failed.value.reason, failed.value.exit_code) == (Reason.REPLACED, 2)
    assert not (tmp_path / "m.bin").exists()


def test_a_file_of_another_length_is_refused_without_any_etag(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT, etag="")
    found = found_on(web)
    for content in (CONTENT + b"x", CONTENT[:-1], b""):
        web.items["/m.bin"].content = content
        with pytest.raises(FetchFailed) as failed:
            run(web, tmp_path, found)
        assert failed.value.reason is Reason.REPLACED


def test_a_file_that_grew_is_refused_where_no_answer_has_a_length(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT, etag="", ranges=False, sized=False)
    found = found_on(web)
    run(web, tmp_path, found)
    (tmp_path / "m.bin").unlink()
    web.items["/m.bin"].content = CONTENT + b"x"
    with pytest.raises(FetchFailed, match="has more bytes than when it was resolved") as failed:
        run(web, tmp_path, found)
    assert failed.value.reason is Reason.REPLACED
    assert not (tmp_path / "m.bin").exists()


def test_parts_of_an_older_file_are_never_mixed_with_a_newer_one(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT, breaks=[PART + 1] * 3 + [0] * 9)
    with pytest.raises(FetchFailed):
        run(web, tmp_path, parallel=1)
    left = set((tmp_path / ".serinus-partial").iterdir())
    web.items["/m.bin"] = Item(CONTENT[::-1], etag='"two"')
    assert run(web, tmp_path).read == len(CONTENT)
    # What was left of the older one took up room.
    assert len(left) == 2
    assert not left & set((tmp_path / ".serinus-partial").iterdir())


def test_another_part_than_was_asked_for_is_not_written(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT, astray=1)
    with pytest.raises(FetchFailed, match="another part"):
        run(web, tmp_path)
    assert not (tmp_path / "m.bin").exists()


def test_parts_from_before_the_machine_started_again_are_not_trusted(web, tmp_path, monkeypatch):
    web.items["/m.bin"] = Item(CONTENT, breaks=[PART + 1] * 3 + [0] * 9)
    with pytest.raises(FetchFailed):
        run(web, tmp_path, parallel=1)
    web.items["/m.bin"].breaks = []
    monkeypatch.setattr(partial, "boot", lambda: "another")
    assert run(web, tmp_path).read == len(CONTENT)


def test_a_weak_etag_is_compared_but_not_sent(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT, etag='W/"one"')
    run(web, tmp_path)
    assert {asked.headers["If-Match"] for asked in web.asked} == {None}


@pytest.mark.parametrize(("sealed", "reason"), [(True, Reason.INTERRUPTED), (False, Reason.REPLACED)])
def test_content_that_is_not_what_was_promised_never_lands(web, tmp_path, sealed, reason):
    web.items["/m.bin"] = Item(CONTENT)
    good = found_on(web, sha256=hashlib.sha256(CONTENT).hexdigest())
    run(web, tmp_path, good)
    (tmp_path / "m.bin").unlink()
    web.items["/m.bin"].content = CONTENT[::-1]
    with pytest.raises(FetchFailed) as failed:
        run(web, tmp_path, Found(files=good.files, sealed=sealed))
    assert failed.value.reason is reason
    assert not (tmp_path / "m.bin").exists()


def test_a_git_blob_is_compared(web, tmp_path):
    web.items["/a"] = Item(b"hello\n")
    # git hash-object
    run(web, tmp_path, found_on(web, git_blob="ce013625030ba8dba906f756967f9e9ca394464a"))
    with pytest.raises(FetchFailed):
        run(web, tmp_path, found_on(web, git_blob="0" * 40))


def test_a_content_encoding_is_refused(web, tmp_path):
    web.items["/m.bin"] = Item(b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    with pytest.raises(FetchFailed, match="Content-Encoding") as failed:
        run(web, tmp_path)
    assert failed.value.reason is Reason.UNSUPPORTED


def test_very_many_small_files(tmp_path):
    # Without the network: so many requests to a Python server would measure that.
    class Memory:
        def read(self, file, start, end):
            return memory(file.path.encode())

    @contextmanager
    def memory(content):
        yield iter([content])

    files = tuple(RemoteFile(path=f"{i % 7}/{i}", key="", size=len(f"{i % 7}/{i}")) for i in range(1_000))
    (tmp_path / ".serinus-partial").mkdir()
    progress = Progress(files=len(files), size=0)
    transfer = Transfer(Memory(), tmp_path, parallel=8, patience=IMPATIENT, progress=progress)
    assert len(transfer.run(Found(files=files))) == 1_000
    assert (tmp_path / "3" / "10").read_text() == "3/10"


def test_a_full_volume_is_refused_before_the_first_byte(web, tmp_path, monkeypatch):
    web.items["/m.bin"] = Item(CONTENT)
    usage = type("Usage", (), {"free": len(CONTENT) - 1})
    monkeypatch.setattr(partial.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(FetchFailed, match="full") as failed:
        run(web, tmp_path)
    assert (failed.value.reason, web.asked) == (Reason.NO_SPACE, [])


def test_a_volume_that_fills_up_is_told(web, tmp_path, monkeypatch):
    web.items["/m.bin"] = Item(CONTENT)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(partial.os, "pwrite", full)
    with pytest.raises(FetchFailed, match="ephemeral storage") as failed:
        run(web, tmp_path)
    assert failed.value.reason is Reason.NO_SPACE


def test_a_link_in_the_directory_is_not_followed(web, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a").symlink_to(outside)
    web.items["/a/m.bin"] = Item(b"x")
    with pytest.raises(FetchFailed, match="is a link"):
        run(web, inside)
    assert list(outside.iterdir()) == []


class TestWeb:
    def client(self, **more):
        return Web(allow_http=True, hint="The Secret needs …", **more)

    def read(self, web, path="/m", authorization="", client=None):
        with (client or self.client()).part(web.url(path), 0, None, authorization) as blocks:
            return b"".join(blocks)

    @pytest.mark.parametrize(
        ("status", "authorization", "reason"),
        [
            (401, "", Reason.CREDENTIALS_MISSING),
            (403, "", Reason.CREDENTIALS_MISSING),
            (401, "Basic eHh4Onh4eA==", Reason.FORBIDDEN),
            (403, "Basic eHh4Onh4eA==", Reason.FORBIDDEN),
            (404, "", Reason.NOT_FOUND),
            (410, "", Reason.NOT_FOUND),
            (412, "", Reason.REPLACED),
            (400, "", Reason.UNSUPPORTED),
            (204, "", None),
        ],
    )
    def test_what_a_status_means(self, web, status, authorization, reason):
        web.items["/m"] = Item(b"x", statuses=[status])
        if reason is None:
            assert self.read(web) == b""
            return
        with pytest.raises(FetchFailed) as failed:
            self.read(web, authorization=authorization)
        assert failed.value.reason is reason
        assert "eHh4" not in failed.value.message

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    def test_some_pass(self, web, status):
        web.items["/m"] = Item(b"x", statuses=[status])
        with pytest.raises(Passing):
            self.read(web)

    def test_nobody_there_passes(self, web):
        with pytest.raises(Passing, match="refused"), self.client().part("http://127.0.0.1:1/x?sig=abc", 0, None) as _:
            pass

    def test_credentials_stay_with_their_host(self, web):
        with serving() as other:
            other.items["/m"] = Item(b"elsewhere")
            web.items["/m"] = Item(b"", redirect=other.url("/m"), authorization="Bearer tokentoken")
            assert self.read(web, authorization="Bearer tokentoken") == b"elsewhere"
            assert other.asked[0].headers["Authorization"] is None
            web.items["/n"] = Item(b"", redirect="/o", authorization="Bearer tokentoken")
            web.items["/o"] = Item(b"here", authorization="Bearer tokentoken")
            assert self.read(web, "/n", authorization="Bearer tokentoken") == b"here"

    def test_a_circle_of_redirects_ends(self, web):
        web.items["/m"] = Item(b"", redirect="/m")
        with pytest.raises(FetchFailed, match="redirects more than"):
            self.read(web)

    def test_plain_http_needs_the_switch_and_is_refused_behind_a_redirect_too(self, web):
        with pytest.raises(FetchFailed, match="SERINUS_FETCH_ALLOW_HTTP=true"):
            self.read(web, client=Web(allow_http=False, hint=""))
        web.items["/m"] = Item(b"", redirect="file:///etc/passwd")
        with pytest.raises(FetchFailed, match="not https"):
            self.read(web)
        assert len(web.asked) == 1

    def test_a_netrc_says_nothing(self, web, tmp_path, monkeypatch):
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login u password p\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        web.items["/m"] = Item(b"x")
        self.read(web)
        assert web.asked[0].headers["Authorization"] is None

    def test_a_proxy_of_the_environment_is_used(self, web, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", web.url())
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        web.items["http://models.invalid/m"] = Item(b"by proxy")
        with self.client().part("http://models.invalid/m", 0, None) as blocks:
            assert b"".join(blocks) == b"by proxy"


def test_progress_is_told_now_and_then(caplog):
    times = iter([0.0, 1.0, 5.5, 5.5, 6.0, 8.0])
    progress = Progress(files=2, size=3_000_000, clock=lambda: next(times))
    with caplog.at_level(logging.INFO, "serinus.fetch"):
        progress.add(500_000)
        progress.add(500_000)
        progress.add(1_000_000)
        progress.finish_file()
        progress.tell_end()
    assert caplog.messages == [
        "0 of 2 files, 1.0 MB of 3.0 MB, 0.2 MB/s",
        "1 of 2 files, 2.0 MB of 3.0 MB, 0.2 MB/s, done",
    ]


def test_threads_do_not_outlive_a_run(web, tmp_path):
    web.items["/m.bin"] = Item(CONTENT, statuses=[404])
    with pytest.raises(FetchFailed):
        run(web, tmp_path)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fetch_")]
