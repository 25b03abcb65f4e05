"""Distances between floats, counted in floats."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support import DTYPES

from mininet.precision import bits_of_difference, describe_difference, ulp_distance

by_dtype = pytest.mark.parametrize("dtype", DTYPES)


def steps(start, count, towards=np.inf):
    """`start` after `count` steps to the next float."""
    for _ in range(count):
        start = np.nextafter(start, start.dtype.type(towards))
    return start


@by_dtype
@pytest.mark.parametrize("start", [1.0, -1.0, 0.0, -0.0, 1e-40, -3.5, 2.0**100, -(2.0**-100)])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 17])
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
    ):
        for one, other in ((a, b), (b, a)):
            one, other = np.array([one], dtype), np.array([other], dtype)
            assert ulp_distance(one, other) == expected
            assert bits_of_difference(one, other) == expected.bit_length()


@by_dtype
@pytest.mark.parametrize("number", [0.0, 1.0, np.inf, -np.inf])
def test_nan_is_farther_from_every_number_than_numbers_from_one_another(dtype, number):
    bits = np.finfo(dtype).bits
    for a, b in ((np.nan, number), (number, np.nan)):
        assert ulp_distance(np.array([1, a], dtype), np.array([1, b], dtype)) == 2**bits
    farthest = ulp_distance(np.array([-np.inf], dtype), np.array([np.inf], dtype))
    assert farthest < 2**bits


@by_dtype
def test_different_nans_are_equal_and_the_other_elements_count(dtype):
    a = np.array([np.nan, 1.0], dtype)
    b = np.array([-np.nan, steps(dtype(1), 5)], dtype)
    assert ulp_distance(a, b) == 5


@by_dtype
def test_the_largest_distance_counts(dtype):
    a = np.ones((3, 4), dtype)
    b = a.copy()
    b[1, 2], b[0, 0] = steps(dtype(1), 9), steps(dtype(1), 3, -np.inf)
    assert ulp_distance(a, b) == 9
    assert ulp_distance(a.T, b.T) == 9
    assert ulp_distance(a[::2], b[::2]) == 3


@by_dtype
def test_empty_and_scalar_arrays(dtype):
    assert ulp_distance(np.ones((0, 3), dtype), np.ones((0, 3), dtype)) == 0
    assert ulp_distance(np.array(1, dtype), np.array(steps(dtype(1), 2))) == 2
    assert bits_of_difference(dtype(1), dtype(1)) == 0


@given(*(st.floats(width=32, allow_nan=False) for _ in range(3)))
@settings(deadline=None, max_examples=200, derandomize=True)
def test_is_a_distance(a, b, c):
    a, b, c = (np.array([value], np.float32) for value in (a, b, c))
    assert ulp_distance(a, b) == ulp_distance(b, a)
    assert (ulp_distance(a, b) == 0) == (a == b).item()
    assert ulp_distance(a, c) <= ulp_distance(a, b) + ulp_distance(b, c)
    assert type(ulp_distance(a, b)) is int


def test_inputs_stay_as_they_are():
    a, b = np.array([np.nan, 1.0]), np.array([np.nan, -2.0])
    ulp_distance(a, b)
    assert np.isnan(a[0])
    assert a[1] == 1
    assert b[1] == -2


@pytest.mark.parametrize("function", [ulp_distance, bits_of_difference])
def test_errors(function):
    with pytest.raises(ValueError, match=r"agree in shape and dtype, got \(2,\) float64 and \(3,\) float64"):
        function(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="agree in shape and dtype"):
        function(np.ones(2), np.ones(2, np.float32))
    for dtype in (np.int64, np.float16, np.complex128, ">f4"):
        with pytest.raises(TypeError, match="a and b must be float32 or float64"):
            function(np.ones(2, dtype), np.ones(2, dtype))


@by_dtype
def test_differences_in_words(dtype):
    a = np.array([1, -2, np.inf], dtype)
    b = a.copy()
    assert describe_difference(a, b) == "exact"
    b[0] = steps(dtype(1), 3)
    assert describe_difference(a[:2], b[:2]) == f"approximate: largest difference {b[0] - a[0]:.3g}"
    assert describe_difference(a, b) == describe_difference(a[:2], b[:2])  # infinities are equal
    assert describe_difference(a, b[:2]) == f"different: (3,) {a.dtype} and (2,) {a.dtype}"
    assert describe_difference(np.ones(2), np.ones(2, np.float32)) == "different: (2,) float64 and (2,) float32"
    assert describe_difference(np.ones(0), np.ones(0)) == "exact"


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.uint64])
def test_differences_of_integers_in_words(dtype):
    assert describe_difference(np.array([7, 3], dtype), np.array([7, 3], dtype)) == "exact"
    for a, b in ((3, 5), (5, 3)):  # also where a - b would wrap around
        text = describe_difference(np.array([7, a], dtype), np.array([7, b], dtype))
        assert text == "approximate: largest difference 2"


@by_dtype
def test_equal_nans_are_no_difference_in_words(dtype):
    a = np.array([np.nan, 1.0], dtype)
    assert describe_difference(a, a.copy()) == "exact"


def test_differences_of_large_integers_and_of_complex_numbers():
    assert describe_difference(np.array([2**60 + 1]), np.array([2**60])) == "approximate: largest difference 1"
    extremes = np.iinfo(np.int64)
    text = describe_difference(np.array([extremes.min]), np.array([extremes.max]))
    assert text == f"approximate: largest difference {2**64:.3g}"
    assert describe_difference(np.array([1 + 2j]), np.array([1 - 1j])) == "approximate: largest difference 3"
    assert describe_difference(np.array([True, True]), np.array([True, False])) == "approximate: largest difference 1"
