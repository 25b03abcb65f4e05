"""Winograd's method: its matrices exactly, its stages within the errors that their sizes allow."""

import fractions

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support import (
    DTYPES,
    assert_unchanged,
    assert_within,
    convolution_arrays,
    guarded_buffers,
    in_float64,
    normal,
)
from winograd_support import bounds

from mininet.kernels import simd, winograd
from mininet.kernels.convolution import (
    convolve_gradients_reference,
    convolve_input_gradient,
    convolve_reference,
    method,
)
from mininet.kernels.winograd import INPUT, OUTPUT, POINTS, WEIGHT, fits, share_of_use

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


def test_tiny_two_dimensions_in_fractions():
    random = np.random.default_rng(0)
    at, g, bt = (np.array(exactly(matrix), dtype=object) for matrix in (OUTPUT, WEIGHT, INPUT))
    image = np.array([[fractions.Fraction(int(n), 7) for n in row] for row in random.integers(-50, 50, (6, 6))])
    taps = np.array([[fractions.Fraction(int(n), 5) for n in row] for row in random.integers(-50, 50, (3, 3))])
    found = at @ ((g @ taps @ g.T) * (bt @ image @ bt.T)) @ at.T
    for i, j in np.ndindex(4, 4):
        assert found[i, j] == (image[i : i + 3, j : j + 3] * taps).sum()


# The method, within the errors of its stages


def check(x_shape, k, padding, dtype, expect=in_float64):
    case = x_shape, (3, 3, x_shape[3], k), (1, 1), padding
    x, w, gradient = arrays = convolution_arrays(*case, dtype)
    copies = [array.copy() for array in arrays]
    with guarded_buffers():
        found = (
            winograd.convolve(x, w, padding, gradient.shape),
            winograd.weight_gradient(x, gradient, w.shape, padding),
        )
    assert_unchanged(arrays, copies)
    expected = expect(*(array.astype(np.float64) for array in arrays), (1, 1), padding)[::2]
    for one, other, bound in zip(found, expected, bounds(x, w, gradient, padding), strict=True):
        assert one.dtype == dtype
        assert_within(one, other, bound)
        assert not any(np.shares_memory(one, array) for array in arrays)


def by_definition(x, w, gradient, stride, padding):
    return convolve_reference(x, w, stride, padding), *convolve_gradients_reference(x, w, gradient, stride, padding)


@pytest.mark.parametrize("size", [(4, 4), (5, 3), (3, 6)], ids=str)
def test_tiny_images_by_definition(size):
    count = simd.lanes(np.float64)
    check((1, *size, count), count, (1, 1), np.float64, by_definition)


def test_images_in_single_precision_by_definition():
    count = simd.lanes(np.float32)
    check((1, 5, 6, count), count, (1, 1), np.float32, by_definition)


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


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("vectors", [(1, 1), (2, 1), (1, 2), (3, 2), (1, 3), (2, 6)], ids=str)
def test_channels(vectors, dtype):
    c, k = (simd.lanes(dtype) * count for count in vectors)
    check((2, 7, 9, c), k, (1, 1), dtype)


@pytest.mark.parametrize("height", [1, 2, 3, 4, 5, 7, 8, 12, 13])
@pytest.mark.parametrize("width", [1, 3, 4, 5, 8, 10, 21])
def test_sizes_of_the_output(height, width):
    count = simd.lanes(np.float64)
    for images in (0, 1, 3):
        check((images, height + 2, width, count), count, (0, 1), np.float64)


def test_large_images():
    # sums over 1024 tiles and more are made of 8 parts
    count = simd.lanes(np.float32)
    check((5, 62, 64, count), 2 * count, (1, 1), np.float32)


@pytest.mark.parametrize("padding", [(0, 0), (1, 0), (0, 2), (3, 3), (-1, -1), (-2, 1), (2, -3)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_padding_and_cropping(padding, dtype):
    count = simd.lanes(dtype)
    check((2, 9, 11, count), count, padding, dtype)


@pytest.mark.parametrize("padding", [(0, 0), (1, 1), (0, 2), (2, 1), (3, 0), (3, 3)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradient_of_the_input_is_a_convolution_with_the_kernel_turned_round(padding, dtype):
    count = simd.lanes(dtype)
    case = (2, 12, 7, 2 * count), (3, 3, 2 * count, count), (1, 1), padding
    x, w, gradient = convolution_arrays(*case, dtype)
    around = 2 - padding[0], 2 - padding[1]
    turned = w[::-1, ::-1].swapaxes(2, 3)
    assert method(turned.shape, (1, 1), around, x.shape, x.dtype) == "winograd"
    expected = in_float64(x, w, gradient, (1, 1), padding)[1]
    assert_within(
        convolve_input_gradient(gradient, w, x.shape, (1, 1), padding),
        expected,
        bounds(gradient, turned, x, around)[0],
    )


@given(
    size=st.tuples(st.integers(0, 4), st.integers(3, 20), st.integers(3, 30)),
    padding=st.tuples(st.integers(-1, 3), st.integers(-1, 3)),
    vectors=st.tuples(st.integers(1, 4), st.integers(1, 3)),
    room=st.integers(0, 200_000),
    at_least=st.integers(1, 70),
)
@settings(deadline=None, max_examples=80, derandomize=True)
def test_generated_shapes_and_pieces(size, padding, vectors, room, at_least):
    size = size[0], *(max(length, 3 - 2 * p) for length, p in zip(size[1:], padding, strict=True))
    c, k = (simd.lanes(np.float64) * count for count in vectors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "WORKSPACE_BYTES", room)
        patch.setattr(winograd, "TILES_AT_LEAST", at_least)
        check((*size, c), k, padding, np.float64)


@pytest.mark.parametrize("images", [1, 2, 5])
def test_a_batch_is_what_its_images_are(images):
    # so it does not matter how many tiles are transformed at a time
    count = simd.lanes(np.float32)
    x, w = normal((images, 10, 13, count), np.float32, 1), normal((3, 3, count, 2 * count), np.float32, 2)
    together = winograd.convolve(x, w, (1, 1), (images, 10, 13, 2 * count))
    for number in range(images):
        alone = winograd.convolve(x[number : number + 1], w, (1, 1), (1, 10, 13, 2 * count))
        assert alone.tobytes() == together[number].tobytes()


# Parts


def test_tiny_fits():
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        count = simd.lanes(dtype)
        assert fits((3, 3, count, 2 * count), (1, 1), dtype)
        for w_shape in ((3, 3, count, count + 1), (3, 3, count // 2, count), (3, 3, 0, count), (3, 3, count, 0)):
            assert not fits(w_shape, (1, 1), dtype)
        for window in ((1, 3), (3, 1), (2, 2), (5, 5), (1, 1)):
            assert not fits((*window, count, count), (1, 1), dtype)
        for stride in ((1, 2), (2, 1), (2, 2)):
            assert not fits((3, 3, count, count), stride, dtype)


def test_tiny_share_of_use():
    assert share_of_use(4, 8) == 1
    assert share_of_use(1, 1) == 1 / 16
    assert share_of_use(5, 4) == 20 / 32
    assert share_of_use(6, 9) == 54 / (2 * 3 * 16)


def test_tiny_weights_at_the_points():
    count, lanes = 2, simd.lanes(np.float64)
    w = normal((3, 3, count, 2 * lanes))
    u = winograd._transformed_weights(w, 1)
    exact = np.einsum("pi,ijck,qj->pqck", WEIGHT, w, WEIGHT).reshape(POINTS, count, 2, lanes)
    sizes = np.einsum("pi,ijck,qj->pqck", np.abs(WEIGHT), np.abs(w), np.abs(WEIGHT)).reshape(exact.shape)
    found = u.reshape(POINTS, -1)[:, : count * 2 * lanes].reshape(POINTS, 2, count, lanes)  # in panels
    assert_within(found, exact.swapaxes(1, 2), 8 * np.finfo(np.float64).eps * sizes.swapaxes(1, 2))
