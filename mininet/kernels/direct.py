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

from .. import memory
from . import buffers
from .jit import kernel
from .simd import TILE_ROWS, TILE_VECTORS, lanes, product_tile
from .threads import even_pieces, for_each_piece

BAND_ROWS = 8
"""Output rows that are computed at a time, so that their input stays in the level-1 cache."""

PARTIAL_SUMS_BYTES = 2**23
"""How much memory the partial sums of a weight gradient may take."""


def fits(k, dtype):
    """Whether `k` output channels fill whole vectors."""
    return k > 0 and k % lanes(dtype) == 0


def convolve(x, w, stride, padding, out_shape):
    """The convolution of x (n, height, width, c) with w (kh, kw, c, k), of `out_shape`; k must fit."""
    out = buffers.empty(out_shape, x.dtype)
    memory.note(out, "transient")
    _, height, width, k = out_shape
    vectors = vectors_of(k, x.dtype)
    rows = min(width, TILE_ROWS * TILE_VECTORS // vectors)
    forward = _forward_kernel(rows, vectors)
    panels = in_panels(w.reshape(-1, k), vectors)
    piece = even_pieces(len(x) * height, 2 * out.size * len(w) * w.shape[1] * w.shape[2])

    def work(first, last):
        band = _band(x, w.shape, stride, padding, min(last - first, height, BAND_ROWS))
        forward(x, panels, out, band, w.shape[0], w.shape[1], *stride, *padding, first, last)

    for_each_piece(work, len(x) * height, piece)
    return out


def weight_gradient(x, gradient, w_shape, stride, padding):
    """dL/dw, of `w_shape`, from x and `gradient` = dL/dout; k must fit."""
    count, height, width, k = gradient.shape
    c = w_shape[2]
    rows = max(rows for rows in range(1, TILE_ROWS + 1) if c % rows == 0)
    vectors = vectors_of(k, x.dtype)
    columns = vectors * lanes(x.dtype)
    backward = _weight_gradient_kernel(rows, vectors)
    size = int(np.prod(w_shape))
    sums = max(1, min(16, PARTIAL_SUMS_BYTES // (size * x.itemsize)))
    piece = max(-(-count * height // sums), even_pieces(count * height, 2 * count * height * width * size))
    partial = buffers.zeros((-(-count * height // piece), size), x.dtype)
    memory.note(partial, "workspace")
    band_rows = max(1, 256 // width)  # so that a band of the gradient stays in the fastest cache

    def work(first, last):
        band = _band(x, w_shape, stride, padding, min(band_rows, height))
        sums = partial[first // piece]
        backward(x, gradient, sums, columns, band, band_rows, *w_shape[:2], *stride, *padding, first, last)

    for_each_piece(work, count * height, piece)
    return partial.sum(axis=0).reshape(w_shape)


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
    band = buffers.empty((height, x.shape[2] + 2 * padding[1], x.shape[3]), x.dtype)
    memory.note(band, "workspace")
    return band


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
