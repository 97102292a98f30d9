"""Images are the same bytes for the same content, and only what changed is packed."""

import json
import os
import tarfile
from pathlib import Path

import pytest

from cluster.images.layers import cached_layer, content_key, write_tar
from cluster.images.oci import ImageConfig, Layer, cached_layout, image_name, write_archive
from cluster.images.python import image_reference


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "inner" / "__pycache__").mkdir(parents=True)
    (root / "inner" / "__pycache__" / "code.pyc").write_bytes(b"stale")
    (root / "inner" / "code.py").write_text("print(1)\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o750)
    (root / "link").symlink_to("run.sh")
    return root


def layer_of(tree: Path, tmp_path: Path, destination: str = "/app") -> Layer:
    sources = {destination: tree}
    return cached_layer(tmp_path / "cache", "test", content_key(sources), lambda target: write_tar(target, sources))


def test_layer_holds_files_links_and_parents_and_no_old_bytecode(tree: Path, tmp_path: Path) -> None:
    with tarfile.open(layer_of(tree, tmp_path).path) as tar:
        found = {entry.name: entry for entry in tar}

    assert sorted(found) == ["app", "app/inner", "app/inner/code.py", "app/link", "app/run.sh"]
    assert found["app/link"].linkname == "run.sh"
    assert (found["app/run.sh"].mode, found["app/inner/code.py"].mode) == (0o755, 0o644)
    assert {(entry.uid, entry.gid, entry.mtime) for entry in found.values()} == {(0, 0, 0)}


def test_layer_does_not_depend_on_dates_or_the_umask(tree: Path, tmp_path: Path) -> None:
    first = layer_of(tree, tmp_path / "one")
    os.utime(tree / "run.sh", (1, 1))
    (tree / "inner" / "code.py").chmod(0o600)

    assert layer_of(tree, tmp_path / "two").digest == first.digest


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: (tree / "inner" / "code.py").write_text("print(2)\n"),
        lambda tree: (tree / "inner" / "more.py").touch(),
        lambda tree: (tree / "run.sh").chmod(0o644),
        lambda tree: (tree / "inner" / "code.py").rename(tree / "inner" / "edoc.py"),
    ],
    ids=["content", "new file", "mode", "name"],
)
def test_layer_is_made_anew_when_its_input_changes(tree: Path, tmp_path: Path, change: object) -> None:
    before = layer_of(tree, tmp_path)
    assert layer_of(tree, tmp_path) == before
    assert callable(change)
    change(tree)

    assert layer_of(tree, tmp_path).digest != before.digest


def test_failed_layer_is_not_kept(tmp_path: Path) -> None:
    def fail(target: Path) -> None:
        target.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cached_layer(tmp_path, "test", "key", fail)
    assert list((tmp_path / "layers").iterdir()) == []


def test_missing_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        content_key({"/app": tmp_path / "nowhere"})


def test_layout_carries_name_config_and_all_blobs(tree: Path, tmp_path: Path) -> None:
    layer = layer_of(tree, tmp_path)
    config = ImageConfig(entrypoint=("python3", "-V"), environment={"B": "2", "A": "1"}, user=1000)
    directory = cached_layout(tmp_path / "cache", "serinus.local/thing:1", [layer], config)

    assert image_name(directory) == "serinus.local/thing:1"
    blobs = {path.name: path for path in (directory / "blobs" / "sha256").iterdir()}
    index = json.loads((directory / "index.json").read_text())
    manifest = json.loads(blobs[index["manifests"][0]["digest"].removeprefix("sha256:")].read_text())
    described = json.loads(blobs[manifest["config"]["digest"].removeprefix("sha256:")].read_text())
    assert [entry["digest"] for entry in manifest["layers"]] == [layer.digest] == described["rootfs"]["diff_ids"]
    assert described["config"] == {
        "Entrypoint": ["python3", "-V"],
        "Env": ["A=1", "B=2"],
        "User": "1000:1000",
        "WorkingDir": "/",
    }
    assert cached_layout(tmp_path / "cache", "serinus.local/thing:1", [layer], config) == directory
    for other in ("serinus.local/thing:2", "elsewhere.local/thing:1"):
        assert image_name(cached_layout(tmp_path / "cache", other, [layer], config)) == other


def test_archive_leaves_out_what_the_receiver_has(tree: Path, tmp_path: Path) -> None:
    layer = layer_of(tree, tmp_path)
    directory = cached_layout(tmp_path / "cache", "x/y:1", [layer], ImageConfig(entrypoint=("/x",)))

    def names(without: frozenset[str]) -> set[str]:
        with tarfile.open(write_archive(directory, tmp_path / "image.tar", without=without)) as tar:
            return set(tar.getnames())

    whole, thin = names(frozenset()), names(frozenset({layer.digest}))
    assert whole - thin == {f"blobs/sha256/{layer.digest.removeprefix('sha256:')}"}
    assert {"index.json", "oci-layout"} <= thin


@pytest.mark.parametrize(
    ("name", "reference"), [("operator", "serinus.local/operator:dev"), ("web:7", "serinus.local/web:7")]
)
def test_reference(name: str, reference: str) -> None:
    assert image_reference(name) == reference
