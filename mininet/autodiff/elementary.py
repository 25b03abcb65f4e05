"""Elementwise operations: arithmetic with NumPy's broadcasting, and functions of one array."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import seeding
from ..base.checks import array, flag, is_real, number, shown
from ..base.types import FloatArray
from ..kernels.elementwise import gradient_where_positive, in_shares, positive_part
from .operation import Computed, Gradients, Needs, operation
from .tensor import Tensor, TensorLike, as_tensor

# Arithmetic


@operation(broadcasts=True)
def add(a: FloatArray, b: FloatArray) -> Computed:
    """a + b."""
    return in_shares(np.add, a, b), None


add.vjp = lambda saved, gradient, needs: (gradient, gradient)


@operation(broadcasts=True)
def subtract(a: FloatArray, b: FloatArray) -> Computed:
    """a - b."""
    return in_shares(np.subtract, a, b), None


subtract.vjp = lambda saved, gradient, needs: (gradient, in_shares(np.negative, gradient) if needs[1] else None)


@operation(broadcasts=True)
def multiply(a: FloatArray, b: FloatArray) -> Computed:
    """a * b."""
    return in_shares(np.multiply, a, b), (a, b)


@multiply.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    return tuple(in_shares(np.multiply, gradient, saved[1 - i]) if needs[i] else None for i in (0, 1))


@operation(broadcasts=True)
def divide(a: FloatArray, b: FloatArray) -> Computed:
    """a / b."""
    return a / b, (a, b)


@divide.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    a, b = saved
    by_numerator = gradient / b
    return by_numerator, -by_numerator * (a / b) if needs[1] else None


@operation(broadcasts=True)
def maximum(a: FloatArray, b: FloatArray) -> Computed:
    """The larger of a and b; where they are equal, each gets half of the gradient."""
    return np.maximum(a, b), (a, b)


@maximum.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    a, b = saved
    shared = np.where(a == b, gradient.dtype.type(0.5) * gradient, 0)
    return np.where(a > b, gradient, shared), np.where((a > b) | (a == b), shared, gradient)


# Functions of one array


@operation
def negative(a: FloatArray) -> Computed:
    """-a."""
    return -a, None


negative.vjp = lambda saved, gradient, needs: (-gradient,)


@operation
def _power(a: FloatArray, exponent: float) -> Computed:
    power = a.dtype.type(exponent)
    return a**power, (a, power)


@_power.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    a, exponent = saved
    if exponent == 0:
        return (np.zeros_like(gradient),)
    if exponent == 2:
        return (gradient * (exponent * a),)
    return (gradient * (exponent * a ** (exponent - 1)),)


def power(a: TensorLike, exponent: float) -> Tensor:
    """a to the power of a number."""
    if not is_real(exponent):
        raise TypeError(f"exponent must be a number, got {type(exponent).__name__}")
    return _power(a, exponent=exponent)


@operation
@np.errstate(under="ignore")
def exp(a: FloatArray) -> Computed:
    """e to the power of a."""
    out = np.exp(a)
    return out, (out,)


exp.vjp = lambda saved, gradient, needs: (gradient * saved[0],)


@operation
def log(a: FloatArray) -> Computed:
    """Natural logarithm."""
    return np.log(a), (a,)


log.vjp = lambda saved, gradient, needs: (gradient / saved[0],)


@operation
def sqrt(a: FloatArray) -> Computed:
    """Square root."""
    out = np.sqrt(a)
    return out, (out,)


sqrt.vjp = lambda saved, gradient, needs: (gradient / (2 * saved[0]),)


@operation
def absolute(a: FloatArray) -> Computed:
    """|a|, with slope 0 at 0."""
    return np.abs(a), (a,)


@absolute.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    (a,) = saved
    # not a product with the sign: 0 times an infinite gradient would be NaN
    return (np.where(a == 0, 0, np.where(a < 0, -gradient, gradient)),)


@operation
def relu(a: FloatArray) -> Computed:
    """max(a, 0), with slope 0 at 0."""
    out = in_shares(positive_part, a)
    return out, (out,)  # the output: the next layer saves it anyway


relu.vjp = lambda saved, gradient, needs: (in_shares(gradient_where_positive, gradient, saved[0]),)


@operation
def tanh(a: FloatArray) -> Computed:
    """Hyperbolic tangent."""
    out = np.tanh(a)
    return out, (out,)


@tanh.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    slope = np.asarray(np.square(saved[0]))
    np.subtract(1, slope, out=slope)
    slope *= gradient
    return (slope,)


@operation
@np.errstate(under="ignore")
def sigmoid(a: FloatArray) -> Computed:
    """1 / (1 + exp(-a))."""
    return _sigmoid(a), (a,)


def _sigmoid(a: FloatArray) -> FloatArray:
    small = np.exp(-np.abs(a))  # never overflows, and 1 - sigmoid(a) = sigmoid(-a) loses no digits
    out: FloatArray = np.where(a < 0, small, 1) / (1 + small)
    return out


@sigmoid.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    (a,) = saved
    return (gradient * (_sigmoid(a) * _sigmoid(-a)),)


@operation
@np.errstate(under="ignore")
def silu(a: FloatArray) -> Computed:
    """a * sigmoid(a)."""
    return a * _sigmoid(a), (a,)


@silu.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    (a,) = saved
    return (gradient * (_sigmoid(a) * (1 + a * _sigmoid(-a))),)


@operation
@np.errstate(under="ignore")
def softplus(a: FloatArray) -> Computed:
    """log(1 + exp(a)), without overflow."""
    return np.logaddexp(a, 0, dtype=a.dtype), (a,)


softplus.vjp = lambda saved, gradient, needs: (gradient * _sigmoid(saved[0]),)


def logsigmoid(a: TensorLike) -> Tensor:
    """Logarithm of the sigmoid, also where that is too small for a float."""
    return negative(softplus(negative(a)))


@operation
def _leaky_relu(a: FloatArray, slope: float) -> Computed:
    return np.where(a > 0, a, a.dtype.type(slope) * a), (a > 0, slope)


@_leaky_relu.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    is_positive, slope = saved
    return (np.where(is_positive, gradient, gradient.dtype.type(slope) * gradient),)


def leaky_relu(a: TensorLike, slope: float = 0.01) -> Tensor:
    """`a` where it is positive, and `slope` times a elsewhere."""
    return _leaky_relu(a, slope=number("slope", slope))


# Selection


@operation
def _clip(a: FloatArray, low: float, high: float) -> Computed:
    return np.clip(a, a.dtype.type(low), a.dtype.type(high)), ((a >= low) & (a <= high),)


_clip.vjp = lambda saved, gradient, needs: (np.where(saved[0], gradient, 0),)


def clip(a: TensorLike, min: float | None = None, max: float | None = None) -> Tensor:
    """`a` with what lies below `min` or above `max` set to that bound, where the slope is 0; None is no bound."""
    low = -np.inf if min is None else number("min", min)
    high = np.inf if max is None else number("max", max, low if min is not None else None)
    return _clip(a, low=low, high=high)


@operation(broadcasts=True)
def _where(a: FloatArray, b: FloatArray, condition: NDArray[np.bool_]) -> Computed:
    return np.where(condition, a, b), (condition,)


@_where.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    (condition,) = saved
    return np.where(condition, gradient, 0), np.where(condition, 0, gradient)


def where(condition: NDArray[np.bool_] | Sequence[Any] | bool, a: TensorLike, b: TensorLike) -> Tensor:
    """`a` where `condition`, an array of booleans, is true, and `b` elsewhere; all three are broadcast."""
    found = np.array(array("condition", condition))  # a copy: the original may change before the backward pass
    if found.dtype != np.bool_:
        raise TypeError(f"condition must be an array of booleans, got {shown(condition)}")
    return _where(a, b, condition=found)


# Dropout


def _dropped(x: FloatArray, p: float, draw: tuple[int, int]) -> FloatArray:
    """0 with probability p, and x / (1 - p) elsewhere; `draw` decides where, so no mask need be stored."""
    kept = seeding.generator_for(*draw).random(x.shape, dtype=np.float32) >= p
    return np.multiply(x, x.dtype.type(1 / (1 - p)), out=np.zeros(x.shape, x.dtype), where=kept)


@operation
def _dropout(x: FloatArray, p: float, draw: tuple[int, int]) -> Computed:
    return _dropped(x, p, draw), (p, draw)


_dropout.vjp = lambda saved, gradient, needs: (_dropped(gradient, *saved),)


def dropout(x: TensorLike, p: float = 0.5, training: bool = True) -> Tensor:
    """Set elements to zero with probability `p` and divide the others by 1 - p; without `training`, return x itself.

    The mask comes from the random numbers that `manual_seed` started and is drawn again on the way back.
    """
    p, x = number("p", p, 0, below=1), as_tensor(x)
    if not flag("training", training) or p == 0:
        return x
    return _dropout(x, p=p, draw=seeding.next_draw())
