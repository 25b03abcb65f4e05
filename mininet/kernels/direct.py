"""Convolution straight from its definition, arranged so that the processor's arithmetic is the only limit.

    out[n, oy, ox, k] = sum over ky, kx, c of  x[n, oy sy + ky, ox sx + kx, c]  *  w[ky, kx, c, k]        (x padded)

For some neighbouring ox and some neighbouring k this is a small matrix product: its rows are pixels, sx c apart in
memory; its columns are output channels; and the sum runs over (ky, kx, c), where (kx, c) are simply neighbours in a row
of the image, and the next ky is a row further.  So no patch is ever copied: `product_tile` walks through the image.

The gradient of the weights is the same building block seen from another side,

    dL/dw[ky, kx, c, k] = sum over n, oy, ox of  x[n, oy sy + ky, ox sx + kx, c]  *  dL/dout[n, oy, ox, k]

with input channels c for rows and a sum over pixels.  The gradient of the input, for stride 1, is a convolution with
the kernel turned round.  For a larger stride s it falls into s times s such convolutions: pixels y = a, a + s, ... of x
were met by the taps ky = r, r + s, ... only, with r = (a + padding) mod s.

Images are cut into bands, a few output rows high, that are copied with their padding into fast memory first.
"""

import functools

import numpy as np

from . import buffers
from .jit import kernel
from .shapes import require_convolution
from .simd import TILE_ROWS, TILE_VECTORS, lanes, product_tile
from .threads import for_each_share, items_worth_sharing

BAND_ROWS = 8
"""Output rows that are computed at a time, so that their input stays in the level-1 cache."""


def fits(k, dtype):
    """Whether `k` output channels fill whole vectors."""
    return k > 0 and k % lanes(dtype) == 0


def convolve(x, w, stride, padding, out_shape):
    """The convolution of x (n, height, width, c) with w (kh, kw, c, k), of `out_shape`; k must fit."""
    require_convolution(x, w, stride, padding, out_shape)
    if not fits(w.shape[3], w.dtype):
        raise ValueError(f"w must have a multiple of {lanes(w.dtype)} output channels, got shape {w.shape}")
    out = buffers.empty(out_shape, x.dtype)
    _convolve_into(out, x, w, stride, padding)
    return out


def input_gradient(gradient, w, x_shape, stride, padding):
    """dL/dx, of `x_shape`, from `gradient` = dL/dout; c must fit."""
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


def _convolve_into(out, x, w, stride, padding, start=(0, 0), step=(1, 1)):
    """The convolution of x with w, written to every `step`-th pixel of `out` from `start` on."""
    k = w.shape[3]
    height, width = (-(-(out.shape[1 + i] - start[i]) // step[i]) for i in (0, 1))
    vectors = vectors_of(k, x.dtype)
    rows = min(width, TILE_ROWS * TILE_VECTORS // vectors)
    forward = _forward_kernel(rows, vectors)
    panels = in_panels(w.reshape(-1, k), vectors)
    settings = (*w.shape[:2], *stride, *padding, height, width, *start, *step)

    def work(first, last):
        band_rows = (min(height, BAND_ROWS) - 1) * stride[0] + w.shape[0]
        band = _band(x, band_rows, (width - 1) * stride[1] + w.shape[1])
        forward(x, panels, out, band, *settings, first, last)

    for_each_share(work, len(x) * height, items_worth_sharing(2 * width * w.size))


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
    partial = (buffers.empty if total else buffers.zeros)((partial_sums(total), *w_shape), x.dtype, "workspace")

    def work(first, last):
        band = _band(x, (band_rows - 1) * stride[0] + w_shape[0], (width - 1) * stride[1] + w_shape[1])
        for group in range(first, last):
            start, stop = (total * i // len(partial) for i in (group, group + 1))
            backward(x, gradient, partial[group].reshape(-1), columns, band, band_rows, *w_shape[:2], *stride, *padding,
                     start, stop)  # fmt: skip

    for_each_share(work, len(partial), items_worth_sharing(2 * partial[0].size * total * width // len(partial)))
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


def _band(x, height, width):
    """Room for so many padded rows and columns of x."""
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
    """For tiles of `rows` pixels and `vectors` vectors of channels; `rows` must not exceed `width`."""

    @kernel
    def forward(x, panels, out, band, kernel_height, kernel_width, stride_y, stride_x, padding_y, padding_x, height,
                width, start_y, start_x, step_y, step_x, first, last):  # fmt: skip
        _, out_height, out_width, k = out.shape
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
                                out, ((ky * kernel_width + kx) * c + channel) * k + column, k, rows, vectors,
                                row > first,
                            )  # fmt: skip
            row += count

    return backward
