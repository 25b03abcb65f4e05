"""Two-dimensional convolution (cross-correlation, as everywhere in deep learning), channels last.

    out[n, oy, ox, k] = sum over ky, kx, c of  x[n, oy * sy + ky - py, ox * sx + kx - px, c]  *  w[ky, kx, c, k]

where x counts as 0 outside the image.  For one image this is a matrix product: gather the patch of x under each output
pixel into a row of a matrix P (pixels x kh*kw*c), then

    out = P W            with W the weights as a (kh*kw*c) x k matrix
    dL/dW = P^T dL/dout
    dL/dP = dL/dout W^T  and dL/dx adds every element of dL/dP back to the pixel it was gathered from.

P is kh*kw times as large as x, so it is made for a few images at a time, small enough to stay in the processor's cache.
"""

import numpy as np

from .. import memory
from .jit import kernel
from .threads import for_each_piece

PATCH_BYTES = 2**20
"""Size of the patch matrix of one piece of work: fits into a level-2 cache."""


def output_size(size, kernel_size, stride, padding):
    """Number of positions at which a window of `kernel_size` fits into `size` pixels with `padding` at both ends."""
    return (size + 2 * padding - kernel_size) // stride + 1


def convolve(x, w, stride, padding):
    """The convolution of images with weights.

    Parameters
    ----------
    x : ndarray (n, height, width, c)
    w : ndarray (kh, kw, c, k), same dtype
    stride, padding : (int, int)
        Vertical and horizontal.

    Returns
    -------
    ndarray (n, out_height, out_width, k)
    """
    x = np.ascontiguousarray(x)
    weights = _as_matrix(w)
    height, width = (output_size(x.shape[1 + i], w.shape[i], stride[i], padding[i]) for i in (0, 1))
    out = np.empty((len(x), height, width, w.shape[3]), dtype=x.dtype)
    memory.note(out, "transient")

    def work(first, last):
        patches = _gather(x[first:last], w.shape, out.shape, stride, padding)
        np.matmul(patches, weights, out=_as_matrix(out[first:last]))

    for_each_piece(work, len(x), _images_per_piece(out.shape, w.shape, x.itemsize))
    return out


def convolve_input_gradient(gradient, w, x_shape, stride, padding):
    """dL/dx of shape `x_shape`, from `gradient` = dL/dout and the weights."""
    gradient = np.ascontiguousarray(gradient)
    dx = np.zeros(x_shape, dtype=gradient.dtype)
    memory.note(dx, "gradients")
    transposed = np.ascontiguousarray(_as_matrix(w).T)

    def work(first, last):
        rows = _as_matrix(gradient[first:last])
        patches = np.empty((len(rows), transposed.shape[1]), dtype=dx.dtype)
        memory.note(patches, "workspace")
        np.matmul(rows, transposed, out=patches)
        shape = (last - first, *gradient.shape[1:3], *w.shape[:3])
        _scatter_patches(patches.reshape(shape), dx[first:last], *stride, *padding)

    for_each_piece(work, len(dx), _images_per_piece(gradient.shape, w.shape, dx.itemsize))
    return dx


def convolve_weight_gradient(x, gradient, w_shape, stride, padding):
    """dL/dw of shape `w_shape`, from the images and `gradient` = dL/dout."""
    x, gradient = np.ascontiguousarray(x), np.ascontiguousarray(gradient)
    images = _images_per_piece(gradient.shape, w_shape, x.itemsize)
    partial = np.empty((-(-len(x) // images), int(np.prod(w_shape[:3])), w_shape[3]), dtype=x.dtype)
    memory.note(partial, "workspace")

    def work(first, last):
        patches = _gather(x[first:last], w_shape, gradient.shape, stride, padding)
        np.matmul(patches.T, _as_matrix(gradient[first:last]), out=partial[first // images])

    for_each_piece(work, len(x), images)
    return partial.sum(axis=0).reshape(w_shape)


def _as_matrix(array):
    """All axes but the last, the channels, as rows."""
    return array.reshape(-1, array.shape[-1])


def _images_per_piece(out_shape, w_shape, itemsize):
    bytes_per_image = out_shape[1] * out_shape[2] * int(np.prod(w_shape[:3])) * itemsize
    return max(1, PATCH_BYTES // max(1, bytes_per_image))


def _gather(x, w_shape, out_shape, stride, padding):
    """The patch matrix (n * out_height * out_width, kh * kw * c); for 1x1 windows that touch every pixel, x itself."""
    inner = int(np.prod(w_shape[:3]))
    if w_shape[:2] == (1, 1) and stride == (1, 1) and padding == (0, 0):
        return x.reshape(-1, inner)
    patches = np.empty((len(x), *out_shape[1:3], *w_shape[:3]), dtype=x.dtype)
    memory.note(patches, "workspace")
    _gather_patches(x, patches, *stride, *padding)
    return patches.reshape(-1, inner)


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


def convolve_reference(x, w, stride, padding):
    """The definition at the top of this file, as seven plain loops: what `convolve` is tested against."""
    (count, height, width, channels), (kernel_height, kernel_width, _, k) = x.shape, w.shape
    out_height = output_size(height, kernel_height, stride[0], padding[0])
    out_width = output_size(width, kernel_width, stride[1], padding[1])
    out = np.zeros((count, out_height, out_width, k), dtype=x.dtype)
    for n, oy, ox, o in np.ndindex(out.shape):
        for ky, kx, c in np.ndindex(kernel_height, kernel_width, channels):
            y, left = oy * stride[0] + ky - padding[0], ox * stride[1] + kx - padding[1]
            if 0 <= y < height and 0 <= left < width:
                out[n, oy, ox, o] += x[n, y, left, c] * w[ky, kx, c, o]
    return out


def convolve_gradients_reference(x, w, gradient, stride, padding):
    """(dL/dx, dL/dw): every product of the definition sends its share of `gradient` to both of its factors."""
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for n, oy, ox, o in np.ndindex(gradient.shape):
        for ky, kx, c in np.ndindex(w.shape[:3]):
            y, left = oy * stride[0] + ky - padding[0], ox * stride[1] + kx - padding[1]
            if 0 <= y < x.shape[1] and 0 <= left < x.shape[2]:
                dx[n, y, left, c] += gradient[n, oy, ox, o] * w[ky, kx, c, o]
                dw[ky, kx, c, o] += gradient[n, oy, ox, o] * x[n, y, left, c]
    return dx, dw
