"""Shapes of convolutions, and checks of them: compiled kernels do not look where they read and write."""

from typing import TypeAlias

from ..base.types import AnyArray, FloatArray

Shape: TypeAlias = tuple[int, ...]

Window: TypeAlias = tuple[int, int]
"""Vertical and horizontal."""


def output_size(size: int, kernel_size: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Count the positions at which a window fits into `size` pixels with `padding` at both ends."""
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1


def as_rows(array: FloatArray) -> FloatArray:
    """Make a matrix: all axes except the last, the channels, become rows."""
    return array.reshape(-1, array.shape[-1])


def require_convolution(
    x: AnyArray, w: AnyArray, stride: Window, padding: Window, out_shape: Shape, dilation: Window = (1, 1)
) -> None:
    """Raise ValueError unless x (n, height, width, c) and w (kh, kw, c, k), C-contiguous, give this output shape."""
    if x.ndim != 4 or w.ndim != 4 or x.shape[3] != w.shape[2] or x.dtype != w.dtype:
        raise ValueError(
            "x and w must be (n, height, width, c) and (kh, kw, c, k) of one dtype, got shapes "
            f"{x.shape} {x.dtype} and {w.shape} {w.dtype}"
        )
    if not (x.flags.c_contiguous and w.flags.c_contiguous):
        raise ValueError("x and w must be C-contiguous, as np.ascontiguousarray makes them")
    size = tuple(output_size(x.shape[1 + i], w.shape[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    expected = (len(x), *size, w.shape[3])
    if min(stride) < 1 or min(size) < 0 or tuple(out_shape) != expected:
        raise ValueError(f"out_shape must be {expected} for stride {stride} and padding {padding}, got {out_shape}")
