"""The safetensors format, read and written as its description says."""

import json
import struct

import numpy as np
import pytest
from support import normal

from mininet.models import safetensors

ARRAYS = {
    "a": normal((2, 3), np.float32), "b.c": normal((4,)), "empty": np.zeros((0, 2), np.float32), "one": np.array(3.5),
    "half": normal((5,), np.float16), "count": np.array([1, -2]), "bytes": np.arange(3, dtype=np.uint8),
    "flags": np.array([True, False]),
}  # fmt: skip


def file_with(header, data=b"\0" * 24):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype="F32", shape=(2, 3), offsets=(0, 24)):
    return {"x": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def test_there_and_back(tmp_path):
    path = tmp_path / "arrays.safetensors"
    safetensors.save(ARRAYS, path)
    found = safetensors.load(path)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
        found[name][...] = 0  # an array of its own, that can be written to


def test_bytes_are_as_described(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.save({"x": np.array([[1.0, 2.0]], ">f4").T}, path)
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert length % 8 == 0
    assert json.loads(content[8 : 8 + length]) == entry(shape=[2, 1], offsets=[0, 8])
    assert content[8 + length :] == struct.pack("<2f", 1, 2)


def test_bfloat16_and_metadata(tmp_path):
    path = tmp_path / "x.safetensors"
    header = {"__metadata__": {"format": "pt"}} | entry("BF16", [2], [0, 4])
    path.write_bytes(file_with(header, struct.pack("<2H", 0x3F80, 0xC000)))
    assert safetensors.load(path)["x"].tolist() == [1.0, -2.0]


def test_kinds_it_cannot_hold(tmp_path):
    with pytest.raises(TypeError, match="x has dtype complex128"):
        safetensors.save({"x": np.zeros(2, complex)}, tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it has 0 bytes"),
        (b"1234567", "it has 7 bytes"),
        (struct.pack("<Q", 2**63) + b"{}", "its header should have"),
        (struct.pack("<Q", 3) + b"{}", "its header should have 3 bytes"),
        (file_with(b"{"), "its header is not JSON"),
        (file_with(b"\xff\xfe"), "its header is not JSON"),
        (file_with(b"[" * 100_000), "its header is not JSON"),
        (file_with([]), "not a JSON object"),
        (file_with(b'{"x": {}, "x": {}}'), "a name comes twice"),
        (file_with({"x": {}}), "lacks a dtype"),
        (file_with({"x": 3}), "lacks a dtype"),
        (file_with({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}}), "lacks a dtype"),
        (file_with(entry("F128")), "has the dtype 'F128'"),
        (file_with(entry(["F32"])), "has the dtype"),
        (file_with(entry(shape="23")), "has the shape"),
        (file_with(entry(shape=[2, -3])), "has the shape"),
        (file_with(entry(shape=[2, 3.0])), "has the shape"),
        (file_with(entry(shape=[True, 6])), "has the shape"),
        (file_with(entry(shape=[1] * 40 + [6])), "has the shape"),
        (file_with(entry(offsets=[-24, 0])), "has the shape"),
        (file_with(entry(offsets=[0, 20])), "of which its arrays take 20"),
        (file_with(entry(offsets=[4, 28])), "should lie at"),
        (file_with(entry(offsets=[24, 0])), "should lie at"),
        (file_with(entry(shape=[2**40, 2**40])), "has 24 bytes"),
        (file_with(entry(), b"\0" * 23), "should lie at"),
    ],
)
def test_malformed_files(content, message, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        safetensors.load(path)
