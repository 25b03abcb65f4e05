"""Files of named arrays in the safetensors format: eight bytes with the length of a header, the header, the data.

The header is JSON, {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}, with offsets counted from
its end, and perhaps {"__metadata__": {...}}.  Nothing in such a file can be executed.  The format is described at
https://github.com/huggingface/safetensors.
"""

import json
import math
import pathlib

import numpy as np

_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1",
    "BOOL": "?",
}  # fmt: skip
_CODES = {np.dtype(name): code for code, name in _DTYPES.items()}
_LENGTH = np.dtype("<u8")
LONGEST_HEADER = 10**8
MOST_AXES = 32


def save(arrays, path):
    """Write arrays by name to `path`.

    Raises
    ------
    TypeError
        For a dtype that the format does not have.
    """
    header, parts, offset = {}, [], 0
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


def load(path):
    """Read arrays by name; numbers in bfloat16 become float32.

    Raises
    ------
    ValueError
        If the file is not whole or not such a file, saying why.
    """
    content = pathlib.Path(path).read_bytes()
    try:
        return _arrays(content)
    except _Malformed as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from None


class _Malformed(Exception):
    pass


def _arrays(content):
    if len(content) < _LENGTH.itemsize:
        raise _Malformed(f"it has {len(content)} bytes")
    length = int(np.frombuffer(content, _LENGTH, 1)[0])
    data = content[_LENGTH.itemsize + length :]
    if length > min(LONGEST_HEADER, len(content) - _LENGTH.itemsize):
        raise _Malformed(f"its header should have {length} bytes")
    try:
        header = json.loads(content[_LENGTH.itemsize : _LENGTH.itemsize + length], object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise _Malformed(f"its header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise _Malformed("its header is not a JSON object")
    return {name: _array(name, entry, data) for name, entry in header.items() if name != "__metadata__"}


def _unique(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError("a name comes twice")
    return dict(pairs)


def _array(name, entry, data):
    try:
        code, shape, (first, last) = entry["dtype"], entry["shape"], entry["data_offsets"]
    except (KeyError, TypeError, ValueError):
        raise _Malformed(f"the entry {name!r} lacks a dtype, a shape or two data_offsets") from None
    if not isinstance(code, str) or (code not in _DTYPES and code != "BF16"):
        raise _Malformed(f"{name!r} has the dtype {code!r}")
    dtype = np.dtype("<u2" if code == "BF16" else _DTYPES[code])
    numbers = [first, last, *shape] if isinstance(shape, list) and len(shape) <= MOST_AXES else [None]
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise _Malformed(f"{name!r} has the shape {shape!r} at {first!r} to {last!r}")
    if not first <= last <= len(data) or last - first != math.prod(shape) * dtype.itemsize:
        raise _Malformed(f"{name!r}, {code} of shape {shape}, should lie at bytes {first} to {last} of {len(data)}")
    array = np.frombuffer(data[first:last], dtype).reshape(shape)
    if code == "BF16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(dtype.newbyteorder("="))
