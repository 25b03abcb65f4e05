"""Matrix products, shared among the threads in pieces that depend on the sizes only.

What BLAS computes for a row may depend on how many rows it is given, so the pieces must be the same for any number of
threads if the bits shall be.
"""

import numpy as np

from . import buffers
from .threads import for_each_share

OPERATIONS_PER_PIECE = 2**24
"""Multiplications and additions in the smallest piece of work: about 100 microseconds on one core."""

MOST_PIECES = 16


def matmul(a, b, out=None):
    """`np.matmul` without warnings of invalid values, which may be false: NaN in the result says what there is to say.

    OpenBLAS's kernels for AVX-512 (0.3.31: float32 matrices of 5 columns times vectors) compute with what lies on the
    stack, too, and do not use it; but where that happens to be a signalling NaN, the processor notes an invalid value.
    """
    with np.errstate(invalid="ignore"):
        return np.matmul(a, b, out=out)


def matrix_product(a, b):
    """a @ b for matrices of shape (m, k) and (k, n), cut along m."""
    if a.shape[1] != b.shape[0]:
        raise ValueError(f"a must have as many columns as b has rows, got shapes {a.shape} and {b.shape}")
    out = buffers.empty((len(a), b.shape[1]), a.dtype)
    piece = _piece(len(a), a.shape[1] * b.shape[1])

    def work(first, last):
        for start in range(first * piece, min(last * piece, len(a)), piece):
            matmul(a[start : start + piece], b, out=out[start : start + piece])

    for_each_share(work, -(-len(a) // piece))
    return out


def transposed_product(a, b):
    """a.T @ b for matrices of shape (m, k) and (m, n), many rows as a rule: a sum of products, cut along m."""
    if len(a) != len(b):
        raise ValueError(f"a and b must have equally many rows, got shapes {a.shape} and {b.shape}")
    piece = _piece(len(a), a.shape[1] * b.shape[1])
    partial = buffers.empty((-(-len(a) // piece), a.shape[1], b.shape[1]), a.dtype, "workspace")

    def work(first, last):
        for number in range(first, last):
            rows = slice(number * piece, (number + 1) * piece)
            matmul(a[rows].T, b[rows], out=partial[number])

    for_each_share(work, len(partial))
    return partial.sum(axis=0)


def _piece(rows, pairs):
    """How many rows make a piece, if each takes so many multiplications; whole register tiles of 16."""
    pieces = min(MOST_PIECES, max(1, 2 * rows * pairs // OPERATIONS_PER_PIECE))
    return max(16, -(-rows // (16 * pieces)) * 16)
