"""The momentum rule in floating point: one pass over memory for each direction.

forward (the paper's equation 2)      v <- gamma v + (1 - gamma) f           x <- x + v
inverse, in two halves, because f must be evaluated at the x in between:
                                      x <- x - v
                                      v <- (v - (1 - gamma) f) / gamma
adjoint, with p = dL/dx, q = dL/dv:   s = p + q      dL/df = (1 - gamma) s   q <- gamma s
                                      and then, by the caller, p <- p + (df/dx)^T dL/df

All arrays have one dtype, are C-contiguous and of one shape; the first ones are overwritten.
"""

import numpy as np

from . import buffers
from .jit import kernel
from .threads import for_each_share

ELEMENTS_WORTH_SHARING = 2**17


def step(x, v, f, gamma):
    """One layer forward: `v`, then `x`, are overwritten; `f` is the residual function's value at the old `x`."""
    arrays = x.reshape(-1), v.reshape(-1), np.ascontiguousarray(f).reshape(-1)
    keep, take = _coefficients(gamma, x.dtype)
    for_each_share(lambda first, last: _step(*arrays, keep, take, first, last), x.size, ELEMENTS_WORTH_SHARING)


def undo_position(x, v):
    """First half of the inverse: `x` is overwritten with the position before the step."""
    arrays = x.reshape(-1), v.reshape(-1)
    for_each_share(lambda first, last: _undo_position(*arrays, first, last), x.size, ELEMENTS_WORTH_SHARING)


def undo_velocity(v, f, gamma):
    """Second half of the inverse: `v` is overwritten; `f` is evaluated at the x that `undo_position` gave back."""
    arrays = v.reshape(-1), np.ascontiguousarray(f).reshape(-1)
    keep, take = _coefficients(gamma, v.dtype)
    for_each_share(lambda first, last: _undo_velocity(*arrays, keep, take, first, last), v.size, ELEMENTS_WORTH_SHARING)


def adjoint_step(p, q, gamma):
    """The backward pass of `step` but for f: overwrites `q` = dL/dv and returns dL/df; `p` = dL/dx stays as it is."""
    residual_gradient = buffers.empty(p.shape, p.dtype)
    arrays = p.reshape(-1), q.reshape(-1), residual_gradient.reshape(-1)
    keep, take = _coefficients(gamma, p.dtype)
    for_each_share(lambda first, last: _adjoint_step(*arrays, keep, take, first, last), p.size, ELEMENTS_WORTH_SHARING)
    return residual_gradient


def add(total, array):
    """`total` += `array`."""
    arrays = total.reshape(-1), np.ascontiguousarray(array).reshape(-1)
    for_each_share(lambda first, last: _add(*arrays, first, last), total.size, ELEMENTS_WORTH_SHARING)


def _coefficients(gamma, dtype):
    return dtype.type(gamma), dtype.type(1 - gamma)


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
def _adjoint_step(p, q, residual_gradient, keep, take, first, last):
    p, q, residual_gradient = p[first:last], q[first:last], residual_gradient[first:last]
    for i in range(len(p)):
        total = p[i] + q[i]
        residual_gradient[i] = take * total
        q[i] = keep * total


@kernel
def _add(total, array, first, last):
    total, array = total[first:last], array[first:last]
    for i in range(len(total)):
        total[i] += array[i]


def step_reference(x, v, f, gamma):
    """(x, v) after one layer, as in the paper."""
    v = gamma * v + (1 - gamma) * f
    return x + v, v


def inverse_step_reference(x, v, function, gamma):
    """(x, v) before the layer with residual function `function`."""
    x = x - v
    return x, (v - (1 - gamma) * function(x)) / gamma


def adjoint_step_reference(p, q, gamma):
    """(dL/df, new q)."""
    return (1 - gamma) * (p + q), gamma * (p + q)
