"""Memory that is used again.

An array fresh from the operating system is slow: each of its pages is first filled with zeros, at the moment of the
first write.  A reversible network needs the same few arrays for every layer, so it need not meet that: `empty` gives
out a block of memory that an earlier array left behind, if one of the right size lies idle.

A block is lent to the array that `empty` returns.  It comes back when this array and all views of it are gone, which
NumPy's own reference counting decides, so a block never belongs to two arrays at a time.  At most `get_limit` bytes lie
idle; beyond that the sizes that were not asked for the longest are given back to the operating system.
`track_memory` counts a block in use as the array it is lent to, and an idle one as "idle buffers".
"""

import math
import operator
import sys
import threading

import numpy as np

from .. import memory

ALIGNMENT = 64
"""Blocks begin at multiples of a cache line, so that no vector lies across two."""

SMALLEST = 2**15
"""Smaller arrays are not worth the trouble: the C library keeps their memory itself."""

DEFAULT_LIMIT = 2**28

_limit = DEFAULT_LIMIT
_idle = {}
_idle_bytes = 0
_lock = threading.RLock()  # an array may die, and come back here, while its thread holds the lock


def empty(shape, dtype, kind="transient"):
    """An array with arbitrary content, C-contiguous and aligned; like `np.empty`, but from idle memory if possible.

    kind : what `track_memory` counts it as, one of `mininet.memory.KINDS`
    """
    dtype = np.dtype(dtype)
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    nbytes = dtype.itemsize * math.prod(shape)
    is_reused = nbytes >= SMALLEST and _limit > 0
    loan = _Loan(_take(nbytes) if is_reused else _Block(nbytes), is_reused)
    array = np.asarray(loan).view(dtype).reshape(shape)
    memory.note(array, kind)
    return array


def zeros(shape, dtype, kind="transient"):
    """`empty`, filled with zeros."""
    array = empty(shape, dtype, kind)
    array.fill(0)
    return array


def get_limit():
    """How many bytes may lie idle."""
    return _limit


def set_limit(nbytes):
    """Let at most `nbytes` lie idle, 2^28 (256 MiB) at the start; 0 turns reuse off."""
    global _limit
    nbytes = operator.index(nbytes)
    if nbytes < 0:
        raise ValueError(f"nbytes must be at least 0, got {nbytes}")
    _limit = nbytes
    _shrink()


def idle_bytes():
    """How many bytes lie idle now."""
    return _idle_bytes


def clear():
    """Give all idle memory back."""
    limit = get_limit()
    set_limit(0)
    set_limit(limit)


class _Block:
    """Some memory, and how to show it to NumPy."""

    def __init__(self, nbytes):
        self.raw = np.empty(nbytes + ALIGNMENT, np.uint8)
        self.nbytes = nbytes
        address, _ = self.raw.__array_interface__["data"]
        address += -address % ALIGNMENT
        self.interface = {"version": 3, "shape": (nbytes,), "typestr": "|u1", "data": (address, False)}


class _Loan:
    """What an array from `empty` is made of; when the array and its views are gone, nobody holds the loan any more."""

    def __init__(self, block, returns):
        self._block, self._returns = block, returns
        self.__array_interface__ = block.interface

    def __del__(self, is_finalizing=sys.is_finalizing):
        if self._returns and not is_finalizing():
            _put(self._block)


def _take(nbytes):
    """An idle block of `nbytes`, or a new one."""
    global _idle_bytes
    with _lock:
        blocks = _idle.pop(nbytes, None)
        if blocks is None:
            return _Block(nbytes)
        block = blocks.pop()
        _idle_bytes -= nbytes
        if blocks:
            _idle[nbytes] = blocks  # last in the order of the dictionary: asked for just now
    memory.forget(block.raw)
    return block


def _put(block):
    """Let `block` lie idle."""
    global _idle_bytes
    memory.note(block.raw, "idle buffers")
    with _lock:
        _idle.setdefault(block.nbytes, []).append(block)
        _idle_bytes += block.nbytes
        if _idle_bytes > _limit:
            _shrink()


def _shrink():
    """Free idle blocks, those of sizes asked for the longest time ago first, until they keep to the limit."""
    global _idle_bytes
    with _lock:
        while _idle_bytes > _limit:
            nbytes = next(iter(_idle))
            blocks = _idle[nbytes]
            blocks.pop()
            _idle_bytes -= nbytes
            if not blocks:
                del _idle[nbytes]
