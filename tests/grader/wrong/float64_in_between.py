"""Inverted in double precision, and rounded at the end."""

import numpy as np

BREAKS = {"float32": "float64 takes part"}


def invert(functions, gamma, x, v):
    dtype = x.dtype
    x, v = x.astype(np.float64), v.astype(np.float64)
    for f in reversed(functions):
        x = x - v
        v = (v - (1 - gamma) * f(x, replay=True)) / gamma
    return x.astype(dtype), v.astype(dtype)
