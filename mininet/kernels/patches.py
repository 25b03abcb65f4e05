"""Convolution as one matrix product: the general method, for any channel count, window and stride.

For one image, gather the patch of x under each output pixel into a row of a matrix P (pixels x kh*kw*c), then

    out = P W            with W the weights as a (kh*kw*c) x k matrix
    dL/dW = P^T dL/dout
    dL/dP = dL/dout W^T  and dL/dx adds every element of dL/dP back to the pixel it was gathered from.

P is kh*kw times as large as x, so it is made for a few images at a time, small enough to stay in the processor's cache.
"""

import numpy as np

from . import buffers
from .jit import kernel
from .matrix import matmul
from .shapes import require_convolution
from .threads import for_each_share

PATCH_BYTES = 2**20
"""Size of the patch matrix of one piece of work: fits into a level-2 cache."""


def convolve(x, w, stride, padding, out_shape):
    """The convolution of x (n, height, width, c) with w (kh, kw, c, k), of `out_shape`."""
    require_convolution(x, w, stride, padding, out_shape)
    weights = _as_matrix(w)
    out = buffers.empty(out_shape, x.dtype)

    images = _images_per_piece(out.shape, w.shape, x.itemsize)

    def work(first, last):
        for piece in _pieces(first, last, images):
            patches = _gather(x[piece], w.shape, out.shape, stride, padding)
            matmul(patches, weights, out=_as_matrix(out[piece]))

    for_each_share(work, -(-len(x) // images))
    return out


def input_gradient(gradient, w, x_shape, stride, padding):
    """dL/dx, of `x_shape`, from `gradient` = dL/dout and the weights."""
    dx = buffers.zeros(x_shape, gradient.dtype, "gradients")
    transposed = np.ascontiguousarray(_as_matrix(w).T)

    images = _images_per_piece(gradient.shape, w.shape, dx.itemsize)

    def work(first, last):
        for piece in _pieces(first, last, images):
            rows = _as_matrix(gradient[piece])
            patches = buffers.empty((len(rows), transposed.shape[1]), dx.dtype, "workspace")
            matmul(rows, transposed, out=patches)
            shape = (len(gradient[piece]), *gradient.shape[1:3], *w.shape[:3])
            _scatter_patches(patches.reshape(shape), dx[piece], *stride, *padding)

    for_each_share(work, -(-len(dx) // images))
    return dx


def weight_gradient(x, gradient, w_shape, stride, padding):
    """dL/dw, of `w_shape`, from x and `gradient` = dL/dout."""
    images = _images_per_piece(gradient.shape, w_shape, x.itemsize)
    partial = buffers.empty((-(-len(x) // images), int(np.prod(w_shape[:3])), w_shape[3]), x.dtype, "workspace")

    def work(first, last):
        for number, piece in enumerate(_pieces(first, last, images), first):
            patches = _gather(x[piece], w_shape, gradient.shape, stride, padding)
            matmul(patches.T, _as_matrix(gradient[piece]), out=partial[number])

    for_each_share(work, len(partial))
    return partial.sum(axis=0).reshape(w_shape)


def _as_matrix(array):
    """All axes but the last, the channels, as rows."""
    return array.reshape(-1, array.shape[-1])


def _images_per_piece(out_shape, w_shape, itemsize):
    bytes_per_image = out_shape[1] * out_shape[2] * int(np.prod(w_shape[:3])) * itemsize
    return max(1, PATCH_BYTES // max(1, bytes_per_image))


def _pieces(first, last, images):
    """The slices of a batch for pieces number `first` to `last` of so many images each."""
    return [slice(number * images, (number + 1) * images) for number in range(first, last)]


def _gather(x, w_shape, out_shape, stride, padding):
    """The patch matrix (n * out_height * out_width, kh * kw * c)."""
    patches = buffers.empty((len(x), *out_shape[1:3], *w_shape[:3]), x.dtype, "workspace")
    _gather_patches(x, patches, *stride, *padding)
    return patches.reshape(-1, int(np.prod(w_shape[:3])))


@kernel
def _gather_patches(x, patches, stride_y, stride_x, padding_y, padding_x):
    """patches[n, oy, ox, ky, kx, :] = x[n, oy * sy + ky - py, ox * sx + kx - px, :], or 0 outside the image."""
    count, out_height, out_width, kernel_height, kernel_width, channels = patches.shape
    height, width = x.shape[1], x.shape[2]
    for n in range(count):
        for oy in range(out_height):
            for ox in range(out_width):
                for ky in range(kernel_height):
                    y = oy * stride_y + ky - padding_y
                    for kx in range(kernel_width):
                        left = ox * stride_x + kx - padding_x
                        if 0 <= y < height and 0 <= left < width:
                            for c in range(channels):
                                patches[n, oy, ox, ky, kx, c] = x[n, y, left, c]
                        else:
                            for c in range(channels):
                                patches[n, oy, ox, ky, kx, c] = 0


@kernel
def _scatter_patches(patches, x, stride_y, stride_x, padding_y, padding_x):
    """The transpose of `_gather_patches`: add each element of a patch to the pixel it came from."""
    count, out_height, out_width, kernel_height, kernel_width, channels = patches.shape
    height, width = x.shape[1], x.shape[2]
    for n in range(count):
        for oy in range(out_height):
            for ox in range(out_width):
                for ky in range(kernel_height):
                    y = oy * stride_y + ky - padding_y
                    for kx in range(kernel_width):
                        left = ox * stride_x + kx - padding_x
                        if 0 <= y < height and 0 <= left < width:
                            for c in range(channels):
                                x[n, y, left, c] += patches[n, oy, ox, ky, kx, c]
