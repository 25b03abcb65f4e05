"""Normalisation of the last axis, which holds the channels."""

import math
from typing import Any

import numpy as np

from ..base import instruments
from ..base.checks import flag, float_array, integer, number
from ..base.types import FloatArray
from ..kernels import normalization
from .arithmetic import add, divide, multiply, power, subtract
from .elementary import sqrt
from .linear import rows
from .operation import Computed, Gradients, Needs, operation
from .reductions import mean
from .shapes import reshape
from .tensor import Tensor, TensorLike, as_tensor


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


def _checked(x: TensorLike, weight: TensorLike, bias: TensorLike) -> tuple[Tensor, Tensor, Tensor]:
    x, weight, bias = as_tensor(x), as_tensor(weight), as_tensor(bias)
    channels = weight.shape[0] if weight.ndim == 1 else 0
    if x.ndim < 2 or channels < 1 or x.shape[-1] != channels or bias.shape != weight.shape:
        raise ValueError(
            "x, weight and bias must have shapes (..., channels), (channels,) and (channels,), with at least 1 "
            f"channel, got {x.shape}, {weight.shape} and {bias.shape}"
        )
    return x, weight, bias


@np.errstate(under="ignore")
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
        A channel has one mean and one variance, over all other axes.
    weight, bias : Tensor (channels,)
        Scale and shift of each channel.
    running_mean, running_var : ndarray (channels,)
        Used in evaluation; in training they move towards the statistics of the batch, in place, by the share
        `momentum`.  The running variance is the unbiased one, as in PyTorch.
    training : bool
        Normalise with the statistics of this batch.
    momentum : float
        From 0 to 1.
    eps : float
        Added to the variance before its root divides, at least 0.
    update : bool
        Whether training moves the running statistics.
    relu : bool
        Whether to apply a ReLU, fused with the normalisation.  The backward pass recomputes where it was positive, so
        weight and bias must not change in between.

    Raises
    ------
    TypeError, ValueError
        For an argument outside what is allowed, naming it; in training, if a channel has fewer than 2 values.

    Examples
    --------
    >>> mean, var = np.zeros(1), np.ones(1)
    >>> F.batch_norm([[0.0], [2.0]], [1.0], [0.0], mean, var, training=True, eps=0)
    Tensor([[-1.],
            [ 1.]], dtype=float32)
    >>> mean
    array([0.1])
    """
    x, weight, bias = _checked(x, weight, bias)
    channels = weight.size
    _batch_norm.require_one_dtype(x, weight, bias)  # before the running statistics move
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


def group_norm(x: TensorLike, num_groups: int, weight: TensorLike, bias: TensorLike, eps: float = 1e-5) -> Tensor:
    """Normalise each of `num_groups` groups of channels of each entry of a batch (Wu and He, ECCV 2018).

    Parameters
    ----------
    x : Tensor (n, ..., channels)
        A group has one mean and one variance for each n, over its channels and the axes between.
    num_groups : int
        Divides the number of channels.
    weight, bias : Tensor (channels,)
        Scale and shift of each channel.
    eps : float
        Added to the variance before its root divides, at least 0.

    Examples
    --------
    >>> F.group_norm([[0.0, 2.0]], 1, weight=[1.0, 1.0], bias=[0.0, 0.0], eps=0)
    Tensor([[-1.,  1.]], dtype=float32)
    """
    x, weight, bias = _checked(x, weight, bias)
    parts, eps = integer("num_groups", num_groups, 1), number("eps", eps, 0)
    *before, channels = x.shape
    if channels % parts:
        raise ValueError(f"num_groups must divide the {channels} channels, got {parts}")
    grouped = reshape(x, before[0], math.prod(before[1:]), parts, channels // parts)
    deviations = subtract(grouped, mean(grouped, (1, 3), keepdims=True))
    variance = mean(power(deviations, 2), (1, 3), keepdims=True)
    normalized = divide(deviations, sqrt(add(variance, eps)))
    return add(multiply(reshape(normalized, x.shape), weight), bias)
