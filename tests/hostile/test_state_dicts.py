"""Damaged and hostile files of weights: safetensors, and both kinds as state dicts for a network."""

import json
import struct

import numpy as np
import pytest
from hostile_support import disguised, face, mutants, same, unchanged_if_refused
from support import normal

from mininet import manual_seed, nn
from mininet.models import load_pytorch_state_dict, pytorch_state_dict, safetensors, save_pytorch_state_dict

ARRAYS = {
    "layer.weight": normal((3, 4), np.float32), "half": normal((5,), np.float16), "steps": np.array([7]),
    "flags": np.array([True, False]), "empty": np.zeros((0, 3)), "bytes": np.arange(6, dtype=np.uint8),
}  # fmt: skip
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1"}


def read_plainly(content):
    """The arrays of a safetensors file by the description of the format, without a look at anything else."""
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    found = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        data = content[8 + length + first : 8 + length + last]
        if entry["dtype"] == "BOOL":
            array = np.array([bool(byte) for byte in data])
        else:
            array = np.array(memoryview(data).cast("B")).view(DTYPES[entry["dtype"]])
        found[name] = array.reshape(entry["shape"])
    return found


def is_right(found, content):
    return same(found, {name: array for name, array in read_plainly(content).items() if name != "__metadata__"})


@pytest.fixture
def whole(tmp_path):
    """The path of a safetensors file, and what is in it."""
    path = tmp_path / "arrays.safetensors"
    safetensors.save(ARRAYS, path)
    return path, path.read_bytes()


def test_damaged_safetensors(whole):
    # there is no check sum, so a changed number is read as what stands there
    path, content = whole
    read_well, _ = face(path, [("", content), *mutants(content, 3)], lambda: safetensors.load(path), is_right)
    assert read_well > 10


def test_damaged_headers(whole):
    # the length is that of the damaged header, as somebody would write it who means to
    path, content = whole
    length = struct.unpack_from("<Q", content)[0]
    header, data = content[8 : 8 + length], content[8 + length :]
    cases = ((what, struct.pack("<Q", len(text)) + text + data) for what, text in mutants(header, 4, 300))
    face(path, cases, lambda: safetensors.load(path), is_right)


def file_with(header, data=bytes(24), length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape=(2, 3), offsets=(0, 24)):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def hostile():
    for header in ([], {"x": {}}, {"x": 3}, {"x": None}, {"x": entry(offsets=[0, 4, 8])}, {"x": entry(shape="23")}):
        yield f"header {header}", file_with(header)
    for text in (b"{", b"\xff\xfe", b'{"x": {}, "x": {}}', b" " * (safetensors.LONGEST_HEADER + 1),
                 b'{"x": ' + b"9" * 5000 + b"}"):  # fmt: skip
        yield f"header {text[:20]}", file_with(text)
    for length in (0, 3, 2**63, 2**64 - 1, 1000):
        yield f"header of {length} bytes", file_with({"x": entry()}, length=length)
    for number in (-1, 2**31, 2**64, 1.5, None, True, "6", [6], float("nan")):
        yield f"size {number!r}", file_with({"x": entry(shape=[2, number])})
        yield f"first byte {number!r}", file_with({"x": entry(offsets=[number, 24])})
        yield f"last byte {number!r}", file_with({"x": entry(offsets=[0, number])})
    yield "too many axes", file_with({"x": entry(shape=[1] * 40 + [6])})
    yield "backwards", file_with({"x": entry(offsets=[24, 0])})
    yield "partly overlapping", file_with({"x": entry(), "y": entry(offsets=[12, 36])}, bytes(36))
    yield "many names of the same bytes", file_with({str(i): entry() for i in range(10_000)})
    yield "a gap", file_with({"x": entry(), "y": entry(offsets=[32, 56])}, bytes(56))
    yield "less than it says", file_with({"x": entry()}, bytes(23))
    yield "more than it says", file_with({"x": entry()}, bytes(25))
    yield "truth values", file_with({"x": entry("BOOL", [2], [0, 2])}, b"\1\2")
    for dtype in ("F8_E4M3", "f32", "O", None, ["F32"]):
        yield f"dtype {dtype!r}", file_with({"x": entry(dtype)})


def test_hostile_safetensors(tmp_path):
    path = tmp_path / "arrays.safetensors"
    cases = [*hostile(), *disguised(tmp_path / "was_run")]
    assert face(path, cases, lambda: safetensors.load(path)) == (0, len(cases))
    assert not (tmp_path / "was_run").exists()


# State dicts for a network


def network():
    manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 3))


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_a_network_takes_all_or_nothing(tmp_path, ending):
    net, path = network(), tmp_path / f"weights.{ending}"
    whole = {name: normal(array.shape, np.float32, 5) for name, array in pytorch_state_dict(net).items()}
    load_pytorch_state_dict(net, whole)
    save_pytorch_state_dict(net, path)

    def read():
        net = network()
        unchanged_if_refused(lambda: load_pytorch_state_dict(net, path), net.state_dict)()
        return pytorch_state_dict(net)

    def right(found, content):
        return same(found, whole if ending == "npz" else read_plainly(content))

    read_well, tried = face(path, mutants(path.read_bytes(), 6), read, right)
    assert 0 < read_well < tried


def test_weights_of_other_kinds(tmp_path):
    net, path = network(), tmp_path / "weights.npz"
    state = pytorch_state_dict(net)
    weight = state["0.weight"]
    for change in (weight.astype(np.complex64), weight.astype("U"), weight.astype(int), weight > 0, weight.T,
                   np.full(weight.shape, 1e300), np.zeros(()), weight.astype("M8[s]")):  # fmt: skip
        np.savez(path, **state | {"0.weight": change})
        with pytest.raises(ValueError, match=r"weights\.npz.*0\.weight"):
            load_pytorch_state_dict(net, path)
    assert same(pytorch_state_dict(net), state)
    infinite = {**state, "0.weight": np.full_like(weight, np.inf)}
    np.savez(path, **infinite)
    load_pytorch_state_dict(net, path)  # these are floats like others
    assert same(pytorch_state_dict(net), infinite)
