"""Pooling of images, which are channels last: (n, height, width, channels)."""

from ..autodiff import Tensor
from ..autodiff import functional as F
from ..autodiff.convolution import Pair
from ..autodiff.pooling import pool_window
from ..autodiff.tensor import TensorLike
from .module import Module


class _Pool2d(Module):
    def __init__(self, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> None:
        pool_window(kernel_size, stride, padding)  # raises if they are wrong
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def described(self) -> str:
        return f"{self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(_Pool2d):
    """The largest value under each window; see `functional.max_pool2d`.

    Parameters
    ----------
    kernel_size : int or (int, int)
        The size of the window, at least 1; a pair means (vertical, horizontal).
    stride : int or (int, int), optional
        How far the window moves, at least 1; by default `kernel_size`.
    padding : int or (int, int)
        How far windows reach beyond the image, at most half of `kernel_size`; what is outside is never the largest.

    Examples
    --------
    >>> nn.MaxPool2d(2)(np.ones((1, 8, 8, 3), np.float32)).shape
    (1, 4, 4, 3)
    """

    def forward(self, x: TensorLike) -> Tensor:
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding)


class AvgPool2d(_Pool2d):
    """The mean under each window; see `functional.avg_pool2d`.

    Parameters
    ----------
    kernel_size : int or (int, int)
        The size of the window, at least 1; a pair means (vertical, horizontal).
    stride : int or (int, int), optional
        How far the window moves, at least 1; by default `kernel_size`.
    padding : int or (int, int)
        How far windows reach beyond the image, at most half of `kernel_size`; what is outside counts as 0.

    Examples
    --------
    >>> nn.AvgPool2d(2)(np.ones((1, 8, 8, 3), np.float32)).shape
    (1, 4, 4, 3)
    """

    def forward(self, x: TensorLike) -> Tensor:
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding)


class GlobalAvgPool2d(Module):
    """The mean of every channel over the image: (n, height, width, c) to (n, c).

    Examples
    --------
    >>> nn.GlobalAvgPool2d()(np.ones((1, 8, 8, 3), np.float32)).shape
    (1, 3)
    """

    def forward(self, x: TensorLike) -> Tensor:
        return F.global_avg_pool2d(x)


class Flatten(Module):
    """All axes except the first become one.

    Examples
    --------
    >>> nn.Flatten()(np.ones((1, 8, 8, 3), np.float32)).shape
    (1, 192)
    """

    def forward(self, x: TensorLike) -> Tensor:
        return F.flatten(x)
