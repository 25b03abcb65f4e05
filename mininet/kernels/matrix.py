"""Matrix products, shared among the threads in pieces that depend on the sizes only.

BLAS may compute a row differently when it is given a different number of rows.  So the pieces must not depend on the
number of threads, or the bits would.
"""

import functools
import itertools
from collections.abc import Callable, Sequence

import numpy as np

from ..base.types import FloatArray
from . import buffers
from .threads import for_each_share

OPERATIONS_PER_PIECE = 2**24
"""Multiplications and additions in the smallest piece: about 100 microseconds on one core."""

MOST_PIECES, FEWEST_ROWS, FEWEST_TERMS = 16, 256, 512
"""BLAS arranges b anew for each piece, which 128 rows hardly repay; 512 terms repay that sums are added up."""


def matmul(a: FloatArray, b: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Multiply without warnings of invalid values, which may be false; a NaN in the result says enough.

    OpenBLAS's kernels for AVX-512 (0.3.31: float32 matrices of 5 columns times vectors) also compute with what is left
    on the stack, and drop the result.  If that happens to be a signalling NaN, the processor notes an invalid value.
    """
    with np.errstate(invalid="ignore"):  # np.dot gives the same bits as np.matmul in half the time
        return np.dot(a, b, out=out) if a.ndim == b.ndim == 2 else np.matmul(a, b, out=out)


def matrix_product(a: FloatArray, b: FloatArray, bias: FloatArray | None = None) -> FloatArray:
    """Compute a @ b, plus a `bias` (n,) if there is one, for matrices of shape (m, k) and (k, n), cut along m."""
    if a.shape[1] != b.shape[0]:
        raise ValueError(f"a must have as many columns as b has rows, got shapes {a.shape} and {b.shape}")
    out = buffers.empty((len(a), b.shape[1]), a.dtype)
    pieces = _pieces(len(a), a.shape[1] * b.shape[1], FEWEST_ROWS)
    multiply = _multiply(pieces)

    def work(first: int, last: int) -> None:
        with np.errstate(invalid="ignore"):  # as in `matmul`, once for all pieces
            for rows in pieces[first:last]:
                piece = multiply(a[rows], b, out=out[rows])
                if bias is not None:
                    piece += bias  # while it is in the cache

    for_each_share(work, len(pieces))
    return out


def transposed_product(a: FloatArray, b: FloatArray) -> FloatArray:
    """Compute a.T @ b for matrices of shape (m, k) and (m, n), usually of many rows, as a sum of pieces along m.

    A piece is cut once more along k.
    """
    if len(a) != len(b):
        raise ValueError(f"a and b must have equally many rows, got shapes {a.shape} and {b.shape}")
    terms = _pieces(len(a), a.shape[1] * b.shape[1], FEWEST_TERMS)
    pieces = list(itertools.product(enumerate(terms), _pieces(a.shape[1], FEWEST_TERMS * b.shape[1], FEWEST_ROWS)))
    partial = buffers.empty((len(terms), a.shape[1], b.shape[1]), a.dtype, "workspace")
    multiply = _multiply(pieces)

    def work(first: int, last: int) -> None:
        with np.errstate(invalid="ignore"):
            for (number, rows), columns in pieces[first:last]:
                multiply(a[rows, columns].T, b[rows], out=partial[number, columns])

    for_each_share(work, len(pieces))
    return np.asarray(partial.sum(axis=0))


def _multiply(pieces: Sequence[object]) -> Callable[..., FloatArray]:
    """np.dot begins sooner, but then fills `out` with zeros, and copies a factor that is cut along both axes."""
    return np.dot if len(pieces) == 1 else np.matmul


@functools.lru_cache(maxsize=1024)
def _pieces(rows: int, pairs: int, fewest: int) -> list[slice]:
    """Cut rows, each of which takes `pairs` multiplications, into pieces of register tiles of 16, `fewest` or more."""
    count = max(1, min(MOST_PIECES, 2 * rows * pairs // OPERATIONS_PER_PIECE, rows // fewest))
    size = max(16, -(-rows // (16 * count)) * 16)
    return [slice(start, start + size) for start in range(0, rows, size)]
