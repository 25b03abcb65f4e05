"""The matrix product in pieces."""

import numpy as np
import pytest
from support import DTYPES, assert_within, normal

from mininet.kernels import matrix
from mininet.kernels.matrix import matrix_product, transposed_product


def check(a, b):
    """A sum of K products is off by at most K eps times the sum of their absolute values, in any order."""
    exact_a, exact_b = a.astype(np.float64), b.astype(np.float64)
    expected = np.einsum("ik,kj->ij", exact_a, exact_b)
    sizes = np.einsum("ik,kj->ij", np.abs(exact_a), np.abs(exact_b))
    for out in (matrix_product(a, b), transposed_product(a.T, b)):
        assert out.dtype == a.dtype
        assert_within(out, expected, a.shape[1] * np.finfo(a.dtype).eps * sizes)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operations", [None, 1], ids=["one piece", "pieces of 16 rows"])
@pytest.mark.parametrize(
    "sizes", [(1, 1, 1), (17, 3, 2), (33, 1, 4), (0, 3, 2), (3, 2, 0), (3, 0, 2), (300, 2, 3), (40, 100, 3)]
)
def test_tiny_product(monkeypatch, sizes, operations, dtype):
    if operations:
        monkeypatch.setattr(matrix, "OPERATIONS_PER_PIECE", operations)
        monkeypatch.setattr(matrix, "FEWEST_ROWS", 16)
        monkeypatch.setattr(matrix, "FEWEST_TERMS", 32)
        monkeypatch.setattr(matrix, "_pieces", matrix._pieces.__wrapped__)  # without what it remembers
    rows, inner, columns = sizes
    check(normal((rows, inner), dtype, 1), normal((inner, columns), dtype, 2))


@pytest.mark.parametrize("dtype", DTYPES)
def test_tiny_an_invalid_product_is_nan_without_a_warning(dtype):
    """BLAS may note an invalid value where there is none: what it computes with and does not use."""
    rows, columns = np.array([[np.inf, 1, 1, 1, 1], [1, 1, 1, 1, 1]], dtype), np.array([[0, 1, 1, 1, 1]], dtype).T
    for product in (matrix_product(rows, columns), transposed_product(rows.T.copy(), columns)):
        assert np.array_equal(product, [[np.nan], [4]], equal_nan=True)


@pytest.mark.parametrize("pairs", [1, 100, 64 * 64])
def test_tiny_pieces_depend_on_the_sizes_only(pairs):
    for rows in (0, 1, 16, 17, 257, 1000, 10_000):
        pieces = matrix._pieces(rows, pairs, matrix.FEWEST_ROWS)
        assert [row for piece in pieces for row in range(rows)[piece]] == list(range(rows))
        sizes = {piece.stop - piece.start for piece in pieces}
        assert len(sizes) <= 1
        assert all(size % 16 == 0 for size in sizes)
        assert len(pieces) <= matrix.MOST_PIECES
        assert len(pieces) <= max(1, rows // matrix.FEWEST_ROWS)
        # a piece is not smaller than it is worth, except for what rounding to 16 rows takes away
        assert len(pieces) <= 1 or all(2 * (size + 16) * pairs >= matrix.OPERATIONS_PER_PIECE for size in sizes)
