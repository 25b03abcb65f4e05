"""The direct method against the definition: tiles that overlap, bands, gaps between pixels, crops."""

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
    product_bounds,
)

from mininet.kernels import direct, simd
from mininet.kernels.convolution import convolve_gradients_reference, convolve_reference
from mininet.kernels.direct import TILE_ROWS, TILE_VECTORS, copy_padded, partial_sums, rows_dividing, vectors_of


def compute(x, w, gradient, stride, padding):
    """(out, dL/dx, dL/dw), each None if the method does not apply to its channels."""
    fits_k, fits_c = direct.fits(w.shape[3], x.dtype), direct.fits(w.shape[2], x.dtype)
    return (
        direct.convolve(x, w, stride, padding, gradient.shape) if fits_k else None,
        direct.input_gradient(gradient, w, x.shape, stride, padding) if fits_c else None,
        direct.weight_gradient(x, gradient, w.shape, stride, padding) if fits_k else None,
    )


def check(case, dtype, expect=in_float64):
    stride, padding = case[2:]
    arrays = convolution_arrays(*case, dtype)
    copies = [array.copy() for array in arrays]
    with guarded_buffers():
        found = compute(*arrays, stride, padding)
    assert_unchanged(arrays, copies)
    expected = expect(*(array.astype(np.float64) for array in arrays), stride, padding)
    for one, other, bound in zip(found, expected, product_bounds(*arrays, stride, padding), strict=True):
        if one is not None:
            assert one.dtype == dtype
            assert_within(one, other, bound)
            assert not any(np.shares_memory(one, array) for array in arrays)


def by_definition(x, w, gradient, stride, padding):
    return convolve_reference(x, w, stride, padding), *convolve_gradients_reference(x, w, gradient, stride, padding)


# (height, width), (kh, kw), stride, padding; channels are given in vectors, or as they are if below 1
CASES = {
    "3x3": ((5, 6), (3, 3), (1, 1), (1, 1)),
    "3x3, no padding": ((4, 5), (3, 3), (1, 1), (0, 0)),
    "3x3, stride 2": ((7, 6), (3, 3), (2, 2), (1, 1)),
    "3x3, stride (3, 2)": ((7, 8), (3, 3), (3, 2), (0, 1)),
    "1x1, stride 2": ((5, 4), (1, 1), (2, 2), (0, 0)),
    "1x1, padding": ((2, 3), (1, 1), (1, 1), (1, 2)),
    "1x3": ((3, 5), (1, 3), (1, 1), (0, 1)),
    "3x1, stride (1, 3)": ((5, 4), (3, 1), (1, 3), (1, 0)),
    "5x5": ((4, 5), (5, 5), (1, 1), (2, 2)),
    "stride larger than the window": ((6, 7), (2, 1), (3, 3), (0, 1)),
    "padding wider than the window": ((2, 2), (2, 2), (1, 1), (3, 3)),
    "smaller than the stride": ((2, 1), (3, 3), (3, 3), (1, 1)),
    "one pixel wide": ((5, 1), (3, 1), (1, 1), (1, 0)),
    "last pixels under no window": ((6, 6), (3, 3), (2, 2), (0, 0)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_tiny_images_by_definition(case, dtype):
    size, window, stride, padding = case
    one = simd.lanes(np.float64)  # only half a vector of float32, so there this many input channels do not fit
    many = simd.lanes(dtype)
    check(((2, *size, one), (*window, one, many), stride, padding), dtype, by_definition)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [(1, 1), (3, 2), (5, 3), (-1, 1), (-1, 2), (-2, 3), (-3, 1), (7, 6), (17, 1)])
def test_channels(channels, dtype):
    # negative numbers count vectors; 3 and 6 vectors do not fill a tile of 2, or fill several
    c, k = (count if count > 0 else -count * simd.lanes(dtype) for count in (channels[0], -channels[1]))
    check(((2, 9, 10, c), (3, 3, c, k), (1, 1), (1, 1)), dtype)


@pytest.mark.parametrize("width", [*range(1, 11), 15, 16, 17, 23, 33])
def test_widths(width):
    # the last tile of a row overlaps the one before, or is as narrow as the row
    count = simd.lanes(np.float32)
    check(((2, 3, width, count), (3, 3, count, count), (1, 1), (1, 1)), np.float32)
    check(((2, 3, 2 * width + 1, count), (1, 3, count, 2 * count), (1, 2), (0, 1)), np.float32)


@pytest.mark.parametrize("height", [1, 2, 7, 8, 9, 16, 17, 41])
@pytest.mark.parametrize("images", [0, 1, 3])
def test_heights_and_batches(images, height):
    # bands are 8 output rows high, and end with the image
    count = simd.lanes(np.float32)
    check(((images, height, 9, count), (3, 3, count, count), (1, 1), (1, 1)), np.float32)
    check(((images, 2 * height + 1, 9, count), (3, 3, count, count), (2, 1), (0, 1)), np.float32)


def test_large_images():
    # sums of 8 parts, and rows of which a band has but one
    count = simd.lanes(np.float32)
    check(((11, 96, 9, count), (3, 3, count, count), (1, 1), (1, 1)), np.float32)
    check(((3, 9, 300, count), (3, 3, count, count), (1, 1), (1, 1)), np.float32)


@st.composite
def cases(draw):
    window = [draw(st.integers(1, 5)) for _ in range(2)]
    padding = tuple(draw(st.integers(0, 3)) for _ in range(2))
    stride = tuple(draw(st.integers(1, 3)) for _ in range(2))
    out = draw(st.integers(1, 12)), draw(st.sampled_from([1, 3, 8, 9, 20]))
    rest = [draw(st.integers(0, s - 1)) for s in stride]
    size = [(out[i] - 1) * stride[i] + rest[i] + window[i] - 2 * padding[i] for i in (0, 1)]
    size = [max(1, length) for length in size]
    count = simd.lanes(np.float64)
    c, k = draw(st.sampled_from([1, 3, count, 2 * count, 12])), count * draw(st.integers(1, 3))
    return (draw(st.integers(0, 3)), *size, c), (*window, c, k), stride, padding


@given(cases())
@settings(deadline=None, max_examples=120, derandomize=True)
def test_generated_shapes(case):
    check(case, np.float64)


@pytest.mark.parametrize(("around", "window"), [((-1, -1), 1), ((-1, 0), 3), ((2, -2), 3), ((0, -3), 5)])
def test_negative_padding_leaves_pixels_out(around, window):
    # it comes up when a padding wider than the window is turned round
    count = simd.lanes(np.float64)
    x, w = normal((2, 9, 11, 3), seed=1), normal((window, window, 3, count), seed=2)
    out_shape = (2, 9 + 2 * around[0] - window + 1, 11 + 2 * around[1] - window + 1, count)
    gradient = normal(out_shape, seed=3)
    expected = in_float64(x, w, gradient, (1, 1), around)
    bounds = product_bounds(x, w, gradient, (1, 1), around)
    assert_within(direct.convolve(x, w, (1, 1), around, out_shape), expected[0], bounds[0])
    assert_within(direct.weight_gradient(x, gradient, w.shape, (1, 1), around), expected[2], bounds[2])


def test_other_pixels_do_not_matter():
    # not even infinite ones
    count = simd.lanes(np.float32)
    x, w = normal((1, 12, 12, 3), np.float32, 1), normal((3, 3, 3, count), np.float32, 2)
    arguments = w, (1, 1), (1, 1), (1, 12, 12, count)
    before = direct.convolve(x, *arguments)
    x[0, 5, 7] = np.inf
    after = direct.convolve(x, *arguments)
    same = np.ones((12, 12), bool)
    same[4:7, 6:9] = False
    assert after[0, same].tobytes() == before[0, same].tobytes()
    assert not np.isfinite(after[0, ~same]).any()


# Parts


def test_tiny_fits_whole_vectors():
    for dtype in DTYPES:
        count = simd.lanes(dtype)
        assert [k for k in range(3 * count + 1) if direct.fits(k, dtype)] == [count, 2 * count, 3 * count]


def test_tiny_shapes_of_tiles():
    for dtype in DTYPES:
        count = simd.lanes(dtype)
        assert [vectors_of(count * number, dtype) for number in (1, 2, 3, 4)] == [1, 2, 1, 2]
    for vectors in (1, 2):
        for channels in range(1, 70):
            rows = rows_dividing(channels, vectors)
            assert channels % rows == 0
            assert rows * vectors <= TILE_ROWS * TILE_VECTORS
            assert not any(channels % more == 0 for more in range(rows + 1, TILE_ROWS * TILE_VECTORS // vectors + 1))


def test_tiny_partial_sums():
    assert [partial_sums(items) for items in (0, 1, 2, 127, 511, 512, 1023, 1024, 10**6)] == [1, 1, 2, 2, 2, 4, 4, 8, 8]


@pytest.mark.parametrize("columns", [1, 2])
def test_tiny_panels(columns):
    count = simd.lanes(np.float32)
    matrix = normal((3, 2 * columns * count), np.float32)
    panels = direct.in_panels(matrix, columns)
    assert panels.shape == (2, 3, columns * count)
    assert np.array_equal(np.concatenate(list(panels), axis=1), matrix)


@pytest.mark.parametrize("top", [-7, -3, -1, 0, 1, 4, 6])
@pytest.mark.parametrize("left", [-9, -4, -1, 0, 1, 3, 5, 9])
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (4, 8), (9, 12)])
def test_tiny_copy_padded(top, left, shape):
    image, band = normal((4, 5, 3)), np.full((*shape, 3), np.nan)
    kept = image.copy()
    copy_padded(image, band, top, left)
    for i, j in np.ndindex(shape):
        inside = 0 <= i + top < 4 and 0 <= j + left < 5
        assert np.array_equal(band[i, j], image[i + top, j + left] if inside else np.zeros(3))
    assert_unchanged([image], [kept])
