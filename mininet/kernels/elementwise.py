"""Elementwise arithmetic on large arrays: NumPy's own functions, on all threads and into memory that is used again."""

import numpy as np

from . import buffers
from .jit import kernel
from .threads import for_each_share

ELEMENTS_WORTH_SHARING = 2**17


def in_shares(function, *arrays):
    """``function(*arrays)`` for an elementwise NumPy function, with the same bits.

    Large contiguous arrays of one shape and dtype, which the result must have too, are shared among the threads;
    others, also those that must be broadcast, are left to NumPy.

    function : callable(*arrays, out=...) -> ndarray
    """
    like = arrays[0]
    alike = all(array.shape == like.shape and array.dtype == like.dtype for array in arrays)
    if not alike or like.nbytes < buffers.SMALLEST or not all(array.flags.c_contiguous for array in arrays):
        return function(*arrays)
    out = buffers.empty(like.shape, like.dtype)
    flat = [array.reshape(-1) for array in arrays]
    results = out.reshape(-1)

    def work(first, last):
        function(*(array[first:last] for array in flat), out=results[first:last])

    for_each_share(work, out.size, ELEMENTS_WORTH_SHARING)
    return out


def positive_part(array, out=None):
    """max(array, 0)."""
    return np.maximum(array, 0, out=out)


def gradient_where_positive(gradient, values, out=None):
    """`gradient` where `values` are positive, and 0 elsewhere; `out` is given with flat contiguous arrays only."""
    if out is None:
        return np.where(values > 0, gradient, 0)
    _gradient_where_positive(gradient, values, out)
    return out


@kernel
def _gradient_where_positive(gradient, values, out):
    for i in range(len(out)):
        out[i] = gradient[i] if values[i] > 0 else 0
