"""Reading .npz files from strangers: whole and plain, or refused; NumPy writes them, but reads too trustingly.

A damaged directory can hide arrays, a small file can unpack to one that fills the memory, and the header of an array is
Python's syntax.  Sizes, sums and names are therefore looked at before anything is made of them.
"""

import io
import math
import os
import struct
import zipfile
import zlib

import numpy as np

from .files import open_regular

MOST_TIMES, AT_LEAST = 16, 2**26
"""An .npz file may unpack to so many times its size on disk, or to so many bytes if these are more."""

MOST_AXES = 32
_END = struct.Struct("<4s4H2IH")  # of a zip archive: a mark, numbers of the disk, of members there and in all, ...


def read_npz(path):
    """All arrays of an ``.npz`` file by name; nothing in it is unpickled.

    Sizes are compared before any memory is taken, and the check sums of the file with what was read.

    Raises
    ------
    ValueError
        If it is damaged, or not such a file, holds other things than arrays of numbers and strings, or would unpack to
        more than `MOST_TIMES` its size and `AT_LEAST`.
    OSError
        If it cannot be opened.
    """
    with open_regular(path) as file:
        limit = max(AT_LEAST, MOST_TIMES * os.fstat(file.fileno()).st_size)
        try:
            with zipfile.ZipFile(file) as archive:
                arrays = dict(_members(archive, limit))
            # zipfile does not count: a damaged directory could hide members
            end = file.seek(-_END.size, os.SEEK_END)
            mark, *_, count, size, offset, _ = _END.unpack(file.read())
            reaches = offset + size == end or end >= 2**31  # above, the size stands elsewhere
            if mark != b"PK\5\6" or count != len(arrays) or not reaches:
                raise ValueError(f"it has {len(arrays)} arrays, and says {count} at its end")
            return arrays
        # what zipfile raises for damaged files: RuntimeError for those that seem to have a password
        except (OSError, ValueError, LookupError, EOFError, RuntimeError, OverflowError, struct.error, zlib.error,
                zipfile.BadZipFile) as error:  # fmt: skip
            raise ValueError(f"{path} is not a whole .npz file of plain arrays: {error}") from None


def _members(archive, limit):
    """Names and arrays of an open .npz file that has at most `limit` bytes unpacked."""
    members = archive.infolist()
    if sum(member.file_size for member in members) > limit:
        raise ValueError(f"it would unpack to more than {limit} bytes")
    if len({member.filename for member in members}) < len(members):
        raise ValueError("a name comes twice")
    for member in members:
        name = member.filename
        if not name.endswith(".npy"):
            raise ValueError(f"{name!r} is no array")
        # bytes come out of zipfile in pieces of bounded size for these two only, and NumPy writes no others
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name!r} is compressed in a way that NumPy does not use")
        with archive.open(member) as file:
            content = file.read(member.file_size + 1)  # without a number it would unpack all there is, then cut it
        yield name.removesuffix(".npy"), _array(name, content)


def _array(name, content):
    """The array in the bytes of an .npy file."""
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = read(file)
    except Exception as error:  # the header is Python's syntax for a dict, in which anything can be wrong
        raise ValueError(f"{name!r} has no header of an array: {type(error).__name__}: {error}") from None
    return array_of(repr(name), memoryview(content)[file.tell() :], dtype, shape, "F" if fortran else "C")


def array_of(what, data, dtype, shape, order="C"):
    """A new array of the bytes in `data`.

    Raises
    ------
    ValueError
        If it would not be one of numbers or strings, or have another number of bytes than `data`.
    """
    if dtype.kind not in "biufU" or dtype.itemsize == 0 or (dtype.kind == "f" and dtype.itemsize > 8):
        raise ValueError(f"{what} holds {dtype}, not numbers")
    if len(shape) > MOST_AXES or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"{what} has the shape {shape}")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{what}, {dtype} of shape {shape}, has {len(data)} bytes")
    if dtype.kind == "b" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
        raise ValueError(f"{what} has truth values other than 0 and 1")
    return np.frombuffer(data, dtype).reshape(shape, order=order).copy("K")
