"""Arrays that end where memory without access begins: reading or writing one byte beyond them ends the process."""

import ctypes
import mmap
import sys

import numpy as np


def fenced(array):
    """A copy of the array with the fence behind it; on Linux, elsewhere only a copy."""
    if not sys.platform.startswith("linux"):
        return array.copy()
    libc = ctypes.CDLL(None, use_errno=True)
    pages = -(-array.nbytes // mmap.PAGESIZE)
    room = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(room))
    if libc.mprotect(ctypes.c_void_p(start + pages * mmap.PAGESIZE), mmap.PAGESIZE, 0):
        raise OSError(ctypes.get_errno(), "mprotect failed")
    copy = np.frombuffer(room, array.dtype, array.size, pages * mmap.PAGESIZE - array.nbytes).reshape(array.shape)
    copy[...] = array
    return copy
