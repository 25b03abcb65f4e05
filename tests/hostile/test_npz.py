"""Damaged and hostile .npz files: state dicts, checkpoints, data sets."""

import ast
import io
import pickle
import re
import struct
import zipfile
import zlib

import numpy as np
import pytest
from hostile_support import Harmful, disguised, face, limits, listing, mutants, same
from support import normal

from mininet.npz import AT_LEAST, MOST_TIMES, read_npz

ARRAYS = {
    "layer.weight": normal((3, 4), np.float32), "layer.bias": normal((4,)), "half": normal((5,), np.float16),
    "columns": np.asfortranarray(normal((2, 3), np.float32)), "steps": np.array(7), "empty": np.zeros((0, 3)),
    "flags": np.array([True, False]), "description": np.array('{"network": "a"}'), "big": np.arange(3, dtype=">i4"),
}  # fmt: skip


def npz(save=np.savez, **arrays):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def zipped(*members, method=zipfile.ZIP_STORED):
    """A zip archive of members (name, bytes)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def with_header(text, data=b"\0" * 24, version=1):
    """An .npy file whose header is `text`."""
    text = text.encode("latin1") + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + data


def header(descr="'<f4'", fortran="False", shape="(2, 3)"):
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_files(tmp_path, save):
    # a check sum stands beside every array, so what is read is what was written
    path, whole = tmp_path / "arrays.npz", npz(save, **ARRAYS)
    path.write_bytes(whole)
    assert same(read_npz(path), ARRAYS)
    read_well, tried = face(path, mutants(whole, 1), lambda: read_npz(path), lambda found, _: same(found, ARRAYS))
    assert 0 < read_well < tried / 2  # there are bytes that say nothing, such as times


def read_plainly(content):
    """The array of an .npy file by its published description, without NumPy's reader."""
    size = {1: 2, 2: 4}[content[6]]
    assert content[:6] == b"\x93NUMPY"
    start = 8 + size + int.from_bytes(content[8 : 8 + size], "little")
    about = ast.literal_eval(content[8 + size : start].decode("latin1").strip())
    assert about.keys() == {"descr", "fortran_order", "shape"}
    values = np.array([bits for (bits,) in struct.iter_unpack("<I", content[start:])], np.uint32).view(np.float32)
    assert re.fullmatch("[<|=]f4", about["descr"]), about
    return values.reshape(about["shape"], order="F" if about["fortran_order"] else "C")


def test_damaged_arrays_in_whole_files(tmp_path):
    # the check sum is that of the damaged array, as somebody would make it who means to
    path, whole = tmp_path / "arrays.npz", npy(normal((3, 4), np.float32))

    def right(found, content):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            expected = read_plainly(archive.read("a.npy"))
        return same(found, {"a": expected})

    cases = ((what, zipped(("a.npy", content))) for what, content in mutants(whole, 2))
    read_well, _ = face(path, cases, lambda: read_npz(path), right)
    assert read_well > 20  # bits of the numbers themselves


def zip_bombs():
    """Small files that say, or do not say, that they are large."""
    zeros = npy(np.zeros(3 * AT_LEAST // 2, np.uint8))
    bomb = zipped(("a.npy", zeros), method=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 2**19
    yield "a bomb", bomb
    # the directory says 100 bytes, in the two places
    size = struct.pack("<I", len(zeros))
    assert bomb.count(size) == 2
    yield "a bomb that lies", bomb.replace(size, struct.pack("<I", 100))
    many = zipped(*((f"{i}.npy", zeros[: AT_LEAST // 8]) for i in range(9)), method=zipfile.ZIP_DEFLATED)
    yield "many small bombs", many
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield f"small, by method {method}", zipped(("a.npy", zeros[:1000]), method=method)
    bomb = zipped(("a.npy", zeros), method=zipfile.ZIP_BZIP2)  # of which zipfile unpacks more than it is asked for
    yield "a bomb that lies, by method 12", bomb.replace(size, struct.pack("<I", 100))


def hostile():
    """(what it is, bytes, part of the message) of files made to harm."""
    good = npy(np.zeros((2, 3), np.float32))
    for shape in (
        "(-2, 3)",
        "(-2, -3)",
        "(2, -3)",
        "(2, 3.0)",
        "(True, 6)",
        "'23'",
        "None",
        "(2**3,)",
        "(None,)",
        "6",
        "((2,), 3)",
    ):
        yield f"shape {shape}", zipped(("a.npy", with_header(header(shape=shape)))), "a.npy"
    for shape in ("(2**62,)", "(4611686018427387904,)", "(1000000000000,)", "(10000000000, 10000000000, 10000000000)",
                  "(0, 99999999999999999999)", "(0, 4611686018427387904, 4)", "(" + "1, " * 70 + "6)", "(7,)",
                  "()", "(5,)"):  # fmt: skip
        yield f"shape {shape}", zipped(("a.npy", with_header(header(shape=shape)))), "a.npy"
    for descr in ("'|O'", "'O8'", "'<f16'", "'<c8'", "'<M8[s]'", "'|V4'", "'<U0'", "'|S0'", "'<f3'", "'text'", "4",
                  "''", "[('a', '<f4')]", "[('a', '|O')]", "('<f4', (2, 3))", "[[[[['<f4']]]]]", "b'<f4'", "None",
                  "'<f4,<f4'", "'<U1000000000000'", "'f4' * 2", "{'names': ['a'], 'formats': ['O']}"):  # fmt: skip
        yield f"dtype {descr}", zipped(("a.npy", with_header(header(descr)))), "a.npy"
    for text in ("", "{}", "{", "[]", "__import__('os')", header()[:-2] + "'more': 1}", header(fortran="1.5"),
                 "(" * 9000, "-" * 9000 + "1", "{'shape': " * 800, "{'descr': '<f4'}", "\0", " " * 60_000, "9" * 9000,
                 header() + " " * 20_000, "\xff" * 50):  # fmt: skip
        yield f"header of {len(text)} characters, {text[:30]!r}", zipped(("a.npy", with_header(text))), "a.npy"
    for version in (0, 2, 3, 4, 255):
        yield f"version {version}", zipped(("a.npy", b"\x93NUMPY" + bytes([version, 0]) + good[8:])), "a.npy"
    yield "a long header", zipped(("a.npy", b"\x93NUMPY\2\0" + b"\xff" * 4 + good[12:])), "a.npy"
    yield "truth values", zipped(("a.npy", with_header(header("'|b1'", shape="(2,)"), b"\1\2"))), "truth values"
    yield "twice", _twice(("a.npy", good), ("a.npy", good)), "twice"
    yield "other names", zipped(("a.npy", good), ("code.py", b"raise SystemExit")), "no array"
    yield "a folder", zipped(("a/", b"")), "no array"
    yield "a password", _flags(zipped(("a.npy", good)), 1), "encrypted"
    yield "nothing", b"", "zip"
    yield "nothing, it says at its end", zipped(("a.npy", good))[:-22] + b"PK\5\6" + bytes(18), "0 at its end"
    yield "overlapping members", _overlapping(good), "differ"


def _twice(*members):
    with pytest.warns(UserWarning, match="Duplicate name"):
        return zipped(*members)


def _flags(content, flags):
    """A zip archive of one member, with other flags in both places."""
    content, directory = bytearray(content), content.index(b"PK\1\2")
    content[6] = content[directory + 8] = flags
    return bytes(content)


def _overlapping(content):
    """Two names that have the same bytes."""
    whole = zipped(("a.npy", content), ("b.npy", content))
    second = whole.index(b"PK\3\4", 1)
    end = whole.index(struct.pack("<I", second), whole.index(b"PK\1\2"))
    return whole[:end] + bytes(4) + whole[end + 4 :]


def test_hostile_files(tmp_path):
    path = tmp_path / "arrays.npz"
    cases = list(hostile())
    faced = ((what, content) for what, content, _ in cases)
    assert face(path, faced, lambda: read_npz(path), lambda *_: False, (ValueError,), 0) == (0, len(cases))
    for _, content, message in cases:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=re.escape(message)):
            read_npz(path)


def test_nothing_is_unpickled(tmp_path):
    path, marker = tmp_path / "arrays.npz", tmp_path / "was_run"
    harm = Harmful(marker)
    objects = npy_of_objects(harm)
    cases = [
        *disguised(marker),
        ("objects", npz(a=np.array([harm], object))),
        ("a pickle as a member", zipped(("a.npy", pickle.dumps(harm)))),
        ("a pickle beside arrays", zipped(("a.npy", npy(np.zeros(3))), ("b", pickle.dumps(harm)))),
        ("PyTorch's form", zipped(("archive/data.pkl", pickle.dumps(harm)), ("archive/data/0", bytes(24)))),
        ("objects that say they are numbers", zipped(("a.npy", objects.replace(b"'|O'", b"'<f8'")))),
        ("an .npy file of objects", objects),
        ("an .npy file", npy(np.zeros(3))),
    ]
    assert face(path, cases, lambda: read_npz(path), lambda *_: False, (ValueError,), 0) == (0, len(cases))
    assert not marker.exists()
    pickle.loads(pickle.dumps(harm))
    assert marker.exists()  # so it would have shown


def npy_of_objects(harm):
    file = io.BytesIO()
    np.save(file, np.array([harm], object), allow_pickle=True)
    return file.getvalue()


@pytest.mark.slow
def test_zip_bombs(tmp_path):
    path = tmp_path / "arrays.npz"
    cases = list(zip_bombs())
    found = face(path, cases, lambda: read_npz(path), lambda *_: False, (ValueError,), least=0, memory=2**26)
    assert found == (0, len(cases))


def test_what_is_well_compressed_but_no_bomb_is_read(tmp_path):
    path = tmp_path / "arrays.npz"
    np.savez_compressed(path, a=np.zeros(2**20))
    assert MOST_TIMES * path.stat().st_size < 2**23 < AT_LEAST
    assert not read_npz(path)["a"].any()


def test_places_that_are_no_files(tmp_path, no_file):
    before = listing(tmp_path)
    with limits(), pytest.raises((OSError, ValueError), match=no_file.name):
        read_npz(no_file)
    assert listing(tmp_path) == before


def test_the_plain_reader_is_no_copy_of_ours():
    array = normal((2, 3), np.float32)
    assert np.array_equal(read_plainly(npy(array)), array)
    assert np.array_equal(read_plainly(npy(np.asfortranarray(array))), array)
    assert zlib.crc32(b"123456789") == 0xCBF43926  # what zipfile compares is the check sum of that name
