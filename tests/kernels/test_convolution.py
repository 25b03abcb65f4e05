"""The fast convolution and its gradients against the definition."""

import itertools

import numpy as np
import pytest
from support import (
    DTYPES,
    assert_unchanged,
    assert_within,
    by_definition,
    check_convolution,
    convolution_arrays,
    in_float64,
    product_bounds,
    strided,
)

from mininet.kernels import convolution, direct, patches, simd, winograd
from mininet.kernels.convolution import convolve, convolve_input_gradient, convolve_weight_gradient, method, output_size

L = simd.lanes(np.float32)
L64 = simd.lanes(np.float64)

# (images, weights, stride, padding); images (n, height, width, c), weights (kh, kw, c, k)
CASES = {
    "3x3": ((2, 5, 6, 3), (3, 3, 3, 4), (1, 1), (1, 1)),
    "3x3, stride 2": ((2, 6, 5, 2), (3, 3, 2, 3), (2, 2), (1, 1)),
    "3x3, stride (1, 3)": ((1, 4, 7, 2), (3, 3, 2, 2), (1, 3), (0, 2)),
    "stride larger than the window": ((2, 7, 8, 2), (2, 2, 2, 3), (3, 4), (0, 0)),
    "1x1": ((2, 3, 4, 3), (1, 1, 3, 5), (1, 1), (0, 0)),
    "1x1, padding": ((2, 3, 4, 3), (1, 1, 3, 2), (1, 1), (1, 2)),
    "3x1": ((2, 5, 3, 2), (3, 1, 2, 3), (1, 2), (1, 0)),
    "the window fits only with the padding": ((2, 2, 1, 2), (5, 4, 2, 2), (1, 2), (2, 2)),
    "last pixels under no window": ((1, 6, 6, 1), (3, 3, 1, 1), (2, 2), (0, 0)),
    "padding wider than the window": ((1, 2, 2, 1), (2, 2, 1, 1), (1, 1), (3, 3)),
    "no images": ((0, 4, 5, 3), (3, 3, 3, 2), (1, 1), (1, 1)),
}


def compute(x, w, gradient, stride, padding):
    return (
        convolve(x, w, stride, padding),
        convolve_input_gradient(gradient, w, x.shape, stride, padding),
        convolve_weight_gradient(x, gradient, w.shape, stride, padding),
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_definition_tap_by_tap(case):
    # the loops of the definition are slow; what other tests take in their place for larger arrays must agree
    x, w, gradient = convolution_arrays(*case, np.float64)
    expected, bounds = by_definition(x, w, gradient, *case[2:]), product_bounds(x, w, gradient, *case[2:])
    for one, other, bound in zip(in_float64(x, w, gradient, *case[2:]), expected, bounds, strict=True):
        assert_within(one, other, bound)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_tiny_images_by_definition(case):
    for dtype in DTYPES:
        check_convolution(compute, case, dtype, by_definition)


BY_METHOD = {
    "pointwise": ((2, 3, 4, 3), (1, 1, 3, 5), (1, 1), (0, 0)),
    "winograd": ((2, 8, 8, L), (3, 3, L, L), (1, 1), (1, 1)),
    "direct": ((2, 3, 4, 3), (3, 3, 3, L), (1, 1), (1, 1)),
    "direct, stride 2": ((2, 5, 6, L), (3, 3, L, L), (2, 2), (1, 1)),
    "patches": ((2, 5, 6, 3), (3, 3, 3, 4), (1, 1), (1, 1)),
    "1x1, padding": CASES["1x1, padding"],
}


@pytest.mark.parametrize("case", BY_METHOD.values(), ids=BY_METHOD)
def test_inputs_stay_as_they_are_and_need_not_be_contiguous(case):
    arrays = convolution_arrays(*case, np.float32)
    copies = [array.copy() for array in arrays]
    results = compute(*arrays, *case[2:])
    assert_unchanged(arrays, copies)
    assert not any(np.shares_memory(new, old) for new in results for old in arrays)
    for one, other in zip(results, compute(*map(strided, arrays), *case[2:]), strict=True):
        assert one.tobytes() == other.tobytes()
    backwards = [array[::-1, ::-1].copy()[::-1, ::-1] for array in arrays]
    for one, other in zip(results, compute(*backwards, *case[2:]), strict=True):
        assert one.tobytes() == other.tobytes()
        assert not np.shares_memory(one, other)


# Which method

W3, W1 = (3, 3, L, L), (1, 1, L, L)
METHODS = [
    # images (height, width), weights, stride, padding
    ("pointwise", (5, 4), (1, 1, 3, 5), (1, 1), (0, 0)),
    ("direct", (8, 8), W1, (2, 2), (0, 0)),
    ("direct", (8, 8), W1, (1, 1), (0, 1)),
    ("patches", (8, 8), (1, 1, L, 5), (1, 1), (1, 0)),
    ("winograd", (8, 8), W3, (1, 1), (0, 3)),
    ("winograd", (6, 6), W3, (1, 1), (1, 1)),  # 9/16 of the tiles' pixels
    ("direct", (2, 4), W3, (1, 1), (1, 1)),  # 1/2 is not enough
    ("direct", (8, 8), W3, (1, 2), (1, 1)),
    ("direct", (8, 8), (3, 3, L - 1, L), (1, 1), (1, 1)),
    ("direct", (8, 8), (5, 5, L, L), (1, 1), (2, 2)),
    ("patches", (8, 8), (3, 3, L, L + 1), (1, 1), (1, 1)),
]
WEIGHT_METHODS = [
    ("direct", (3, 3, 16, 16), (1, 1)),
    ("winograd", (3, 3, 16, 32), (1, 1)),
    ("direct", (3, 3, 32, 32), (2, 2)),
    ("patches", (3, 3, 32, 33), (1, 1)),
]
INPUT_METHODS = [
    ("winograd", W3, (1, 1), (1, 1)),
    ("direct", (3, 3, L, 3), (1, 1), (1, 1)),  # the roles of the channels are exchanged
    ("patches", (3, 3, 3, L), (1, 1), (1, 1)),
    ("strided", W3, (2, 1), (1, 1)),
    ("product", (1, 1, 3, 5), (1, 1), (0, 0)),
    ("direct", (1, 1, L, 5), (1, 1), (1, 1)),  # a negative padding
]


@pytest.fixture
def called(monkeypatch):
    """What does the work, by name."""
    names = []

    def replace(module, function, name):
        monkeypatch.setattr(module, function, lambda *arrays: names.append(name) or np.zeros(1))

    for module, name in ((winograd, "winograd"), (direct, "direct"), (patches, "patches")):
        replace(module, "convolve", name)
        replace(module, "weight_gradient", name)
    replace(patches, "input_gradient", "patches")
    replace(direct, "input_gradient", "strided")
    monkeypatch.setattr(convolution, "matrix_product", lambda a, b: names.append("product") or a @ b)
    return names


@pytest.mark.parametrize(("name", "size", "w_shape", "stride", "padding"), METHODS)
def test_method_that_is_chosen(called, name, size, w_shape, stride, padding):
    x, w, gradient = convolution_arrays((2, *size, w_shape[2]), w_shape, stride, padding, np.float32)
    for count in (2, 0):  # not by the batch
        assert method(w_shape, stride, padding, (count, *gradient.shape[1:]), x.dtype) == name
    convolve(x, w, stride, padding)
    assert called == ["product" if name == "pointwise" else name]


def test_method_for_other_vectors():
    out_shape = (1, 8, 8, L64)
    assert method((3, 3, L64, L64), (1, 1), (1, 1), out_shape, np.dtype(np.float64)) == "winograd"
    assert method((3, 3, 1, L64), (1, 1), (1, 1), out_shape, np.dtype(np.float64)) == "direct"
    assert method((3, 3, L64, L64), (1, 1), (1, 1), out_shape, np.dtype(np.float32)) == "patches"


@pytest.mark.parametrize(("name", "w_shape", "stride"), WEIGHT_METHODS)
def test_method_of_a_weight_gradient(called, name, w_shape, stride):
    x, _, gradient = convolution_arrays((2, 8, 8, w_shape[2]), w_shape, stride, (1, 1), np.float32)
    convolve_weight_gradient(x, gradient, w_shape, stride, (1, 1))
    assert called == [name]


@pytest.mark.parametrize(("name", "w_shape", "stride", "padding"), INPUT_METHODS)
def test_method_of_an_input_gradient(called, name, w_shape, stride, padding):
    x, w, gradient = convolution_arrays((2, 8, 8, w_shape[2]), w_shape, stride, padding, np.float32)
    convolve_input_gradient(gradient, w, x.shape, stride, padding)
    assert called == [name]


def test_output_size_counts_positions():
    for size, window, stride, padding in itertools.product(range(1, 9), range(1, 5), range(1, 4), range(3)):
        starts = range(-padding, size + padding - window + 1, stride)
        assert output_size(size, window, stride, padding) == max(len(starts), 0) or size + 2 * padding < window
