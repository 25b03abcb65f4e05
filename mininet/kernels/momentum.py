"""The loops of `mininet.reversible.momentum`, where the rule is explained: in floats, one pass over memory each.

forward (the paper's equation 2)      v = gamma v + (1 - gamma) f           x = x + v
inverse, in two halves, because f must be evaluated at the x in between:
                                      x = x - v
                                      v = (v - (1 - gamma) f) / gamma
adjoint, with p = dL/dx, q = dL/dv:   s = p + q      dL/df = (1 - gamma) s   q = gamma s
                                      and then, by the caller, p = p + (df/dx)^T dL/df

All arrays have one dtype and one shape; those that are overwritten are C-contiguous.  `keep` and `take` are gamma and
1 - gamma as `coefficients` gives them.  The adjoint serves exact arithmetic too.
"""

from typing import Any

import numpy as np

from ..base.checks import alike, number
from ..base.types import FloatArray
from . import buffers
from .jit import kernel
from .threads import share_elements


def coefficients(gamma: float, dtype: np.dtype[Any]) -> tuple[np.floating[Any], np.floating[Any]]:
    """(gamma, 1 - gamma) in the arrays' dtype; ValueError unless 0 <= gamma < 1, and if it vanishes in the dtype."""
    keep, take = dtype.type(number("gamma", gamma, 0, below=1)), dtype.type(1 - gamma)
    if gamma and keep == 0:
        raise ValueError(f"gamma must not vanish in {dtype}, got {gamma!r}")
    return keep, take


def step(x: FloatArray, v: FloatArray, f: FloatArray, keep: np.floating[Any], take: np.floating[Any]) -> None:
    """One layer forward: `v`, then `x`, are overwritten; `f` is the residual function's value at the old `x`."""
    share_elements(_step, x, v, alike("residual", f, x.shape, x.dtype), keep, take)


def undo_position(x: FloatArray, v: FloatArray) -> None:
    """First half of the inverse: `x` is overwritten with the position before the step."""
    share_elements(_undo_position, x, v)


def undo_velocity(v: FloatArray, f: FloatArray, keep: np.floating[Any], take: np.floating[Any]) -> None:
    """Second half of the inverse: `v` is overwritten; `f` is evaluated at the x that `undo_position` gave back."""
    if keep == 0:
        raise ValueError("gamma must be above 0 to invert, got 0")
    share_elements(_undo_velocity, v, alike("residual", f, v.shape, v.dtype), keep, take)


def adjoint_step(p: FloatArray, q: FloatArray, keep: np.floating[Any], take: np.floating[Any]) -> FloatArray:
    """The backward pass of `step` except f: overwrites `q` = dL/dv and returns dL/df; `p` = dL/dx stays as it is."""
    by_residual = buffers.empty(p.shape, p.dtype)
    share_elements(_adjoint_step, p, q, by_residual, keep, take)
    return by_residual


def add(total: FloatArray, array: FloatArray) -> None:
    """`total` += `array`."""
    share_elements(_add, total, array)


@kernel
def _step(x, v, f, keep, take, first, last):
    x, v, f = x[first:last], v[first:last], f[first:last]
    for i in range(len(x)):
        v[i] = keep * v[i] + take * f[i]
        x[i] += v[i]


@kernel
def _undo_position(x, v, first, last):
    x, v = x[first:last], v[first:last]
    for i in range(len(x)):
        x[i] -= v[i]


@kernel
def _undo_velocity(v, f, keep, take, first, last):
    v, f = v[first:last], f[first:last]
    for i in range(len(v)):
        v[i] = (v[i] - take * f[i]) / keep


@kernel
def _adjoint_step(p, q, by_residual, keep, take, first, last):
    p, q, by_residual = p[first:last], q[first:last], by_residual[first:last]
    for i in range(len(p)):
        total = p[i] + q[i]
        by_residual[i] = take * total
        q[i] = keep * total


@kernel
def _add(total, array, first, last):
    total, array = total[first:last], array[first:last]
    for i in range(len(total)):
        total[i] += array[i]
