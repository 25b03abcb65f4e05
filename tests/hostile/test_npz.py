"""Damaged and hostile .npz files: state dicts, checkpoints, data sets."""

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hostile_support import Harmful, disguised, face, mutants, npz, same
from support import normal

from mininet.base import npz as npz_files
from mininet.base.npz import read_npz

ARRAYS = {
    "layer.weight": normal((3, 4), np.float32), "layer.bias": normal((4,)), "half": normal((5,), np.float16),
    "columns": np.asfortranarray(normal((2, 3), np.float32)), "steps": np.array(7), "empty": np.zeros((0, 3)),
    "flags": np.array([True, False]), "description": np.array('{"network": "a"}'), "big": np.arange(3, dtype=">i4"),
}  # fmt: skip


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


def with_header(text, data=bytes(24)):
    """An .npy file whose header is `text`."""
    text = text.encode("latin1") + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + data


def header(descr="'<f4'", fortran="False", shape="(2, 3)"):
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"


def test_damaged_files(tmp_path):
    # a check sum stands beside every array, so what is read is what was written
    path, whole = tmp_path / "arrays.npz", npz(np.savez_compressed, **ARRAYS)
    cases = [("whole", whole), *mutants(whole, 1)]
    read_well, tried = face(path, cases, lambda: read_npz(path), lambda found, _: same(found, ARRAYS))
    assert 1 < read_well < tried / 2  # there are bytes that say nothing, such as times


def hostile():
    good = npy(np.zeros((2, 3), np.float32))
    shapes = ("(-2, -3)", "(2, 3.0)", "(True, 6)", "None", "6", "(4611686018427387904,)", "(0, 99999999999999999999)",
              "(" + "1, " * 70 + "6)", "(7,)")  # fmt: skip
    dtypes = ("'|O'", "'<f16'", "'<c8'", "'<M8[s]'", "'|V4'", "'<U0'", "[('a', '<f4')]", "('<f4', (2, 3))",
              "'<U1000000000000'", "4")  # fmt: skip
    texts = ("", "[]", "__import__('os')", header()[:-2] + "'more': 1}", header(fortran="1.5"), "(" * 9000, "\0",
             header() + " " * 20_000)  # fmt: skip
    for text in [*(header(shape=shape) for shape in shapes), *map(header, dtypes), *texts]:
        yield f"header {text:.60}", zipped(("a.npy", with_header(text)))
    yield "another version", zipped(("a.npy", b"\x93NUMPY\3\0" + good[8:]))
    yield "truth values", zipped(("a.npy", with_header(header("'|b1'", shape="(2,)"), b"\1\2")))
    with pytest.warns(UserWarning, match="Duplicate name"):
        yield "twice", zipped(("a.npy", good), ("a.npy", good))
    yield "other names", zipped(("a.npy", good), ("code.py", b"raise SystemExit"))
    encrypted = bytearray(zipped(("a.npy", good)))
    encrypted[6] = encrypted[encrypted.index(b"PK\1\2") + 8] = 1
    yield "a password", bytes(encrypted)


def pickles(harm):
    file = io.BytesIO()
    np.save(file, np.array([harm], object), allow_pickle=True)
    objects = file.getvalue()
    yield "objects", npz(a=np.array([harm], object))
    yield "a pickle as a member", zipped(("a.npy", pickle.dumps(harm)))
    yield "PyTorch's form", zipped(("archive/data.pkl", pickle.dumps(harm)), ("archive/data/0", bytes(24)))
    yield "objects that say they are numbers", zipped(("a.npy", objects.replace(b"'|O'", b"'<f8'")))


def test_hostile_files(tmp_path):
    path, marker = tmp_path / "arrays.npz", tmp_path / "was_run"
    cases = [*hostile(), *pickles(Harmful(marker)), *disguised(marker)]
    assert face(path, cases, lambda: read_npz(path)) == (0, len(cases))
    assert not marker.exists()


def test_zip_bombs(tmp_path, monkeypatch):
    monkeypatch.setattr(npz_files, "AT_LEAST", 2**24)
    path, zeros = tmp_path / "arrays.npz", npy(np.zeros(3 * 2**23, np.uint8))
    bomb, size = zipped(("a.npy", zeros), method=zipfile.ZIP_DEFLATED), struct.pack("<I", len(zeros))
    assert bomb.count(size) == 2  # both places say how large it is
    many = zipped(*((f"{i}.npy", zeros[: 2**21]) for i in range(9)), method=zipfile.ZIP_DEFLATED)
    cases = [("a bomb", bomb), ("a bomb that lies", bomb.replace(size, struct.pack("<I", 100))), ("many small", many)]
    assert face(path, cases, lambda: read_npz(path), memory=2**24) == (0, len(cases))
    np.savez_compressed(path, a=np.zeros(2**20))  # as well compressed, but below the limit
    assert not read_npz(path)["a"].any()
