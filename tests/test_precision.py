"""Distances between floats, counted in floats."""

import numpy as np
import pytest
from support import DTYPES

from mininet.precision import bits_of_difference, describe_difference, ulp_distance

by_dtype = pytest.mark.parametrize("dtype", DTYPES)


def steps(start, count, towards=np.inf):
    """`start` after `count` steps to the next float."""
    for _ in range(count):
        start = np.nextafter(start, start.dtype.type(towards))
    return start


@by_dtype
@pytest.mark.parametrize("start", [1.0, 0.0, -0.0, 1e-40, -3.5])
@pytest.mark.parametrize("count", [0, 1, 2, 17])
def test_counts_steps_to_the_next_float(dtype, start, count):
    start = dtype(start)
    end = steps(start, count)
    for a, b in ((start, end), (end, start)):
        assert ulp_distance(np.array([a]), np.array([b])) == count
        assert bits_of_difference(np.array([a]), np.array([b])) == count.bit_length()


@by_dtype
def test_special_values(dtype):
    info = np.finfo(dtype)
    smallest = info.smallest_subnormal
    infinity_from_zero = int(np.array(np.inf, dtype).view(f"i{info.bits // 8}"))
    for a, b, expected in (
        (0.0, -0.0, 0),
        (smallest, -smallest, 2),
        (smallest, 0.0, 1),
        (info.smallest_normal, smallest, 2**info.nmant - 1),
        (info.max, np.inf, 1),
        (-np.inf, -info.max, 1),
        (1.0, 2.0, 2**info.nmant),
        (-1.0, 1.0, 2 * int(np.array(1, dtype).view(f"i{info.bits // 8}"))),
        (np.inf, np.inf, 0),
        (-np.inf, np.inf, 2 * infinity_from_zero),
        (np.nan, np.nan, 0),
        (np.nan, np.inf, 2**info.bits),  # farther than numbers from one another
        (np.nan, 1.0, 2**info.bits),
    ):
        for one, other in ((a, b), (b, a)):
            one, other = np.array([one], dtype), np.array([other], dtype)
            assert ulp_distance(one, other) == expected
            assert bits_of_difference(one, other) == expected.bit_length()


@by_dtype
def test_the_largest_distance_counts(dtype):
    a = np.ones((3, 4), dtype)
    b = a.copy()
    b[1, 2], b[0, 0] = steps(dtype(1), 9), steps(dtype(1), 3, -np.inf)
    assert ulp_distance(a, b) == 9
    assert ulp_distance(a.T, b.T) == 9
    assert ulp_distance(a[::2], b[::2]) == 3
    a[0, 1], b[0, 1] = np.nan, -np.nan  # equal
    assert ulp_distance(a, b) == 9


@by_dtype
def test_empty_and_scalar_arrays(dtype):
    assert ulp_distance(np.ones((0, 3), dtype), np.ones((0, 3), dtype)) == 0
    assert ulp_distance(np.array(1, dtype), np.array(steps(dtype(1), 2))) == 2
    assert bits_of_difference(dtype(1), dtype(1)) == 0


@by_dtype
def test_differences_in_words(dtype):
    a = np.array([1, -2, np.inf, np.nan], dtype)
    b = a.copy()
    assert describe_difference(a, b) == "exact"
    b[0] = steps(dtype(1), 3)
    assert describe_difference(a[:2], b[:2]) == f"largest difference {b[0] - a[0]:.3g}"
    assert describe_difference(a, b) == describe_difference(a[:2], b[:2])  # infinities are equal, NaNs too
    assert describe_difference(a, b[:2]) == f"different: (4,) {a.dtype} and (2,) {a.dtype}"
    assert describe_difference(np.ones(2), np.ones(2, np.float32)) == "different: (2,) float64 and (2,) float32"
    assert describe_difference(np.ones(0), np.ones(0)) == "exact"


def test_differences_of_large_integers_and_of_complex_numbers():
    assert describe_difference(np.array([2**60 + 1]), np.array([2**60])) == "largest difference 1"
    extremes = np.iinfo(np.int64)
    text = describe_difference(np.array([extremes.min]), np.array([extremes.max]))
    assert text == f"largest difference {2**64:.3g}"
    assert describe_difference(np.array([1 + 2j]), np.array([1 - 1j])) == "largest difference 3"
    assert describe_difference(np.array([True, True]), np.array([True, False])) == "largest difference 1"
