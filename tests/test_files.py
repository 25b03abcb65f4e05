"""Files that are either whole or not there."""

import os
import stat

import numpy as np
import pytest

from mininet.files import written_atomically


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("as_text", [True, False])
def test_the_file_appears_when_the_block_ends(tmp_path, as_text):
    path = tmp_path / "result.txt"
    with written_atomically(str(path) if as_text else path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.parent == tmp_path  # on the same file system: renaming is atomic
    assert path.read_text() == "whole"
    assert names(tmp_path) == ["result.txt"]


def test_an_existing_file_is_replaced_at_the_end_and_not_before(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with written_atomically(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["result.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
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


def test_a_block_that_removes_the_temporary_file_fails_cleanly(tmp_path):
    with pytest.raises(FileNotFoundError), written_atomically(tmp_path / "result.txt") as temporary:
        temporary.unlink()
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["a.npz", "figure.png", "a.tar.gz", "no_ending"])
def test_the_temporary_name_keeps_the_ending(tmp_path, name):
    path = tmp_path / name
    with written_atomically(path) as temporary:
        assert temporary.suffix == path.suffix
        assert temporary != path
        temporary.write_bytes(b"x")
    assert names(tmp_path) == [name]


def test_numpy_appends_no_other_ending(tmp_path):
    path = tmp_path / "arrays.npz"
    with written_atomically(path) as temporary:
        np.savez(temporary, a=np.arange(3))
    with np.load(path) as stored:
        assert stored["a"].tolist() == [0, 1, 2]


@pytest.mark.skipif(os.name == "nt", reason="needs permission bits")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_are_those_of_an_ordinary_file(tmp_path, umask, mode):
    # mkstemp makes files that only their owner can read
    before = os.umask(umask)
    try:
        with written_atomically(tmp_path / "a") as temporary:
            temporary.write_text("x")
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode
        assert os.umask(umask) == umask  # and the mask is as it was
    finally:
        os.umask(before)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), written_atomically(tmp_path / "missing" / "a"):
        pytest.fail("the block must not run")


def test_two_writers_do_not_meet(tmp_path):
    path = tmp_path / "a"
    with written_atomically(path) as one, written_atomically(path) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"  # the outer block ends last
    assert names(tmp_path) == ["a"]
