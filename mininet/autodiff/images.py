"""Operations of networks for images, which are channels last: (n, height, width, channels)."""

from typing import Any, TypeAlias

import numpy as np

from ..base import instruments
from ..base.checks import flag, float_array, number, pair
from ..base.types import FloatArray
from ..kernels import convolution, normalization, pooling
from ..kernels.sums import sum_over
from .linear import optional_bias, require_not_empty, rows
from .operation import Computed, Gradients, Needs, Operation, operation
from .shapes import mean, reshape
from .tensor import Tensor, TensorLike, as_tensor, require_one_dtype, require_rank

Window: TypeAlias = tuple[int, int]
"""Height and width."""

Pair: TypeAlias = int | Window

# Convolution


@operation
def _conv2d(
    x: FloatArray, weight: FloatArray, bias: FloatArray | None = None, *, stride: Window, padding: Window
) -> Computed:
    out = convolution.convolve(x, weight, stride, padding)
    if bias is not None:
        out += bias
    return out, (x, weight, stride, padding)


@_conv2d.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    x, weight, stride, padding = saved
    by_x = by_weight = by_bias = None
    if needs[0]:
        by_x = convolution.convolve_input_gradient(gradient, weight, x.shape, stride, padding)
    if needs[1]:
        by_weight = convolution.convolve_weight_gradient(x, gradient, weight.shape, stride, padding)
    if needs[2:] == (True,):
        by_bias = sum_over(gradient, (0, 1, 2))
    return (by_x, by_weight, by_bias)[: len(needs)]


def conv2d(
    x: TensorLike, weight: TensorLike, bias: TensorLike | None = None, stride: Pair = 1, padding: Pair = 0
) -> Tensor:
    """Two-dimensional convolution, zero padding; see `mininet.kernels.convolution` for the formula.

    Parameters
    ----------
    x : Tensor (n, height, width, in_channels)
    weight : Tensor (kh, kw, in_channels, out_channels)
    bias : Tensor (out_channels,), optional
    stride, padding : int or (int, int)
        Vertical and horizontal.

    Returns
    -------
    Tensor (n, (height + 2 padding - kh) // stride + 1, (width + 2 padding - kw) // stride + 1, out_channels)
    """
    x, weight = as_tensor(x), as_tensor(weight)
    require_rank("x", x, 4, "(n, height, width, channels)")
    require_rank("weight", weight, 4, "(kh, kw, in_channels, out_channels)")
    require_not_empty("weight", weight.shape)
    steps, room = pair("stride", stride, 1), pair("padding", padding, 0)
    if x.shape[3] != weight.shape[2]:
        raise ValueError(
            f"x must have {weight.shape[2]} channels on its last axis, as weight {weight.shape} says, "
            f"got shape {x.shape}"
        )
    _require_window("weight", x.shape, weight.shape[:2], room)
    return _conv2d(x, weight, *optional_bias(bias, weight.shape[3]), stride=steps, padding=room)


def _require_window(name: str, shape: tuple[int, ...], size: tuple[int, ...], padding: Window) -> None:
    for axis, direction in enumerate(("height", "width")):
        if shape[1 + axis] + 2 * padding[axis] < size[axis]:
            raise ValueError(
                f"{name}: a window of {direction} {size[axis]} does not fit into {shape[1 + axis]} pixels "
                f"with padding {padding[axis]}"
            )


# Batch normalisation


@operation
def _batch_norm(
    x: FloatArray, weight: FloatArray, bias: FloatArray, *,
    mean: FloatArray, variance: FloatArray, eps: float, training: bool, relu: bool,
) -> Computed:  # fmt: skip
    dtype = x.dtype
    inverse_deviation = (1 / np.sqrt(variance.astype(np.float64) + eps)).astype(dtype)
    mean = mean.astype(dtype)
    out = normalization.normalize(rows(x), mean, inverse_deviation, weight, bias, relu)
    return out.reshape(x.shape), (x, weight, bias, mean, inverse_deviation, training, relu)


@_batch_norm.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    x, weight, bias, mean, inverse_deviation, training, relu = saved
    arguments = (rows(x), rows(gradient), mean, inverse_deviation, weight, bias, relu)
    by_parameters = by_x = None
    if training or needs[1] or needs[2]:
        by_parameters = normalization.normalize_parameter_gradients(*arguments)
    if needs[0]:
        by_x = normalization.normalize_input_gradient(*arguments, by_parameters if training else None).reshape(x.shape)
    by_weight, by_bias = (entry.astype(x.dtype) for entry in by_parameters) if by_parameters else (None, None)
    return by_x, by_weight, by_bias


def batch_norm(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike,
    running_mean: FloatArray,
    running_var: FloatArray,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
    update: bool = True,
    relu: bool = False,
) -> Tensor:
    """Batch normalisation of the last axis (Ioffe and Szegedy, ICML 2015).

    Parameters
    ----------
    x : Tensor (..., channels)
    weight, bias : Tensor (channels,)
    running_mean, running_var : ndarray (channels,)
        Used in evaluation; in training they move towards the statistics of the batch, in place, by the share
        `momentum`.  The running variance is the unbiased one, as in PyTorch.
    training : bool
        Normalise with the statistics of this batch.
    update : bool
        Whether training moves the running statistics.
    relu : bool
        Whether a ReLU follows, which is then computed along with the normalisation.  On the way back it is found out
        again where it let numbers pass, so weight and bias must not change in between.

    Raises
    ------
    TypeError, ValueError
        For an argument outside what is allowed, naming it; in training, if a channel has fewer than 2 values.
    """
    x, weight, bias = as_tensor(x), as_tensor(weight), as_tensor(bias)
    channels = weight.shape[0] if weight.ndim == 1 else 0
    if x.ndim < 2 or channels < 1 or x.shape[-1] != channels or bias.shape != weight.shape:
        raise ValueError(
            "x, weight and bias must have shapes (..., channels), (channels,) and (channels,), with at least 1 "
            f"channel, got {x.shape}, {weight.shape} and {bias.shape}"
        )
    require_one_dtype("batch_norm", (x, weight, bias))  # before the running statistics move
    mean, variance = float_array("running_mean", running_mean), float_array("running_var", running_var)
    momentum, eps = number("momentum", momentum, 0, 1), number("eps", eps, 0)
    training, relu = flag("training", training), flag("relu", relu)
    if not mean.shape == variance.shape == weight.shape:
        raise ValueError(
            f"running_mean and running_var must have shape {weight.shape}, got {mean.shape} and {variance.shape}"
        )
    if training:
        count = x.size // channels
        if count < 2:
            raise ValueError(f"x must have at least 2 values in every channel to train on, got shape {x.shape}")
        with instruments.measured("batch_norm, statistics"):
            mean, variance = normalization.batch_statistics(rows(x.data))
        if update:
            for running, batch in ((running_mean, mean), (running_var, variance * (count / (count - 1)))):
                running[...] = (1 - momentum) * running + momentum * batch
    return _batch_norm(x, weight, bias, mean=mean, variance=variance, eps=eps, training=training,
                 relu=relu)  # fmt: skip


# Pooling


@operation
def _max_pool2d(x: FloatArray, *, size: Window, stride: Window, padding: Window) -> Computed:
    out, winner = pooling.max_pool(x, size, stride, padding)
    return out, (winner, x.shape)


_max_pool2d.vjp = lambda saved, gradient, needs: (pooling.max_pool_gradient(gradient, *saved),)


@operation
def _avg_pool2d(x: FloatArray, *, size: Window, stride: Window, padding: Window) -> Computed:
    return pooling.average_pool(x, size, stride, padding), (x.shape, size, stride, padding)


_avg_pool2d.vjp = lambda saved, gradient, needs: (pooling.average_pool_gradient(gradient, *saved),)


def pool_window(size: Pair, stride: Pair | None, padding: Pair) -> tuple[Window, Window, Window]:
    """Size, stride and padding of a pooling, checked, as pairs; `stride` None stands for `size`."""
    window, room = pair("size", size, 1), pair("padding", padding, 0)
    if any(2 * p > s for p, s in zip(room, window, strict=True)):
        raise ValueError(f"padding must be at most half of size {window}, got {room}")
    return window, window if stride is None else pair("stride", stride, 1), room


def _pool(pooling_operation: Operation, x: TensorLike, size: Pair, stride: Pair | None, padding: Pair) -> Tensor:
    x = as_tensor(x)
    require_rank("x", x, 4, "(n, height, width, channels)")
    window, steps, room = pool_window(size, stride, padding)
    _require_window("size", x.shape, window, room)
    return pooling_operation(x, size=window, stride=steps, padding=room)


def max_pool2d(x: TensorLike, size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Tensor:
    """Largest value under each window of a (n, height, width, c) tensor; `stride` defaults to `size`."""
    return _pool(_max_pool2d, x, size, stride, padding)


def avg_pool2d(x: TensorLike, size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Tensor:
    """Mean under each window of a (n, height, width, c) tensor, padding counting as 0; `stride` defaults to `size`."""
    return _pool(_avg_pool2d, x, size, stride, padding)


def global_avg_pool2d(x: TensorLike) -> Tensor:
    """Mean of every channel over the image: (n, height, width, c) to (n, c)."""
    x = as_tensor(x)
    require_rank("x", x, 4, "(n, height, width, channels)")
    return mean(x, axis=(1, 2))


def flatten(x: TensorLike) -> Tensor:
    """All axes but the first as one."""
    x = as_tensor(x)
    if x.ndim == 0:
        raise ValueError("x must have at least 1 axis to flatten, got a scalar")
    return reshape(x, x.shape[0], int(np.prod(x.shape[1:])))
