"""Convolution as one matrix product: the general method, for any channel count, window and stride.

For one image, gather the patch of x under each output pixel into a row of a matrix P (pixels x kh*kw*c), then

    out = P W            with W the weights as a (kh*kw*c) x k matrix
    dL/dW = P^T dL/dout
    dL/dP = dL/dout W^T  and dL/dx adds every element of dL/dP back to the pixel it was gathered from.

P is kh*kw times as large as x, so we make it for a few images at a time, small enough for the processor's cache.
"""

import numpy as np

from ..base.types import FloatArray
from . import buffers
from .jit import kernel
from .matrix import matmul
from .shapes import Shape, Window, as_rows, require_convolution
from .sums import sum_over
from .threads import for_each_share

PATCH_BYTES = 2**20
"""Size of the patch matrix for one piece of work; it fits into a level-2 cache."""


def convolve(
    x: FloatArray, w: FloatArray, stride: Window, padding: Window, out_shape: Shape, dilation: Window = (1, 1)
) -> FloatArray:
    """Convolve x (n, height, width, c) with w (kh, kw, c, k)."""
    require_convolution(x, w, stride, padding, out_shape, dilation)
    weights = as_rows(w)
    out = buffers.empty(out_shape, x.dtype)
    images = _images_per_piece(out.shape, w.shape, x.itemsize)

    def work(first: int, last: int) -> None:
        for piece in _pieces(first, last, images):
            patches = _gather(x[piece], w.shape, out.shape, stride, padding, dilation)
            matmul(patches, weights, out=as_rows(out[piece]))

    for_each_share(work, -(-len(x) // images))
    return out


def input_gradient(
    gradient: FloatArray, w: FloatArray, x_shape: Shape, stride: Window, padding: Window, dilation: Window = (1, 1)
) -> FloatArray:
    """Compute dL/dx from `gradient` = dL/dout."""
    dx = buffers.zeros(x_shape, gradient.dtype, "gradients")
    transposed = np.ascontiguousarray(as_rows(w).T)
    images = _images_per_piece(gradient.shape, w.shape, dx.itemsize)

    def work(first: int, last: int) -> None:
        for piece in _pieces(first, last, images):
            rows = as_rows(gradient[piece])
            patches = buffers.empty((len(rows), transposed.shape[1]), dx.dtype, "workspace")
            matmul(rows, transposed, out=patches)
            shape = (len(gradient[piece]), *gradient.shape[1:3], *w.shape[:3])
            _add_patches(dx[piece], patches.reshape(shape), *stride, *padding, *dilation)

    for_each_share(work, -(-len(dx) // images))
    return dx


def weight_gradient(
    x: FloatArray, gradient: FloatArray, w_shape: Shape, stride: Window, padding: Window, dilation: Window = (1, 1)
) -> FloatArray:
    """Compute dL/dw from `gradient` = dL/dout."""
    images = _images_per_piece(gradient.shape, w_shape, x.itemsize)
    partial = buffers.empty((-(-len(x) // images), int(np.prod(w_shape[:3])), w_shape[3]), x.dtype, "workspace")

    def work(first: int, last: int) -> None:
        for number, piece in enumerate(_pieces(first, last, images), first):
            patches = _gather(x[piece], w_shape, gradient.shape, stride, padding, dilation)
            matmul(patches.T, as_rows(gradient[piece]), out=partial[number])

    for_each_share(work, len(partial))
    dw: FloatArray = sum_over(partial, (0,)).reshape(w_shape)
    return dw


def _images_per_piece(out_shape: Shape, w_shape: Shape, itemsize: int) -> int:
    bytes_per_image = out_shape[1] * out_shape[2] * int(np.prod(w_shape[:3])) * itemsize
    return max(1, PATCH_BYTES // max(1, bytes_per_image))


def _pieces(first: int, last: int, images: int) -> list[slice]:
    """Slice a batch into pieces of so many images, and give those from `first` to `last`."""
    return [slice(number * images, (number + 1) * images) for number in range(first, last)]


def _gather(
    x: FloatArray, w_shape: Shape, out_shape: Shape, stride: Window, padding: Window, dilation: Window
) -> FloatArray:
    """Make the patch matrix (n * out_height * out_width, kh * kw * c)."""
    patches = buffers.empty((len(x), *out_shape[1:3], *w_shape[:3]), x.dtype, "workspace")
    _gather_patches(x, patches, *stride, *padding, *dilation)
    return patches.reshape(-1, int(np.prod(w_shape[:3])))


@kernel
def _gather_patches(x, patches, stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x):
    """patches[n, oy, ox, ky, kx, :] = x[n, oy * sy + ky * dy - py, ox * sx + kx * dx - px, :], or 0 outside."""
    count, out_height, out_width, kernel_height, kernel_width, channels = patches.shape
    height, width = x.shape[1], x.shape[2]
    for n in range(count):
        for oy in range(out_height):
            for ox in range(out_width):
                for ky in range(kernel_height):
                    y = oy * stride_y + ky * dilation_y - padding_y
                    for kx in range(kernel_width):
                        left = ox * stride_x + kx * dilation_x - padding_x
                        if 0 <= y < height and 0 <= left < width:
                            for c in range(channels):
                                patches[n, oy, ox, ky, kx, c] = x[n, y, left, c]
                        else:
                            for c in range(channels):
                                patches[n, oy, ox, ky, kx, c] = 0


@kernel
def _add_patches(x, patches, stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x):
    """The transpose of `_gather_patches`: add each element of a patch to the pixel that it came from."""
    count, out_height, out_width, kernel_height, kernel_width, channels = patches.shape
    height, width = x.shape[1], x.shape[2]
    for n in range(count):
        for oy in range(out_height):
            for ox in range(out_width):
                for ky in range(kernel_height):
                    y = oy * stride_y + ky * dilation_y - padding_y
                    for kx in range(kernel_width):
                        left = ox * stride_x + kx * dilation_x - padding_x
                        if 0 <= y < height and 0 <= left < width:
                            for c in range(channels):
                                x[n, y, left, c] += patches[n, oy, ox, ky, kx, c]
