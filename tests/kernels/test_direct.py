"""The direct method against the definition: tiles that overlap, bands, gaps between pixels, crops."""

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support import (
    assert_unchanged,
    assert_within,
    by_definition,
    check_convolution,
    in_float64,
    normal,
    product_bounds,
)

from mininet.kernels import direct, simd
from mininet.kernels.direct import copy_padded


def compute(x, w, gradient, stride, padding):
    """(out, dL/dx, dL/dw), each None if the method does not apply to its channels."""
    fits_k, fits_c = direct.fits(w.shape[3], x.dtype), direct.fits(w.shape[2], x.dtype)
    return (
        direct.convolve(x, w, stride, padding, gradient.shape) if fits_k else None,
        direct.input_gradient(gradient, w, x.shape, stride, padding) if fits_c else None,
        direct.weight_gradient(x, gradient, w.shape, stride, padding) if fits_k else None,
    )


FEW_ROWS = 2
"""Of a tile: as each width up to a tile's is compiled by itself, there are few, and they overlap more often."""


def check(case, dtype, expect=in_float64, tile_rows=FEW_ROWS):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(direct, "TILE_ROWS", tile_rows)
        check_convolution(compute, case, dtype, expect)


# (height, width), (kh, kw), stride, padding; channels are given in vectors, or as they are if below 1
CASES = {
    "3x3": ((5, 6), (3, 3), (1, 1), (1, 1)),
    "3x3, no padding": ((4, 5), (3, 3), (1, 1), (0, 0)),
    "3x3, stride 2": ((7, 6), (3, 3), (2, 2), (1, 1)),
    "3x3, stride (3, 2)": ((7, 8), (3, 3), (3, 2), (0, 1)),
    "1x1, stride 2": ((5, 4), (1, 1), (2, 2), (0, 0)),
    "1x1, padding": ((2, 3), (1, 1), (1, 1), (1, 2)),
    "3x1, stride (1, 3)": ((5, 4), (3, 1), (1, 3), (1, 0)),
    "stride larger than the window": ((6, 7), (2, 1), (3, 3), (0, 1)),
    "padding wider than the window": ((2, 2), (2, 2), (1, 1), (3, 3)),
    "smaller than the stride": ((2, 1), (3, 3), (3, 3), (1, 1)),
    "last pixels under no window": ((6, 6), (3, 3), (2, 2), (0, 0)),
}


@pytest.mark.parametrize(
    ("case", "dtype"), [*((case, np.float64) for case in CASES), ("3x3", np.float32), ("3x3, stride 2", np.float32)]
)
def test_tiny_images_by_definition(case, dtype):
    size, window, stride, padding = CASES[case]
    one = simd.lanes(np.float64)  # only half a vector of float32, so there this many input channels do not fit
    many = simd.lanes(dtype)
    check(((2, *size, one), (*window, one, many), stride, padding), dtype, by_definition)


@pytest.mark.parametrize(
    ("channels", "dtype"), [*((c, np.float32) for c in ((3, 2), (5, 3), (-2, 3), (-3, 1))), ((-1, 6), np.float64)]
)
def test_channels(channels, dtype):
    # negative numbers count vectors; 3 and 6 vectors do not fill a tile of 2, or fill several
    c, k = (count if count > 0 else -count * simd.lanes(dtype) for count in (channels[0], -channels[1]))
    check(((2, 9, 9, c), (3, 3, c, k), (1, 1), (1, 1)), dtype, tile_rows=simd.TILE_ROWS)


L = simd.lanes(np.float32)
LARGER = {  # (images, height, width); weights; stride; padding
    **{
        f"rows of {width}, whose last tile overlaps": ((2, 3, width), (3, 3), (1, 1), (1, 1)) for width in (1, 5, 9, 33)
    },
    "rows, stride 2": ((2, 3, 18), (1, 3), (1, 2), (0, 1)),
    "no images": ((0, 9, 9), (3, 3), (1, 1), (1, 1)),
    **{f"bands of {height} rows": ((1, height, 9), (3, 3), (1, 1), (1, 1)) for height in (8, 17)},
    "bands, stride 2": ((3, 41, 9), (3, 3), (2, 1), (0, 1)),
    "sums of 8 parts": ((11, 96, 9), (3, 3), (1, 1), (1, 1)),
    "bands of one row": ((3, 9, 300), (3, 3), (1, 1), (1, 1)),
}


@pytest.mark.parametrize("case", LARGER.values(), ids=LARGER)
def test_sizes(case):
    images, window, *rest = case
    check(((*images, L), (*window, L, L), *rest), np.float32, tile_rows=simd.TILE_ROWS)


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
@settings(deadline=None, max_examples=25, derandomize=True)
def test_generated_shapes(case):
    check(case, np.float64)


@pytest.mark.parametrize(("around", "window"), [((-1, -1), 1), ((2, -2), 3)])
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


# Parts


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (9, 12)])
def test_tiny_copy_padded(shape):
    image = normal((4, 5, 3))
    kept = image.copy()
    for top, left in itertools.product((-7, -3, 0, 1, 4), (-9, -1, 0, 3, 5)):
        band = np.full((*shape, 3), np.nan)
        copy_padded(image, band, top, left)
        for i, j in np.ndindex(shape):
            inside = 0 <= i + top < 4 and 0 <= j + left < 5
            assert np.array_equal(band[i, j], image[i + top, j + left] if inside else np.zeros(3))
    assert_unchanged([image], [kept])
