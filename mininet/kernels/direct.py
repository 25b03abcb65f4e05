"""Convolution straight from its definition, arranged so that the processor's arithmetic is the only limit.

    out[n, oy, ox, k] = sum over ky, kx, c of  x[n, oy sy + ky, ox sx + kx, c]  *  w[ky, kx, c, k]        (x padded)

For some neighbouring ox and some neighbouring k this is a small matrix product: its rows are pixels, sx c apart in
memory; its columns are output channels; and the sum runs over (ky, kx, c), where (kx, c) are simply neighbours in a row
of the image, and the next ky is a row further.  So no patch is ever copied: `product_tile` walks through the image.

The gradient of the weights is the same building block seen from another side,

    dL/dw[ky, kx, c, k] = sum over n, oy, ox of  x[n, oy sy + ky, ox sx + kx, c]  *  dL/dout[n, oy, ox, k]

with input channels c for rows and a sum over pixels.

Images are cut into bands, a few output rows high, that are copied with their padding into fast memory first.
"""

import functools

import numpy as np

from . import buffers
from .jit import kernel
from .simd import TILE_ROWS, TILE_VECTORS, lanes, product_tile
from .threads import for_each_share, items_worth_sharing

BAND_ROWS = 8
"""Output rows that are computed at a time, so that their input stays in the level-1 cache."""


def fits(k, dtype):
    """Whether `k` output channels fill whole vectors."""
    return k > 0 and k % lanes(dtype) == 0


def convolve(x, w, stride, padding, out_shape):
    """The convolution of x (n, height, width, c) with w (kh, kw, c, k), of `out_shape`; k must fit."""
    out = buffers.empty(out_shape, x.dtype)
    _, height, width, k = out_shape
    vectors = vectors_of(k, x.dtype)
    rows = min(width, TILE_ROWS * TILE_VECTORS // vectors)
    forward = _forward_kernel(rows, vectors)
    panels = in_panels(w.reshape(-1, k), vectors)

    def work(first, last):
        band = _band(x, w.shape, stride, padding, min(height, BAND_ROWS))
        forward(x, panels, out, band, w.shape[0], w.shape[1], *stride, *padding, first, last)

    for_each_share(work, len(x) * height, items_worth_sharing(2 * width * w.size))
    return out


def weight_gradient(x, gradient, w_shape, stride, padding):
    """dL/dw, of `w_shape`, from x and `gradient` = dL/dout; k must fit."""
    count, height, width, k = gradient.shape
    c = w_shape[2]
    vectors = vectors_of(k, x.dtype)
    rows = rows_dividing(c, vectors)
    columns = vectors * lanes(x.dtype)
    backward = _weight_gradient_kernel(rows, vectors)
    band_rows = min(height, max(1, 256 // width))  # so that a band of the gradient stays in the level-1 cache
    total = count * height
    partial = buffers.zeros((partial_sums(total), *w_shape), x.dtype, "workspace")

    def work(first, last):
        band = _band(x, w_shape, stride, padding, band_rows)
        for group in range(first, last):
            start, stop = (total * i // len(partial) for i in (group, group + 1))
            backward(x, gradient, partial[group].reshape(-1), columns, band, band_rows, *w_shape[:2], *stride, *padding,
                     start, stop)  # fmt: skip

    for_each_share(work, len(partial))
    return partial.sum(axis=0)


def partial_sums(items):
    """How many partial sums a sum over so many rows of pixels, or tiles, is made of; a power of 2."""
    return 2 ** min(3, max(1, (items // 128).bit_length() - 1)) if items > 1 else 1


def rows_dividing(count, vectors):
    """The largest number of rows that divides `count` and with `vectors` vectors makes a tile."""
    return max(rows for rows in range(1, TILE_ROWS * TILE_VECTORS // vectors + 1) if count % rows == 0)


def in_panels(matrix, vectors):
    """The columns of `matrix` in groups of `vectors` vectors, one group after the other: (groups, rows, columns)."""
    columns = vectors * lanes(matrix.dtype)
    return np.ascontiguousarray(matrix.reshape(len(matrix), -1, columns).swapaxes(0, 1))


def vectors_of(k, dtype):
    """How many vectors of output channels a tile has."""
    count = k // lanes(dtype)
    return max(vectors for vectors in range(1, TILE_VECTORS + 1) if count % vectors == 0)


def _band(x, w_shape, stride, padding, rows):
    """Room for the padded input rows under `rows` output rows."""
    height = (rows - 1) * stride[0] + w_shape[0]
    return buffers.empty((height, x.shape[2] + 2 * padding[1], x.shape[3]), x.dtype, "workspace")


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
        if 0 <= y < height:
            for j in range(before):
                line[i, j] = 0
            source, target = lines[y, before + shift : inside + shift], line[i, before:inside]
            for j in range(len(target)):
                target[j] = source[j]
            for j in range(inside, line.shape[1]):
                line[i, j] = 0
        else:
            for j in range(line.shape[1]):
                line[i, j] = 0


@functools.cache
def _forward_kernel(rows, vectors):
    """For tiles of `rows` pixels and `vectors` vectors of channels; `rows` must not exceed the width of the output."""

    @kernel
    def forward(x, panels, out, band, kernel_height, kernel_width, stride_y, stride_x, padding_y, padding_x, first,
                last):  # fmt: skip
        _, height, width, k = out.shape
        c = x.shape[3]
        groups, taps, columns = panels.shape
        line = band.shape[1] * c
        band_, panels_, out_ = band.reshape(-1), panels.reshape(-1), out.reshape(-1)
        row = first
        while row < last:  # rows of all images are counted through; a band lies within one image
            n, y = row // height, row % height
            band_rows = min(height - y, last - row, (band.shape[0] - kernel_height) // stride_y + 1)
            input_rows = (band_rows - 1) * stride_y + kernel_height
            copy_padded(x[n], band[:input_rows], y * stride_y - padding_y, -padding_x)
            for group in range(groups):
                for i in range(band_rows):
                    for step in range(0, width, rows):
                        pixel = min(step, width - rows)  # the last tile overlaps the one before, with the same result
                        product_tile(
                            band_, i * stride_y * line + pixel * stride_x * c, stride_x * c, line, 1,
                            panels_, group * taps * columns, columns, kernel_height, kernel_width * c,
                            out_, ((row + i) * width + pixel) * k + group * columns, k, rows, vectors, False,
                        )  # fmt: skip
            row += band_rows

    return forward


@functools.cache
def _weight_gradient_kernel(rows, vectors):
    """For tiles of `rows` input channels, which must divide their number, and `vectors` vectors of output channels."""

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
                                out, ((ky * kernel_width + kx) * c + channel) * k + column, k, rows, vectors, True,
                            )  # fmt: skip
            row += count

    return backward
