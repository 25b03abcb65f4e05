"""GELU (Hendrycks and Gimpel, 2016): x times the probability Phi(x) that a normal variable is below x.

Exactly, Phi(x) = (1 + erf(x / sqrt(2))) / 2.  GPT-2 and others take (1 + tanh(u)) / 2 with
u = sqrt(2 / pi) (x + 0.044715 x^3).  That is the logistic function 1 / (1 + exp(-2 u)), one exponential.
"""

import math
from collections.abc import Callable

import numpy as np

from ..base.types import AnyArray, FloatArray
from . import buffers
from .jit import kernel
from .threads import for_each_share
from .transcendental import exponentials

CHUNK = 1024
"""Numbers at a time, with workspace in the level-1 cache."""

ELEMENTS_WORTH_SHARING = 2**15

_SLOPE, _CUBE = 2 * math.sqrt(2 / math.pi), 0.044715


def gelu(x: FloatArray, by_tanh: bool) -> FloatArray:
    """Compute the function of contiguous x."""
    out = buffers.empty(x.shape, x.dtype)
    _share(_by_tanh if by_tanh else _by_erf, x, out)
    return out


def gelu_gradient(x: FloatArray, gradient: FloatArray, by_tanh: bool) -> FloatArray:
    """Compute dL/dx from `gradient` = dL/dout."""
    out = buffers.empty(x.shape, x.dtype)
    _share(_gradient_by_tanh if by_tanh else _gradient_by_erf, x, gradient, out)
    return out


def _share(function: Callable[..., None], *arrays: AnyArray) -> None:
    flat = [array.reshape(-1) for array in arrays]

    def work(first: int, last: int) -> None:
        function(*(array[first:last] for array in flat), np.empty(CHUNK, flat[0].dtype))

    for_each_share(work, flat[0].size, ELEMENTS_WORTH_SHARING)


@kernel
def _by_tanh(x, out, room):
    one, slope, cube = x.dtype.type(1), x.dtype.type(-_SLOPE), x.dtype.type(_CUBE)
    for start in range(0, len(x), CHUNK):
        values, results = x[start : start + CHUNK], out[start : start + CHUNK]
        powers = room[: len(values)]
        for i in range(len(values)):
            powers[i] = slope * values[i] * (one + cube * values[i] * values[i])
        exponentials(powers)
        for i in range(len(values)):
            results[i] = values[i] / (one + powers[i])


@kernel
def _gradient_by_tanh(x, gradient, out, room):
    """With the logistic function p of 2 u, the slope is p + x p (1 - p) 2 du/dx."""
    one, slope, cube = x.dtype.type(1), x.dtype.type(-_SLOPE), x.dtype.type(_CUBE)
    three = x.dtype.type(3)
    for start in range(0, len(x), CHUNK):
        values, g, results = x[start : start + CHUNK], gradient[start : start + CHUNK], out[start : start + CHUNK]
        powers = room[: len(values)]
        for i in range(len(values)):
            powers[i] = slope * values[i] * (one + cube * values[i] * values[i])
        exponentials(powers)
        for i in range(len(values)):
            p = one / (one + powers[i])
            steepness = slope * values[i] * (one + three * cube * values[i] * values[i])
            results[i] = g[i] * p * (one - (one - p) * steepness)


@kernel
def _by_erf(x, out, room):
    for i in range(len(x)):
        value = np.float64(x[i])
        out[i] = value * 0.5 * math.erfc(-value * math.sqrt(0.5))


@kernel
def _gradient_by_erf(x, gradient, out, room):
    for i in range(len(x)):
        value = np.float64(x[i])
        density = math.exp(-0.5 * value * value) / math.sqrt(2 * math.pi)
        out[i] = gradient[i] * (0.5 * math.erfc(-value * math.sqrt(0.5)) + value * density)
