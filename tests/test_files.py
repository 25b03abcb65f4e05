"""Files that are either whole or not there."""

import errno
import os

import pytest

from mininet.base.files import written_atomically


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("as_text", [True, False])
def test_the_file_is_new_or_replaced_when_the_block_ends(tmp_path, as_text):
    path = tmp_path / "result.txt"
    if as_text:
        path.write_text("old")
    with written_atomically(str(path) if as_text else path) as temporary:
        temporary.write_text("whole")
        assert path.read_text() == "old" if as_text else not path.exists()
        assert temporary.parent == tmp_path  # on the same file system: renaming is atomic
        assert temporary.suffix == ".txt"
    assert path.read_text() == "whole"
    assert names(tmp_path) == ["result.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("existing", [True, False])
def test_after_an_error_nothing_has_changed(tmp_path, error, existing):
    path = tmp_path / "result.txt"
    if existing:
        path.write_text("old")

    def write():
        with written_atomically(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert names(tmp_path) == (["result.txt"] if existing else [])
    assert not existing or path.read_text() == "old"


def test_an_error_while_renaming_leaves_nothing_behind(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "file").touch()
    with pytest.raises(OSError), written_atomically(path) as temporary:
        temporary.write_text("a file cannot replace a folder")
    assert names(tmp_path) == ["folder"]


@pytest.mark.skipif(os.name == "nt", reason="needs permission bits")
def test_permissions_are_those_of_an_ordinary_file(tmp_path):  # mkstemp makes files that only their owner can read
    with written_atomically(tmp_path / "a") as temporary:
        temporary.write_text("x")
    (tmp_path / "b").write_text("x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_two_writers_do_not_meet(tmp_path):
    path = tmp_path / "a"
    with written_atomically(path) as one, written_atomically(path) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"  # the outer block ends last
    assert names(tmp_path) == ["a"]


def test_what_is_synced_can_be_written_to(tmp_path, monkeypatch):
    """As Windows asks for: there a file that is opened for reading has a bad file descriptor."""
    fcntl = pytest.importorskip("fcntl")

    def fsync(number):
        if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(os, "fsync", fsync)
    with written_atomically(tmp_path / "new") as temporary:
        temporary.write_bytes(b"1")
    assert (tmp_path / "new").read_bytes() == b"1"
