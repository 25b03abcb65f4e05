"""Files of named arrays in the safetensors format: eight bytes with the length of a header, the header, the data.

The header is JSON, {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}, perhaps with
{"__metadata__": {...}}.  Offsets count from its end.  Nothing in such a file can be executed.  The format is described
at https://github.com/huggingface/safetensors.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ..base.files import open_regular
from ..base.types import AnyArray, PathLike

_MOST_AXES = 32
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "C64": "<c8", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
_BITS = {
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
}  # fmt: skip
"""Of the kinds of numbers that NumPy does not have."""

Place: TypeAlias = tuple[str, list[int], tuple[int, int]]
"""The code of an array's dtype, its shape, and (its first byte, the one after its last)."""

_CODES = {np.dtype(name): code for code, name in _DTYPES.items()}
_LENGTH = np.dtype("<u8")
LONGEST_HEADER = 4 * 10**6  # ResNet-152 takes 10**5 bytes; JSON can take twenty times as much in memory


def save(arrays: Mapping[str, ArrayLike], path: PathLike) -> None:
    """Write arrays by name to `path`; raises TypeError for a dtype that the format does not have."""
    header: dict[str, Any] = {}
    parts: list[bytes] = []
    offset = 0
    for name, array in arrays.items():
        array = np.asarray(array)
        code = _CODES.get(array.dtype.newbyteorder("<"))
        if code is None:
            raise TypeError(f"{name} has dtype {array.dtype}, which safetensors files cannot hold")
        parts.append(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
        header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [offset, offset + len(parts[-1])]}
        offset += len(parts[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the data begins at a multiple of 8 bytes
    with open(path, "wb") as file:
        file.writelines([np.array(len(text), _LENGTH).tobytes(), text, *parts])


def load(path: PathLike) -> dict[str, AnyArray]:
    """Read arrays by name; numbers in bfloat16 become float32, those of narrower floats stay bytes, in one row.

    Raises
    ------
    ValueError
        If it is not a whole file of this format, saying why.
    OSError
        If it cannot be opened.
    """
    with open_regular(path) as file:
        content = memoryview(file.read())
    try:
        return _arrays(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from None


def _arrays(content: memoryview) -> dict[str, AnyArray]:
    if len(content) < _LENGTH.itemsize:
        raise ValueError(f"it has {len(content)} bytes")
    length = int(np.frombuffer(content, _LENGTH, 1)[0])
    if length > min(LONGEST_HEADER, len(content) - _LENGTH.itemsize):
        raise ValueError(f"its header should have {length} bytes")
    text, data = content[_LENGTH.itemsize :][:length], content[_LENGTH.itemsize + length :]
    try:
        header = json.loads(text.tobytes().decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    places = {name: _place(name, entry) for name, entry in header.items() if name != "__metadata__"}
    end = 0  # the format has no gaps and no overlaps: bytes with many names could fill any amount of memory
    for first, last, name in sorted((*place, name) for name, (_, _, place) in places.items()):
        if first != end or not first <= last <= len(data):
            raise ValueError(f"{name!r} should lie at bytes {first} to {last} of {len(data)}, after {end}")
        end = last
    if end != len(data):
        raise ValueError(f"it has {len(data)} bytes of data, of which its arrays take {end}")
    return {name: _array(name, code, shape, data[slice(*place)]) for name, (code, shape, place) in places.items()}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError("a name comes twice")
    return dict(pairs)


def _place(name: str, entry: Any) -> Place:
    """Read an entry of the header."""
    try:
        code, shape, (first, last) = entry["dtype"], entry["shape"], entry["data_offsets"]
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"the entry {name!r} lacks a dtype, a shape or two data_offsets") from None
    if not isinstance(code, str) or code not in {*_DTYPES, *_BITS, "BF16"}:
        raise ValueError(f"{name!r} has the dtype {code!r}")
    numbers = [first, last, *shape] if isinstance(shape, list) else [None]
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError(f"{name!r} has the shape {shape!r} at {first!r} to {last!r}")
    return code, shape, (first, last)


def _array(name: str, code: str, shape: list[int], data: memoryview) -> AnyArray:
    """Make a new array of exactly the bytes in `data`."""
    what, dtype = repr(name), np.dtype("<u2" if code == "BF16" else _DTYPES.get(code, [(code, "V1")]))
    if len(shape) > _MOST_AXES or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"{what} has the shape {shape}")
    if math.prod(shape) * _BITS.get(code, 8 * dtype.itemsize) != 8 * len(data):
        raise ValueError(f"{what}, {dtype} of shape {shape}, has {len(data)} bytes")
    if dtype.kind == "b" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
        raise ValueError(f"{what} has truth values other than 0 and 1")
    array = np.frombuffer(data, dtype)
    if code in _BITS:
        return array.copy()
    array = array.reshape(shape)
    if code == "BF16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(dtype.newbyteorder("="))
