"""Elementary operations: arithmetic, elementwise functions and matrix products.

Each is a pair of functions on arrays, forward and vjp side by side, and a public function on tensors.
"""

import numpy as np

from ..kernels.elementwise import gradient_where_positive, in_shares, positive_part
from ..kernels.matrix import matmul as array_matmul
from ..kernels.matrix import matrix_product
from .tape import Operation
from .tensor import apply

# Arithmetic, with NumPy's broadcasting


def _add(a, b):
    return in_shares(np.add, a, b), None


def _add_vjp(saved, gradient, needs):
    return gradient, gradient


def _subtract(a, b):
    return in_shares(np.subtract, a, b), None


def _subtract_vjp(saved, gradient, needs):
    return gradient, in_shares(np.negative, gradient) if needs[1] else None


def _multiply(a, b):
    return in_shares(np.multiply, a, b), (a, b)


def _multiply_vjp(saved, gradient, needs):
    return tuple(in_shares(np.multiply, gradient, saved[1 - i]) if needs[i] else None for i in (0, 1))


def _divide(a, b):
    return a / b, (a, b)


def _divide_vjp(saved, gradient, needs):
    a, b = saved
    by_numerator = gradient / b
    return by_numerator, -by_numerator * (a / b) if needs[1] else None


def _maximum(a, b):
    return np.maximum(a, b), (a, b)


def _maximum_vjp(saved, gradient, needs):
    a, b = saved
    half = gradient.dtype.type(0.5)
    first = np.where(a > b, gradient, np.where(a == b, half * gradient, 0))  # a tie is shared
    return first, gradient - first


_ADD = Operation("add", _add, _add_vjp, broadcasts=True)
_SUBTRACT = Operation("subtract", _subtract, _subtract_vjp, broadcasts=True)
_MULTIPLY = Operation("multiply", _multiply, _multiply_vjp, broadcasts=True)
_DIVIDE = Operation("divide", _divide, _divide_vjp, broadcasts=True)
_MAXIMUM = Operation("maximum", _maximum, _maximum_vjp, broadcasts=True)


def add(a, b):
    """a + b."""
    return apply(_ADD, a, b)


def subtract(a, b):
    """a - b."""
    return apply(_SUBTRACT, a, b)


def multiply(a, b):
    """a * b, elementwise."""
    return apply(_MULTIPLY, a, b)


def divide(a, b):
    """a / b, elementwise."""
    return apply(_DIVIDE, a, b)


def maximum(a, b):
    """The larger of a and b, elementwise; where they are equal, each gets half of the gradient."""
    return apply(_MAXIMUM, a, b)


# Functions of one array, elementwise


def _negative(a):
    return -a, None


def _negative_vjp(saved, gradient, needs):
    return (-gradient,)


def _power(a, exponent):
    exponent = a.dtype.type(exponent)
    return a**exponent, (a, exponent)


def _power_vjp(saved, gradient, needs):
    a, exponent = saved
    if exponent == 0:
        return (np.zeros_like(gradient),)
    if exponent == 2:
        return (gradient * (exponent * a),)
    return (gradient * (exponent * a ** (exponent - 1)),)


def _exp(a):
    out = np.exp(a)
    return out, (out,)


def _exp_vjp(saved, gradient, needs):
    return (gradient * saved[0],)


def _log(a):
    return np.log(a), (a,)


def _log_vjp(saved, gradient, needs):
    return (gradient / saved[0],)


def _sqrt(a):
    out = np.sqrt(a)
    return out, (out,)


def _sqrt_vjp(saved, gradient, needs):
    return (gradient / (2 * saved[0]),)


def _absolute(a):
    return np.abs(a), (a,)


def _absolute_vjp(saved, gradient, needs):
    return (gradient * np.sign(saved[0]),)


def _relu(a):
    out = in_shares(positive_part, a)
    return out, (out,)  # the output: the next layer saves it anyway


def _relu_vjp(saved, gradient, needs):
    return (in_shares(gradient_where_positive, gradient, saved[0]),)


def _tanh(a):
    out = np.tanh(a)
    return out, (out,)


def _tanh_vjp(saved, gradient, needs):
    slope = np.asarray(np.square(saved[0]))
    np.subtract(1, slope, out=slope)
    slope *= gradient
    return (slope,)


def _sigmoid(a):
    out = 0.5 * np.tanh(0.5 * a) + 0.5  # never overflows
    return out, (out,)


def _sigmoid_vjp(saved, gradient, needs):
    (out,) = saved
    return (gradient * (out * (1 - out)),)


_NEGATIVE = Operation("negative", _negative, _negative_vjp)
_POWER = Operation("power", _power, _power_vjp)
_EXP = Operation("exp", _exp, _exp_vjp)
_LOG = Operation("log", _log, _log_vjp)
_SQRT = Operation("sqrt", _sqrt, _sqrt_vjp)
_ABSOLUTE = Operation("absolute", _absolute, _absolute_vjp)
_RELU = Operation("relu", _relu, _relu_vjp)
_TANH = Operation("tanh", _tanh, _tanh_vjp)
_SIGMOID = Operation("sigmoid", _sigmoid, _sigmoid_vjp)


def negative(a):
    """-a."""
    return apply(_NEGATIVE, a)


def power(a, exponent):
    """a to the power of a Python number."""
    if not isinstance(exponent, (int, float)) or isinstance(exponent, bool):
        raise TypeError(f"exponent must be a Python number, got {type(exponent).__name__}")
    return apply(_POWER, a, exponent=exponent)


def exp(a):
    """e to the power of a."""
    return apply(_EXP, a)


def log(a):
    """Natural logarithm."""
    return apply(_LOG, a)


def sqrt(a):
    """Square root."""
    return apply(_SQRT, a)


def absolute(a):
    """|a|, with slope 0 at 0."""
    return apply(_ABSOLUTE, a)


def relu(a):
    """max(a, 0), with slope 0 at 0."""
    return apply(_RELU, a)


def tanh(a):
    """Hyperbolic tangent."""
    return apply(_TANH, a)


def sigmoid(a):
    """1 / (1 + exp(-a))."""
    return apply(_SIGMOID, a)


# Matrix products


def _product(a, b):
    return matrix_product(a, b) if a.ndim == b.ndim == 2 else array_matmul(a, b)


def _matmul(a, b):
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(f"a and b must be (..., m, k) and (..., k, n), got shapes {a.shape} and {b.shape}")
    return _product(a, b), (a, b)


def _matmul_vjp(saved, gradient, needs):
    a, b = saved
    if a.ndim == 1 and b.ndim == 1:
        return gradient * b, gradient * a
    if a.ndim == 1:  # a row vector
        rows = np.expand_dims(gradient, -2)
        by_a = _product(rows, b.swapaxes(-1, -2))[..., 0, :] if needs[0] else None
        return by_a, a[:, None] * rows if needs[1] else None
    if b.ndim == 1:  # a column vector
        columns = gradient[..., None]
        by_b = array_matmul(a.swapaxes(-1, -2), columns)[..., 0] if needs[1] else None
        return columns * b if needs[0] else None, by_b
    by_a = _product(gradient, b.swapaxes(-1, -2)) if needs[0] else None
    return by_a, _product(a.swapaxes(-1, -2), gradient) if needs[1] else None


_MATMUL = Operation("matmul", _matmul, _matmul_vjp, broadcasts=True)


def matmul(a, b):
    """Matrix product of the last two axes, with NumPy's rules for vectors and stacks of matrices."""
    return apply(_MATMUL, a, b)
