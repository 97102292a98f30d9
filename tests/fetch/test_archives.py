import contextlib
import io
import tarfile

import pytest

from serinus.fetch.archives import unpack
from serinus.fetch.failures import FetchFailed, Reason


def archive(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, tarfile.TarInfo):
                info = content
                info.name = name
                tar.addfile(info)
            elif content is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def link(kind, target):
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_files_are_unpacked(tmp_path, directory, mode):
    packed = archive(
        tmp_path / "a", [("./", None), ("./a", b"1"), ("./b/", None), ("./b/c d", b"2"), (".hid", b"")], mode
    )
    assert unpack(packed, directory, "") == ("a", "b/c d", ".hid")
    assert (directory / "b" / "c d").read_bytes() == b"2"


@pytest.mark.parametrize(
    "members",
    [
        [("../x", b"1")],
        [("/x", b"1")],
        [("a/../../x", b"1")],
        [("a", link(tarfile.SYMTYPE, "/etc")), ("a/x", b"1")],
        [("a", link(tarfile.SYMTYPE, ".."))],
        [("a", link(tarfile.LNKTYPE, "../x"))],
        [("a", link(tarfile.FIFOTYPE, ""))],
        [("a", link(tarfile.CHRTYPE, ""))],
        [(".serinus-complete", b"{}")],
        [(".serinus-partial/x", b"")],
    ],
)
def test_nothing_is_written_elsewhere(tmp_path, directory, members):
    with pytest.raises(FetchFailed) as failed:
        unpack(archive(tmp_path / "a", members), directory, "")
    assert failed.value.reason is Reason.UNSUPPORTED
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "models"]
    assert list(directory.rglob("*")) == []


@pytest.mark.parametrize(
    "name", ["../.wh.x", "models/../../.wh.x", "models/.wh...", "models/.wh..", "models/.wh..wh..opq"]
)
def test_a_whiteout_takes_nothing_away_elsewhere(tmp_path, directory, name):
    (tmp_path / "x").write_text("mine")
    (directory / "kept").write_text("mine")
    packed = archive(tmp_path / "a", [(name, b"")])
    with contextlib.suppress(FetchFailed):
        assert unpack(packed, directory, "models") == ()
    assert (tmp_path / "x").exists()
    assert (directory / "kept").exists()


def test_layers_of_an_image_give_what_is_below_models(tmp_path, directory):
    first = [
        ("usr/bin/sh", link(tarfile.SYMTYPE, "busybox")),
        ("models/a", b"1"),
        ("models/old/b", b"2"),
        ("models/c", b"3"),
    ]
    second = [("models/old/new", b"4"), ("models/old/.wh..wh..opq", b""), ("models/.wh.a", b""), ("models/c", b"5")]
    assert unpack(archive(tmp_path / "1", first), directory, "models") == ("a", "old/b", "c")
    assert unpack(archive(tmp_path / "2", second), directory, "models") == ("old/new", "c")
    left = {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert left == {"old/new": b"4", "c": b"5"}


def test_a_file_that_is_no_archive_or_ends_early_is_refused(tmp_path, directory):
    packed = archive(tmp_path / "a", [("a", b"x" * 100_000)])
    for content in (b"\x28\xb5\x2f\xfd zstd", packed.read_bytes()[:60]):
        packed.write_bytes(content)
        with pytest.raises(FetchFailed, match="gzipped tar"):
            unpack(packed, directory, "")
