"""The safetensors format, read and written as its description says; damaged files are in tests/hostile."""

import json
import struct

import numpy as np
import pytest

from mininet.models import safetensors


def test_bytes_are_as_described(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.save({"x": np.array([[1.0, 2.0]], ">f4").T}, path)
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert length % 8 == 0
    assert json.loads(content[8 : 8 + length]) == {"x": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]}}
    assert content[8 + length :] == struct.pack("<2f", 1, 2)


def test_bfloat16_and_metadata(tmp_path):
    path = tmp_path / "x.safetensors"
    header = {"__metadata__": {"format": "pt"}, "x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + struct.pack("<2H", 0x3F80, 0xC000))
    assert safetensors.load(path)["x"].tolist() == [1.0, -2.0]


def test_kinds_it_cannot_hold(tmp_path):
    with pytest.raises(TypeError, match="x has dtype complex128"):
        safetensors.save({"x": np.zeros(2, complex)}, tmp_path / "x.safetensors")
