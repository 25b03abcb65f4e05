"""The matrix product, its rows shared among the threads."""

import numpy as np

from .threads import for_each_piece

OPERATIONS_PER_PIECE = 2**24
"""Multiplications and additions in one piece of work: about 200 microseconds on one core."""


def matrix_product(a, b):
    """a @ b for matrices of shape (m, k) and (k, n); the same bits for any number of threads."""
    rows, inner = a.shape
    columns = b.shape[1]
    if b.shape[0] != inner:
        raise ValueError(f"a must have as many columns as b has rows, got shapes {a.shape} and {b.shape}")
    piece = max(1, OPERATIONS_PER_PIECE // max(1, 2 * inner * columns))
    piece = -(-piece // 16) * 16  # whole register tiles
    out = np.empty((rows, columns), dtype=a.dtype)

    def work(first, last):
        np.matmul(a[first:last], b, out=out[first:last])

    for_each_piece(work, rows, piece)
    return out
