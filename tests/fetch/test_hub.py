"""Repositories of a hub: a server that speaks the two questions that are asked of one."""

import hashlib
import json
from dataclasses import replace

import pytest

from fetch.web_server import Item
from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.patience import Patience
from serinus.fetch.run import fetch, resolve

IMPATIENT = Patience(attempts=2, first_wait_seconds=0.001)
WEIGHTS = b"weights" * 1000
CONFIG = b"{}\n"
COMMITS = {"main": "c" * 40, "v1": "d" * 40, "refs/pr/1": "e" * 40}


def git_blob(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def put(web, revision, weights=WEIGHTS):
    """Have the server answer as a Hugging Face Hub does (after its documentation of /api/models)."""
    commit = COMMITS[revision]
    lfs = {"sha256": hashlib.sha256(weights).hexdigest(), "size": len(weights), "pointerSize": 134}
    siblings = [
        {"rfilename": "config.json", "size": len(CONFIG), "blobId": git_blob(CONFIG)},
        {"rfilename": "sub/model.bin", "size": len(weights), "blobId": "0" * 40, "lfs": lfs},
    ]
    answer = {"id": "o/n", "modelId": "o/n", "sha": commit, "private": False, "tags": [], "siblings": siblings}
    for name in (revision, commit):
        headers = {"Content-Type": "application/json"}
        web.items[f"/api/models/o/n/revision/{name}"] = Item(json.dumps(answer).encode(), etag="", headers=headers)
    web.items[f"/o/n/resolve/{commit}/config.json"] = Item(CONFIG, etag='"config"')
    # Large files are somewhere else, under a signed address and another etag.
    web.items[f"/o/n/resolve/{commit}/sub/model.bin"] = Item(b"", redirect="/cdn/model.bin?X-Amz-Signature=x")
    web.items["/cdn/model.bin"] = Item(weights, etag='"of the cdn"')


@pytest.fixture
def hub(web):
    return {"HF_ENDPOINT": web.url()}


def test_a_branch_is_pinned_to_its_commit(web, hub, tmp_path):
    put(web, "main")
    told = resolve("hf://o/n", hub, IMPATIENT)
    assert (told["files"], told["bytes"]) == (2, len(WEIGHTS) + len(CONFIG))
    assert told["source"] == f"hf://o/n@{'c' * 40}/"
    # The branch moves on.
    moved = web.items["/api/models/o/n/revision/main"]
    web.items["/api/models/o/n/revision/main"] = replace(moved, content=moved.content.replace(b"c" * 40, b"d" * 40))
    fetch("hf://o/n", tmp_path / "m", hub, pin_text=str(told["pin"]))
    assert (tmp_path / "m" / "sub" / "model.bin").read_bytes() == WEIGHTS
    assert (tmp_path / "m" / "config.json").read_bytes() == CONFIG


def test_the_same_files_in_another_commit_are_the_same_model(web, hub):
    put(web, "main")
    put(web, "v1")
    assert resolve("hf://o/n", hub, IMPATIENT)["digest"] == resolve("hf://o/n@v1", hub, IMPATIENT)["digest"]
    put(web, "v1", WEIGHTS[::-1])
    assert resolve("hf://o/n", hub, IMPATIENT)["digest"] != resolve("hf://o/n@v1", hub, IMPATIENT)["digest"]


@pytest.mark.parametrize(("path", "landed"), [("sub", "model.bin"), ("sub/model.bin", "model.bin")])
def test_a_path_in_the_repository(web, hub, tmp_path, path, landed):
    put(web, "refs/pr/1")
    fetch(f"hf://o/n@refs%2Fpr%2F1/{path}", tmp_path / "m", hub)
    assert [file.name for file in (tmp_path / "m").iterdir() if file.name[0] != "."] == [landed]


def test_a_path_that_is_not_there(web, hub):
    put(web, "main")
    with pytest.raises(FetchFailed, match="has nothing at"):
        resolve("hf://o/n/nothing", hub, IMPATIENT)


@pytest.mark.parametrize("path", ["/cdn/model.bin", f"/o/n/resolve/{'c' * 40}/config.json"])
def test_damaged_files_do_not_land(web, hub, tmp_path, path):
    put(web, "main")
    web.items[path].content = web.items[path].content[::-1]
    with pytest.raises(FetchFailed, match="came damaged") as failed:
        fetch("hf://o/n", tmp_path / "m", hub)
    assert failed.value.exit_code == 1


@pytest.mark.parametrize(
    ("status", "headers", "token", "reason"),
    [
        (401, {"X-Error-Code": "RepoNotFound"}, "", Reason.CREDENTIALS_MISSING),
        (401, {}, "", Reason.CREDENTIALS_MISSING),
        (404, {"X-Error-Code": "RepoNotFound"}, "hf_tokentoken", Reason.NOT_FOUND),
        (403, {"X-Error-Code": "GatedRepo"}, "hf_tokentoken", Reason.FORBIDDEN),
        (403, {"X-Error-Code": "GatedRepo"}, "", Reason.CREDENTIALS_MISSING),
        (404, {"X-Error-Code": "RevisionNotFound"}, "", Reason.NOT_FOUND),
        (500, {}, "", Reason.UNREACHABLE),
    ],
)
def test_why_it_is_refused(web, hub, status, headers, token, reason):
    web.items["/api/models/o/n/revision/main"] = Item(b"", statuses=[status] * 9, headers=headers)
    with pytest.raises(FetchFailed) as failed:
        resolve("hf://o/n", hub | {"HF_TOKEN": token}, IMPATIENT)
    assert failed.value.reason is reason
    assert "tokentoken" not in failed.value.message


def test_the_token_stays_with_the_hub(web, hub, tmp_path):
    put(web, "main")
    fetch("hf://o/n", tmp_path / "m", hub | {"HF_TOKEN": "hf_tokentoken"})
    sent = {asked.path.partition("?")[0]: asked.headers["Authorization"] for asked in web.asked}
    assert sent[f"/o/n/resolve/{'c' * 40}/config.json"] == "Bearer hf_tokentoken"


def test_nobody_there(tmp_path):
    with pytest.raises(FetchFailed) as failed:
        resolve("hf://o/n", {"HF_ENDPOINT": "http://127.0.0.1:1"}, IMPATIENT)
    assert failed.value.reason is Reason.UNREACHABLE
