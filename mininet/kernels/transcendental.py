"""tanh, exp and the sigmoid of float32 arrays, on whole vectors.

NumPy computes these four times slower on processors without AVX-512.  Here every element takes the same few
instructions, without branches or tables, so the compiler can use vectors.  The polynomials are those of Moshier's
*Cephes* library.  Values are within 2 units in the last place: `python -m benchmarks.transcendental` checks it for
every float32.  Arrays of float64 are left to NumPy.
"""

import functools
from collections.abc import Callable

import numpy as np

from ..base.types import FloatArray
from . import buffers, jit
from .elementwise import in_shares
from .threads import share_elements

kernel = functools.partial(jit.kernel, contract=True)  # the error bound leaves room for either rounding

_LOG2_E, _LN2_HIGH, _LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
_E7, _E6, _E5 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
_E4, _E3, _E2 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)
_T11, _T9, _T7 = np.float32(-5.70498872745e-3), np.float32(2.06390887954e-2), np.float32(-5.37397155531e-2)
_T5, _T3 = np.float32(1.33314422036e-1), np.float32(-3.33332819422e-1)
_ONE, _TWO = np.float32(1), np.float32(2)
_LOWEST, _HIGHEST = np.float32(-105), np.float32(89)  # beyond these exp is 0 or infinite
_NORMAL = np.float32(88)
_SMALL, _SATURATED = np.float32(0.625), np.float32(9.1)  # from where on tanh is 1
_BIAS, _MANTISSA_BITS = np.int32(127), np.int32(23)


def tanh(array: FloatArray) -> FloatArray:
    """Hyperbolic tangent of every element."""
    return _computed(_tanh, array) if array.dtype == np.float32 else in_shares(np.tanh, array)


def tanh_gradient(gradient: FloatArray, values: FloatArray) -> FloatArray:
    """Compute dL/dx from `gradient` = dL/dtanh(x) and the `values` of tanh(x)."""
    return _computed(_tanh_gradient, gradient, values)


def exp(array: FloatArray) -> FloatArray:
    """e to the power of every element."""
    return _computed(_exp, array) if array.dtype == np.float32 else in_shares(np.exp, array)


def sigmoid(array: FloatArray) -> FloatArray:
    """1 / (1 + exp(-element))."""
    return _computed(_sigmoid, array) if array.dtype == np.float32 else in_shares(_sigmoid_by_numpy, array)


def _sigmoid_by_numpy(array: FloatArray, out: FloatArray | None = None) -> FloatArray:
    small = np.exp(-np.abs(array))  # never overflows, and 1 - sigmoid(a) = sigmoid(-a) loses no digits
    value: FloatArray = np.divide(np.where(array < 0, small, 1), 1 + small, out=out)
    return value


def _computed(function: Callable[..., None], *arrays: FloatArray) -> FloatArray:
    out = buffers.empty(arrays[0].shape, arrays[0].dtype)
    share_elements(function, *map(buffers.contiguous, arrays), out)
    return out


@kernel
def _power_of_two(exponent):
    return np.int32((exponent + _BIAS) << _MANTISSA_BITS).view(np.float32)


@kernel
def _exp_in_parts(y):
    """e^r and k, where e^y = 2^k e^r and |r| < 0.35."""
    k = np.rint(y * _LOG2_E)
    r = y - k * _LN2_HIGH - k * _LN2_LOW
    tail = ((((_E7 * r + _E6) * r + _E5) * r + _E4) * r + _E3) * r + _E2
    return tail * r * r + r + _ONE, np.int32(k)


@kernel
def _exp_of(y):
    """e^y for y between `_LOWEST` and `_HIGHEST`, where 2^k is two factors that are floats."""
    value, k = _exp_in_parts(y)
    half = np.int32(k >> 1)
    return value * _power_of_two(half) * _power_of_two(np.int32(k - half))


@kernel
def _exp_of_normal(y):
    """e^y for |y| up to 88, and 0 instead of e^-88."""
    value, k = _exp_in_parts(y)
    return value * _power_of_two(k)


@kernel
def _exp(x, out, first, last):
    x, out = x[first:last], out[first:last]
    for i in range(len(out)):
        y = max(min(x[i], _HIGHEST), _LOWEST)
        out[i] = _exp_of(y) if x[i] == x[i] else x[i]


@kernel
def exponentials(values):
    """For kernels: replace flat values by their exponentials, 0 below -88; those of float64 one by one."""
    for i in range(len(values)):
        if values.itemsize == 4:
            values[i] = _exp_of_normal(max(min(values[i], _NORMAL), -_NORMAL))
        else:
            values[i] = np.exp(values[i])


@kernel
def _sigmoid(x, out, first, last):
    x, out = x[first:last], out[first:last]
    for i in range(len(out)):
        small = _exp_of(max(-abs(x[i]), _LOWEST))
        value = np.float32(np.float64(small if x[i] < 0 else _ONE) / (1.0 + np.float64(small)))  # one rounding, not two
        out[i] = value if x[i] == x[i] else x[i]


@kernel
def _tanh(x, out, first, last):
    x, out = x[first:last], out[first:last]
    for i in range(len(out)):
        a = abs(x[i])
        square = a * a
        series = a + a * square * ((((_T11 * square + _T9) * square + _T7) * square + _T5) * square + _T3)
        y = min(a, _SATURATED)
        beyond = _ONE - _TWO / (_exp_of_normal(y + y) + _ONE)
        value = np.copysign(series if a < _SMALL else beyond, x[i])
        out[i] = value if a == a else x[i]


@jit.kernel
def _tanh_gradient(gradient, values, out, first, last):
    gradient, values, out = gradient[first:last], values[first:last], out[first:last]
    for i in range(len(out)):
        out[i] = (_ONE - values[i] * values[i]) * gradient[i]
