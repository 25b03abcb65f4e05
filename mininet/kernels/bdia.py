"""The rule of BDIA in exact arithmetic: two positions, integers in units of 2^-40, and a sign for each sample.

With gamma = sign / 2, and odd = 1 where the older position is odd, so that it can be halved,

    forward      new = gamma (old + odd) + [(1 - gamma) x] + [(1 + gamma) f]
    inverse      old = (new - [(1 - gamma) x] - [(1 + gamma) f]) / gamma - odd

where [] rounds to an integer and 1 / gamma = 2 sign.  The sign 0 makes it new = x + [f].
"""

from typing import Any

import numpy as np

from ..base.checks import alike
from ..base.types import FloatArray, IntegerArray
from . import buffers
from .exact import _UNIT, _UNITS_PER_ONE, LIMIT, _require_in_range, kernel
from .threads import share_elements


def step(
    old: IntegerArray, x: IntegerArray, f: FloatArray, signs: IntegerArray, dtype: np.dtype[Any]
) -> tuple[FloatArray, IntegerArray]:  # fmt: skip
    """One layer forward: `old` is overwritten with the new position; returns that as floats, and `odd`.

    After FloatingPointError, if f has a NaN, or OverflowError, if x or f leave the range, `old` is useless.

    signs : int64, one for each sample, along the first axis
    """
    values, odd = buffers.empty(x.shape, dtype), np.empty(x.shape, np.uint8)
    f, is_bad = alike("residual", f, x.shape, dtype), np.zeros(1, np.int64)
    share_elements(_step, old, x, f, values, odd, signs, x.size // max(1, signs.size), is_bad)
    _require_in_range(is_bad, f, "x")
    return values, odd


def undo(new: IntegerArray, x: IntegerArray, f: FloatArray, odd: IntegerArray, signs: IntegerArray) -> None:
    """The inverse of `step`, for signs that are not 0: `new` is overwritten with the older position."""
    share_elements(_undo, new, x, alike("residual", f, x.shape, f.dtype), odd, signs, x.size // max(1, signs.size))


@kernel
def _step(old, x, f, values, odd, signs, size, is_bad, first, last):
    largest = np.int64(0)
    beyond = np.int64(0)
    for sample in range(first // size, (last - 1) // size + 1):
        begin, end, sign = max(first, sample * size), min(last, (sample + 1) * size), signs[sample]
        scale = (1 + 0.5 * sign) * _UNITS_PER_ONE
        for i in range(np.uint64(begin), np.uint64(end)):
            change = np.rint(np.float64(f[i]) * scale)
            odd[i] = old[i] & 1
            position = sign * ((old[i] + (old[i] & 1)) >> 1) + (((2 - sign) * x[i]) >> 1) + np.int64(change)
            old[i] = position
            values[i] = np.float64(position) * _UNIT
            largest = max(largest, abs(position))
            beyond |= np.int64(not abs(change) <= LIMIT)  # also if it is NaN
    if beyond or largest > LIMIT:
        is_bad[0] = 1


@kernel
def _undo(new, x, f, odd, signs, size, first, last):
    for sample in range(first // size, (last - 1) // size + 1):
        begin, end, sign = max(first, sample * size), min(last, (sample + 1) * size), signs[sample]
        scale = (1 + 0.5 * sign) * _UNITS_PER_ONE
        for i in range(np.uint64(begin), np.uint64(end)):
            rest = new[i] - (((2 - sign) * x[i]) >> 1) - np.int64(np.rint(np.float64(f[i]) * scale))
            new[i] = 2 * sign * rest - odd[i]
