"""Pooling of images, which are channels last: (n, height, width, channels)."""

from ..base.checks import pair
from ..base.types import FloatArray
from ..kernels import pooling
from .convolution import Pair, Window, require_window
from .operation import Computed, Operation, operation
from .reductions import mean
from .tensor import Tensor, TensorLike, as_tensor, require_rank


@operation
def _max_pool2d(x: FloatArray, *, kernel_size: Window, stride: Window, padding: Window) -> Computed:
    out, winner = pooling.max_pool(x, kernel_size, stride, padding)
    return out, (winner, x.shape)


_max_pool2d.vjp = lambda saved, gradient, needs: (pooling.max_pool_gradient(gradient, *saved),)


@operation
def _avg_pool2d(x: FloatArray, *, kernel_size: Window, stride: Window, padding: Window) -> Computed:
    return pooling.average_pool(x, kernel_size, stride, padding), (x.shape, kernel_size, stride, padding)


_avg_pool2d.vjp = lambda saved, gradient, needs: (pooling.average_pool_gradient(gradient, *saved),)


def pool_window(kernel_size: Pair, stride: Pair | None, padding: Pair) -> tuple[Window, Window, Window]:
    """Window, stride and padding of a pooling, checked, as pairs; `stride` None stands for `kernel_size`."""
    window, room = pair("kernel_size", kernel_size, 1), pair("padding", padding, 0)
    if any(2 * p > s for p, s in zip(room, window, strict=True)):
        raise ValueError(f"padding must be at most half of kernel_size {window}, got {room}")
    return window, window if stride is None else pair("stride", stride, 1), room


def _pool(pooling_operation: Operation, x: TensorLike, kernel_size: Pair, stride: Pair | None, padding: Pair) -> Tensor:
    x = as_tensor(x)
    require_rank("x", x, 4, "(n, height, width, channels)")
    window, steps, room = pool_window(kernel_size, stride, padding)
    require_window("kernel_size", x.shape, window, room)
    return pooling_operation(x, kernel_size=window, stride=steps, padding=room)


def max_pool2d(x: TensorLike, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Tensor:
    """Largest value under each window of images.

    Parameters
    ----------
    x : Tensor (n, height, width, channels)
        Images, channels last.
    kernel_size : int or (int, int)
        The size of the window, at least 1; a pair means (vertical, horizontal).
    stride : int or (int, int), optional
        How far the window moves, at least 1; by default `kernel_size`.
    padding : int or (int, int)
        How far windows reach beyond the image, at most half of `kernel_size`; what is outside is never the largest.

    Examples
    --------
    >>> F.max_pool2d(np.arange(4.0).reshape(1, 2, 2, 1), 2)
    Tensor([[[[3.]]]], dtype=float64)
    """
    return _pool(_max_pool2d, x, kernel_size, stride, padding)


def avg_pool2d(x: TensorLike, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Tensor:
    """Mean under each window of images.

    Parameters
    ----------
    x : Tensor (n, height, width, channels)
        Images, channels last.
    kernel_size : int or (int, int)
        The size of the window, at least 1; a pair means (vertical, horizontal).
    stride : int or (int, int), optional
        How far the window moves, at least 1; by default `kernel_size`.
    padding : int or (int, int)
        How far windows reach beyond the image, at most half of `kernel_size`; what is outside counts as 0.

    Examples
    --------
    >>> F.avg_pool2d(np.arange(4.0).reshape(1, 2, 2, 1), 2)
    Tensor([[[[1.5]]]], dtype=float64)
    """
    return _pool(_avg_pool2d, x, kernel_size, stride, padding)


def global_avg_pool2d(x: TensorLike) -> Tensor:
    """Mean of every channel over the image: (n, height, width, c) to (n, c).

    Parameters
    ----------
    x
        Images, channels last.

    Examples
    --------
    >>> F.global_avg_pool2d(np.arange(4.0).reshape(1, 2, 2, 1))
    Tensor([[1.5]], dtype=float64)
    """
    x = as_tensor(x)
    require_rank("x", x, 4, "(n, height, width, channels)")
    return mean(x, axis=(1, 2))
