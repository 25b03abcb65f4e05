"""Arithmetic with NumPy's broadcasting."""

from typing import Any

import numpy as np

from ..base.checks import is_real
from ..base.types import FloatArray
from ..kernels.elementwise import in_shares
from .operation import Computed, Gradients, Needs, operation
from .tensor import Tensor, TensorLike


@operation(broadcasts=True)
def add(a: FloatArray, b: FloatArray) -> Computed:
    """a + b, broadcast as in NumPy.

    >>> F.add([1.0, 2.0], 10.0)
    Tensor([11., 12.], dtype=float32)
    """
    return in_shares(np.add, a, b), None


add.vjp = lambda saved, gradient, needs: (gradient, gradient)


@operation(broadcasts=True)
def subtract(a: FloatArray, b: FloatArray) -> Computed:
    """a - b, broadcast as in NumPy.

    >>> F.subtract([3.0, 5.0], [1.0, 2.0])
    Tensor([2., 3.], dtype=float32)
    """
    return in_shares(np.subtract, a, b), None


subtract.vjp = lambda saved, gradient, needs: (gradient, in_shares(np.negative, gradient) if needs[1] else None)


@operation(broadcasts=True)
def multiply(a: FloatArray, b: FloatArray) -> Computed:
    """a * b, broadcast as in NumPy.

    >>> F.multiply([1.0, 2.0], [3.0, 4.0])
    Tensor([3., 8.], dtype=float32)
    """
    return in_shares(np.multiply, a, b), (a, b)


@multiply.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    return tuple(in_shares(np.multiply, gradient, saved[1 - i]) if needs[i] else None for i in (0, 1))


@operation(broadcasts=True)
def divide(a: FloatArray, b: FloatArray) -> Computed:
    """a / b, broadcast as in NumPy.

    >>> F.divide([1.0, 4.0], 2.0)
    Tensor([0.5, 2. ], dtype=float32)
    """
    return a / b, (a, b)


@divide.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    a, b = saved
    by_numerator = gradient / b
    return by_numerator, -by_numerator * (a / b) if needs[1] else None


@operation(broadcasts=True)
def maximum(a: FloatArray, b: FloatArray) -> Computed:
    """The larger of a and b; where they are equal, each gets half of the gradient.

    >>> F.maximum([1.0, 4.0], [3.0, 2.0])
    Tensor([3., 4.], dtype=float32)
    """
    return np.maximum(a, b), (a, b)


@maximum.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    a, b = saved
    shared = np.where(a == b, gradient.dtype.type(0.5) * gradient, 0)
    return np.where(a > b, gradient, shared), np.where(a >= b, shared, gradient)


@operation
def negative(a: FloatArray) -> Computed:
    """-a.

    >>> F.negative([1.0, -2.0])
    Tensor([-1.,  2.], dtype=float32)
    """
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


@operation(broadcasts=True)
def _tensor_power(a: FloatArray, exponent: FloatArray) -> Computed:
    out = a**exponent
    return out, (a, exponent, out)


@_tensor_power.defines_vjp
@np.errstate(divide="ignore", invalid="ignore")  # of what is not selected
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    a, exponent, out = saved
    by_a = np.where(exponent == 0, 0, gradient * (exponent * a ** (exponent - 1))) if needs[0] else None
    is_flat = (a == 0) & (exponent >= 0)
    return by_a, np.where(is_flat, 0, gradient * (out * np.log(a))) if needs[1] else None


def power(a: TensorLike, exponent: Tensor | FloatArray | float) -> Tensor:
    """a to the power of a number or a tensor.

    Parameters
    ----------
    a
        Of any shape; NaN where it is negative and the exponent no integer.
    exponent
        A number; or a tensor or array, which is broadcast as in NumPy and may get a gradient.

    Examples
    --------
    >>> F.power([1.0, 2.0, 3.0], 2)
    Tensor([1., 4., 9.], dtype=float32)
    """
    if isinstance(exponent, (Tensor, np.ndarray)):
        return _tensor_power(a, exponent)
    if not is_real(exponent):
        raise TypeError(f"exponent must be a number or a tensor, got {type(exponent).__name__}")
    return _power(a, exponent=exponent)
