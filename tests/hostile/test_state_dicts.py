"""Damaged and hostile files of weights: safetensors, and both kinds as state dicts for a network."""

import json
import struct

import numpy as np
import pytest
from hostile_support import disguised, face, limits, listing, mutants, same
from support import normal

from mininet import manual_seed, nn
from mininet.models import load_pytorch_state_dict, pytorch_state_dict, safetensors, save_pytorch_state_dict

ARRAYS = {
    "layer.weight": normal((3, 4), np.float32), "half": normal((5,), np.float16), "steps": np.array([7]),
    "flags": np.array([True, False]), "empty": np.zeros((0, 3)), "bytes": np.arange(6, dtype=np.uint8),
}  # fmt: skip
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1"}


def written(tmp_path, arrays):
    path = tmp_path / "arrays.safetensors"
    safetensors.save(arrays, path)
    return path, path.read_bytes()


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
        elif entry["dtype"] == "BF16":  # the upper halves of numbers in float32
            halves = [data[i : i + 2] for i in range(0, len(data), 2)]
            array = np.frombuffer(b"".join(bytes(2) + half for half in halves), "<f4")
        else:
            array = np.array(memoryview(data).cast("B")).view(DTYPES[entry["dtype"]])
        found[name] = array.reshape(entry["shape"])
    return found


def is_right(found, content):
    return same(found, {name: array for name, array in read_plainly(content).items() if name != "__metadata__"})


def test_damaged_safetensors(tmp_path):
    # there is no check sum, so a changed number is read as what stands there
    path, whole = written(tmp_path, ARRAYS)
    assert same(safetensors.load(path), ARRAYS)
    read_well, _ = face(path, mutants(whole, 3), lambda: safetensors.load(path), is_right)
    assert read_well > 20


def test_changed_numbers_are_read_as_they_stand(tmp_path):
    path, whole = written(tmp_path, {"weight": normal((40, 5), np.float32)})
    start = 8 + struct.unpack_from("<Q", whole)[0]
    cases = [(f"bit {bit} of byte {place}", whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
             for place in range(start, len(whole), 3) for bit in range(8)]  # fmt: skip
    read_well, tried = face(path, cases, lambda: safetensors.load(path), is_right)
    assert read_well == tried


def test_damaged_headers(tmp_path):
    # the length is that of the damaged header, as somebody would write it who means to
    path, whole = written(tmp_path, ARRAYS)
    length = struct.unpack_from("<Q", whole)[0]
    header, data = whole[8 : 8 + length], whole[8 + length :]
    cases = ((what, struct.pack("<Q", len(text)) + text + data) for what, text in mutants(header, 4))
    face(path, cases, lambda: safetensors.load(path), is_right)


def file_with(header, data=b"\0" * 24, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape=(2, 3), offsets=(0, 24)):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def hostile():
    for length in (2**63, 2**64 - 1, 2**62, 10**8 + 1, safetensors.LONGEST_HEADER + 1, 2**31, 1000):
        yield f"header of {length} bytes", file_with({"x": entry()}, length=length)
    yield "a header longer than any", file_with(b" " * (safetensors.LONGEST_HEADER + 1))
    for number in (-1, 2**31, 2**63, 2**64, 10**400, 1.5, None, True, "6", [6], {}, float("nan"), float("inf")):
        yield f"size {number!r:.20}", file_with({"x": entry(shape=[2, number])})
        yield f"no rows of {number!r:.20}", file_with({"x": entry(shape=[0, number, 0.5], offsets=[0, 0])}, b"")
        yield f"first byte {number!r:.20}", file_with({"x": entry(offsets=[number, 24])})
        yield f"last byte {number!r:.20}", file_with({"x": entry(offsets=[0, number])})
    yield "an empty array that NumPy cannot count", file_with({"x": entry(shape=[0, 2**64], offsets=[0, 0])}, b"")
    yield "an empty array of large sizes", file_with({"x": entry(shape=[0, 2**40, 2**40], offsets=[0, 0])}, b"")
    yield "digits without end", file_with(b'{"x": ' + b"9" * 5000 + b"}")
    yield "overlapping", file_with({"x": entry(), "y": entry()})
    yield "partly overlapping", file_with({"x": entry(), "y": entry(offsets=[12, 36])}, bytes(36))
    yield "many names of the same bytes", file_with({str(i): entry() for i in range(10_000)})
    yield "a gap", file_with({"x": entry(), "y": entry(offsets=[32, 56])}, bytes(56))
    yield "a gap at the beginning", file_with({"x": entry(offsets=[8, 32])}, bytes(32))
    yield "more than it says", file_with({"x": entry()}, bytes(25))
    yield "outside", file_with({"x": entry(offsets=[2**40, 2**40 + 24])})
    yield "truth values", file_with({"x": entry("BOOL", [2], [0, 2])}, b"\1\2")
    yield "UTF-16", file_with('{"x": 1}'.encode("utf-16"))
    for dtype in ("F8_E4M3", "f32", "O", "|O", "", None, 4, ["F32"], {}, "C64", "F32 "):
        yield f"dtype {dtype!r}", file_with({"x": entry(dtype)})


def test_hostile_safetensors(tmp_path):
    path = tmp_path / "arrays.safetensors"
    cases = [*hostile(), *disguised(tmp_path / "was_run")]
    found = face(path, cases, lambda: safetensors.load(path), lambda *_: False, (ValueError,), least=0)
    assert found == (0, len(cases))
    assert not (tmp_path / "was_run").exists()


@pytest.mark.slow
def test_a_long_header_takes_little_memory(tmp_path):
    path = tmp_path / "arrays.safetensors"
    text = b"[" + b"[]," * (safetensors.LONGEST_HEADER // 3 - 1) + b"[]]"
    path.write_bytes(file_with(text))
    with limits(memory=2**29), pytest.raises(ValueError, match=r"arrays\.safetensors.*header is not"):
        safetensors.load(path)


def test_places_that_are_no_files(tmp_path, no_file):
    before = listing(tmp_path)
    for read in (safetensors.load, lambda path: load_pytorch_state_dict(network(), path)):
        with limits(), pytest.raises((OSError, ValueError), match=no_file.name):
            read(no_file)
    assert listing(tmp_path) == before


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
    net, before = network(), network().state_dict()

    def read():
        try:
            load_pytorch_state_dict(net, path)
        except Exception:
            if not same(net.state_dict(), before):
                raise AssertionError("refused, but the network has changed") from None
            raise
        found = pytorch_state_dict(net)
        net.load_state_dict(before)
        return found

    def right(found, content):
        return same(found, whole if ending == "npz" else read_plainly(content))

    read_well, tried = face(path, mutants(path.read_bytes(), 6), read, right)
    assert 0 < read_well < tried


def test_weights_of_other_kinds(tmp_path):
    net, path = network(), tmp_path / "weights.npz"
    state = pytorch_state_dict(net)
    for change in (
        {"0.weight": state["0.weight"].astype(np.complex64)}, {"0.weight": state["0.weight"].astype(np.longdouble)},
        {"0.weight": state["0.weight"].astype("U")}, {"0.weight": state["0.weight"].astype(int)},
        {"0.weight": state["0.weight"] > 0}, {"0.weight": state["0.weight"].astype("S")},
        {"0.weight": np.full(state["0.weight"].shape, 1e300)}, {"0.weight": state["0.weight"].T},
        {"more": np.zeros(1)}, {"0.weight": np.zeros(())}, {"0.weight": np.zeros((0, 1, 3, 3))},
        {"../0.weight": np.zeros(1)}, {"0.weight": state["0.weight"].astype("M8[s]")},
    ):  # fmt: skip
        np.savez(path, **state | change)
        with pytest.raises(ValueError, match=r"weights\.npz.*0\.weight|weights\.npz.*more"):
            load_pytorch_state_dict(net, path)
    assert same(pytorch_state_dict(net), state)
    infinite = {**state, "0.weight": np.full_like(state["0.weight"], np.inf)}
    np.savez(path, **infinite)
    load_pytorch_state_dict(net, path)  # these are floats like others
    assert same(pytorch_state_dict(net), infinite)
