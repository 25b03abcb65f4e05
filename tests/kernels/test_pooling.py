"""Pooling against its definition."""

import numpy as np
import pytest
from references import pool_reference
from support import DTYPES, assert_within, normal, strided

from mininet.kernels.pooling import average_pool, average_pool_gradient, max_pool, max_pool_gradient

# (images, size, stride, padding)
CASES = {
    "2x2": ((2, 4, 6, 3), (2, 2), (2, 2), (0, 0)),
    "3x3, overlapping": ((2, 5, 4, 2), (3, 3), (1, 1), (1, 1)),
    "3x3, stride 2, padding 1": ((1, 5, 6, 2), (3, 3), (2, 2), (1, 1)),
    "asymmetric": ((2, 5, 7, 1), (2, 3), (1, 2), (1, 0)),
    "gaps between windows": ((1, 7, 7, 2), (2, 2), (3, 3), (0, 0)),
    "no images": ((0, 4, 4, 2), (2, 2), (2, 2), (0, 0)),
}
by_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
by_dtype = pytest.mark.parametrize("dtype", DTYPES)


@by_dtype
@by_case
def test_tiny_max_pool(case, dtype):
    x, window = normal(case[0], dtype), case[1:]
    out, winner = max_pool(x, *window)
    assert np.array_equal(out, pool_reference(x, *window, np.max, -np.inf))
    assert out.dtype == dtype
    assert winner.dtype == np.int32
    for n, oy, ox, c in np.ndindex(out.shape):
        assert x[n].reshape(-1, x.shape[3])[winner[n, oy, ox, c], c] == out[n, oy, ox, c]


@by_dtype
@by_case
def test_tiny_max_pool_gradient(case, dtype):
    # small integers, so that sums are exact: every window sends its whole gradient to its largest pixel
    x, (size, stride, padding) = normal(case[0], dtype), case[1:]
    out, winner = max_pool(x, size, stride, padding)
    gradient = np.round(normal(out.shape, dtype, 1) * 4)
    expected = np.zeros_like(x)
    for n, oy, ox, c in np.ndindex(out.shape):
        rows = range(max(0, oy * stride[0] - padding[0]), min(x.shape[1], oy * stride[0] - padding[0] + size[0]))
        columns = range(max(0, ox * stride[1] - padding[1]), min(x.shape[2], ox * stride[1] - padding[1] + size[1]))
        y, left = max(((y, left) for y in rows for left in columns), key=lambda at: x[n, at[0], at[1], c])
        expected[n, y, left, c] += gradient[n, oy, ox, c]
    found = max_pool_gradient(gradient, winner, x.shape)
    assert found.dtype == dtype
    assert np.array_equal(found, expected)
    assert np.array_equal(max_pool_gradient(strided(gradient), winner, x.shape), expected)


@by_dtype
@by_case
def test_tiny_average_pool(case, dtype):
    x, window = normal(case[0], dtype), case[1:]
    out = average_pool(x, *window)
    exact = x.astype(np.float64)
    expected = pool_reference(exact, *window, np.mean, 0)
    # K products with 1/K, itself rounded, and K additions
    terms = window[0][0] * window[0][1]
    assert out.dtype == dtype
    bound = (terms + 2) * np.finfo(dtype).eps * pool_reference(np.abs(exact), *window, np.mean, 0)
    assert_within(out, expected, bound)


@by_dtype
@by_case
def test_tiny_average_pool_gradient_is_the_transpose(case, dtype):
    # <g, A x> = <A^T g, x> for unit vectors x: every element of the transposed matrix
    shape, window = case[0], case[1:]
    out_shape = average_pool(np.zeros(shape, dtype), *window).shape
    gradient = normal(out_shape, dtype, 1)
    found = average_pool_gradient(gradient, shape, *window)
    assert found.dtype == dtype
    assert found.shape == shape
    exact = gradient.astype(np.float64)
    expected, sizes = np.zeros(shape), np.zeros(shape)
    for index in np.ndindex(shape):
        unit = np.zeros(shape)
        unit[index] = 1
        column = pool_reference(unit, *window, np.mean, 0)
        expected[index], sizes[index] = np.sum(exact * column), np.sum(np.abs(exact) * column)
    bound = (window[0][0] * window[0][1] + 2) * np.finfo(dtype).eps * sizes
    assert_within(found, expected, bound)
    assert_within(average_pool_gradient(strided(gradient), shape, *window), expected, bound)


def test_tiny_first_of_equal_pixels_wins():
    _, winner = max_pool(np.zeros((1, 4, 4, 1)), (2, 2), (2, 2), (0, 0))
    assert winner.ravel().tolist() == [0, 2, 8, 10]


def test_tiny_padding_never_wins():
    x = np.full((1, 3, 3, 1), -5.0)
    out, _ = max_pool(x, (3, 3), (1, 1), (1, 1))
    assert np.array_equal(out, x)
    out, winner = max_pool(np.full((1, 2, 2, 1), -np.inf), (2, 2), (1, 1), (1, 1))
    assert (out == -np.inf).all()
    assert (winner >= 0).all()


@pytest.mark.parametrize("place", range(4))
def test_tiny_nan_beats_every_number(place):
    x = np.array([1.0, np.inf, -2.0, 3.0])
    x[place] = np.nan
    out, winner = max_pool(x.reshape(1, 2, 2, 1), (2, 2), (2, 2), (0, 0))
    assert np.isnan(out).all()
    assert winner.item() == place
