"""Damaged and hostile archives: what leads out of the folder, what never ends, what is only half there."""

import gzip
import io
import os
import shutil
import tarfile
import zlib

import numpy as np
import pytest
from hostile_support import disguised, face, limits, listing, mutants

from mininet.datasets import download as downloading
from mininet.datasets.download import extract

FILES = {"set/a.bin": np.random.default_rng(0).bytes(700), "set/deep/b.txt": b"text\n" * 30, "set/empty": b""}


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(downloading.os, "fsync", lambda handle: None)


def member(name, content=b"", kind=tarfile.REGTYPE, target="", size=None, form=tarfile.USTAR_FORMAT, pax=None):
    """The blocks of one member of an archive."""
    about = tarfile.TarInfo(name)
    about.type, about.linkname, about.size = kind, target, len(content) if size is None else size
    about.pax_headers = pax or {}
    return about.tobuf(form) + content + bytes(-len(content) % 512)


def ended(*members):
    return b"".join(members) + bytes(1024)


def packed(*members):
    """A .tar.gz of members as `member` makes them."""
    return gzip.compress(ended(*members), 1, mtime=0)


WHOLE = [member("set", kind=tarfile.DIRTYPE), *(member(*each) for each in FILES.items())]


def reader(path):
    """Unpacks, gives the files by name, and takes the folder away."""

    def read():
        extract(path, path.parent, "set")
        folder = path.parent / "set"
        found = {
            file.relative_to(path.parent).as_posix(): file.read_bytes()
            for file in folder.rglob("*")
            if file.is_file() and not file.is_symlink()
        }
        shutil.rmtree(folder)
        return found

    return read


@pytest.mark.slow
def test_damaged_archives(tmp_path):
    # gzip has a check sum of everything
    path, whole = tmp_path / "set.tar.gz", packed(*WHOLE)
    path.write_bytes(whole)
    assert reader(path)() == FILES
    read_well, tried = face(path, mutants(whole, 15, 600), reader(path), lambda found, _: found == FILES, least=600)
    assert 0 < read_well < tried / 4  # there are bytes that say nothing, such as the time


def read_plainly(content):
    """The files of an archive by the POSIX description of the ustar format: blocks of 512 bytes, each with its sum."""
    found, place = {}, 0
    while (block := content[place : place + 512]) != bytes(512):
        total = sum(block) - sum(block[148:156]) + 8 * ord(" ")
        assert len(block) == 512
        assert total == octal(block[148:156])
        name = block[:100].split(b"\0")[0].decode()
        size = octal(block[124:136])
        if block[156:157] in (b"0", b"\0") and not name.endswith("/"):
            found[name] = content[place + 512 : place + 512 + size]
            assert len(found[name]) == size
        place += 512 + (size + 511) // 512 * 512
    return found


def octal(field):
    return int(field.split(b"\0")[0].strip() or b"0", 8)


@pytest.mark.slow
def test_damaged_archives_with_good_check_sums(tmp_path):
    # as somebody would make them who means to: there is no check sum of the files themselves
    path, whole = tmp_path / "set.tar.gz", ended(*WHOLE)
    assert read_plainly(whole) == FILES

    def right(found, content):
        expected = {os.path.normpath(name): data for name, data in read_plainly(gzip.decompress(content)).items()}
        return found == {name: data for name, data in expected.items() if name.startswith("set/")}

    cases = ((what, gzip.compress(content, 1)) for what, content in mutants(whole, 16, 400))
    read_well, tried = face(path, cases, reader(path), right, least=400)
    assert 20 < read_well < tried


def chained(kind, count, content=b"", pax=None):
    """Headers that announce headers that announce headers."""
    return b"".join(member("x", content, kind) for _ in range(count))


def hostile(outside):
    file = member("set/a.bin", b"abc")
    for name in ("../outside", "set/../../outside", "set/../outside", f"{outside}", "//outside", "set\\..\\..\\outside",
                 "C:/outside", "C:outside", "set/a.bin/../../../outside", "..", "set/..", "./../outside"):  # fmt: skip
        yield f"file {name}", packed(*WHOLE, member(name, b"x"))
        yield f"folder {name}", packed(*WHOLE, member(name, kind=tarfile.DIRTYPE))
        yield f"file {name} by a long name", packed(*WHOLE, member("L", name.encode() + b"\0", b"L"), file)
        yield f"file {name} by a PAX name", packed(*WHOLE, member("set/z", b"x", form=tarfile.PAX_FORMAT,
                                                                  pax={"path": name}))  # fmt: skip
    for kind in "12346SDMNVAK":
        for target in ("/etc/passwd", "../../outside", "set/a.bin", "a.bin", ""):
            yield f"type {kind} to {target}", packed(*WHOLE, member("set/link", kind=kind.encode(), target=target))
    link = member("set/link", kind=tarfile.SYMTYPE, target="..")
    yield "a file behind a link", packed(*WHOLE, link, member("set/link/outside", b"x"))
    yield "a link that is then a file", packed(*WHOLE, link, member("set/link", b"x"))
    for name in ("set/a.bin", "set/./a.bin", "set//a.bin", "./set/a.bin", "set/a.bin/c", "set"):
        yield f"{name} again", packed(*WHOLE, member(name, b"other"))
    for name in ("set/" + "n" * 300, "set/" + "n/" * 300, "set/a\0b", "\0", "set/" + "n" * 3000):
        yield f"name {name!r:.30}", packed(*WHOLE, member("set/z", b"x", form=tarfile.PAX_FORMAT, pax={"path": name}))
    for size in (10**6, 2**31, 2**40, 2**62):
        yield f"{size} bytes declared", packed(*WHOLE, member("set/z", b"x", size=size, form=tarfile.GNU_FORMAT))
    for size in ("-1", "-512", str(2**70), "1e9", "nan", "9" * 5000):
        yield f"a PAX size of {size:.10}", packed(*WHOLE, member("set/z", b"x" * 600, form=tarfile.PAX_FORMAT,
                                                                 pax={"size": size}))  # fmt: skip
    for start in (b"\xff" * 12, b"\xff" * 11 + b"\0", b"\x80" + b"\xff" * 11):  # binary, and below 0 for some
        yield f"size {start.hex()}", packed(*WHOLE, resized(member("set/z", b"x"), start))
    for kind in b"xgLK":
        kind = bytes([kind])
        yield f"many headers {kind}", packed(*WHOLE, chained(kind, 5000), file)
        yield f"a long header {kind}", packed(*WHOLE, member("x", b"1" * 10**6, kind), member("set/z", b"x"))
        yield f"a header {kind} that says it is long", packed(*WHOLE, resized(member("x", b"", kind), b"77777777777\0"))
        yield f"a header {kind} with nothing after it", packed(*WHOLE, member("x", b"20 path=set/other\n\0", kind))
    for sparse in ({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}, {"GNU.sparse.map": "0,1," * 100},
                   {"GNU.sparse.size": str(2**60), "GNU.sparse.map": "0,5"}):  # fmt: skip
        yield (
            f"sparse {sparse}",
            packed(*WHOLE, member("set/z", b"99999999\n" * 900, form=tarfile.PAX_FORMAT, pax=sparse)),
        )
    yield "too many members", packed(*(member(f"set/{number}") for number in range(downloading.MAX_MEMBERS + 1)))
    yield "another folder", packed(member("other/a.bin", b"x"))
    yield "a file for the folder", packed(member("set", b"x"))
    yield "no end", gzip.compress(b"".join(WHOLE))
    yield "nonsense at the end", gzip.compress(b"".join(WHOLE) + b"\xff" * 1024)
    yield "something after the end", gzip.compress(ended(*WHOLE) + file)
    yield "no member", packed()
    yield "an archive that is not compressed", ended(*WHOLE)
    yield "gzip in gzip", gzip.compress(packed(*WHOLE))
    yield "an XZ archive", b"\xfd7zXZ\0" + bytes(100)
    yield "a wrong check sum", packed(*WHOLE)[:-8] + bytes(8)
    yield "a wrong length", packed(*WHOLE)[:-4] + bytes(4)
    yield "something after gzip's end", packed(*WHOLE) + b"more"


def resized(block, size):
    """A member with other bytes for its size, and the right sum of its header."""
    header = bytearray(block)
    header[124:136], header[148:156] = size, b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return bytes(header)


@pytest.mark.slow
def test_hostile_archives(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    outside = tmp_path / "outside"
    path = folder / "set.tar.gz"
    cases = [*hostile(outside), *disguised(tmp_path / "was_run")]
    before = set(listing(tmp_path))
    read_well, tried = face(path, cases, reader(path), lambda *_: False, (ValueError,), least=150)
    assert (read_well, tried) == (0, len(cases))
    assert set(listing(tmp_path)) == before | {str(path)}


def bombs():
    """Small archives that take up much room, in a file or in what precedes it."""
    huge = 96 * 2**20
    for what, kind, name in (("file", b"0", "set/a.bin"), ("PAX header", b"x", "x"), ("global header", b"g", "x"),
                             ("long name", b"L", "x")):  # fmt: skip
        packer = zlib.compressobj(1, wbits=31)
        header = tarfile.TarInfo(name)
        header.type, header.size = kind, huge
        parts = [packer.compress(header.tobuf(tarfile.USTAR_FORMAT))]
        parts += [packer.compress(bytes(2**20)) for _ in range(huge // 2**20)]
        yield what, b"".join([*parts, packer.compress(bytes(1024)), packer.flush()])
    yield "padding", gzip.compress(ended(*WHOLE) + bytes(huge), 1)


@pytest.mark.slow
def test_bombs(tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "MAX_UNPACKED", 2**20)
    path = tmp_path / "set.tar.gz"
    cases = list(bombs())
    assert all(len(content) < 2**20 for _, content in cases)
    found = face(path, cases, reader(path), lambda *_: False, (ValueError,), least=0, memory=2**26)
    assert found == (0, len(cases))


def test_usual_archives_are_read(tmp_path):
    path = tmp_path / "set.tar.gz"
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w:gz", format=form) as tar:
            for name, content in [*FILES.items(), ("set/" + "long/" * 20 + "name", b"x")]:
                about = tarfile.TarInfo(name)
                about.size, about.mtime = len(content), 1.5 if form == tarfile.PAX_FORMAT else 1
                tar.addfile(about, io.BytesIO(content))
        path.write_bytes(file.getvalue())
        assert reader(path)() == FILES | {"set/" + "long/" * 20 + "name": b"x"}


def test_places_that_are_no_files(tmp_path, no_file):
    before = listing(tmp_path)
    with limits(), pytest.raises((OSError, ValueError), match=no_file.name):
        extract(no_file, tmp_path, "set")
    assert {name: about[2] for name, about in listing(tmp_path).items()} == {
        name: about[2] for name, about in before.items()
    }
