"""Two-dimensional convolution (cross-correlation, as everywhere in deep learning), channels last.

    out[n, oy, ox, k] = sum over ky, kx, c of  x[n, oy * sy + ky - py, ox * sx + kx - px, c]  *  w[ky, kx, c, k]

where x counts as 0 outside the image.  With a dilation d, ky * dy and kx * dx stand for ky and kx: the window sees
every d-th pixel.  Groups of channels are convolved one by one, each with its own weights.  There are four methods, and
this file chooses the fastest one for the shapes:

`pointwise`  one matrix product, for 1x1 windows: no neighbours are involved
`winograd`   a quarter of the multiplications, for 3x3 windows with stride 1
`direct`     straight from the definition, for any window and stride
`patches`    the general method; the others need channels that fill whole vectors of the processor, and no dilation

The choice depends on shapes and the caller's wish only, so recomputing a convolution gives the same bits.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np

from ..base.types import FloatArray
from . import buffers, direct, patches, winograd
from .matrix import matrix_product, transposed_product
from .shapes import Shape, Window, as_rows, output_size

Choice: TypeAlias = Literal["auto", "direct", "winograd"]
"""Winograd's method where it is faster, never, or wherever it fits."""


def convolve(
    x: FloatArray, w: FloatArray, stride: Window, padding: Window, dilation: Window = (1, 1), groups: int = 1,
    choice: Choice = "auto",
) -> FloatArray:  # fmt: skip
    """Convolve images x (n, height, width, c) with w (kh, kw, c / groups, k), to (n, out_height, out_width, k)."""
    if groups > 1:
        return _by_group(convolve, groups, x, w, stride, padding, dilation, 1, choice)
    x, w = buffers.contiguous(x), buffers.contiguous(w)
    size = (output_size(x.shape[1 + i], w.shape[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    out_shape = (len(x), *size, w.shape[3])
    match method(w.shape, stride, padding, out_shape, x.dtype, dilation, choice):
        case "pointwise":
            return matrix_product(as_rows(x), w[0, 0]).reshape(out_shape)
        case "winograd":
            return winograd.convolve(x, w, padding, out_shape)
        case "direct":
            return direct.convolve(x, w, stride, padding, out_shape)
        case "patches":
            return patches.convolve(x, w, stride, padding, out_shape, dilation)


def convolve_input_gradient(
    gradient: FloatArray, w: FloatArray, x_shape: Shape, stride: Window, padding: Window, dilation: Window = (1, 1),
    groups: int = 1, choice: Choice = "auto",
) -> FloatArray:  # fmt: skip
    """Compute dL/dx of shape `x_shape` from `gradient` = dL/dout.

    With stride 1 this is again a convolution: every pixel of dL/dx collects from the outputs it contributed to, through
    the kernel rotated by 180 degrees.
    """
    if groups > 1:
        shape = (*x_shape[:3], w.shape[2])
        return _by_group(convolve_input_gradient, groups, gradient, w, shape, stride, padding, dilation, 1, choice)
    gradient, w = buffers.contiguous(gradient), buffers.contiguous(w)
    if dilation != (1, 1):
        return patches.input_gradient(gradient, w, x_shape, stride, padding, dilation)
    if stride == (1, 1):
        turned = np.ascontiguousarray(w[::-1, ::-1].swapaxes(2, 3))
        around = (w.shape[0] - 1 - padding[0], w.shape[1] - 1 - padding[1])
        if method(turned.shape, stride, around, x_shape, w.dtype, choice=choice) != "patches":
            return convolve(gradient, turned, stride, around, choice=choice)
    elif direct.fits(x_shape[3], w.dtype):
        return direct.input_gradient(gradient, w, x_shape, stride, padding)
    return patches.input_gradient(gradient, w, x_shape, stride, padding)


def convolve_weight_gradient(
    x: FloatArray, gradient: FloatArray, w_shape: Shape, stride: Window, padding: Window, dilation: Window = (1, 1),
    groups: int = 1, choice: Choice = "auto",
) -> FloatArray:  # fmt: skip
    """Compute dL/dw of shape `w_shape` from `gradient` = dL/dout."""
    if groups > 1:
        shape = (*w_shape[:3], w_shape[3] // groups)
        return _by_group(convolve_weight_gradient, groups, x, gradient, shape, stride, padding, dilation, 1, choice)
    x, gradient = buffers.contiguous(x), buffers.contiguous(gradient)
    match method(w_shape, stride, padding, gradient.shape, x.dtype, dilation, choice):
        case "pointwise":
            return transposed_product(as_rows(x), as_rows(gradient)).reshape(w_shape)
        case "winograd" if w_shape[2] * w_shape[3] > DIRECT_WEIGHT_GRADIENT:
            return winograd.weight_gradient(x, gradient, w_shape, padding)
        case "winograd" | "direct":
            return direct.weight_gradient(x, gradient, w_shape, stride, padding)
        case "patches":
            return patches.weight_gradient(x, gradient, w_shape, stride, padding, dilation)


def _by_group(function: Callable[..., FloatArray], groups: int, a: FloatArray, b: FloatArray, *rest: Any) -> FloatArray:
    """Apply `function` to the channels of a and b that belong to each group, and put the results side by side."""
    parts = zip(np.split(a, groups, axis=3), np.split(b, groups, axis=3), strict=True)
    return np.concatenate([function(*part, *rest) for part in parts], axis=3)


DIRECT_WEIGHT_GRADIENT = 16 * 16
"""Up to this many pairs of channels, transforming a weight gradient costs more than it saves."""


def method(
    w_shape: Shape, stride: Window, padding: Window, out_shape: Shape, dtype: np.dtype[Any],
    dilation: Window = (1, 1), choice: Choice = "auto",
) -> Literal["pointwise", "winograd", "direct", "patches"]:  # fmt: skip
    """Name the fastest method for these shapes."""
    _, height, width, k = out_shape
    if dilation != (1, 1):
        return "patches"
    if w_shape[:2] == (1, 1) and stride == (1, 1) and padding == (0, 0):
        return "pointwise"
    is_wanted = choice == "winograd" or (choice == "auto" and winograd.share_of_use(height, width) > 1 / 2)
    if is_wanted and winograd.fits(w_shape, stride, dtype):
        return "winograd"
    return "direct" if direct.fits(k, dtype) else "patches"


def convolve_reference(x: FloatArray, w: FloatArray, stride: Window, padding: Window) -> FloatArray:
    """Follow the definition at the top of this file in plain loops; `convolve` is tested against this."""
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


def convolve_gradients_reference(
    x: FloatArray, w: FloatArray, gradient: FloatArray, stride: Window, padding: Window
) -> tuple[FloatArray, FloatArray]:
    """Compute (dL/dx, dL/dw): every product in the definition sends its share of `gradient` to both factors."""
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for n, oy, ox, o in np.ndindex(gradient.shape):
        for ky, kx, c in np.ndindex(w.shape[:3]):
            y, left = oy * stride[0] + ky - padding[0], ox * stride[1] + kx - padding[1]
            if 0 <= y < x.shape[1] and 0 <= left < x.shape[2]:
                dx[n, y, left, c] += gradient[n, oy, ox, o] * w[ky, kx, c, o]
                dw[ky, kx, c, o] += gradient[n, oy, ox, o] * x[n, y, left, c]
    return dx, dw
