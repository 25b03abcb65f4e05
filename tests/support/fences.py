"""Arrays beside memory that nobody may touch: who reads or writes one byte beyond them ends the process."""

import contextlib
import ctypes
import math
import mmap
import unittest.mock

import numpy as np

from mininet.kernels import buffers

_libc = ctypes.CDLL(None, use_errno=True)
_NO_ACCESS = 0


def fenced(array, at_end=True):
    """A copy of the array that ends, or begins, where a page without access begins, or ends."""
    pages = -(-array.nbytes // mmap.PAGESIZE)
    room = mmap.mmap(-1, (pages + 2) * mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(room))
    for page in (0, pages + 1):
        if _libc.mprotect(ctypes.c_void_p(start + page * mmap.PAGESIZE), mmap.PAGESIZE, _NO_ACCESS):
            raise OSError(ctypes.get_errno(), "mprotect failed")
    offset = mmap.PAGESIZE + at_end * (pages * mmap.PAGESIZE - array.nbytes)
    copy = np.frombuffer(room, array.dtype, array.size, offset).reshape(array.shape)
    copy[...] = array
    return copy


@contextlib.contextmanager
def fenced_buffers(at_end=True):
    """Inside the block, the arrays that kernels make are fenced as well."""

    def empty(shape, dtype, kind="transient"):
        shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
        return fenced(np.full(math.prod(shape), 0, dtype), at_end).reshape(shape)

    with unittest.mock.patch.object(buffers, "empty", empty):
        yield
