"""Memory that is reused.

Fresh memory from the operating system is slow: at the first write, it fills each page with zeros.  A reversible network
needs the same few arrays in every layer, so it can avoid this.  `empty` hands out a block of memory that an earlier
array left behind, if one of the right size is idle.

The block is lent to that array.  It comes back when the array and all its views are gone, so it never belongs to two
arrays at once.  At most `get_limit` bytes stay idle; beyond that, the sizes not asked for the longest go back to the
operating system.  `track_memory` counts a block in use as the array it is lent to, and an idle one as "idle buffers".
"""

import collections
import math
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike

from ..base import instruments
from ..base.checks import integer
from ..base.types import AnyArray

ALIGNMENT = 64
"""Blocks begin at multiples of a cache line, so that no vector straddles two."""

SMALLEST = 2**15
"""Smaller arrays are not worth the trouble: the C library reuses their memory itself."""

_limit = 2**28
_idle: "collections.OrderedDict[int, list[_Block]]" = collections.OrderedDict()
"""Blocks by size; the sizes asked for most recently come last."""


def empty(shape: int | tuple[int, ...] | list[int], dtype: DTypeLike, kind: str = "transient") -> AnyArray:
    """Make a C-contiguous array with arbitrary content, aligned and from idle memory unless it is small.

    `track_memory` counts it as `kind`, one of `mininet.memory.KINDS`.
    """
    nbytes = np.dtype(dtype).itemsize * (math.prod(shape) if isinstance(shape, (tuple, list)) else shape)
    if nbytes < SMALLEST:
        array = np.empty(shape, dtype)
    else:
        loan = _Loan(_take(nbytes))
        owner = np.asarray(loan)
        loan.owner = id(owner)
        array = owner.view(dtype).reshape(shape)
    instruments.note(array, kind)
    return array


def zeros(shape: int | tuple[int, ...] | list[int], dtype: DTypeLike, kind: str = "transient") -> AnyArray:
    """Make an array of zeros, as `empty` does."""
    array = empty(shape, dtype, kind)
    array.fill(0)
    return array


def zeros_like(array: AnyArray) -> AnyArray:
    """Make zeros of the array's shape and dtype."""
    return zeros(array.shape, array.dtype)


def copy(array: AnyArray) -> AnyArray:
    """Make a C-contiguous copy."""
    result = empty(array.shape, array.dtype)
    result[...] = array
    return result


def contiguous(array: AnyArray) -> AnyArray:
    """The array itself if kernels take it: C-contiguous, aligned, and writable, as Numba would compile them anew."""
    return array if array.flags.carray else copy(array)


def get_limit() -> int:
    """Return how many bytes may stay idle.

    Examples
    --------
    >>> set_limit(2**20)
    >>> get_limit()
    1048576
    """
    return _limit


def set_limit(nbytes: int) -> None:
    """Choose how many bytes of arrays may stay idle, to be used again.

    Parameters
    ----------
    nbytes
        Initially 2^28 (256 MiB); 0 turns reuse off.

    Examples
    --------
    >>> set_limit(0)
    """
    global _limit
    _limit = integer("nbytes", nbytes, 0)
    _shrink()


def idle_bytes() -> int:
    """Count the bytes that are idle now."""
    with instruments.lock:
        return sum(nbytes * len(blocks) for nbytes, blocks in _idle.items())


def clear() -> None:
    """Return all idle memory to the operating system."""
    before = get_limit()
    set_limit(0)
    set_limit(before)


class _Block:
    """Some memory, and the description of it that NumPy reads."""

    def __init__(self, nbytes: int) -> None:
        self.raw = np.empty(nbytes + ALIGNMENT, np.uint8)
        self.nbytes = nbytes
        address, _ = self.raw.__array_interface__["data"]
        address += -address % ALIGNMENT
        self.interface = {"version": 3, "shape": (nbytes,), "typestr": "|u1", "data": (address, False)}


class _Loan:
    """The base of an array from `empty`: once the array and its views are gone, nothing refers to the loan."""

    _block: _Block | None = None  # in case `__init__` is interrupted before its first line

    def __init__(self, block: _Block) -> None:
        self._block = block
        self.owner = 0  # the `id` of no array
        self.__array_interface__ = block.interface

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        if self._block is not None and not is_finalizing():
            # NumPy 2.5 drops the loan before it reports that the array is gone
            instruments.forget(self.owner)
            _put(self._block)


def _take(nbytes: int) -> _Block:
    # an array may die meanwhile, in this thread too, which may hold the lock twice: blocks come back at any line
    with instruments.lock:
        blocks = _idle.get(nbytes)
        if not blocks:
            return _Block(nbytes)
        _idle.move_to_end(nbytes)
        block = blocks.pop()
        if not blocks:
            _idle.pop(nbytes, None)
    instruments.forget(id(block.raw))
    return block


def _put(block: _Block) -> None:
    instruments.note(block.raw, "idle buffers")
    with instruments.lock:
        _idle.setdefault(block.nbytes, []).append(block)
    _shrink()


def _shrink() -> None:
    """Free idle blocks down to the limit, beginning with the sizes not asked for the longest."""
    with instruments.lock:
        excess = idle_bytes() - _limit
        for nbytes, blocks in list(_idle.items()) if excess > 0 else ():
            while blocks and excess > 0:
                blocks.pop()
                excess -= nbytes
            if not blocks:
                _idle.pop(nbytes, None)
