"""Adam's rule in one pass over memory, where NumPy would make a dozen.

mean = b mean + (1 - b) g        square = c square + (1 - c) g^2
p = shrink p - rate mean / (sqrt(square / correction) + eps)
"""

import numpy as np

from ..base.types import FloatArray
from . import buffers
from .jit import kernel
from .threads import share_elements


def step(value: FloatArray, gradient: FloatArray, mean: FloatArray, square: FloatArray, *numbers: float) -> None:
    """Overwrite `value`, `mean` and `square`, all of one shape and dtype.

    numbers : b, 1 - b, c, 1 - c, correction, eps, rate and shrink, which are rounded to the dtype
    """
    given = value, mean, square
    arrays = [buffers.contiguous(array) for array in given]
    rounded = [value.dtype.type(number) for number in numbers]
    share_elements(_step, *arrays, buffers.contiguous(gradient), *rounded, cost=16)
    for array, changed in zip(given, arrays, strict=True):
        if changed is not array:
            array[...] = changed


@kernel
def _step(value, mean, square, gradient, b, one_less_b, c, one_less_c, correction, eps, rate, shrink, first, last):
    value, mean, square, gradient = value[first:last], mean[first:last], square[first:last], gradient[first:last]
    for i in range(len(value)):
        mean[i] = b * mean[i] + one_less_b * gradient[i]
        square[i] = c * square[i] + one_less_c * (gradient[i] * gradient[i])
        value[i] = shrink * value[i] - rate * mean[i] / (np.sqrt(square[i] / correction) + eps)
