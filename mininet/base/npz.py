"""Writing .npz files, and reading those of strangers: whole and plain, or refused.

NumPy reads too trustingly: a small file can unpack to one that fills the memory, a header can promise an array that is
not there, and a damaged directory can hide arrays.  So sizes, sums and headers are looked at first; then NumPy reads.
"""

import itertools
import math
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from .files import open_regular
from .types import AnyArray, PathLike

MOST_TIMES, AT_LEAST = 16, 2**26
"""An .npz file may unpack to so many times its size on disk, or to so many bytes if these are more."""

_HEADER = 30  # bytes before the name of a member of a zip archive, at least
_END = struct.Struct("<4s4H2IH")  # of a zip archive: a mark, numbers of the disk, of members there and in all, ...


def read_npz(path: PathLike) -> dict[str, AnyArray]:
    """All arrays of an ``.npz`` file by name; nothing in it is unpickled.

    Raises
    ------
    ValueError
        If it is damaged, or not such a file, holds other things than arrays of numbers and strings, or would unpack to
        more than `MOST_TIMES` its size and `AT_LEAST`.
    OSError
        If it cannot be opened.
    """
    with open_regular(path) as file:
        try:
            with warnings.catch_warnings(action="error"):  # newer versions of zipfile warn of members that overlap
                _check(file)
                with np.load(file, allow_pickle=False) as arrays:
                    return dict(arrays)
        # what zipfile raises for damaged files: RuntimeError for those that seem to have a password
        except (OSError, ValueError, LookupError, EOFError, RuntimeError, OverflowError, UserWarning, struct.error,
                zlib.error, zipfile.BadZipFile) as error:  # fmt: skip
            raise ValueError(f"{path} is not a whole .npz file of plain arrays: {error}") from None


def write_npz(path: PathLike, arrays: Mapping[str, ArrayLike]) -> None:
    """Write arrays by name; for ``np.savez``, names such as ``file`` are arguments of its own."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


def _check(file: BinaryIO) -> None:
    """Raise unless the file is whole, plain, and not much larger unpacked."""
    limit = max(AT_LEAST, MOST_TIMES * os.fstat(file.fileno()).st_size)
    with zipfile.ZipFile(file) as archive:
        members = sorted(archive.infolist(), key=lambda member: member.header_offset)
        if sum(member.file_size for member in members) > limit:
            raise ValueError(f"it would unpack to more than {limit} bytes")
        if len({member.filename for member in members}) < len(members):
            raise ValueError("a name comes twice")
        for before, after in itertools.pairwise(members):
            if before.header_offset + _HEADER + before.compress_size > after.header_offset:
                raise ValueError(f"{before.filename!r} and {after.filename!r} overlap")
        for member in members:
            _check_member(archive, member)
    # zipfile does not count: a damaged directory could hide members
    end = file.seek(-_END.size, os.SEEK_END)
    mark, *_, count, size, offset, _ = _END.unpack(file.read())
    reaches = offset + size == end or end >= 2**31  # above, the size stands elsewhere
    if mark != b"PK\5\6" or count != len(members) or not reaches:
        raise ValueError(f"it has {len(members)} arrays, and says {count} at its end")
    file.seek(0)


def _check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Raise unless the member is a plain array with all its bytes, and its check sum is right."""
    name = member.filename
    # bytes come out of zipfile in pieces of bounded size for these two only, and NumPy writes no others
    if not name.endswith(".npy") or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name!r} is no array as NumPy writes it")
    with archive.open(member) as file:
        try:
            version = np.lib.format.read_magic(file)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
            shape, _, dtype = read(file)
        except Exception as error:  # the header is Python's syntax for a dict, in which anything can be wrong
            raise ValueError(f"{name!r} has no header of an array: {type(error).__name__}: {error}") from None
        if dtype.kind not in "biufU" or dtype.itemsize == 0 or not all(type(size) is int for size in shape):
            raise ValueError(f"{name!r} holds {dtype} of shape {shape}, not plain numbers or strings")
        if file.tell() + math.prod(shape) * dtype.itemsize != member.file_size:
            raise ValueError(f"{name!r}, {dtype} of shape {shape}, has {member.file_size} bytes")
        while content := file.read(2**20):  # at the end zipfile compares the check sum
            if dtype.kind == "b" and max(content) > 1:
                raise ValueError(f"{name!r} holds truth values that are neither 0 nor 1")
