"""The matrix product, its rows shared among the threads."""

import numpy as np

from . import buffers
from .threads import for_each_share

OPERATIONS_PER_PIECE = 2**24
"""Multiplications and additions in the smallest piece of work: about 100 microseconds on one core."""

MOST_PIECES = 16


def matrix_product(a, b):
    """a @ b for matrices of shape (m, k) and (k, n); the same bits for any number of threads."""
    rows, inner = a.shape
    columns = b.shape[1]
    if b.shape[0] != inner:
        raise ValueError(f"a must have as many columns as b has rows, got shapes {a.shape} and {b.shape}")
    out = buffers.empty((rows, columns), a.dtype)
    # What BLAS computes for a row may depend on how many it is given, so the pieces are the same for any thread count
    pieces = min(MOST_PIECES, max(1, 2 * rows * inner * columns // OPERATIONS_PER_PIECE))
    piece = max(16, -(-rows // (16 * pieces)) * 16)  # whole register tiles

    def work(first, last):
        for start in range(first * piece, min(last * piece, rows), piece):
            np.matmul(a[start : start + piece], b, out=out[start : start + piece])

    for_each_share(work, -(-rows // piece))
    return out
