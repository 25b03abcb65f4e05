"""The fast convolution and its gradients against the definition."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support import DTYPES, assert_unchanged, assert_within, normal, strided

from mininet.kernels import patches
from mininet.kernels.convolution import (
    convolve,
    convolve_gradients_reference,
    convolve_input_gradient,
    convolve_reference,
    convolve_weight_gradient,
    output_size,
)

# (images, weights, stride, padding); images (n, height, width, c), weights (kh, kw, c, k)
CASES = {
    "3x3": ((2, 5, 6, 3), (3, 3, 3, 4), (1, 1), (1, 1)),
    "3x3, no padding": ((2, 5, 4, 2), (3, 3, 2, 3), (1, 1), (0, 0)),
    "3x3, stride 2": ((2, 6, 5, 2), (3, 3, 2, 3), (2, 2), (1, 1)),
    "3x3, stride (2, 1)": ((1, 6, 5, 2), (3, 3, 2, 2), (2, 1), (1, 0)),
    "3x3, stride (1, 3)": ((1, 4, 7, 2), (3, 3, 2, 2), (1, 3), (0, 2)),
    "stride larger than the window": ((2, 7, 8, 2), (2, 2, 2, 3), (3, 4), (0, 0)),
    "1x1": ((2, 3, 4, 3), (1, 1, 3, 5), (1, 1), (0, 0)),
    "1x1, stride 2": ((2, 5, 4, 3), (1, 1, 3, 2), (2, 2), (0, 0)),
    "1x1, padding": ((2, 3, 4, 3), (1, 1, 3, 2), (1, 1), (1, 2)),
    "1x3": ((2, 3, 5, 2), (1, 3, 2, 3), (1, 1), (0, 1)),
    "3x1": ((2, 5, 3, 2), (3, 1, 2, 3), (1, 2), (1, 0)),
    "5x5": ((1, 6, 5, 2), (5, 5, 2, 2), (1, 1), (2, 2)),
    "the window covers the image": ((2, 3, 4, 2), (3, 4, 2, 3), (1, 1), (0, 0)),
    "the window fits only with the padding": ((2, 2, 1, 2), (5, 4, 2, 2), (1, 2), (2, 2)),
    "last pixels under no window": ((1, 6, 6, 1), (3, 3, 1, 1), (2, 2), (0, 0)),
    "padding wider than the window": ((1, 2, 2, 1), (2, 2, 1, 1), (1, 1), (3, 3)),
    "one channel": ((1, 4, 4, 1), (3, 3, 1, 1), (1, 1), (1, 1)),
    "no images": ((0, 4, 5, 3), (3, 3, 3, 2), (1, 1), (1, 1)),
}


def make(x_shape, w_shape, stride, padding, dtype):
    height, width = (output_size(x_shape[1 + i], w_shape[i], stride[i], padding[i]) for i in (0, 1))
    gradient_shape = (x_shape[0], height, width, w_shape[3])
    return normal(x_shape, dtype, 1), normal(w_shape, dtype, 2), normal(gradient_shape, dtype, 3)


def check(x, w, gradient, stride, padding):
    """Forward and both gradients against the definition in float64.

    A sum of K products, in any order, is off by at most K eps/2 (1 + K eps) times the sum of their absolute values,
    which is what the definition gives for absolute values.  K eps leaves a factor of 2.
    """
    eps = np.finfo(x.dtype).eps
    exact = [array.astype(np.float64) for array in (x, w, gradient)]
    sizes = [np.abs(array) for array in exact]
    found = (
        convolve(x, w, stride, padding),
        convolve_input_gradient(gradient, w, x.shape, stride, padding),
        convolve_weight_gradient(x, gradient, w.shape, stride, padding),
    )
    expected = convolve_reference(*exact[:2], stride, padding), *convolve_gradients_reference(*exact, stride, padding)
    bounds = convolve_reference(*sizes[:2], stride, padding), *convolve_gradients_reference(*sizes, stride, padding)
    terms = np.prod(w.shape[:3]), np.prod(w.shape[:2]) * w.shape[3], np.prod(gradient.shape[:3])
    for one, other, bound, count in zip(found, expected, bounds, terms, strict=True):
        assert one.dtype == x.dtype
        assert_within(one, other, count * eps * bound)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_tiny_images_by_definition(case, dtype):
    check(*make(*case, dtype), *case[2:])


@st.composite
def cases(draw):
    """Sizes for which at least one window fits."""
    kernel = [draw(st.integers(1, 4)) for _ in range(2)]
    padding = tuple(draw(st.integers(0, 3)) for _ in range(2))
    stride = tuple(draw(st.integers(1, 3)) for _ in range(2))
    sizes = [draw(st.integers(max(1, k - 2 * p), max(1, k - 2 * p) + 3)) for k, p in zip(kernel, padding, strict=True)]
    channels, outputs, images = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(0, 2))
    return (images, *sizes, channels), (*kernel, channels, outputs), stride, padding


@given(case=cases())
@settings(deadline=None, max_examples=30, derandomize=True)
def test_generated_shapes_by_definition(case):
    check(*make(*case, np.float64), *case[2:])


@pytest.mark.parametrize("case", ["3x3", "1x1", "3x3, stride (2, 1)"])
def test_arrays_that_are_not_contiguous(case):
    case = CASES[case]
    x, w, gradient = make(*case, np.float32)
    check(strided(x), strided(w), strided(gradient), *case[2:])
    transposed = [np.ascontiguousarray(array.T).T for array in (x, w, gradient)]
    check(*transposed, *case[2:])


def test_gradient_that_is_one_repeated_number():
    # what comes back through a sum is a view with strides of 0
    x, w, gradient = make(*CASES["3x3"], np.float64)
    check(x, w, np.broadcast_to(np.array(0.5), gradient.shape), (1, 1), (1, 1))


@pytest.mark.parametrize("images_per_piece", [1, 3, 4])
def test_tiny_pieces_of_work(monkeypatch, images_per_piece):
    # 7 images: one or three to a piece leave pieces of one image; four to a piece a shorter last one
    case = ((7, 3, 4, 2), (3, 3, 2, 3), (1, 1), (1, 1))
    monkeypatch.setattr(patches, "PATCH_BYTES", images_per_piece * 3 * 4 * 18 * 8)
    assert patches._images_per_piece((7, 3, 4, 3), (3, 3, 2, 3), 8) == images_per_piece
    check(*make(*case, np.float64), *case[2:])


def test_more_images_than_one_piece_of_work():
    count = 2 * patches._images_per_piece((1, 24, 24, 2), (3, 3, 8, 2), 4) + 1
    case = ((count, 24, 24, 8), (3, 3, 8, 2), (1, 1), (1, 1))
    x, w, gradient = make(*case, np.float32)
    pairs = [(x[i : i + 1], gradient[i : i + 1]) for i in range(count)]
    one_by_one = [convolve(image, w, (1, 1), (1, 1)) for image, _ in pairs]
    gradients = [convolve_input_gradient(back, w, (1, *x.shape[1:]), (1, 1), (1, 1)) for _, back in pairs]
    weights = [convolve_weight_gradient(image, back, w.shape, (1, 1), (1, 1)) for image, back in pairs]
    eps = np.finfo(np.float32).eps
    bound = 72 * eps * convolve(np.abs(x), np.abs(w), (1, 1), (1, 1))  # see `check`
    assert_within(convolve(x, w, (1, 1), (1, 1)), np.concatenate(one_by_one), bound)
    bound = 18 * eps * convolve_input_gradient(np.abs(gradient), np.abs(w), x.shape, (1, 1), (1, 1))
    assert_within(convolve_input_gradient(gradient, w, x.shape, (1, 1), (1, 1)), np.concatenate(gradients), bound)
    bound = count * 24 * 24 * eps * convolve_weight_gradient(np.abs(x), np.abs(gradient), w.shape, (1, 1), (1, 1))
    assert_within(convolve_weight_gradient(x, gradient, w.shape, (1, 1), (1, 1)), sum(weights), bound)


@pytest.mark.parametrize("case", ["3x3", "1x1", "1x1, padding", "3x3, stride 2"])
def test_tiny_inputs_stay_as_they_are(case):
    case = CASES[case]
    arrays = make(*case, np.float32)
    copies = [array.copy() for array in arrays]
    x, w, gradient = arrays
    out = convolve(x, w, *case[2:])
    dx = convolve_input_gradient(gradient, w, x.shape, *case[2:])
    dw = convolve_weight_gradient(x, gradient, w.shape, *case[2:])
    assert_unchanged(arrays, copies)
    assert not any(np.shares_memory(new, old) for new in (out, dx, dw) for old in arrays)


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("window", range(1, 5))
@pytest.mark.parametrize("stride", range(1, 4))
def test_output_size_counts_positions(size, window, stride):
    for padding in range(3):
        starts = range(-padding, size + padding - window + 1, stride)
        assert output_size(size, window, stride, padding) == max(len(starts), 0) or size + 2 * padding < window
