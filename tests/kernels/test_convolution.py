"""The fast convolution and its gradients against the definition."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support import (
    DTYPES,
    assert_unchanged,
    assert_within,
    convolution_arrays,
    in_float64,
    product_bounds,
    strided,
)

from mininet.kernels import convolution, direct, patches, simd, winograd
from mininet.kernels.convolution import (
    convolve,
    convolve_gradients_reference,
    convolve_input_gradient,
    convolve_reference,
    convolve_weight_gradient,
    method,
    output_size,
)

L = simd.lanes(np.float32)
L64 = simd.lanes(np.float64)

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


def compute(x, w, gradient, stride, padding):
    return (
        convolve(x, w, stride, padding),
        convolve_input_gradient(gradient, w, x.shape, stride, padding),
        convolve_weight_gradient(x, gradient, w.shape, stride, padding),
    )


def check(x, w, gradient, stride, padding):
    """Forward and both gradients against the definition in float64."""
    exact = [array.astype(np.float64) for array in (x, w, gradient)]
    expected = convolve_reference(*exact[:2], stride, padding), *convolve_gradients_reference(*exact, stride, padding)
    bounds = product_bounds(x, w, gradient, stride, padding)
    for one, other, bound in zip(compute(x, w, gradient, stride, padding), expected, bounds, strict=True):
        assert one.dtype == x.dtype
        assert_within(one, other, bound)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_definition_tap_by_tap(case):
    # the loops of the definition are slow; what other tests take in their place for larger arrays must agree
    x, w, gradient = convolution_arrays(*case, np.float64)
    expected = convolve_reference(x, w, *case[2:]), *convolve_gradients_reference(x, w, gradient, *case[2:])
    bounds = product_bounds(x, w, gradient, *case[2:])
    for one, other, bound in zip(in_float64(x, w, gradient, *case[2:]), expected, bounds, strict=True):
        assert_within(one, other, bound)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_tiny_images_by_definition(case, dtype):
    check(*convolution_arrays(*case, dtype), *case[2:])


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
    check(*convolution_arrays(*case, np.float64), *case[2:])


@pytest.mark.parametrize("case", ["3x3", "1x1", "3x3, stride (2, 1)"])
def test_arrays_that_are_not_contiguous(case):
    case = CASES[case]
    x, w, gradient = convolution_arrays(*case, np.float32)
    check(strided(x), strided(w), strided(gradient), *case[2:])
    transposed = [np.ascontiguousarray(array.T).T for array in (x, w, gradient)]
    check(*transposed, *case[2:])


def test_gradient_that_is_one_repeated_number():
    # what comes back through a sum is a view with strides of 0
    x, w, gradient = convolution_arrays(*CASES["3x3"], np.float64)
    check(x, w, np.broadcast_to(np.array(0.5), gradient.shape), (1, 1), (1, 1))


@pytest.mark.parametrize("window", [(1, 1), (1, 3), (2, 2), (3, 3), (5, 5), (3, 5)], ids=str)
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (1, 2), (3, 1)], ids=str)
@pytest.mark.parametrize("padding", [(0, 0), (1, 2), (2, 1), (3, 3), (0, 3)], ids=str)
def test_channels_that_fill_vectors(padding, stride, window):
    # 5x5 outputs are too few for Winograd's method, whose errors are larger
    size = [max(1, (5 - 1) * stride[i] + window[i] - 2 * padding[i]) for i in (0, 1)]
    case = (2, *size, 2 * L64), (*window, 2 * L64, L64), stride, padding
    arrays = convolution_arrays(*case, np.float64)
    found, bounds = compute(*arrays, *case[2:]), product_bounds(*arrays, *case[2:])
    if window == (3, 3) and stride == (1, 1):  # but the gradient of the input may have more
        chosen = method(
            (3, 3, L64, 2 * L64), (1, 1), (2 - padding[0], 2 - padding[1]), arrays[0].shape, np.dtype(float)
        )
        bounds[1] = bounds[1] if chosen == "direct" else np.inf
    for one, other, bound in zip(found, in_float64(*arrays, *case[2:]), bounds, strict=True):
        assert_within(one, other, bound)


@pytest.mark.parametrize("images_per_piece", [1, 3, 4])
def test_tiny_pieces_of_work(monkeypatch, images_per_piece):
    # 7 images: one or three to a piece leave pieces of one image; four to a piece a shorter last one
    case = ((7, 3, 4, 2), (3, 3, 2, 3), (1, 1), (1, 1))
    monkeypatch.setattr(patches, "PATCH_BYTES", images_per_piece * 3 * 4 * 18 * 8)
    assert patches._images_per_piece((7, 3, 4, 3), (3, 3, 2, 3), 8) == images_per_piece
    check(*convolution_arrays(*case, np.float64), *case[2:])


def test_more_images_than_one_piece_of_work():
    count = 2 * patches._images_per_piece((1, 24, 24, 2), (3, 3, 8, 2), 4) + 1
    case = ((count, 24, 24, 8), (3, 3, 8, 2), (1, 1), (1, 1))
    arrays = convolution_arrays(*case, np.float32)
    expected, bounds = in_float64(*arrays, *case[2:]), product_bounds(*arrays, *case[2:])
    for one, other, bound in zip(compute(*arrays, *case[2:]), expected, bounds, strict=True):
        assert_within(one, other, bound)


BY_METHOD = {
    "pointwise": ((2, 3, 4, 3), (1, 1, 3, 5), (1, 1), (0, 0)),
    "winograd": ((2, 8, 8, L), (3, 3, L, L), (1, 1), (1, 1)),
    "winograd, many channels": ((1, 4, 8, 2 * L), (3, 3, 2 * L, 2 * L), (1, 1), (1, 1)),
    "direct": ((2, 3, 4, 3), (3, 3, 3, L), (1, 1), (1, 1)),
    "direct, stride 2": ((2, 5, 6, L), (3, 3, L, L), (2, 2), (1, 1)),
    "patches": ((2, 5, 6, 3), (3, 3, 3, 4), (1, 1), (1, 1)),
    "patches, stride 2": ((2, 6, 5, 2), (3, 3, 2, 3), (2, 2), (1, 1)),
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


@pytest.mark.parametrize("case", BY_METHOD.values(), ids=BY_METHOD)
def test_computing_again_gives_the_same_bits(case):
    arrays = convolution_arrays(*case, np.float32)
    for one, other in zip(compute(*arrays, *case[2:]), compute(*arrays, *case[2:]), strict=True):
        assert one.tobytes() == other.tobytes()
        assert not np.shares_memory(one, other)


# Which method

METHODS = [
    # images (height, width), weights, stride, padding
    ("pointwise", (5, 4), (1, 1, 3, 5), (1, 1), (0, 0)),
    ("pointwise", (8, 8), (1, 1, L, L), (1, 1), (0, 0)),
    ("direct", (8, 8), (1, 1, L, L), (2, 2), (0, 0)),
    ("direct", (8, 8), (1, 1, 3, L), (1, 2), (0, 0)),
    ("direct", (8, 8), (1, 1, L, L), (1, 1), (0, 1)),
    ("patches", (8, 8), (1, 1, L, 5), (2, 1), (0, 0)),
    ("patches", (8, 8), (1, 1, L, 5), (1, 1), (1, 0)),
    ("winograd", (8, 8), (3, 3, L, L), (1, 1), (1, 1)),
    ("winograd", (8, 8), (3, 3, L, L), (1, 1), (0, 3)),
    ("winograd", (4, 4), (3, 3, 3 * L, 2 * L), (1, 1), (1, 1)),
    ("winograd", (6, 6), (3, 3, L, L), (1, 1), (1, 1)),  # 9/16 of the tiles' pixels
    ("winograd", (3, 3), (3, 3, L, L), (1, 1), (1, 1)),  # 9/16
    ("winograd", (3, 4), (3, 3, L, L), (1, 1), (1, 1)),
    ("direct", (5, 5), (3, 3, L, L), (1, 1), (1, 1)),  # 25/64
    ("direct", (2, 4), (3, 3, L, L), (1, 1), (1, 1)),  # 1/2 is not enough
    ("direct", (8, 8), (3, 3, L, L), (2, 2), (1, 1)),
    ("direct", (8, 8), (3, 3, L, L), (1, 2), (1, 1)),
    ("direct", (8, 8), (3, 3, L - 1, L), (1, 1), (1, 1)),
    ("direct", (8, 8), (5, 5, L, L), (1, 1), (2, 2)),
    ("direct", (8, 8), (3, 1, L, L), (1, 1), (1, 0)),
    ("patches", (8, 8), (3, 3, L, L + 1), (1, 1), (1, 1)),
    ("patches", (8, 8), (3, 3, L, 1), (1, 1), (1, 1)),
    ("patches", (8, 8), (5, 5, L, 10), (1, 1), (1, 1)),
]


@pytest.mark.parametrize(("name", "size", "w_shape", "stride", "padding"), METHODS)
def test_method_that_is_chosen(monkeypatch, name, size, w_shape, stride, padding):
    out_size = [output_size(size[i], w_shape[i], stride[i], padding[i]) for i in (0, 1)]
    out_shape = (2, *out_size, w_shape[3])
    assert method(w_shape, stride, padding, out_shape, np.dtype(np.float32)) == name
    assert method(w_shape, stride, padding, (0, *out_shape[1:]), np.dtype(np.float32)) == name  # not by the batch
    called = []
    for module in (winograd, direct, patches):
        monkeypatch.setattr(module, "convolve", lambda *_, module=module: called.append(module))
    monkeypatch.setattr(convolution, "matrix_product", lambda a, b: called.append("product") or np.zeros(out_shape))
    x = np.zeros((2, *size, w_shape[2]), np.float32)
    convolve(x, np.zeros(w_shape, np.float32), stride, padding)
    expected = {"pointwise": "product", "winograd": winograd, "direct": direct, "patches": patches}
    assert called == [expected[name]]


def test_method_for_other_vectors():
    out_shape = (1, 8, 8, L64)
    assert method((3, 3, L64, L64), (1, 1), (1, 1), out_shape, np.dtype(np.float64)) == "winograd"
    assert method((3, 3, 1, L64), (1, 1), (1, 1), out_shape, np.dtype(np.float64)) == "direct"
    assert method((3, 3, L64, L64), (1, 1), (1, 1), out_shape, np.dtype(np.float32)) == "patches"


@pytest.mark.parametrize(
    ("w_shape", "stride", "name"),
    [
        ((3, 3, 16, 16), (1, 1), "direct"),
        ((3, 3, 16, 32), (1, 1), "winograd"),
        ((3, 3, 3, 32), (1, 1), "direct"),
        ((3, 3, 32, 32), (2, 2), "direct"),
        ((3, 3, 32, 33), (1, 1), "patches"),
    ],
)
def test_method_of_a_weight_gradient(monkeypatch, w_shape, stride, name):
    called = []
    for module in (winograd, direct, patches):
        monkeypatch.setattr(module, "weight_gradient", lambda *_, module=module: called.append(module))
    x, gradient = np.zeros((2, 8, 8, w_shape[2]), np.float32), np.zeros((2, 8 // stride[0], 8 // stride[1], w_shape[3]))
    convolve_weight_gradient(x, gradient.astype(np.float32), w_shape, stride, (1, 1))
    assert called == [{"winograd": winograd, "direct": direct, "patches": patches}[name]]


@pytest.mark.parametrize(
    ("w_shape", "stride", "padding", "name"),
    [
        ((3, 3, 16, 16), (1, 1), (1, 1), "winograd"),
        ((3, 3, 16, 3), (1, 1), (1, 1), "direct"),  # the roles of the channels are exchanged
        ((3, 3, 3, 16), (1, 1), (1, 1), "patches"),
        ((3, 3, 16, 16), (2, 1), (1, 1), "strided"),
        ((3, 3, 3, 16), (2, 2), (1, 1), "patches"),
        ((1, 1, 3, 5), (1, 1), (0, 0), "product"),
        ((1, 1, 16, 5), (1, 1), (1, 1), "direct"),  # a negative padding
        ((5, 5, 16, 16), (1, 1), (0, 4), "direct"),
    ],
)
def test_method_of_an_input_gradient(monkeypatch, w_shape, stride, padding, name):
    called = []
    x, w, gradient = convolution_arrays((2, 8, 8, w_shape[2]), w_shape, stride, padding, np.float32)
    monkeypatch.setattr(winograd, "convolve", lambda *_: called.append("winograd"))
    monkeypatch.setattr(direct, "convolve", lambda *_: called.append("direct"))
    monkeypatch.setattr(direct, "input_gradient", lambda *_: called.append("strided"))
    monkeypatch.setattr(patches, "input_gradient", lambda *_: called.append("patches"))
    monkeypatch.setattr(convolution, "matrix_product", lambda a, b: called.append("product") or np.zeros(x.shape))
    convolve_input_gradient(gradient, w, x.shape, stride, padding)
    assert called == [name]


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("window", range(1, 5))
@pytest.mark.parametrize("stride", range(1, 4))
def test_output_size_counts_positions(size, window, stride):
    for padding in range(3):
        starts = range(-padding, size + padding - window + 1, stride)
        assert output_size(size, window, stride, padding) == max(len(starts), 0) or size + 2 * padding < window
