"""Elementwise arithmetic in shares: NumPy's results, bit for bit, wherever it is done."""

import numpy as np
import pytest
from support import DTYPES, assert_unchanged, guarded_buffers, normal, strided

from mininet.kernels import buffers, elementwise
from mininet.kernels.elementwise import gradient_where_positive, in_shares, positive_part

LARGE = 2 * elementwise.ELEMENTS_WORTH_SHARING + 7
by_size = pytest.mark.parametrize("size", [0, 5, buffers.SMALLEST, LARGE])


@pytest.mark.parametrize("dtype", DTYPES)
@by_size
def test_tiny_two_arrays(size, dtype):
    a, b = normal(size, dtype, 1), normal(size, dtype, 2)
    kept = a.copy(), b.copy()
    with guarded_buffers():
        found = in_shares(np.subtract, a, b)
    assert found.dtype == dtype
    assert_unchanged([found, a, b], [a - b, *kept])


def test_tiny_what_does_not_fit_is_left_to_numpy():
    a = normal((600, 100))
    for b in (normal(100), normal((1, 1)), strided(a), a.T.copy().T, a.astype(np.float32)):
        assert np.array_equal(in_shares(np.add, a, b), a + b)
        assert np.array_equal(in_shares(np.add, b, a), a + b)


SPECIAL = [0.0, -0.0, 1.5, -1.5, np.inf, -np.inf, np.nan, 1e-310, -1e-310]


@pytest.mark.parametrize("dtype", DTYPES)
@by_size
def test_tiny_relu_and_its_gradient(size, dtype):
    a, gradient = normal(size, dtype, 1), normal(size, dtype, 2)
    a[: len(SPECIAL)] = SPECIAL[:size]
    with guarded_buffers():
        assert np.array_equal(in_shares(positive_part, a), np.maximum(a, 0), equal_nan=True)
        found = in_shares(gradient_where_positive, gradient, a)
    assert found.dtype == dtype
    assert np.array_equal(found, np.where(a > 0, gradient, 0))


def test_tiny_gradient_of_arrays_that_are_not_contiguous():
    a, gradient = normal((30, 20)), normal((30, 20), seed=1)
    expected = np.where(a > 0, gradient, 0)
    assert np.array_equal(in_shares(gradient_where_positive, strided(gradient), a), expected)
    assert np.array_equal(in_shares(gradient_where_positive, gradient, np.asfortranarray(a)), expected)
