"""Convolution straight from its definition, arranged so that only the processor's arithmetic limits it.

    out[n, oy, ox, k] = sum over ky, kx, c of  x[n, oy sy + ky, ox sx + kx, c]  *  w[ky, kx, c, k]        (x padded)

For a few neighbouring ox and a few neighbouring k, this is a small matrix product.  Its rows are pixels, sx c apart in
memory, and its columns are output channels.  Its sum runs over (ky, kx, c): (kx, c) are neighbours in a row of the
image, and the next ky is one row further.  So no patch is ever copied: `product_tile` walks through the image.

The gradient of the weights is a matrix product, too,

    dL/dw[ky, kx, c, k] = sum over n, oy, ox of  x[n, oy sy + ky, ox sx + kx, c]  *  dL/dout[n, oy, ox, k]

with input channels c as rows and a sum over pixels.  For stride 1, the gradient of the input is a convolution with the
rotated kernel.  For a larger stride s it splits into s times s such convolutions: only the taps ky = r, r + s, ... met
the pixels y = a, a + s, ... of x, with r = (a + padding) mod s.

Images are cut into bands a few output rows high, which are first copied with their padding into fast memory.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base.types import FloatArray
from . import buffers
from .jit import kernel
from .shapes import Shape, Window, require_convolution
from .simd import TILE_ROWS, TILE_VECTORS, lanes, product_tile
from .threads import for_each_share, items_worth_sharing

BAND_ROWS = 8
"""Output rows to compute at a time: their input stays in the level-1 cache."""


def fits(k: int, dtype: np.dtype[Any]) -> bool:
    """Whether `k` output channels fill whole vectors."""
    return k > 0 and k % lanes(dtype) == 0


def convolve(x: FloatArray, w: FloatArray, stride: Window, padding: Window, out_shape: Shape) -> FloatArray:
    """Convolve x (n, height, width, c) with w (kh, kw, c, k); k must fit."""
    require_convolution(x, w, stride, padding, out_shape)
    if not fits(w.shape[3], w.dtype):
        raise ValueError(f"w must have a multiple of {lanes(w.dtype)} output channels, got shape {w.shape}")
    out = buffers.empty(out_shape, x.dtype)
    _convolve_into(out, x, w, stride, padding)
    return out


def input_gradient(gradient: FloatArray, w: FloatArray, x_shape: Shape, stride: Window, padding: Window) -> FloatArray:
    """Compute dL/dx from `gradient` = dL/dout; c must fit."""
    every_pixel_is_met = w.shape[0] >= stride[0] and w.shape[1] >= stride[1]
    dx = (buffers.empty if every_pixel_is_met else buffers.zeros)(x_shape, gradient.dtype, "gradients")
    for start in np.ndindex(*stride):
        taps = [(start[i] + padding[i]) % stride[i] for i in (0, 1)]
        part = w[taps[0] :: stride[0], taps[1] :: stride[1]]
        if part.size and start[0] < x_shape[1] and start[1] < x_shape[2]:
            turned = np.ascontiguousarray(part[::-1, ::-1].swapaxes(2, 3))
            around = [turned.shape[i] - 1 - (start[i] + padding[i] - taps[i]) // stride[i] for i in (0, 1)]
            _convolve_into(dx, gradient, turned, (1, 1), around, start, stride)
    return dx


def _convolve_into(
    out: FloatArray, x: FloatArray, w: FloatArray, stride: Window, padding: Sequence[int],
    start: Sequence[int] = (0, 0), step: Window = (1, 1),
) -> None:  # fmt: skip
    """Convolve x with w and write the result to every `step`-th pixel of `out` from `start` on."""
    k = w.shape[3]
    height, width = (-(-(out.shape[1 + i] - start[i]) // step[i]) for i in (0, 1))
    vectors = vectors_of(k, x.dtype)
    forward = _forward_kernel(rows_covering(width, vectors), vectors)
    panels = in_panels(w.reshape(-1, k), vectors)
    settings = (*w.shape[:2], *stride, *padding, height, width, *start, *step)

    def work(first: int, last: int) -> None:
        band_rows = (min(height, BAND_ROWS) - 1) * stride[0] + w.shape[0]
        band = _band(x, band_rows, (width - 1) * stride[1] + w.shape[1])
        forward(x, panels, out, band, *settings, first, last)

    for_each_share(work, len(x) * height, items_worth_sharing(2 * width * w.size))


def weight_gradient(x: FloatArray, gradient: FloatArray, w_shape: Shape, stride: Window, padding: Window) -> FloatArray:
    """Compute dL/dw from `gradient` = dL/dout; k must fit."""
    count, height, width, k = gradient.shape
    c = w_shape[2]
    vectors = vectors_of(k, x.dtype)
    rows = rows_dividing(c, vectors)
    columns = vectors * lanes(x.dtype)
    backward = _weight_gradient_kernel(rows, vectors)
    band_rows = min(height, max(1, 256 // width))  # so that a band of the gradient stays in the level-1 cache
    total = count * height
    partial = (buffers.empty if total else buffers.zeros)((partial_sums(total), *w_shape), x.dtype, "workspace")

    def work(first: int, last: int) -> None:
        band = _band(x, (band_rows - 1) * stride[0] + w_shape[0], (width - 1) * stride[1] + w_shape[1])
        for group in range(first, last):
            start, stop = (total * i // len(partial) for i in (group, group + 1))
            backward(x, gradient, partial[group].reshape(-1), columns, band, band_rows, *w_shape[:2], *stride, *padding,
                     start, stop)  # fmt: skip

    for_each_share(work, len(partial), items_worth_sharing(2 * partial[0].size * total * width // len(partial)))
    dw: FloatArray = partial.sum(axis=0)
    return dw


def partial_sums(items: int) -> int:
    """Say into how many partial sums, a power of 2, to split a sum over so many rows of pixels, or tiles."""
    return 2 ** min(3, max(1, (items // 128).bit_length() - 1)) if items > 1 else 1


def rows_covering(count: int, vectors: int) -> int:
    """Find with how many rows of `vectors` vectors tiles cover `count` in the least time, the last one overlapping.

    Each number of rows is compiled by itself, so there are few.
    """

    def time(rows: int) -> int:  # an addition takes four cycles, and a core does two at a time: fewer than 8 sums wait
        return -(-count // rows) * max(rows * vectors, 8)

    most = min(max(1, count), TILE_ROWS * TILE_VECTORS // vectors)
    return min((rows for rows in (16, 12, 8, 6, 4, 2, 1) if rows <= most), key=time)


def rows_dividing(count: int, vectors: int) -> int:
    """Find the most rows of `vectors` vectors that fit into a tile and divide `count`."""
    return max(rows for rows in range(1, TILE_ROWS * TILE_VECTORS // vectors + 1) if count % rows == 0)


def in_panels(matrix: FloatArray, vectors: int) -> FloatArray:
    """Group the columns of `matrix` by `vectors` vectors, to the shape (groups, rows, columns)."""
    columns = vectors * lanes(matrix.dtype)
    return np.ascontiguousarray(matrix.reshape(len(matrix), -1, columns).swapaxes(0, 1))


def vectors_of(k: int, dtype: np.dtype[Any]) -> int:
    """Say how many vectors of output channels a tile has."""
    count = k // lanes(dtype)
    return max(vectors for vectors in range(1, TILE_VECTORS + 1) if count % vectors == 0)


def _band(x: FloatArray, height: int, width: int) -> FloatArray:
    """Make workspace for some padded rows and columns of x."""
    return buffers.empty((height, width, x.shape[3]), x.dtype, "workspace")


@kernel
def copy_padded(image, band, top, left):
    """band[i, j] = image[i + top, j + left], or 0 outside the image."""
    height, width, channels = image.shape
    lines, line = image.reshape(height, -1), band.reshape(len(band), -1)
    before = min(max(0, -left), band.shape[1]) * channels  # numbers of a line that lie left of the image
    inside = max(before, min(width - left, band.shape[1]) * channels)
    shift = left * channels
    for i in range(len(band)):
        y = i + top
        is_inside = 0 <= y < height
        for j in range(before if is_inside else line.shape[1]):
            line[i, j] = 0
        if is_inside:
            source, target = lines[y, before + shift : inside + shift], line[i, before:inside]
            for j in range(len(target)):
                target[j] = source[j]
            for j in range(inside, line.shape[1]):
                line[i, j] = 0


@functools.cache
def _forward_kernel(rows: int, vectors: int) -> Callable[..., None]:
    """Make a kernel for tiles of `rows` pixels and `vectors` vectors of channels."""

    @kernel
    def forward(x, panels, out, band, kernel_height, kernel_width, stride_y, stride_x, padding_y, padding_x, height,
                width, start_y, start_x, step_y, step_x, first, last):  # fmt: skip
        _, out_height, out_width, k = out.shape
        c = x.shape[3]
        groups, taps, columns = panels.shape
        line = band.shape[1] * c
        band_, panels_, out_ = band.reshape(-1), panels.reshape(-1), out.reshape(-1)
        row = first
        while row < last:  # the rows of all images are numbered through; a band lies within one image
            n, y = row // height, row % height
            band_rows = min(height - y, last - row, (band.shape[0] - kernel_height) // stride_y + 1)
            input_rows = (band_rows - 1) * stride_y + kernel_height
            copy_padded(x[n], band[:input_rows], y * stride_y - padding_y, -padding_x)
            for group in range(groups):
                for i in range(band_rows):
                    out_line = (n * out_height + start_y + (y + i) * step_y) * out_width + start_x
                    for tile in range(0, width, rows):
                        pixel = min(tile, width - rows)  # the last tile overlaps the one before, with the same result
                        product_tile(
                            band_, i * stride_y * line + pixel * stride_x * c, stride_x * c, line, 1,
                            panels_, group * taps * columns, columns, kernel_height, kernel_width * c,
                            out_, (out_line + pixel * step_x) * k + group * columns, step_x * k, rows, vectors, False,
                        )  # fmt: skip
            row += band_rows

    return forward


@functools.cache
def _weight_gradient_kernel(rows: int, vectors: int) -> Callable[..., None]:
    """Make a kernel for tiles of `rows` input channels, a divisor of c, and `vectors` vectors of output channels."""

    @kernel
    def backward(x, gradient, out, columns, band, band_rows, kernel_height, kernel_width, stride_y, stride_x, padding_y,
                 padding_x, first, last):  # fmt: skip
        _, height, width, k = gradient.shape
        c = x.shape[3]
        line = band.shape[1] * c
        band_, gradient_ = band.reshape(-1), gradient.reshape(-1)
        row = first
        while row < last:
            n, y = row // height, row % height
            count = min(height - y, last - row, band_rows)
            input_rows = (count - 1) * stride_y + kernel_height
            copy_padded(x[n], band[:input_rows], y * stride_y - padding_y, -padding_x)
            for ky in range(kernel_height):
                for kx in range(kernel_width):
                    for channel in range(0, c, rows):
                        for column in range(0, k, columns):
                            product_tile(
                                band_, ky * line + kx * c + channel, 1, stride_y * line, stride_x * c,
                                gradient_, row * width * k + column, k, count, width,
                                out, ((ky * kernel_width + kx) * c + channel) * k + column, k, rows, vectors,
                                row > first,
                            )  # fmt: skip
            row += count

    return backward
