"""On the way back, functions are evaluated in single precision."""

import numpy as np

BREAKS = {"exact gradients": "must be the same float", "same bits": "must be the same float"}
in_float64 = backward_exact  # noqa: F821 - that of the right implementation


class Single:
    def __init__(self, f):
        self.f = f

    def vjp(self, x, replay):
        value, pullback = self.f.vjp(x.astype(np.float32).astype(np.float64), replay=replay)
        return value, pullback


def backward_exact(functions, n, d, state, dx):
    return in_float64([Single(f) for f in functions], n, d, state, dx)
