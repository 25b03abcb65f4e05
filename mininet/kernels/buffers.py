"""Memory that is used again.

An array fresh from the operating system is slow: each of its pages is first filled with zeros, at the moment of the
first write.  A reversible network needs the same few arrays for every layer, so it need not meet that: `empty` gives
out a block of memory that an earlier array left behind, if one of the right size lies idle.

A block is lent to the array that `empty` returns.  It comes back when this array and all views of it are gone, which
NumPy's own reference counting decides, so a block never belongs to two arrays at a time.  At most `get_limit` bytes lie
idle; beyond that the sizes that were not asked for the longest are given back to the operating system.
`track_memory` counts a block in use as the array it is lent to, and an idle one as "idle buffers".
"""

import collections
import math
import sys

import numpy as np

from .. import memory
from ..checks import integer
from ..interrupts import interrupt_soon

ALIGNMENT = 64
"""Blocks begin at multiples of a cache line, so that no vector lies across two."""

SMALLEST = 2**15
"""Smaller arrays are not worth the trouble: the C library keeps their memory itself."""

DEFAULT_LIMIT = 2**28

_limit = DEFAULT_LIMIT
_idle = collections.OrderedDict()  # blocks by size, the sizes asked for last at the end


def empty(shape, dtype, kind="transient"):
    """An array with arbitrary content, C-contiguous; unless it is small, aligned, and from idle memory if possible.

    kind : what `track_memory` counts it as, one of `mininet.memory.KINDS`
    """
    dtype = np.dtype(dtype)
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    nbytes = dtype.itemsize * math.prod(shape)
    array = np.empty(shape, dtype) if nbytes < SMALLEST else _lent(nbytes).view(dtype).reshape(shape)
    memory.note(array, kind)
    return array


def _lent(nbytes):
    """The bytes of a block, which comes back when nobody looks at them any more."""
    is_reused = _limit > 0
    loan = _Loan(_take(nbytes) if is_reused else _Block(nbytes), is_reused)
    owner = np.asarray(loan)
    loan.owner = id(owner)
    return owner


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
    _limit = integer("nbytes", nbytes, 0)
    _shrink()


def idle_bytes():
    """How many bytes lie idle now."""
    with memory.lock:
        return sum(nbytes * len(blocks) for nbytes, blocks in _idle.items())


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

    _returns = False  # unless `__init__` comes to its first line

    def __init__(self, block, returns):
        self._block, self._returns = block, returns
        self.owner = None
        self.__array_interface__ = block.interface

    def __del__(self, is_finalizing=sys.is_finalizing):
        try:
            if self._returns and not is_finalizing():
                memory.forget_owner(self.owner)  # NumPy 2.5 lets go of the loan before it tells that the array is gone
                _put(self._block)
        except KeyboardInterrupt:  # at worst the block is freed
            interrupt_soon()


def _take(nbytes):
    """An idle block of `nbytes`, or a new one."""
    with memory.lock:  # held by this thread already if an array dies meanwhile, so anything may come back at any line
        blocks = _idle.get(nbytes)
        if not blocks:
            return _Block(nbytes)
        _idle.move_to_end(nbytes)
        block = blocks.pop()
        if not blocks:
            _idle.pop(nbytes, None)
    memory.forget(block.raw)
    return block


def _put(block):
    """Let `block` lie idle."""
    memory.note(block.raw, "idle buffers")
    with memory.lock:
        _idle.setdefault(block.nbytes, []).append(block)
    _shrink()


def _shrink():
    """Free idle blocks, those of sizes asked for the longest time ago first, until they keep to the limit."""
    with memory.lock:
        excess = idle_bytes() - _limit
        for nbytes, blocks in list(_idle.items()) if excess > 0 else ():
            while blocks and excess > 0:
                blocks.pop()
                excess -= nbytes
            if not blocks:
                _idle.pop(nbytes, None)
