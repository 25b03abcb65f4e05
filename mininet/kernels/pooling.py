"""Maximum and average over windows of an image, channels last.  Padding never wins a maximum and counts as 0 in an
average, whose divisor is the whole window.  Long sums of an average are taken in float64."""

from collections.abc import Callable

import numpy as np

from ..base.types import FloatArray, IntegerArray
from . import buffers
from .jit import kernel
from .shapes import Shape, Window, output_size
from .sums import BLOCK
from .threads import for_each_share

ELEMENTS_WORTH_SHARING = 2**16


def max_pool(x: FloatArray, size: Window, stride: Window, padding: Window) -> tuple[FloatArray, IntegerArray]:
    """Take the largest value under each window; padding is at most half of `size`, so each window touches the image.

    Returns
    -------
    out : ndarray (n, out_height, out_width, c)
    winner : ndarray of int32, of the shape of `out`
        Which pixel, counted row by row within its image, was the first of the largest.  NaN beats every number.
    """
    x = buffers.contiguous(x)
    out = np.empty(_pooled_shape(x.shape, size, stride, padding), dtype=x.dtype)
    winner = np.empty(out.shape, dtype=np.int32)
    _for_each_image(lambda a, b: _max_pool(x[a:b], out[a:b], winner[a:b], *size, *stride, *padding), out)
    return out, winner


def max_pool_gradient(gradient: FloatArray, winner: IntegerArray, x_shape: Shape) -> FloatArray:
    """Compute dL/dx: every window's gradient goes to the pixel that won it."""
    gradient = buffers.contiguous(gradient)
    dx = np.zeros(x_shape, dtype=gradient.dtype)
    _for_each_image(lambda a, b: _max_pool_gradient(gradient[a:b], winner[a:b], dx[a:b]), gradient)
    return dx


def average_pool(x: FloatArray, size: Window, stride: Window, padding: Window) -> FloatArray:
    """Take the mean under each window."""
    x = buffers.contiguous(x)
    out = np.empty(_pooled_shape(x.shape, size, stride, padding), dtype=x.dtype)
    share = x.dtype.type(1 / (size[0] * size[1]))
    precise = np.float64 if size[0] * size[1] > BLOCK else x.dtype

    def work(first: int, last: int) -> None:
        sums = np.empty(x.shape[3], precise)
        _average_pool(x[first:last], out[first:last], sums, share, *size, *stride, *padding)

    _for_each_image(work, out)
    return out


def average_pool_gradient(
    gradient: FloatArray, x_shape: Shape, size: Window, stride: Window, padding: Window
) -> FloatArray:
    """Compute dL/dx: every window shares its gradient evenly."""
    gradient = buffers.contiguous(gradient)
    windows = -(-size[0] // stride[0]) * -(-size[1] // stride[1])  # which a pixel lies in
    dx = np.zeros(x_shape, dtype=np.float64 if windows > BLOCK else gradient.dtype)
    share = gradient.dtype.type(1 / (size[0] * size[1]))
    _for_each_image(
        lambda a, b: _average_pool_gradient(gradient[a:b], dx[a:b], share, *size, *stride, *padding), gradient
    )
    return dx.astype(gradient.dtype, copy=False)


def _pooled_shape(shape: Shape, size: Window, stride: Window, padding: Window) -> Shape:
    height, width = (output_size(shape[1 + i], size[i], stride[i], padding[i]) for i in (0, 1))
    return shape[0], height, width, shape[3]


def _for_each_image(work: Callable[[int, int], None], pooled: FloatArray) -> None:
    per_image = max(1, pooled[0].size if len(pooled) else 1)
    for_each_share(work, len(pooled), max(1, ELEMENTS_WORTH_SHARING // per_image))


@kernel
def _max_pool(x, out, winner, height, width, stride_y, stride_x, padding_y, padding_x):
    for n in range(out.shape[0]):
        for oy in range(out.shape[1]):
            for ox in range(out.shape[2]):
                for c in range(out.shape[3]):
                    best = -1
                    for y in range(oy * stride_y - padding_y, oy * stride_y - padding_y + height):
                        for left in range(ox * stride_x - padding_x, ox * stride_x - padding_x + width):
                            if 0 <= y < x.shape[1] and 0 <= left < x.shape[2]:
                                value = x[n, y, left, c]
                                if best < 0 or value > out[n, oy, ox, c] or value != value:
                                    best = y * x.shape[2] + left
                                    out[n, oy, ox, c] = value
                    winner[n, oy, ox, c] = best


@kernel
def _max_pool_gradient(gradient, winner, dx):
    for n in range(gradient.shape[0]):
        for oy in range(gradient.shape[1]):
            for ox in range(gradient.shape[2]):
                for c in range(gradient.shape[3]):
                    pixel = winner[n, oy, ox, c]
                    dx[n, pixel // dx.shape[2], pixel % dx.shape[2], c] += gradient[n, oy, ox, c]


@kernel
def _average_pool(x, out, sums, share, height, width, stride_y, stride_x, padding_y, padding_x):
    for n in range(out.shape[0]):
        for oy in range(out.shape[1]):
            for ox in range(out.shape[2]):
                sums[:] = 0
                for y in range(oy * stride_y - padding_y, oy * stride_y - padding_y + height):
                    for left in range(ox * stride_x - padding_x, ox * stride_x - padding_x + width):
                        if 0 <= y < x.shape[1] and 0 <= left < x.shape[2]:
                            for c in range(out.shape[3]):
                                sums[c] += x[n, y, left, c] * share
                out[n, oy, ox, :] = sums


@kernel
def _average_pool_gradient(gradient, dx, share, height, width, stride_y, stride_x, padding_y, padding_x):
    for n in range(gradient.shape[0]):
        for oy in range(gradient.shape[1]):
            for ox in range(gradient.shape[2]):
                for y in range(oy * stride_y - padding_y, oy * stride_y - padding_y + height):
                    for left in range(ox * stride_x - padding_x, ox * stride_x - padding_x + width):
                        if 0 <= y < dx.shape[1] and 0 <= left < dx.shape[2]:
                            for c in range(gradient.shape[3]):
                                dx[n, y, left, c] += gradient[n, oy, ox, c] * share
