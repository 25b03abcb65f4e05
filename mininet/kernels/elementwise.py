"""Elementwise arithmetic on large arrays: NumPy's own functions on all threads, into reused memory."""

from collections.abc import Callable

import numpy as np

from ..base.types import FloatArray
from . import buffers
from .jit import kernel
from .threads import for_each_share

ELEMENTS_WORTH_SHARING = 2**17


def in_shares(function: Callable[..., FloatArray], *arrays: FloatArray) -> FloatArray:
    """Compute ``function(*arrays)`` for an elementwise NumPy function that takes ``out``, with the same bits.

    The threads share large contiguous arrays of one shape and dtype, which the result must have too.  All others, such
    as arrays to broadcast, are left to NumPy.
    """
    like = arrays[0]
    alike = all(array.shape == like.shape and array.dtype == like.dtype for array in arrays)
    if not alike or like.nbytes < buffers.SMALLEST or not all(array.flags.c_contiguous for array in arrays):
        return function(*arrays)
    out = buffers.empty(like.shape, like.dtype)
    flat = [array.reshape(-1) for array in arrays]
    results = out.reshape(-1)

    def work(first: int, last: int) -> None:
        function(*(array[first:last] for array in flat), out=results[first:last])

    for_each_share(work, out.size, ELEMENTS_WORTH_SHARING)
    return out


def positive_part(array: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Compute max(array, 0)."""
    return np.maximum(array, 0, out=out)


def gradient_where_positive(gradient: FloatArray, values: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Keep `gradient` where `values` are positive, with 0 elsewhere; `out` goes with flat contiguous arrays only."""
    if out is None:
        return np.where(values > 0, gradient, 0)
    _gradient_where_positive(gradient, values, out)
    return out


@kernel
def _gradient_where_positive(gradient, values, out):
    for i in range(len(out)):
        out[i] = gradient[i] if values[i] > 0 else 0
