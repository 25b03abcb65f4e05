"""The general method against the definition: any channels, windows and strides, cut into pieces of some images."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support import DTYPES, check_convolution

from mininet.kernels import patches


def compute(x, w, gradient, stride, padding):
    return (
        patches.convolve(x, w, stride, padding, gradient.shape),
        patches.input_gradient(gradient, w, x.shape, stride, padding),
        patches.weight_gradient(x, gradient, w.shape, stride, padding),
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("window", "stride", "channels"),
    [((1, 1), (2, 2), (3, 8)), ((1, 3), (1, 1), (8, 5)), ((3, 3), (3, 1), (1, 1)), ((5, 5), (2, 2), (16, 16))],
)
def test_windows_strides_and_channels(window, stride, channels, dtype):
    for images, padding in ((0, (0, 0)), (1, (2, 1)), (3, (3, 3))):
        check_convolution(compute, ((images, 7, 6, channels[0]), (*window, *channels), stride, padding), dtype)


@st.composite
def cases(draw):
    window = [draw(st.integers(1, 5)) for _ in range(2)]
    padding = tuple(draw(st.integers(0, 3)) for _ in range(2))
    stride = tuple(draw(st.integers(1, 3)) for _ in range(2))
    size = [max(1, k - 2 * p) + draw(st.integers(0, 9)) for k, p in zip(window, padding, strict=True)]
    c, k = draw(st.integers(1, 20)), draw(st.integers(1, 40))
    return (draw(st.integers(0, 5)), *size, c), (*window, c, k), stride, padding


@given(cases(), st.integers(1, 200_000))
@settings(deadline=None, max_examples=40, derandomize=True)
def test_generated_shapes_and_pieces(case, patch_bytes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patches, "PATCH_BYTES", patch_bytes)
        check_convolution(compute, case, np.float64)


def test_tiny_images_of_a_piece(monkeypatch):
    # a patch matrix of 6 pixels x (3 * 3 * 2) float64 has 864 bytes
    for patch_bytes, images in ((1, 1), (863, 1), (864, 1), (1727, 1), (1728, 2), (2**20, 1213)):
        monkeypatch.setattr(patches, "PATCH_BYTES", patch_bytes)
        assert patches._images_per_piece((5, 2, 3, 7), (3, 3, 2, 7), 8) == images
    assert patches._pieces(1, 3, 4) == [slice(4, 8), slice(8, 12)]
