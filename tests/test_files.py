"""Files that are either whole or not there."""

import errno
import os

import numpy as np
import pytest

from mininet import datasets, grader, models, nn, optim, plotting
from mininet.__main__ import main
from mininet.base.files import written_atomically
from mininet.training import Training


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


def saved_training():
    net, batches = nn.Linear(1, 1), datasets.Batches(np.ones((2, 1)), [0, 0], 1)
    Training(net, optim.SGD(net.parameters(), 0.1), None, batches, batches, 0, "~/new").save()


@pytest.mark.parametrize("use", [
    lambda: written_atomically("~/new").__enter__(),
    lambda: plotting.save(plotting.plt.figure(), "~/new.png"),
    lambda: datasets.ImageFolder("~/images", 8),
    lambda: models.save_pytorch_state_dict(nn.Linear(1, 1), "~/net.npz"),
    lambda: models.load_pytorch_state_dict(nn.Linear(1, 1), "~/weights.npz"),
    lambda: grader.load("~/mine.py"),
    lambda: grader.write_template("~/template.py"),
    saved_training,
    lambda: main(["grade", "--template", "~/template.py"]),
    lambda: main(["grade", "~/mine.py"]),
])  # fmt: skip
def test_a_tilde_is_the_home_folder_everywhere(use, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images/a").mkdir(parents=True)
    (tmp_path / "images/a/b.png").touch()
    (tmp_path / "mine.py").write_text("\ufeffforward = None\n", encoding="utf-8")  # a mark as Notepad puts in front
    np.savez(tmp_path / "weights.npz", weight=np.zeros((1, 1)), bias=np.zeros(1))
    use()
    assert not (tmp_path / "~").exists()


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
