"""Downloads from a server on this machine that does all that can go wrong, and hostile archives."""

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time

import numpy as np
import pytest
from support import ROOT

from mininet.datasets import download as downloading
from mininet.datasets.download import download, extract, install

DATA = np.random.default_rng(0).integers(0, 256, 1_000_000, dtype=np.uint8).tobytes()
HASH = hashlib.sha256(DATA).hexdigest()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def get(server, folder, path="/data.bin", sha256=HASH):
    target = folder / "data.bin"
    download(server.url(path), target, sha256, progress=False)
    return target


@pytest.fixture
def path(tmp_path, server):
    server.files["/data.bin"] = DATA
    return tmp_path / "data.bin"


def test_a_file_comes_whole_and_alone(server, path):
    assert get(server, path.parent).read_bytes() == DATA
    assert names(path.parent) == ["data.bin"]
    assert server.requests == [None]


def test_a_right_file_is_not_downloaded_again_and_a_wrong_one_replaced(server, path):
    path.write_bytes(DATA)
    get(server, path.parent, sha256=HASH.upper())
    assert server.requests == []
    path.write_bytes(DATA[:-1])
    assert get(server, path.parent).read_bytes() == DATA


def test_progress_is_shown(server, path, capsys):
    download(server.url("/data.bin"), path, HASH)
    assert "data.bin: 100%" in capsys.readouterr().err
    path.unlink()
    download(server.url("/data.bin"), path, HASH, progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("sends_length", [True, False])
def test_a_broken_connection_is_resumed(server, path, sends_length):
    server.faults = [300_000, 0, 200_000]
    if not sends_length:  # then only the hash tells that something is missing, so the next call goes on
        server.sends_length, server.faults = False, []
    assert get(server, path.parent).read_bytes() == DATA
    assert names(path.parent) == ["data.bin"]
    assert server.requests == ([None, "bytes=300000-", "bytes=300000-", "bytes=500000-"] if sends_length else [None])


def test_when_all_attempts_fail_the_next_call_goes_on(server, path):
    server.faults = [100_000] * downloading.ATTEMPTS
    with pytest.raises(ConnectionError, match=rf"{downloading.ATTEMPTS} attempts.*400000 bytes are kept"):
        get(server, path.parent)
    assert names(path.parent) == ["data.bin.part"]
    assert get(server, path.parent).read_bytes() == DATA
    assert server.requests[-1] == "bytes=400000-"
    assert names(path.parent) == ["data.bin"]


def test_a_server_without_ranges_is_started_anew(server, path):
    server.ranges, server.faults = False, [300_000]
    assert get(server, path.parent).read_bytes() == DATA
    assert server.requests == [None, "bytes=300000-"]


def test_a_part_that_is_whole_is_only_renamed(server, path):
    path.with_name("data.bin.part").write_bytes(DATA)
    get(server, path.parent)
    assert server.requests == []
    assert names(path.parent) == ["data.bin"]


def test_a_part_longer_than_the_file_is_started_anew(server, path):
    path.with_name("data.bin.part").write_bytes(DATA + b"more")
    assert get(server, path.parent).read_bytes() == DATA
    assert len(server.requests) == 2


@pytest.mark.parametrize("start", [b"", b"another file"])
def test_wrong_bytes_are_not_kept(server, path, start):
    if start:
        path.with_name("data.bin.part").write_bytes(start)
    else:
        server.files["/data.bin"] = DATA[:-1] + bytes([DATA[-1] ^ 1])
    with pytest.raises(ValueError, match=rf"{HASH}, got [0-9a-f]{{64}}") as caught:
        get(server, path.parent)
    if not start:
        assert hashlib.sha256(server.files["/data.bin"]).hexdigest() in str(caught.value)
    assert names(path.parent) == []


def test_a_wrong_file_leaves_what_stood_there(server, path):
    path.write_bytes(b"old")
    server.files["/data.bin"] = b"wrong"
    with pytest.raises(ValueError, match="SHA-256"):
        get(server, path.parent)
    assert path.read_bytes() == b"old"


def test_refusals_are_errors_at_once_and_overload_is_not(server, path):
    with pytest.raises(OSError, match=r"/nothing.*404"):
        get(server, path.parent, "/nothing")
    assert len(server.requests) == 1
    assert names(path.parent) == []
    server.faults = ["503", "429"]
    assert get(server, path.parent).read_bytes() == DATA
    assert len(server.requests) == 4


def test_a_silent_server_times_out(server, path, monkeypatch):
    monkeypatch.setattr(downloading, "TIMEOUT", 0.1)
    server.faults = ["silent"] * downloading.ATTEMPTS
    with pytest.raises(ConnectionError, match="timed out"):
        get(server, path.parent)
    assert not path.exists()


def test_a_server_that_keeps_the_connection_open_is_not_waited_for(server, path):
    server.keeps_open = True
    start = time.monotonic()
    get(server, path.parent)
    assert time.monotonic() - start < 3  # the timeout is 5


def test_a_server_that_is_not_there(server, path, monkeypatch):
    pauses = []
    monkeypatch.setattr(downloading, "WAIT", 1)
    monkeypatch.setattr(downloading.time, "sleep", pauses.append)
    server.socket.close()
    with pytest.raises(ConnectionError, match="refused"):
        get(server, path.parent)
    assert pauses == [1, 2, 4]
    assert names(path.parent) == []


def test_redirections_within_http_only(server, path):
    server.redirections = {"/moved": server.url("/data.bin"), "/local": "file:///etc/hostname", "/ftp": "ftp://x/y"}
    server.faults = [300_000]
    assert get(server, path.parent, "/moved").read_bytes() == DATA
    path.unlink()
    for there in ("/local", "/ftp"):
        with pytest.raises(OSError, match="cannot be downloaded"):
            get(server, path.parent, there)
    assert not path.exists()


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://host/file", "/etc/hostname", "data:,x"])
def test_other_urls_are_refused(tmp_path, url):
    with pytest.raises(ValueError, match="url"):
        download(url, tmp_path / "file", HASH)
    assert names(tmp_path) == []


def test_a_full_disk_is_not_tried_again(server, path, monkeypatch):
    monkeypatch.setattr(downloading.os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space"):
        get(server, path.parent)
    assert len(server.requests) == 1
    assert not path.exists()


# Archives


def archive_of(*members):
    """A .tar.gz of members (name, bytes) or TarInfo."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return file.getvalue()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


GOOD = [special("set", tarfile.DIRTYPE), ("set/a.bin", b"abc"), ("set/deep/b.bin", b""), ("beside.txt", b"")]


def unpack(folder, data, name="set"):
    (folder / "set.tar.gz").write_bytes(data)
    extract(folder / "set.tar.gz", folder, name)


def test_an_archive_is_unpacked(tmp_path):
    unpack(tmp_path, archive_of(*GOOD))
    assert names(tmp_path) == ["set", "set.tar.gz"]
    assert names(tmp_path / "set") == ["a.bin", "deep"]
    assert (tmp_path / "set" / "a.bin").read_bytes() == b"abc"
    assert (tmp_path / "set" / "deep" / "b.bin").read_bytes() == b""


HOSTILE = {
    "above": ("../outside", b"x"),
    "above from inside": ("set/../../outside", b"x"),
    "absolute": ("/tmp/mininet-outside", b"x"),
    "windows": ("set\\..\\..\\outside", b"x"),
    "drive": ("C:/outside", b"x"),
    "symbolic link": special("set/link", tarfile.SYMTYPE, "/etc/hostname"),
    "harmless link": special("set/link", tarfile.SYMTYPE, "a.bin"),
    "hard link": special("set/link", tarfile.LNKTYPE, "set/a.bin"),
    "character device": special("set/null", tarfile.CHRTYPE),
    "block device": special("set/disk", tarfile.BLKTYPE),
    "pipe": special("set/pipe", tarfile.FIFOTYPE),
    "twice": ("set/a.bin", b"other"),
    "below a file": ("set/a.bin/c.bin", b"x"),
    "sparse": special("set/sparse", tarfile.GNUTYPE_SPARSE),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_archives_leave_nothing(tmp_path, kind):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(ValueError, match=r"set\.tar\.gz"):
        unpack(folder, archive_of(*GOOD, HOSTILE[kind]))
    assert names(folder) == ["set.tar.gz"]
    assert names(tmp_path) == ["folder"]
    assert not os.path.exists("/tmp/mininet-outside")


def test_too_much_is_refused(tmp_path, monkeypatch):
    data = archive_of(*GOOD, ("set/c.bin", bytes(1000)))
    monkeypatch.setattr(downloading, "MAX_UNPACKED", 1003)
    monkeypatch.setattr(downloading, "MAX_MEMBERS", 5)
    unpack(tmp_path, data)
    shutil.rmtree(tmp_path / "set")
    for name in ("MAX_UNPACKED", "MAX_MEMBERS"):
        with monkeypatch.context() as patch:
            patch.setattr(downloading, name, getattr(downloading, name) - 1)
            with pytest.raises(ValueError, match="at most"):
                unpack(tmp_path, data)
        assert names(tmp_path) == ["set.tar.gz"]


@pytest.mark.parametrize("damage", ["empty", "short", "no gzip", "no tar", "overwritten", "other folder"])
def test_damaged_archives_are_named(tmp_path, damage):
    whole = archive_of(*GOOD, ("set/c.bin", DATA[:50_000].hex().encode()))
    data = {
        "empty": b"",
        "short": whole[:25_000],
        "no gzip": DATA,
        "no tar": gzip.compress(DATA),
        "overwritten": whole[:10] + b"\xff" * 10 + whole[20:],
        "other folder": archive_of(("other/a.bin", b"")),
    }[damage]
    with pytest.raises(ValueError, match=r"set\.tar\.gz"):
        unpack(tmp_path, data)
    assert names(tmp_path) == ["set.tar.gz"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a"])
def test_name_must_be_plain(tmp_path, name):
    with pytest.raises(ValueError, match="name"):
        extract(tmp_path / "set.tar.gz", tmp_path, name)


def test_what_is_there_stays_but_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "set").mkdir()
    unpack(tmp_path, archive_of(*GOOD))
    assert names(tmp_path / "set") == ["a.bin", "deep"]
    (tmp_path / "set" / "a.bin").write_bytes(b"mine")
    unpack(tmp_path, archive_of(*GOOD))
    assert (tmp_path / "set" / "a.bin").read_bytes() == b"mine"


def test_somebody_quicker_is_no_error_and_anything_else_in_the_way_is(tmp_path, monkeypatch):
    rename = os.rename

    def late(source, target):
        target.mkdir()
        (target / "theirs").write_bytes(b"")
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(downloading.os, "rename", late)
        unpack(tmp_path, archive_of(*GOOD))
    assert names(tmp_path / "set") == ["theirs"]
    assert names(tmp_path) == ["set", "set.tar.gz"]
    shutil.rmtree(tmp_path / "set")
    (tmp_path / "set").write_bytes(b"a file")
    with pytest.raises(OSError):
        unpack(tmp_path, archive_of(*GOOD))
    assert names(tmp_path) == ["set", "set.tar.gz"]


# Both together


@pytest.fixture
def served(server):
    server.files["/set.tar.gz"] = archive_of(*GOOD)
    return server.url("/set.tar.gz"), hashlib.sha256(server.files["/set.tar.gz"]).hexdigest()


def test_install_leaves_the_folder_only(tmp_path, server, served):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / ".set-unpacking-killed").mkdir()  # of a process that was killed
    assert install(*served, tmp_path / "new", "set", progress=False) == tmp_path / "new" / "set"
    assert names(tmp_path / "new") == ["set"]
    install(*served, tmp_path / "new", "set", progress=False)
    assert len(server.requests) == 1


def test_an_archive_that_lies_there_is_used_and_kept(tmp_path, server, served):
    (tmp_path / "set.tar.gz").write_bytes(server.files["/set.tar.gz"])
    install(*served, tmp_path, "set", progress=False)
    assert names(tmp_path) == ["set", "set.tar.gz"]
    assert server.requests == []


@pytest.mark.parametrize("where", ["_unpack", "extract", "_fetch"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, FileNotFoundError])
def test_an_interrupted_install_leaves_nothing_half(tmp_path, served, monkeypatch, where, error):
    original = getattr(downloading, where)

    def interrupted(*arguments):
        if where == "_unpack":
            original(*arguments)
        raise error("here")

    with monkeypatch.context() as patch:
        patch.setattr(downloading, where, interrupted)
        with pytest.raises(error, match="here"):
            install(*served, tmp_path, "set", progress=False)
    assert names(tmp_path) == ([] if where == "_fetch" else ["set.tar.gz"])
    install(*served, tmp_path, "set", progress=False)
    assert names(tmp_path / "set") == ["a.bin", "deep"]


def test_a_damaged_archive_installs_nothing(tmp_path, server, served):
    server.files["/set.tar.gz"] = archive_of(*GOOD[:-1])
    with pytest.raises(ValueError, match="SHA-256"):
        install(*served, tmp_path, "set", progress=False)
    assert names(tmp_path) == []


def test_processes_that_install_at_once_do_not_disturb_one_another(tmp_path, server, served):
    server.files["/set.tar.gz"] = archive_of(*GOOD, ("set/c.bin", DATA))
    sha256 = hashlib.sha256(server.files["/set.tar.gz"]).hexdigest()
    code = (
        "import sys\n"
        "from mininet.datasets.download import install\n"
        "print(flush=True)\n"
        "sys.stdin.readline()\n"
        "path = install(*sys.argv[1:5], progress=False)\n"
        "assert len((path / 'c.bin').read_bytes()) == 1_000_000\n"
    )
    arguments = [served[0], sha256, str(tmp_path), "set"]
    processes = [
        subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        process.stdout.readline()  # ready
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=30) for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, outputs
    assert names(tmp_path) == ["set"]
    assert len(server.requests) == 1


@pytest.mark.skipif(downloading.fcntl is None, reason="no file locks")
def test_a_lock_is_waited_for_even_if_its_file_is_removed(tmp_path):
    lock, holding, release = tmp_path / "lock", threading.Event(), threading.Event()
    inside, most = [], []

    def work(first):
        with downloading._alone(lock):
            inside.append(1)
            most.append(len(inside))
            if first:
                holding.set()
                release.wait(10)
            time.sleep(0.01)
            inside.pop()

    workers = [threading.Thread(target=work, args=(number == 0,)) for number in range(12)]
    workers[0].start()
    assert holding.wait(10)
    for worker in workers[1:6]:
        worker.start()
    time.sleep(0.05)
    assert most == [1]
    release.set()
    for worker in workers[6:]:  # these come while those who have waited, on a file that is gone, take turns
        time.sleep(0.005)
        worker.start()
    for worker in workers:
        worker.join()
    assert most == [1] * 12
    assert names(tmp_path) == []
