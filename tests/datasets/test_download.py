"""Downloads from a server on this machine: what arrives is whole and right, or nothing is there."""

import hashlib
import io
import tarfile

import numpy as np
import pytest

from mininet.datasets import download
from mininet.datasets.download import install

pytest.importorskip("pooch")

FILES = {"set/a": b"abc", "set/deep/b": np.random.default_rng(0).bytes(1_000_000)}


def archive_of(files, *others):
    """A .tar.gz of files by name, and of other members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as tar:
        for about, content in [*((tarfile.TarInfo(name), content) for name, content in files.items()), *others]:
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    return file.getvalue()


ARCHIVE = archive_of(FILES)


def below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def offered(server):
    """What `install` needs to know of an archive, once the server has it."""

    def offered(content=ARCHIVE, served=None):
        server.files["/set.tar.gz"] = content if served is None else served
        return server.url("/set.tar.gz"), hashlib.sha256(content).hexdigest()

    return offered


def test_install_leaves_the_folder_only_and_does_it_once(tmp_path, server, offered):
    for _ in range(2):
        assert install(*offered(), tmp_path / "new", "set", progress=False) == tmp_path / "new" / "set"
        assert below(tmp_path / "new") == FILES
    assert server.requests == 1


def test_what_is_there_stays_but_an_empty_folder_is_filled(tmp_path, offered):
    (tmp_path / "set").mkdir()
    install(*offered(), tmp_path, "set", progress=False)
    assert below(tmp_path) == FILES
    (tmp_path / "set" / "a").write_bytes(b"mine")
    install(*offered(), tmp_path, "set", progress=False)
    assert (tmp_path / "set" / "a").read_bytes() == b"mine"


def test_an_archive_that_is_there_is_used_if_it_is_right(tmp_path, server, offered):
    for content, requests in ((ARCHIVE, 0), (ARCHIVE[:-1], 1)):
        folder = tmp_path / str(requests)
        folder.mkdir()
        (folder / "set.tar.gz").write_bytes(content)
        install(*offered(), folder, "set", progress=False)
        assert below(folder) == FILES | {"set.tar.gz": ARCHIVE}
        assert server.requests == requests


def test_a_wrong_archive_is_refused_and_nothing_kept(tmp_path, offered):
    with pytest.raises(ValueError, match=r"set\.tar\.gz"):
        install(*offered(served=archive_of({"set/a": b"abd"})), tmp_path, "set", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_half_an_archive_is_not_taken_for_a_whole_one(tmp_path, server, offered, monkeypatch):
    about = offered()
    server.breaks = 1
    with pytest.raises(OSError):  # of requests or urllib3, in their words
        install(*about, tmp_path, "set", progress=False)
    assert list(tmp_path.iterdir()) == []
    server.breaks = 1
    monkeypatch.setattr(download, "RETRIES", 1)
    install(*about, tmp_path, "set", progress=False)
    assert below(tmp_path) == FILES
    assert server.requests == 3


def link(name, target):
    about = tarfile.TarInfo(name)
    about.type, about.linkname = tarfile.SYMTYPE, target
    return about, b""


WRONG = {
    "another folder": archive_of({"other/a": b"x"}),
    "a path that leads out": archive_of(FILES | {"../outside": b"x"}),
    "a link that leads out": archive_of(FILES, link("set/link", "../../outside")),
    "no archive": b"no archive",
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_archives_that_are_not_what_they_should_be_leave_nothing(tmp_path, offered, content):
    folder = tmp_path / "folder"
    with pytest.raises(ValueError, match=r"set\.tar\.gz"):
        install(*offered(content), folder, "set", progress=False)
    assert not (folder / "set").exists()
    assert not (tmp_path / "outside").exists()
    assert set(below(tmp_path)) <= {"folder/set.tar.gz"}
