"""The operations of neural networks on tensors, public as `mininet.functional`, with all elementary ones.

Images are channels last: (n, height, width, channels).
"""

import numpy as np

from .. import seeding
from ..checks import flag, float_array, number, pair
from ..kernels import convolution, normalization, pooling
from ..kernels.matrix import matrix_product, transposed_product
from ..profiling import measured
from .elementary import (
    absolute,
    add,
    divide,
    exp,
    log,
    matmul,
    maximum,
    multiply,
    negative,
    power,
    relu,
    sigmoid,
    sqrt,
    subtract,
    tanh,
)  # fmt: skip
from .losses import cross_entropy, log_softmax, mse_loss, softmax
from .shapes import concatenate, getitem, max, mean, reshape, sum, transpose
from .tape import Operation
from .tensor import apply, as_tensor, require_one_dtype, require_rank

__all__ = [
    "absolute", "add", "avg_pool2d", "batch_norm", "concatenate", "conv2d", "cross_entropy", "divide", "dropout", "exp",
    "flatten", "getitem", "global_avg_pool2d", "linear", "log", "log_softmax", "matmul", "max", "max_pool2d", "maximum",
    "mean", "mse_loss", "multiply", "negative", "power", "relu", "reshape", "sigmoid", "softmax", "sqrt", "subtract",
    "sum", "tanh", "transpose",
]  # fmt: skip


# Linear maps


def _rows(array):
    """All axes but the last as one; contiguous and aligned, so that results do not depend on how it lies in memory."""
    if not array.flags.carray:
        array = np.require(array, requirements="CA")
    return array.reshape(-1, array.shape[-1])


def _linear(x, weight, bias=None):
    out = matrix_product(_rows(x), _rows(weight))
    if bias is not None:
        out += bias
    return out.reshape(*x.shape[:-1], weight.shape[1]), (x, weight)


def _linear_vjp(saved, gradient, needs):
    x, weight = saved
    rows, inputs = _rows(gradient), _rows(x)
    return (
        matrix_product(rows, _rows(weight).T).reshape(x.shape) if needs[0] else None,
        transposed_product(inputs, rows) if needs[1] else None,
        rows.sum(axis=0) if needs[2:] == (True,) else None,
    )[: len(needs)]


_LINEAR = Operation("linear", _linear, _linear_vjp)


def linear(x, weight, bias=None):
    """x @ weight + bias.

    Parameters
    ----------
    x : Tensor (..., in)
    weight : Tensor (in, out)
    bias : Tensor (out,), optional

    Returns
    -------
    Tensor (..., out)
    """
    x, weight = as_tensor(x), as_tensor(weight)
    require_rank("weight", weight, 2, "(in, out)")
    _require_not_empty("weight", weight.shape)
    if x.ndim == 0 or x.shape[-1] != weight.shape[0]:
        raise ValueError(
            f"x must have {weight.shape[0]} features on its last axis, as weight {weight.shape} says, "
            f"got shape {x.shape}"
        )
    return apply(_LINEAR, x, weight, *_optional_bias(bias, weight.shape[1]))


def _require_not_empty(name, shape):
    if 0 in shape:
        raise ValueError(f"{name} must not be empty, got shape {shape}")


def _optional_bias(bias, size):
    if bias is None:
        return ()
    bias = as_tensor(bias)
    if bias.shape != (size,):
        raise ValueError(f"bias must have shape ({size},), got {bias.shape}")
    return (bias,)


# Convolution


def _conv2d(x, weight, bias=None, *, stride, padding):
    out = convolution.convolve(x, weight, stride, padding)
    if bias is not None:
        out += bias
    return out, (x, weight, stride, padding)


def _conv2d_vjp(saved, gradient, needs):
    x, weight, stride, padding = saved
    by_x = by_weight = by_bias = None
    if needs[0]:
        by_x = convolution.convolve_input_gradient(gradient, weight, x.shape, stride, padding)
    if needs[1]:
        by_weight = convolution.convolve_weight_gradient(x, gradient, weight.shape, stride, padding)
    if needs[2:] == (True,):
        by_bias = gradient.sum(axis=(0, 1, 2))
    return (by_x, by_weight, by_bias)[: len(needs)]


_CONV2D = Operation("conv2d", _conv2d, _conv2d_vjp)


def conv2d(x, weight, bias=None, stride=1, padding=0):
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
    _require_not_empty("weight", weight.shape)
    stride, padding = pair("stride", stride, 1), pair("padding", padding, 0)
    if x.shape[3] != weight.shape[2]:
        raise ValueError(
            f"x must have {weight.shape[2]} channels on its last axis, as weight {weight.shape} says, "
            f"got shape {x.shape}"
        )
    _require_window("weight", x.shape, weight.shape[:2], stride, padding)
    return apply(_CONV2D, x, weight, *_optional_bias(bias, weight.shape[3]), stride=stride, padding=padding)


def _require_window(name, shape, size, stride, padding):
    for axis, direction in enumerate(("height", "width")):
        if shape[1 + axis] + 2 * padding[axis] < size[axis]:
            raise ValueError(
                f"{name}: a window of {direction} {size[axis]} does not fit into {shape[1 + axis]} pixels "
                f"with padding {padding[axis]}"
            )


# Batch normalisation


def _batch_norm(x, weight, bias, *, mean, variance, eps, training, relu):
    dtype = x.dtype
    inverse_deviation = (1 / np.sqrt(variance.astype(np.float64) + eps)).astype(dtype)
    mean = mean.astype(dtype)
    out = normalization.normalize(_rows(x), mean, inverse_deviation, weight, bias, relu)
    return out.reshape(x.shape), (x, weight, bias, mean, inverse_deviation, training, relu)


def _batch_norm_vjp(saved, gradient, needs):
    x, weight, bias, mean, inverse_deviation, training, relu = saved
    arguments = (_rows(x), _rows(gradient), mean, inverse_deviation, weight, bias, relu)
    by_parameters = by_x = None
    if training or needs[1] or needs[2]:
        by_parameters = normalization.normalize_parameter_gradients(*arguments)
    if needs[0]:
        by_x = normalization.normalize_input_gradient(*arguments, by_parameters if training else None).reshape(x.shape)
    by_weight, by_bias = (entry.astype(x.dtype) for entry in by_parameters) if by_parameters else (None, None)
    return by_x, by_weight, by_bias


_BATCH_NORM = Operation("batch_norm", _batch_norm, _batch_norm_vjp)


def batch_norm(x, weight, bias, running_mean, running_var, training, momentum=0.1, eps=1e-5, update=True,
               relu=False):  # fmt: skip
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
        with measured("batch_norm, statistics"):
            mean, variance = normalization.batch_statistics(_rows(x.data))
        if update:
            for running, batch in ((running_mean, mean), (running_var, variance * (count / (count - 1)))):
                running[...] = (1 - momentum) * running + momentum * batch
    return apply(_BATCH_NORM, x, weight, bias, mean=mean, variance=variance, eps=eps, training=training,
                 relu=relu)  # fmt: skip


# Pooling


def _max_pool2d(x, *, size, stride, padding):
    out, winner = pooling.max_pool(x, size, stride, padding)
    return out, (winner, x.shape)


def _max_pool2d_vjp(saved, gradient, needs):
    return (pooling.max_pool_gradient(gradient, *saved),)


def _avg_pool2d(x, *, size, stride, padding):
    return pooling.average_pool(x, size, stride, padding), (x.shape, size, stride, padding)


def _avg_pool2d_vjp(saved, gradient, needs):
    return (pooling.average_pool_gradient(gradient, *saved),)


_MAX_POOL2D = Operation("max_pool2d", _max_pool2d, _max_pool2d_vjp)
_AVG_POOL2D = Operation("avg_pool2d", _avg_pool2d, _avg_pool2d_vjp)


def pool_window(size, stride, padding):
    """Size, stride and padding of a pooling, checked, as pairs; `stride` None stands for `size`."""
    size, padding = pair("size", size, 1), pair("padding", padding, 0)
    stride = size if stride is None else pair("stride", stride, 1)
    if any(2 * p > s for p, s in zip(padding, size, strict=True)):
        raise ValueError(f"padding must be at most half of size {size}, got {padding}")
    return size, stride, padding


def _pool(operation, x, size, stride, padding):
    x = as_tensor(x)
    require_rank("x", x, 4, "(n, height, width, channels)")
    size, stride, padding = pool_window(size, stride, padding)
    _require_window("size", x.shape, size, stride, padding)
    return apply(operation, x, size=size, stride=stride, padding=padding)


def max_pool2d(x, size, stride=None, padding=0):
    """Largest value under each window of a (n, height, width, c) tensor; `stride` defaults to `size`."""
    return _pool(_MAX_POOL2D, x, size, stride, padding)


def avg_pool2d(x, size, stride=None, padding=0):
    """Mean under each window of a (n, height, width, c) tensor, padding counting as 0; `stride` defaults to `size`."""
    return _pool(_AVG_POOL2D, x, size, stride, padding)


def global_avg_pool2d(x):
    """Mean of every channel over the image: (n, height, width, c) to (n, c)."""
    x = as_tensor(x)
    require_rank("x", x, 4, "(n, height, width, channels)")
    return mean(x, axis=(1, 2))


def flatten(x):
    """All axes but the first as one."""
    x = as_tensor(x)
    if x.ndim == 0:
        raise ValueError("x must have at least 1 axis to flatten, got a scalar")
    return reshape(x, x.shape[0], int(np.prod(x.shape[1:])))


# Dropout


def _dropout(x, *, p, draw):
    mask = _dropout_mask(x.shape, x.dtype, p, draw)
    return x * mask, (x.shape, p, draw)


def _dropout_vjp(saved, gradient, needs):
    shape, p, draw = saved
    return (gradient * _dropout_mask(shape, gradient.dtype, p, draw),)


def _dropout_mask(shape, dtype, p, draw):
    """Zeros with probability p, and 1 / (1 - p) elsewhere: a function of its arguments, so it need not be stored."""
    kept = seeding.generator_for(*draw).random(shape, dtype=np.float32) >= p
    return kept * dtype.type(1 / (1 - p))


_DROPOUT = Operation("dropout", _dropout, _dropout_vjp)


def dropout(x, p=0.5, training=True):
    """Set elements to zero with probability `p` and divide the others by 1 - p; without `training`, x itself.

    The mask comes from the random numbers that `manual_seed` started and is drawn again on the way back.
    """
    p, x = number("p", p, 0, below=1), as_tensor(x)
    if not flag("training", training) or p == 0:
        return x
    return apply(_DROPOUT, x, p=p, draw=seeding.next_draw())
