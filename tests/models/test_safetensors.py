"""The safetensors format, read and written as its description says; damaged files are in tests/hostile."""

import json
import struct

import numpy as np
import pytest

from mininet import models, nn
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


@pytest.mark.parametrize(("code", "shape", "size"), [
    ("U16", [3], 6), ("U32", [3], 12), ("U64", [], 8), ("C64", [2, 1], 16), ("F8_E4M3", [2, 3], 6), ("F4", [3, 4], 6),
])  # fmt: skip
def test_entries_of_other_kinds_do_not_spoil_a_file(code, shape, size, tmp_path):
    path, data = tmp_path / "x.safetensors", bytes(range(size))
    header = {"x": {"dtype": code, "shape": shape, "data_offsets": [0, size]},
              "weight": {"dtype": "F32", "shape": [1, 1], "data_offsets": [size, size + 4]}}  # fmt: skip
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data + struct.pack("<f", 3))
    found = safetensors.load(path)
    assert found["x"].tobytes() == data
    assert found["x"].shape == (tuple(shape) if found["x"].dtype.kind != "V" else (size,))
    net = nn.Linear(1, 1, bias=False)
    with pytest.raises(ValueError, match=r"unexpected x$"):
        models.load_pytorch_state_dict(net, path)
    models.load_pytorch_state_dict(net, {"module.weight": found["weight"], "x": found["x"]}, prefix="module.")
    assert net.weight.item() == 3
    with pytest.raises(ValueError, match=r"weight (must hold numbers|has shape)"):
        models.load_pytorch_state_dict(net, {"weight": found["x"]})


def test_kinds_it_cannot_hold(tmp_path):
    with pytest.raises(TypeError, match="x has dtype complex128"):
        safetensors.save({"x": np.zeros(2, complex)}, tmp_path / "x.safetensors")
