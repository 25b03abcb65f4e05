"""Winograd's method: its matrices exactly, its stages within the errors that their sizes allow."""

import fractions

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support import assert_within, by_definition, check_convolution, convolution_arrays, in_float64, normal
from winograd_support import bounds

from mininet.kernels import simd, winograd
from mininet.kernels.convolution import convolve_input_gradient, method
from mininet.kernels.winograd import INPUT, OUTPUT, WEIGHT

# The matrices


def exactly(matrix):
    """The matrix of fractions that is meant, with denominators up to 10,000, if its floats are the nearest ones."""
    meant = [[fractions.Fraction(float(entry)).limit_denominator(10_000) for entry in row] for row in matrix]
    assert np.array_equal([[float(entry) for entry in row] for row in meant], matrix)
    return meant


def test_tiny_the_matrices_compute_a_convolution_exactly():
    # y_i = sum over p of A^T[i, p] (sum over j of G[p, j] g_j) (sum over t of B^T[p, t] d_t)  must be
    # sum over j of g_j d_(i + j), whatever g and d are: the coefficient of g_j d_t is 1 if t = i + j, else 0
    to_output, of_weight, of_input = exactly(OUTPUT), exactly(WEIGHT), exactly(INPUT)
    for i, j, t in np.ndindex(4, 3, 6):
        coefficient = sum(to_output[i][p] * of_weight[p][j] * of_input[p][t] for p in range(6))
        assert coefficient == (t == i + j)


# The method, within the errors of its stages


def compute(x, w, gradient, stride, padding):
    out = winograd.convolve(x, w, padding, gradient.shape)
    return out, None, winograd.weight_gradient(x, gradient, w.shape, padding)


def bounds_of(x, w, gradient, stride, padding):
    out, dw = bounds(x, w, gradient, padding)
    return out, None, dw


def check(x_shape, k, padding, dtype, expect=in_float64):
    case = x_shape, (3, 3, x_shape[3], k), (1, 1), padding
    check_convolution(compute, case, dtype, expect, bounds_of)


def test_tiny_images_by_definition():
    count = simd.lanes(np.float64)
    check((1, 5, 3, count), count, (1, 1), np.float64, by_definition)


def test_errors_are_half_a_digit_not_more():
    # the bounds above are worst cases; what the docstring promises is what comes out as a rule
    x, w, gradient = convolution_arrays((4, 32, 32, 32), (3, 3, 32, 32), (1, 1), (1, 1), np.float32)
    out, _, dw = in_float64(x, w, gradient, (1, 1), (1, 1))
    eps = np.finfo(np.float32).eps
    for found, exact in (
        (winograd.convolve(x, w, (1, 1), gradient.shape), out),
        (winograd.weight_gradient(x, gradient, w.shape, (1, 1)), dw),
    ):
        assert np.sqrt(np.mean((found - exact) ** 2)) < 15 * eps * np.sqrt(np.mean(exact**2))


@pytest.mark.parametrize(("vectors", "dtype"), [((3, 2), np.float32), ((1, 3), np.float32), ((2, 6), np.float64)])
def test_channels(vectors, dtype):
    c, k = (simd.lanes(dtype) * count for count in vectors)
    check((2, 7, 9, c), k, (1, 1), dtype)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 21), (3, 4), (4, 3), (5, 8), (13, 10)])
def test_sizes_of_the_output(height, width):
    count = simd.lanes(np.float64)
    for images in (0, 1, 3):
        check((images, height + 2, width, count), count, (0, 1), np.float64)


@pytest.mark.parametrize("padding", [(0, 2), (3, 3), (-1, -1), (2, -3)], ids=str)
def test_padding_and_cropping(padding):
    count = simd.lanes(np.float32)
    check((2, 9, 11, count), count, padding, np.float32)


def test_large_images():
    # sums over 1024 tiles and more are made of 8 parts
    count = simd.lanes(np.float32)
    check((5, 62, 64, count), 2 * count, (1, 1), np.float32)


@pytest.mark.parametrize("padding", [(1, 1), (3, 0)], ids=str)
def test_gradient_of_the_input_is_a_convolution_with_the_kernel_turned_round(padding):
    count, dtype = simd.lanes(np.float32), np.float32
    case = (2, 12, 7, 2 * count), (3, 3, 2 * count, count), (1, 1), padding
    x, w, gradient = convolution_arrays(*case, dtype)
    around = 2 - padding[0], 2 - padding[1]
    turned = w[::-1, ::-1].swapaxes(2, 3)
    assert method(turned.shape, (1, 1), around, x.shape, x.dtype) == "winograd"
    expected = in_float64(x, w, gradient, (1, 1), padding)[1]
    found = convolve_input_gradient(gradient, w, x.shape, (1, 1), padding)
    assert_within(found, expected, bounds(gradient, turned, x, around)[0])


@given(
    size=st.tuples(st.integers(0, 4), st.integers(3, 20), st.integers(3, 30)),
    padding=st.tuples(st.integers(-1, 3), st.integers(-1, 3)),
    vectors=st.tuples(st.integers(1, 4), st.integers(1, 3)),
    room=st.integers(0, 200_000),
    at_least=st.integers(1, 70),
)
@settings(deadline=None, max_examples=30, derandomize=True)
def test_generated_shapes_and_pieces(size, padding, vectors, room, at_least):
    size = size[0], *(max(length, 3 - 2 * p) for length, p in zip(size[1:], padding, strict=True))
    c, k = (simd.lanes(np.float64) * count for count in vectors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "WORKSPACE_BYTES", room)
        patch.setattr(winograd, "TILES_AT_LEAST", at_least)
        check((*size, c), k, padding, np.float64)


def test_a_batch_is_what_its_images_are():
    # so it does not matter how many tiles are transformed at a time
    count, images = simd.lanes(np.float32), 5
    x, w = normal((images, 10, 13, count), np.float32, 1), normal((3, 3, count, 2 * count), np.float32, 2)
    together = winograd.convolve(x, w, (1, 1), (images, 10, 13, 2 * count))
    for number in range(images):
        alone = winograd.convolve(x[number : number + 1], w, (1, 1), (1, 10, 13, 2 * count))
        assert alone.tobytes() == together[number].tobytes()
