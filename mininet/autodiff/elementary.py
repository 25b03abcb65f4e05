"""Elementwise functions of one array."""

from typing import Any

import numpy as np

from ..base.checks import number
from ..base.types import FloatArray
from ..kernels import transcendental
from ..kernels.elementwise import gradient_where_positive, in_shares, positive_part
from .arithmetic import negative
from .operation import Computed, Gradients, Needs, operation
from .tensor import Tensor, TensorLike


@operation
def exp(a: FloatArray) -> Computed:
    """e to the power of a.

    >>> F.exp([0.0])
    Tensor([1.], dtype=float32)
    """
    out = transcendental.exp(a)
    return out, (out,)


exp.vjp = lambda saved, gradient, needs: (gradient * saved[0],)


@operation
def log(a: FloatArray) -> Computed:
    """Natural logarithm.

    Parameters
    ----------
    a
        Positive: the logarithm of 0 is -inf, and below 0 it is NaN.

    Examples
    --------
    >>> F.log([1.0])
    Tensor([0.], dtype=float32)
    """
    return np.log(a), (a,)


log.vjp = lambda saved, gradient, needs: (gradient / saved[0],)


@operation
def sqrt(a: FloatArray) -> Computed:
    """Square root.

    Parameters
    ----------
    a
        At least 0: a root below 0 is NaN, and at 0 the slope is infinite.

    Examples
    --------
    >>> F.sqrt([4.0, 9.0])
    Tensor([2., 3.], dtype=float32)
    """
    out = np.sqrt(a)
    return out, (out,)


sqrt.vjp = lambda saved, gradient, needs: (gradient / (2 * saved[0]),)


@operation
def absolute(a: FloatArray) -> Computed:
    """Absolute value, with slope 0 at 0.

    >>> F.absolute([-1.0, 2.0])
    Tensor([1., 2.], dtype=float32)
    """
    return np.abs(a), (a,)


@absolute.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    (a,) = saved
    # not a product with the sign: 0 times an infinite gradient would be NaN
    return (np.where(a == 0, 0, np.where(a < 0, -gradient, gradient)),)


@operation
def relu(a: FloatArray) -> Computed:
    """max(a, 0), with slope 0 at 0.

    >>> F.relu([-1.0, 2.0])
    Tensor([0., 2.], dtype=float32)
    """
    out = in_shares(positive_part, a)
    return out, (out,)  # the output: the next layer saves it anyway


relu.vjp = lambda saved, gradient, needs: (in_shares(gradient_where_positive, gradient, saved[0]),)


@operation
def tanh(a: FloatArray) -> Computed:
    """Hyperbolic tangent.

    >>> F.tanh([0.0, 100.0])
    Tensor([0., 1.], dtype=float32)
    """
    out = transcendental.tanh(a)
    return out, (out,)


tanh.vjp = lambda saved, gradient, needs: (transcendental.tanh_gradient(gradient, saved[0]),)


@operation
def sigmoid(a: FloatArray) -> Computed:
    """1 / (1 + exp(-a)).

    >>> F.sigmoid([0.0, 100.0])
    Tensor([0.5, 1. ], dtype=float32)
    """
    return transcendental.sigmoid(a), (a,)


@sigmoid.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    (a,) = saved
    return (gradient * (transcendental.sigmoid(a) * transcendental.sigmoid(-a)),)


@operation
def silu(a: FloatArray) -> Computed:
    """a * sigmoid(a).

    >>> F.silu([0.0, 100.0])
    Tensor([  0., 100.], dtype=float32)
    """
    return a * transcendental.sigmoid(a), (a,)


@silu.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    (a,) = saved
    return (gradient * (transcendental.sigmoid(a) * (1 + a * transcendental.sigmoid(-a))),)


@operation
def softplus(a: FloatArray) -> Computed:
    """log(1 + exp(a)), without overflow.

    >>> F.softplus([1000.0])
    Tensor([1000.], dtype=float32)
    """
    return np.logaddexp(a, 0), (a,)


softplus.vjp = lambda saved, gradient, needs: (gradient * transcendental.sigmoid(saved[0]),)


def logsigmoid(a: TensorLike) -> Tensor:
    """Logarithm of the sigmoid, also where that is too small for a float.

    Parameters
    ----------
    a
        Of any shape, which the result has too.

    Examples
    --------
    >>> F.logsigmoid([-1000.0])
    Tensor([-1000.], dtype=float32)
    """
    return negative(softplus(negative(a)))


@operation
def _leaky_relu(a: FloatArray, slope: float) -> Computed:
    return np.where(a > 0, a, a.dtype.type(slope) * a), (a > 0, slope)


@_leaky_relu.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    is_positive, slope = saved
    return (np.where(is_positive, gradient, gradient.dtype.type(slope) * gradient),)


def leaky_relu(a: TensorLike, slope: float = 0.01) -> Tensor:
    """`a` where it is positive, `slope` times `a` elsewhere.

    Parameters
    ----------
    a
        Of any shape, which the result has too.
    slope
        What negative elements are multiplied by; 0 makes it a ReLU.

    Examples
    --------
    >>> F.leaky_relu([-1.0, 2.0], slope=0.5)
    Tensor([-0.5,  2. ], dtype=float32)
    """
    return _leaky_relu(a, slope=number("slope", slope))
